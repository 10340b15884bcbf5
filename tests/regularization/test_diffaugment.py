import numpy as np
import pytest
import tensorflow as tf
from regularization import numpy_augment as oracle

from dvdgan_tf.regularization.diffaugment import DiffAugment

PAPER = dict(
    brightness=0.5, saturation=1.0, contrast=0.5, translation=0.125, cutout=0.5
)
EACH = [
    dict(brightness=0.3),
    dict(saturation=0.7),
    dict(contrast=0.6),
    dict(translation=0.3),
    dict(cutout=0.4),
    dict(mirror=True),
    dict(scale=0.5),
    dict(mirror=True, translation=0.3),
    dict(brightness=0.3, contrast=0.6),
]
ALL = dict(
    brightness=0.4,
    saturation=0.8,
    contrast=0.6,
    translation=0.25,
    cutout=0.4,
    mirror=True,
    scale=0.3,
)
SHAPE = (12, 3, 6, 9, 3)


def operation(**settings):
    return DiffAugment(**{**oracle.OFF, **settings})


def clips(*shape, seed=1):
    videos = np.random.default_rng(seed).uniform(-1, 1, shape or SHAPE)
    return videos.astype("float32")


def noise(batch=SHAPE[0], seed=2):
    shape = [batch, DiffAugment.num_draws]
    return np.random.default_rng(seed).uniform(0, 1, shape).astype("float32")


def constant(value, batch=1):
    """The same number for all draws."""
    return np.full([batch, DiffAugment.num_draws], value, "float32")


@pytest.mark.parametrize("probability", [None, 0.5])
@pytest.mark.parametrize("settings", [PAPER, ALL, *EACH])
def test_equals_the_paper(settings, probability):
    videos, draws = clips(), noise()
    expected = oracle.augment(videos, draws, probability, **settings)
    found = operation(**settings)(videos, draws, probability)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    changed = np.abs(expected - videos).max((1, 2, 3, 4)) > 1e-3
    assert changed.sum() >= 2  # Or little would have been compared.


@pytest.mark.parametrize("probability", [None, 0.6])
@pytest.mark.parametrize("settings", [PAPER, ALL])
def test_compiled_by_xla(settings, probability):
    videos, draws = clips(), noise()
    if probability is not None:
        probability = tf.constant(probability)
    compiled = tf.function(operation(**settings), jit_compile=True)
    expected = oracle.augment(videos, draws, probability, **settings)
    found = compiled(tf.constant(videos), tf.constant(draws), probability)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_defaults_are_the_papers():
    videos, draws = clips(), noise()
    expected = oracle.augment(videos, draws, **PAPER)
    np.testing.assert_allclose(
        DiffAugment()(videos, draws), expected, atol=1e-5
    )


def test_zero_switches_off_exactly():
    videos, draws = tf.constant(clips()), noise()
    assert operation()(videos, draws) is videos
    assert operation()(videos, draws, tf.constant(1.0)) is videos


@pytest.mark.parametrize("settings", [PAPER, ALL])
def test_probability_0_is_never_and_1_is_always(settings):
    videos, draws = clips(), noise()
    draws[:, [0, 2, 4, 6, 8, 10, 13]] = 0.0
    draws[1:, [0, 2, 4, 6, 8, 10, 13]] = 1.0 - 2.0**-24
    augment = operation(**settings)
    np.testing.assert_array_equal(augment(videos, draws, 0.0), videos)
    np.testing.assert_array_equal(
        augment(videos, draws, 1.0), augment(videos, draws)
    )


def test_frames_of_a_clip_are_treated_alike():
    frame = clips(4, 1, 6, 9, 3)
    found = operation(**ALL)(np.repeat(frame, 3, 1), noise(4)).numpy()
    np.testing.assert_array_equal(found[:, 1], found[:, 0])
    np.testing.assert_array_equal(found[:, 2], found[:, 0])


def test_contrast_is_about_the_mean_of_the_whole_clip():
    # A dark and a bright frame move apart, and their mean stays.
    videos = np.zeros((1, 2, 4, 5, 3), "float32") - 0.5
    videos[:, 1] = 0.3
    found = operation(contrast=0.5)(videos, constant(0.75)).numpy()
    np.testing.assert_allclose(found[0, 0], -0.1 - 0.4 * 1.25, atol=1e-6)
    np.testing.assert_allclose(found[0, 1], -0.1 + 0.4 * 1.25, atol=1e-6)


def test_ends_of_the_ranges_of_colours():
    videos = clips(1, 2, 4, 5, 3)
    grey = videos.mean(-1, keepdims=True)
    mean = videos.mean()
    for u, sign in ((0.0, -1.0), (1.0 - 2.0**-24, 1.0)):
        for settings, expected in (
            (dict(brightness=0.5), videos + sign * 0.5),
            (dict(saturation=1.0), grey + (1 + sign) * (videos - grey)),
            (dict(contrast=0.5), mean + (1 + sign * 0.5) * (videos - mean)),
        ):
            found = operation(**settings)(videos, constant(u))
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_translation_moves_down_and_right_and_shifts_zeros_in():
    videos = clips(1, 2, 8, 16, 3)
    found = operation(translation=0.125)(videos, constant(1 - 2.0**-24))
    expected = np.zeros_like(videos)
    expected[:, :, 1:, 2:] = videos[:, :, :-1, :-2]
    np.testing.assert_array_equal(found, expected)
    found = operation(translation=0.125)(videos, constant(0.0))
    expected = np.zeros_like(videos)
    expected[:, :, :-1, :-2] = videos[:, :, 1:, 2:]
    np.testing.assert_array_equal(found, expected)


def test_all_moves_are_equally_likely():
    # 1/8 of 40 pixels: 11 moves, each for as many of 110 draws.
    draws = constant(0.5, 110)
    draws[:, 11] = (np.arange(110) + 0.5) / 110
    videos = np.zeros((110, 1, 40, 3, 3), "float32")
    videos[:, :, 20] = 1.0
    found = operation(translation=0.125)(videos, draws).numpy()
    rows = found[:, 0, :, 1, 0].argmax(1)
    values, counts = np.unique(rows - 20, return_counts=True)
    np.testing.assert_array_equal(values, np.arange(-5, 6))
    np.testing.assert_array_equal(counts, 10)


@pytest.mark.parametrize(("side", "length"), [(8, 4), (10, 5), (7, 4)])
def test_all_centres_of_a_hole_are_equally_likely(side, length):
    centres = side + 1 - length % 2
    draws = constant(0.5, centres)
    draws[:, 14] = draws[:, 15] = (np.arange(centres) + 0.5) / centres
    videos = np.ones((centres, 1, side, side, 3), "float32")
    found = operation(cutout=0.5)(videos, draws).numpy()[:, 0, :, :, 0]
    # Along the diagonal, from one corner to the other.
    sizes = np.sqrt((found == 0).sum((1, 2)))
    outside = np.abs(np.arange(centres) - (centres - 1) / 2)
    expected = np.minimum(length, length / 2 + (centres - 1) / 2 - outside)
    np.testing.assert_allclose(sizes, np.ceil(expected))
    np.testing.assert_array_equal(found, found.transpose(0, 2, 1))
    np.testing.assert_array_equal(found, found[::-1, ::-1, ::-1])


def test_mirror_of_half_the_clips():
    videos = clips(2, 2, 4, 5, 3)
    draws = constant(0.49, 2)
    draws[1, 7] = 0.51
    found = operation(mirror=True)(videos, draws).numpy()
    np.testing.assert_array_equal(found[0], videos[0, :, :, ::-1])
    np.testing.assert_array_equal(found[1], videos[1])


def matrix(settings, draws, shape):
    """A of T(x) = A x + T(0), which is affine, by the oracle."""
    units = np.eye(np.prod(shape)).reshape([-1, *shape])
    zero = oracle.augment(np.zeros([1, *shape]), draws, **settings)
    draws = np.repeat(draws, len(units), 0)
    columns = oracle.augment(units, draws, **settings) - zero
    return columns.reshape(len(units), -1).T, zero.reshape(-1)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("settings", [PAPER, ALL])
def test_first_and_second_derivatives(settings, jit_compile):
    shape = (2, 4, 5, 3)
    videos, draws = clips(3, *shape), noise(3)
    augment = operation(**settings)

    @tf.function(jit_compile=jit_compile)
    def gradients(videos):
        with tf.GradientTape() as outer:
            outer.watch(videos)
            with tf.GradientTape() as inner:
                inner.watch(videos)
                score = tf.reduce_sum(augment(videos, draws) ** 3)
            gradient = inner.gradient(score, videos)
            penalty = tf.reduce_sum(gradient**2)
        return gradient, outer.gradient(penalty, videos)

    first, second = gradients(tf.constant(videos))
    for i in range(3):
        a, zero = matrix(settings, draws[i : i + 1], shape)
        y = a @ videos[i].reshape(-1).astype("float64") + zero
        gradient = a.T @ (3 * y**2)
        expected = 2 * a.T @ (6 * y * (a @ gradient))
        np.testing.assert_allclose(
            first[i].numpy().ravel(), gradient, rtol=1e-4, atol=1e-4
        )
        np.testing.assert_allclose(
            second[i].numpy().ravel(), expected, rtol=1e-4, atol=1e-3
        )
        assert np.abs(expected).max() > 1


def test_batch_may_be_unknown():
    videos, draws = clips(), noise()
    specs = [tf.TensorSpec([None, *a.shape[1:]]) for a in (videos, draws)]
    augment = operation(**ALL)
    found = tf.function(augment, input_signature=specs)(videos, draws)
    assert found.shape == SHAPE
    np.testing.assert_allclose(found, augment(videos, draws), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("brightness", -0.1),
        ("saturation", 1.5),
        ("contrast", -1),
        ("translation", 1.1),
        ("cutout", float("nan")),
        ("scale", -0.5),
    ],
)
def test_impossible_arguments(name, value):
    with pytest.raises(ValueError, match=rf"DiffAugment\.{name}.*{name}="):
        DiffAugment(**{name: value})


def test_adaptive_is_only_kept():
    assert DiffAugment().adaptive is None
    assert DiffAugment(adaptive=dict).adaptive is dict
