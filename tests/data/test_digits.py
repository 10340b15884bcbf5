"""Moving digits, against bilinear interpolation written out in NumPy."""

import builtins

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from dvdgan_tf.data import digits, pipeline


@pytest.fixture(scope="module")
def source():
    return digits.MovingDigits(resolution=32, num_frames=16)


def bilinear(image, y, x):
    """The image at fractional (y, x), black outside of it."""
    total = 0.0
    for row in (int(np.floor(y)), int(np.floor(y)) + 1):
        for column in (int(np.floor(x)), int(np.floor(x)) + 1):
            if 0 <= row < 8 and 0 <= column < 8:
                weight = (1 - abs(y - row)) * (1 - abs(x - column))
                total += weight * image[row, column]
    return total


def rendered(image, sides, size, top, left):
    """A digit in the square of `size` pixels whose corner is (top, left).

    Nine equal steps lead from edge to edge over the eight samples.
    """
    frame = np.zeros(sides)
    for h in range(sides[0]):
        for w in range(sides[1]):
            y = (h + 0.5 - top) * 9 / size - 1
            x = (w + 0.5 - left) * 9 / size - 1
            frame[h, w] = bilinear(image, y, x)
    return frame * 255 / 16


def fit_path(source, seed):
    """Top and left of the square in every frame, as `load` draws them."""
    return source._path(tf.constant(seed)).numpy().astype(np.float64)


def centres(video):
    """Centre of mass (y, x) of each frame, [T, 2], pixel centres at +0.5."""
    mass = video[..., 0].astype(np.float64)
    grid = np.arange(mass.shape[1]) + 0.5
    total = mass.sum((1, 2))
    y = (mass.sum(2) * grid).sum(1) / total
    x = (mass.sum(1) * grid).sum(1) / total
    return np.stack([y, x], axis=1)


@pytest.mark.parametrize(
    "resolution, sides, size",
    [(32, (32, 32), 16), (48, (48, 48), 21), ((32, 56), (32, 56), 17)],
)
def test_frames_are_bilinear_interpolation(resolution, sides, size):
    source = digits.MovingDigits(resolution, 4, digit_size=size)
    video, label = source.load(tf.constant(12, tf.int64), tf.constant([3, 4]))
    assert video.shape == (4, *sides, 3)
    assert video.dtype == tf.uint8 and label.dtype == tf.int32
    data = load_digits()
    assert int(label) == data.target[12]
    tops, lefts = fit_path(source, [3, 4])
    for t in range(4):
        expected = rendered(data.images[12], sides, size, tops[t], lefts[t])
        for channel in range(3):
            error = video[t, ..., channel].numpy() - expected
            assert np.abs(error).max() < 0.51


def bounce(position, velocity, span, frames):
    """A ball between two walls, step by step."""
    path = []
    for _ in range(frames):
        path.append(position)
        position += velocity
        if position < 0:
            position, velocity = -position, -velocity
        elif position > span:
            position, velocity = 2 * span - position, -velocity
    return np.array(path)


def test_the_square_moves_at_constant_speed_and_reflects(source):
    reflections = 0
    for number in range(50):
        speeds = []
        for path in fit_path(source, [number, 1]):
            steps = np.diff(path)
            speed = np.abs(steps).max()  # a step with a reflection is shorter
            errors = [
                np.abs(path - bounce(path[0], velocity, 16.0, 16)).max()
                for velocity in (speed, -speed)
            ]
            assert min(errors) < 1e-3
            reflections += np.sum(np.diff(np.sign(steps)) != 0)
            speeds.append(speed)
        # Pixels per frame: 1/32 to 1/12 of the resolution.
        assert 0.999 < np.hypot(*speeds) < 32 / 12 + 1e-3
    assert reflections > 20


def test_a_wide_frame_is_crossed_from_wall_to_wall():
    source = digits.MovingDigits((32, 56), 64)
    for number in range(5):
        tops, lefts = fit_path(source, [number, 1])
        for path, span in ((tops, 16.0), (lefts, 40.0)):
            speed = np.abs(np.diff(path)).max()
            errors = [
                np.abs(path - bounce(path[0], velocity, span, 64)).max()
                for velocity in (speed, -speed)
            ]
            assert min(errors) < 2e-3
        assert np.ptp(lefts) > 20


def test_the_digit_itself_follows_the_square(source):
    for number in range(5):
        seed = tf.constant([number, 2])
        video, _ = source.load(tf.constant(7, tf.int64), seed)
        offsets = centres(video.numpy()) - fit_path(source, seed).T
        # Nearly constant: sampling shifts the centre by a little.
        assert np.abs(offsets - offsets.mean(0)).max() < 0.15


@pytest.mark.parametrize("index", [0, 500, 1796])
def test_the_digit_fades_to_black_inside_its_square(source, index):
    seed = [index, 3]
    video, _ = source.load(tf.constant(index, tf.int64), tf.constant(seed))
    video = video.numpy()
    inside = np.zeros_like(video)
    for t, (top, left) in enumerate(fit_path(source, seed).T):
        rows = slice(int(np.floor(top)), int(np.ceil(top + 16)))
        columns = slice(int(np.floor(left)), int(np.ceil(left + 16)))
        inside[t, rows, columns] = video[t, rows, columns]
    np.testing.assert_array_equal(inside, video)
    assert np.all(video.max((1, 2, 3)) > 150)


def test_the_motion_is_visible_within_eight_frames(source):
    distances = []
    for number in range(30):
        path = fit_path(source, [number, 4])[:, :8]
        distances.append(np.abs(np.diff(path)).sum(1))
    assert np.hypot(*np.transpose(distances)).min() > 5


def test_same_seed_same_clip_other_seed_other_motion(source):
    clips = [
        source.load(tf.constant(3, tf.int64), tf.constant(seed))[0].numpy()
        for seed in ([1, 2], [1, 2], [1, 3])
    ]
    np.testing.assert_array_equal(clips[0], clips[1])
    assert not np.array_equal(clips[0], clips[2])


def test_labels_and_counts_are_those_of_the_data_set(source):
    target = load_digits().target
    assert source.num_examples == 1797
    assert source.class_names == list("0123456789")
    np.testing.assert_array_equal(source.label_counts, np.bincount(target))
    few = digits.MovingDigits(32, 2, num_examples=5)
    np.testing.assert_array_equal(
        few.label_counts, np.bincount(target[:5], minlength=10)
    )


def test_batches(source):
    dataset = pipeline.batches(source, 4, seed=0)
    video, label = next(iter(dataset))
    assert dataset.element_spec[0].shape == (4, 16, 32, 32, 3)
    assert video.numpy().std() > 20
    assert set(label.numpy()) <= set(range(10))


@pytest.mark.parametrize(
    "arguments, value",
    [
        (dict(resolution=31, num_frames=4), "31"),
        (dict(resolution=32, num_frames=0), "0"),
        (dict(resolution=32, num_frames=4, digit_size=32), "32"),
        (dict(resolution=32, num_frames=4, digit_size=7), "7"),
        (dict(resolution=32, num_frames=4, num_examples=0), "0"),
    ],
)
def test_errors_name_the_value(arguments, value):
    with pytest.raises(ValueError) as error:
        digits.MovingDigits(**arguments)
    assert "\n" not in str(error.value)
    assert f"Received: {value}." in str(error.value)


def test_without_scikit_learn_one_sentence_says_so(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError) as error:
        digits.MovingDigits(32, 4)
    assert "pip install scikit-learn" in str(error.value)
    assert "\n" not in str(error.value)
