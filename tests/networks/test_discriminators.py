import collections
import functools

import numpy as np
import numpy_layers as oracle
import pytest
import tensorflow as tf

from dvdgan_tf.networks.blocks import DBlock
from dvdgan_tf.networks.discriminators import (
    SpatialDiscriminator,
    TemporalDiscriminator,
)

SMALL = dict(
    resolution=32, num_classes=4, ch=2, channel_multipliers=(1, 2, 3, 3)
)
LABELS = np.array([2, 0])
CLOSE = dict(rtol=2e-3, atol=2e-2)


def build(cls, random=True, **changes):
    """The same network object for equal arguments, its values set anew."""
    net = _build(cls, **changes)
    if random:
        oracle.randomize(net, noise=0.3)
    return net


@functools.cache
def _build(cls, **changes):
    net = cls(**{**SMALL, **changes})
    net.build()
    return net


def videos(frames=5, size=32, batch=2):
    rng = np.random.default_rng(7)
    x = rng.uniform(-1, 1, size=(batch, frames, size, size, 3))
    return x.astype("float32")


def assert_scores(scores, expected):
    assert scores.shape == expected.shape
    assert scores.dtype == tf.float32
    scale = np.abs(expected).max()
    assert scale > 1.0
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-3 * scale)


@pytest.mark.parametrize("training", [True, False])
def test_spatial_discriminator_equals_numpy(training):
    net = build(SpatialDiscriminator, k=3)
    x = videos(3)
    expected = oracle.discriminator(
        x.astype("float64"),
        oracle.one_hot(LABELS, 4),
        oracle.Weights(net, iterations=int(training)),
        num_blocks=4,
    )
    assert_scores(net(x, LABELS, training=training), expected)


@pytest.mark.parametrize(
    ("frames", "phi", "num_3d_blocks", "time_pool", "training"),
    [
        (9, 2, 2, 2, True),
        (5, 2, 2, 2, False),
        (3, 2, 2, 1, False),
        (2, 4, 1, 2, False),
        (4, 1, 2, 2, False),
        (3, 4, 0, 2, False),
    ],
)
def test_temporal_discriminator_equals_numpy(
    frames, phi, num_3d_blocks, time_pool, training
):
    net = build(
        TemporalDiscriminator,
        phi=phi,
        num_3d_blocks=num_3d_blocks,
        time_pool=time_pool,
    )
    x = videos(frames)
    expected = oracle.discriminator(
        oracle.pool(x.astype("float64"), phi),
        oracle.one_hot(LABELS, 4),
        oracle.Weights(net, iterations=int(training)),
        num_blocks=4,
        num_3d_blocks=num_3d_blocks,
        time_pool=time_pool,
    )
    assert_scores(net(x, LABELS, training=training), expected)


@pytest.mark.parametrize("downsampling", [2, 3, 4])
def test_downsampled_frames_equal_numpy(downsampling):
    """The first 30 of 32 pixels with a window of 3: a remainder is dropped."""
    net = build(SpatialDiscriminator, k=3, downsampling=downsampling)
    x = videos(3)
    means = x[:, :, : 32 // downsampling * downsampling].astype("float64")
    means = means[:, :, :, : 32 // downsampling * downsampling]
    expected = oracle.discriminator(
        oracle.pool(means, downsampling),
        oracle.one_hot(LABELS, 4),
        oracle.Weights(net),
        num_blocks=4,
    )
    assert_scores(net(x, LABELS), expected)


@pytest.mark.parametrize(("crop", "phi"), [(2, 1), (2, 2), (3, 1)])
def test_cropped_videos_equal_numpy(crop, phi):
    net = build(TemporalDiscriminator, crop=crop, phi=phi)
    x = videos(5)
    size = 32 // crop
    # The places of two examples, among 32 - size + 1 by 32 - size + 1.
    places = np.array([[0, 32 - size], [5, 9]])
    noise = (places + 0.5) / (33 - size)
    drawn = net.draw_crop(tf.constant(x), tf.constant(noise, tf.float32))
    expected = np.stack(
        [
            clip[:, row : row + size, column : column + size]
            for clip, (row, column) in zip(x, places, strict=True)
        ]
    )
    np.testing.assert_array_equal(drawn, expected)
    expected = oracle.discriminator(
        oracle.pool(expected.astype("float64"), phi),
        oracle.one_hot(LABELS, 4),
        oracle.Weights(net),
        num_blocks=4,
        num_3d_blocks=2,
        time_pool=2,
    )
    assert_scores(net(drawn, LABELS), expected)


@pytest.mark.parametrize("cls", [SpatialDiscriminator, TemporalDiscriminator])
def test_attention_comes_after_the_block_of_its_resolution(cls):
    net = build(
        cls, channel_multipliers=(4, 4, 4, 4), attention_resolutions=(8,)
    )
    names = [block.name for block in net.blocks]
    assert (
        names
        == {
            SpatialDiscriminator: [
                "32x32_block0",
                "16x16_block1",
                "8x8_attention",
                "8x8_block2",
                "4x4_block3",
            ],
            TemporalDiscriminator: [
                "16x16_block0",
                "8x8_attention",
                "8x8_block1",
                "4x4_block2",
                "2x2_block3",
            ],
        }[cls]
    )
    for v in net.trainable_variables:
        if v.name == "gamma":
            v.assign(0.6)
    temporal = cls is TemporalDiscriminator
    x = videos(4)
    expected = oracle.discriminator(
        oracle.pool(x.astype("float64"), 2 if temporal else 1),
        oracle.one_hot(LABELS, 4),
        oracle.Weights(net),
        num_blocks=4,
        num_3d_blocks=2 if temporal else 0,
        time_pool=2,
    )
    assert_scores(net(x, LABELS), expected)


def test_projection_head_alone():
    """From the features of the last block, with another label each."""
    net = build(SpatialDiscriminator)
    x = videos(2)
    features = tf.constant(x)
    for block in net.blocks:
        features = block(features)
    features = features.numpy().astype("float64")
    w = oracle.Weights(net)
    linear = w.below("linear").normalized("kernel")[:, 0]
    embedding = w.below("class_embedding").normalized("embeddings")
    expected = np.zeros(2)
    for b, t in np.ndindex(2, 2):
        h = np.maximum(features[b, t], 0).sum((0, 1))
        expected[b] += linear @ h + w["linear/bias"][0]
        expected[b] += embedding[LABELS[b]] @ h
    assert_scores(net(x, LABELS), expected)


def test_spatial_score_is_the_sum_of_single_frame_scores():
    net = build(SpatialDiscriminator, k=3)
    x = videos(3)
    scores = net(x, LABELS).numpy()
    single = sum(net(x[:, t : t + 1], LABELS).numpy() for t in range(3))
    np.testing.assert_allclose(scores, single, rtol=1e-3, atol=1e-2)


def test_order_of_frames_matters_to_the_temporal_discriminator_only():
    brightness = np.array([0.9, -0.9, 0.2, 0.6, -0.4], "float32")
    x = 0.1 * videos(5) + brightness[:, None, None, None]
    shuffled = x[:, [3, 0, 4, 1, 2]]
    spatial = build(SpatialDiscriminator)
    np.testing.assert_allclose(
        spatial(shuffled, LABELS), spatial(x, LABELS), rtol=1e-3, atol=1e-2
    )
    for time_pool in (1, 2):
        temporal = build(TemporalDiscriminator, time_pool=time_pool)
        before, after = (
            temporal(clips, LABELS).numpy() for clips in (x, shuffled)
        )
        assert np.abs(after - before).min() > 5e-3


@pytest.mark.parametrize("cls", [SpatialDiscriminator, TemporalDiscriminator])
def test_examples_do_not_mix_and_keep_their_label(cls):
    net = build(cls)
    x = videos(4, batch=3)
    y = np.array([2, 0, 1])
    reference = net(x, y).numpy()
    order = [2, 0, 1]
    np.testing.assert_allclose(
        net(x[order], y[order]), reference[order], rtol=1e-4, atol=1e-3
    )
    changed = x.copy()
    changed[0] *= -0.5
    np.testing.assert_allclose(
        net(changed, y)[1:], reference[1:], rtol=1e-4, atol=1e-3
    )
    changed = net(x, np.array([3, 0, 1])).numpy()
    np.testing.assert_allclose(changed[1:], reference[1:], rtol=1e-4, atol=1e-3)
    assert abs(changed[0] - reference[0]) > 1e-2


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("cls", [SpatialDiscriminator, TemporalDiscriminator])
def test_precision_and_soft_labels(cls, dtype):
    net, reference = build(cls, dtype=dtype), build(cls)
    x = videos(4)
    scores = net(x, LABELS, training=True)
    assert scores.dtype == tf.float32
    assert {v.dtype for v in net.variables} == {"float32"}
    expected = reference(x, LABELS, training=True).numpy()
    scale = np.abs(expected).max()
    tolerance = 1e-5 if dtype == "float32" else 0.1
    np.testing.assert_allclose(scores, expected, atol=tolerance * scale)
    soft = oracle.one_hot(LABELS, 4).astype("float32")
    np.testing.assert_allclose(
        net(x, soft), net(x, LABELS), rtol=1e-5, atol=1e-5 * scale
    )
    assert np.isfinite(net(x, 0.5 * soft + 0.125)).all()


@pytest.mark.parametrize("cls", [SpatialDiscriminator, TemporalDiscriminator])
def test_variables(cls):
    args = dict(channel_multipliers=(4,) * 4, attention_resolutions=(8,))
    net = cls(**{**SMALL, **args})
    net.build()
    paths = [v.path for v in net.variables]
    assert len(set(paths)) == len(paths)
    for v in net.trainable_variables:
        if len(v.shape) < 2:
            np.testing.assert_array_equal(v.numpy(), 0.0)  # Biases, gamma.
            continue
        assert f"{v.path}_u" in paths  # Every matrix is normalised.
        m = v.numpy().reshape(-1, v.shape[-1])
        gram = m.T @ m if m.shape[0] >= m.shape[1] else m @ m.T
        np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-5)


@pytest.mark.parametrize("cls", [SpatialDiscriminator, TemporalDiscriminator])
def test_evaluation_changes_no_variable_and_training_every_u(cls):
    net = build(cls)
    before = oracle.values(net)
    net(videos(4), LABELS)
    oracle.assert_unchanged(net, before)
    net(videos(4), LABELS, training=True)
    for v in net.variables:
        same = np.array_equal(v.numpy(), before[v.path])
        assert same != v.name.endswith("_u"), v.path


@pytest.mark.parametrize("cls", [SpatialDiscriminator, TemporalDiscriminator])
def test_every_weight_gets_a_gradient(cls):
    net = build(cls)
    variables = net.trainable_variables
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(net(videos(4), LABELS, training=True))
    grads = tape.gradient(loss, [v.value for v in variables])
    for v, grad in zip(variables, grads, strict=True):
        assert grad is not None, v.path
        assert np.isfinite(grad).all(), v.path
        assert np.abs(grad).max() > 0, v.path


def shape_walk(net, x, monkeypatch):
    """Output shapes [T, H, C] of the blocks of a call, in order."""
    walk = []
    call = DBlock.apply

    def record(self, *args, **kwargs):
        outputs = call(self, *args, **kwargs)
        walk.append((outputs.shape[1], outputs.shape[2], outputs.shape[-1]))
        assert outputs.shape[2] == outputs.shape[3]
        return outputs

    monkeypatch.setattr(DBlock, "apply", record)
    assert net(x, np.array([0])).shape == (1,)
    return walk


def test_spatial_shape_walk(monkeypatch):
    net = SpatialDiscriminator(64, 1, ch=1)
    assert shape_walk(net, videos(2, 64, 1), monkeypatch) == [
        (2, 32, 2),
        (2, 16, 4),
        (2, 8, 8),
        (2, 4, 16),
        (2, 4, 16),
    ]
    net = SpatialDiscriminator(128, 1, ch=1)
    assert shape_walk(net, videos(1, 128, 1), monkeypatch)[-6:] == [
        (1, 64, 1),
        (1, 32, 2),
        (1, 16, 4),
        (1, 8, 8),
        (1, 4, 16),
        (1, 4, 16),
    ]


def test_temporal_shape_walk(monkeypatch):
    net = TemporalDiscriminator(64, 1, ch=1)
    assert shape_walk(net, videos(11, 64, 1), monkeypatch) == [
        (5, 16, 2),
        (2, 8, 4),
        (2, 4, 8),
        (2, 2, 16),
        (2, 2, 16),
    ]
    net = TemporalDiscriminator(128, 1, ch=1)
    assert shape_walk(net, videos(4, 128, 1), monkeypatch)[-6:] == [
        (2, 32, 1),
        (1, 16, 2),
        (1, 8, 4),
        (1, 4, 8),
        (1, 2, 16),
        (1, 2, 16),
    ]


def test_defaults_are_the_papers():
    net = SpatialDiscriminator(64, 1, ch=1)
    assert net.k == 8 and net.downsampling == 1
    net = TemporalDiscriminator(64, 1, ch=1)
    assert net.phi == 2 and net.crop == 1
    assert [block.rank for block in net.blocks] == [3, 3, 2, 2, 2]
    assert [block.time_pool for block in net.blocks] == [2, 2, 1, 1, 1]
    assert [block.first for block in net.blocks] == [True] + 4 * [False]


# Frame drawing.


def frame_numbers(batch, num_frames, k):
    """Numbers of the frames drawn, [batch, k]."""
    clips = np.arange(batch)[:, None] * 100 + np.arange(num_frames)
    clips = clips.reshape(batch, num_frames, 1, 1, 1).astype("float32")
    clips = np.broadcast_to(clips, (batch, num_frames, 2, 3, 3))
    discriminator = SpatialDiscriminator(32, num_classes=1, k=k)
    noise = tf.random.stateless_uniform((batch, num_frames), (0, 1))
    drawn = discriminator.draw_frames(clips, noise)
    assert drawn.shape == (batch, k, 2, 3, 3)
    drawn = drawn.numpy()
    np.testing.assert_array_equal(drawn, drawn[:, :, :1, :1, :1] + 0 * drawn)
    drawn = drawn[:, :, 0, 0, 0].astype(int)
    example, number = np.divmod(drawn, 100)
    np.testing.assert_array_equal(
        example, np.arange(batch)[:, None] + 0 * example
    )
    return number


def test_draw_frames_gives_distinct_frames_per_example():
    numbers = frame_numbers(batch=64, num_frames=6, k=3)
    assert all(len(set(row)) == 3 for row in numbers)
    assert len({tuple(sorted(row)) for row in numbers}) > 10


def test_draw_frames_of_all_frames_is_a_permutation():
    numbers = frame_numbers(batch=4, num_frames=5, k=5)
    np.testing.assert_array_equal(np.sort(numbers), [list(range(5))] * 4)


def test_every_subset_of_frames_is_equally_likely():
    numbers = frame_numbers(batch=6000, num_frames=4, k=2)
    counts = collections.Counter(tuple(sorted(row)) for row in numbers.tolist())
    assert len(counts) == 6
    # 1000 each; the standard deviation of a count is 29.
    assert max(abs(n - 1000) for n in counts.values()) < 150


# Crops of the temporal discriminator.


def places(batch, frames, crop, height=4, width=6):
    """First rows and columns of the crops drawn for `batch` videos.

    Each pixel holds its own coordinates, so that a crop shows its place.
    """
    grid = np.stack(np.mgrid[:height, :width, :frames], -1)
    video = np.moveaxis(grid, 2, 0).astype("float32")
    video = np.broadcast_to(video, [batch, *video.shape])
    net = build(TemporalDiscriminator, random=False, phi=1, crop=crop)
    noise = tf.random.stateless_uniform((batch, 2), (0, 1))
    drawn = net.draw_crop(tf.constant(video), noise).numpy().astype(int)
    h, w = height // crop, width // crop
    assert drawn.shape == (batch, frames, h, w, 3)
    first = drawn[:, 0, 0, 0, :2]
    # The same place in all frames of an example, and all of them in order.
    expected = np.stack(np.mgrid[:frames, :h, :w], -1)[..., [1, 2, 0]]
    expected = np.broadcast_to(expected, drawn.shape).copy()
    expected[..., :2] += first[:, None, None, None]
    np.testing.assert_array_equal(drawn, expected)
    return first


def test_every_place_of_a_crop_is_equally_likely():
    rows, columns = places(batch=12_000, frames=3, crop=2).T
    counts = np.bincount(4 * rows + columns, minlength=12)
    # Rows 0 to 2 and columns 0 to 3, 1000 each: standard deviation 30.
    assert len(counts) == 12
    assert np.abs(counts - 1000).max() < 150


def test_the_largest_noise_takes_the_last_place():
    net = build(TemporalDiscriminator, random=False, phi=1, crop=2)
    largest = tf.constant([[1 - 2.0**-24, 1 - 2.0**-24]])
    for size in range(32, 300):
        line = tf.range(size, dtype=tf.float32)
        x = tf.broadcast_to(line[:, None, None], [1, 1, size, 2, 1])
        drawn = net.draw_crop(x, largest)
        assert drawn[0, 0, -1, 0, 0] == size - 1


def test_no_crop_is_the_video_itself():
    net = build(TemporalDiscriminator, random=False)
    x = tf.constant(videos())
    assert net.draw_crop(x, tf.random.stateless_uniform((2, 2), (0, 1))) is x


@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradients_of_a_crop_lie_where_it_was(jit_compile):
    net = build(TemporalDiscriminator, random=False, phi=1, crop=2)
    weights = videos(3, 16)

    @tf.function(jit_compile=jit_compile)
    def gradient(x, noise):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(net.draw_crop(x, noise) * weights)
        return tape.gradient(loss, x)

    first = np.array([[16, 3], [0, 7]])
    noise = tf.constant((first + 0.5) / 17, tf.float32)
    expected = np.zeros([2, 3, 32, 32, 3], "float32")
    for b, (row, column) in enumerate(first):
        expected[b, :, row : row + 16, column : column + 16] = weights[b]
    found = gradient(tf.constant(videos(3)), noise)
    np.testing.assert_array_equal(found, expected)


# Errors.


def test_too_few_frames():
    net = build(TemporalDiscriminator, random=False)
    net.check_num_frames(4)
    with pytest.raises(ValueError, match="num_frames=3") as info:
        net.check_num_frames(3)
    assert "\n" not in str(info.value)
    build(TemporalDiscriminator, False, time_pool=1).check_num_frames(1)


@pytest.mark.parametrize(
    ("cls", "changes", "message"),
    [
        (SpatialDiscriminator, {"k": 0}, "k=0"),
        (SpatialDiscriminator, {"resolution": 100}, "resolution=100"),
        (TemporalDiscriminator, {"resolution": 100}, "resolution=100"),
        (SpatialDiscriminator, {"ch": 0}, "ch=0"),
        (SpatialDiscriminator, {"downsampling": 0}, "downsampling=0"),
        (SpatialDiscriminator, {"downsampling": 2.0}, "downsampling=2.0"),
        (SpatialDiscriminator, {"downsampling": 5}, "downsampling=5 leaves 6"),
        (TemporalDiscriminator, {"phi": 0}, "phi=0"),
        (TemporalDiscriminator, {"crop": 0}, "crop=0"),
        (TemporalDiscriminator, {"crop": 3}, "phi=2, crop=3 leaves 5"),
        (
            TemporalDiscriminator,
            {"channel_multipliers": (1, 2)},
            r"channel_multipliers=\(1, 2\)",
        ),
    ],
)
def test_errors_name_the_value(cls, changes, message):
    with pytest.raises(ValueError, match=message) as info:
        cls(**{**SMALL, **changes})
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("cls", [SpatialDiscriminator, TemporalDiscriminator])
def test_recomputation_changes_nothing(cls):
    results = []
    for recompute in (False, True):
        net = build(cls, recompute=recompute)
        x = tf.constant(videos())

        @tf.function
        def run(x, net=net):
            sources = [x, *(v.value for v in net.trainable_variables)]
            with tf.GradientTape() as tape:
                tape.watch(x)
                scores = net(x, LABELS, training=True)
                loss = tf.reduce_sum(scores * [1.0, -2.0])
            return scores, tape.gradient(loss, sources)

        results.append((*run(x), oracle.values(net)))
    (scores, gradients, state), (again, gradients_again, state_again) = results
    np.testing.assert_allclose(again, scores, rtol=1e-4)
    for a, b in zip(gradients_again, gradients, strict=True):
        scale = np.abs(b).max()
        assert scale > 0
        np.testing.assert_allclose(a, b, atol=1e-4 * scale)
    for path, value in state.items():  # u, after one power iteration.
        np.testing.assert_allclose(state_again[path], value, atol=1e-5)
