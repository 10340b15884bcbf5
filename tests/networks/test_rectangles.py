"""Frames that are not square: G, the frame encoder and D against NumPy."""

import functools

import keras
import numpy as np
import numpy_layers as oracle
import pytest
import tensorflow as tf

from dvdgan_tf.layers.tsru import TSRUs
from dvdgan_tf.networks.discriminators import (
    SpatialDiscriminator,
    TemporalDiscriminator,
)
from dvdgan_tf.networks.frame_encoder import FrameEncoder
from dvdgan_tf.networks.generator import Generator

G = dict(
    num_classes=4,
    ch=2,
    channel_multipliers=(2, 2, 3, 2),
    z_dim=5,
    embedding_dim=3,
)
D = dict(num_classes=4, ch=2, channel_multipliers=(1, 2, 3, 3))
CLOSE = dict(rtol=1e-2, atol=2e-3)
LABELS = np.array([2, 0])


def built(network):
    network.build()
    oracle.randomize(network, noise=0.3)
    return network


def clips(frames, size, seed=7):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (2, frames, *size, 3)).astype("float32")


def assert_scores(scores, expected):
    scale = np.abs(expected).max()
    assert scores.shape == expected.shape and scale > 1.0
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-3 * scale)


@pytest.mark.parametrize(
    ("size", "seed"), [((32, 56), (4, 7)), ((24, 32), (3, 4))]
)
def test_prediction_equals_numpy(size, seed):
    encoder = functools.partial(
        FrameEncoder, ch=2, channel_multipliers=(1, 2, 3, 4)
    )
    net = built(
        Generator(
            size,
            num_frames=5,
            conditioning_frames=2,
            frame_encoder=encoder,
            **G,
        )
    )
    z = np.random.default_rng(5).normal(size=(2, 5)).astype("float32")
    frames = clips(2, size)
    w = oracle.Weights(net)
    states = oracle.frame_encoder(
        frames.astype("float64"), w.below("frame_encoder"), num_blocks=4
    )
    assert states[0].shape[1:3] == seed
    expected = oracle.generator(
        z.astype("float64"),
        oracle.one_hot(LABELS, 4),
        w,
        num_frames=3,
        num_groups=3,
        states=states,
        seed=seed,
    )
    videos = net(z, LABELS, frames=frames)
    assert videos.shape == (2, 3, *size, 3)
    np.testing.assert_allclose(videos, expected, **CLOSE)
    assert expected.std() > 0.05


def test_synthesis_with_attention_equals_numpy():
    """Attention is asked for by the maps' height."""
    changes = dict(attention_resolutions=(8,), channel_multipliers=(4,) * 4)
    net = built(Generator((32, 56), num_frames=2, **{**G, **changes}))
    assert [layer.name for layer in net.groups[0]] == [
        "4x7_recurrent",
        "4x7_block",
        "4x7_block_up",
        "8x14_attention",
    ]
    for v in net.trainable_variables:
        if v.name == "gamma":
            v.assign(0.6)
    z = np.random.default_rng(5).normal(size=(2, 5)).astype("float32")
    expected = oracle.generator(
        z.astype("float64"),
        oracle.one_hot(LABELS, 4),
        oracle.Weights(net, iterations=1),
        num_frames=2,
        num_groups=3,
        training=True,
        seed=(4, 7),
    )
    np.testing.assert_allclose(net(z, LABELS, training=True), expected, **CLOSE)


@pytest.mark.parametrize("size", [(32, 56), (24, 32)])
def test_d_temporal_counts_the_odd_rows_and_columns(size):
    """phi = 2 leaves 16x28 or 12x16, whose third pool is of 4x7 or 3x4."""
    net = built(TemporalDiscriminator(size, num_3d_blocks=3, **D))
    assert [b.name for b in net.blocks][-1] in ("2x4_block3", "2x2_block3")
    x = clips(9, size)
    expected = oracle.discriminator(
        oracle.pool(x.astype("float64"), 2),
        oracle.one_hot(LABELS, 4),
        oracle.Weights(net, iterations=1),
        num_blocks=4,
        num_3d_blocks=3,
        time_pool=2,
        pool=oracle.pool_up,
    )
    assert_scores(net(x, LABELS, training=True), expected)


def test_d_temporal_with_phi_4_and_attention_on_an_odd_map():
    """8x14 -> 4x7 -> 2x4 -> 1x2."""
    changes = dict(attention_resolutions=(4,), channel_multipliers=(4,) * 4)
    net = built(TemporalDiscriminator((32, 56), phi=4, **{**D, **changes}))
    names = [block.name for block in net.blocks]
    assert names == [
        "8x14_block0",
        "4x7_attention",
        "4x7_block1",
        "2x4_block2",
        "1x2_block3",
    ]
    for v in net.trainable_variables:
        if v.name == "gamma":
            v.assign(0.6)
    x = clips(5, (32, 56))
    expected = oracle.discriminator(
        oracle.pool(x.astype("float64"), 4),
        oracle.one_hot(LABELS, 4),
        oracle.Weights(net),
        num_blocks=4,
        num_3d_blocks=2,
        time_pool=2,
        pool=oracle.pool_up,
    )
    assert_scores(net(x, LABELS), expected)


def test_every_pixel_reaches_the_score():
    """At the far edge, too, which a pool that drops would not look at."""
    net = built(TemporalDiscriminator((32, 56), num_3d_blocks=0, **D))
    x = tf.constant(clips(2, (32, 56)))
    with tf.GradientTape() as tape:
        tape.watch(x)
        score = tf.reduce_sum(net(x, LABELS))
    by_column = np.abs(tape.gradient(score, x)).sum((0, 1, 2, 4))
    assert by_column[-8:].min() > 0.05 * by_column.mean()


def test_d_spatial_and_reduced_inputs_equal_numpy():
    x = clips(3, (32, 56))
    net = built(SpatialDiscriminator((32, 56), k=3, **D))
    expected = oracle.discriminator(
        x.astype("float64"),
        oracle.one_hot(LABELS, 4),
        oracle.Weights(net),
        num_blocks=4,
    )
    assert_scores(net(x, LABELS), expected)
    cropped = built(TemporalDiscriminator((32, 56), phi=1, crop=2, **D))
    noise = tf.constant([[0.0, 0.999], [0.5, 0.5]])
    drawn = cropped.draw_crop(tf.constant(clips(4, (32, 56))), noise)
    assert drawn.shape == (2, 4, 16, 28, 3)
    expected = oracle.discriminator(
        drawn.numpy().astype("float64"),
        oracle.one_hot(LABELS, 4),
        oracle.Weights(cropped),
        num_blocks=4,
        num_3d_blocks=2,
        time_pool=2,
        pool=oracle.pool_up,
    )
    assert_scores(cropped(drawn, LABELS), expected)
    with pytest.raises(ValueError, match=r"scores 16x28 pixels\. Rec.*16x16"):
        cropped(dict(videos=drawn[:, :, :, :16], y=LABELS))


def test_what_is_left_must_be_pooled_three_times():
    TemporalDiscriminator((24, 32), phi=4, **D)  # 6 -> 3 -> 2 -> 1
    with pytest.raises(ValueError, match=r"input of 5 pixels or more.* leaves"):
        TemporalDiscriminator((24, 32), phi=6, **D)


@pytest.mark.parametrize(
    "make",
    [
        functools.partial(Generator, num_frames=3, recurrent_unit=TSRUs, **G),
        functools.partial(SpatialDiscriminator, k=2, **D),
        functools.partial(TemporalDiscriminator, **D),
    ],
)
def test_a_keras_file_keeps_the_size(make, tmp_path):
    net = make((32, 56))
    net.build()
    assert net.get_config()["resolution"] == [32, 56]
    path = tmp_path / "net.keras"
    net.save(path)
    loaded = keras.saving.load_model(path)
    for v, value in zip(loaded.variables, net.variables, strict=True):
        np.testing.assert_array_equal(v, value)


def test_a_pair_of_equal_sides_is_the_square():
    one, both = Generator(32, 3, **G), Generator((32, 32), 3, **G)
    assert both.get_config() == one.get_config()
    for net in (one, both):
        net.build()
    assert [v.path for v in one.variables] == [v.path for v in both.variables]
