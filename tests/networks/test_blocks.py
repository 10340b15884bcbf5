import numpy as np
import numpy_layers as oracle
import pytest
import tensorflow as tf

from dvdgan_tf.layers.spectral_norm import SpectralNorm
from dvdgan_tf.networks.blocks import DBlock, GBlock

SHAPE = (2, 3, 4, 6, 3)  # B, T, H, W, C
CLOSE = dict(rtol=2e-3, atol=2e-3)


def normal(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def g_block(channels, upsampling=None, **kwargs):
    block = GBlock(channels, upsampling, **kwargs)
    block.build(SHAPE, (2, 5))
    oracle.randomize(block)
    return block


def d_block(channels, shape=SHAPE, **kwargs):
    block = DBlock(channels, **kwargs)
    block.build(shape)
    oracle.randomize(block)
    return block


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("channels", "upsampling"),
    [(3, None), (4, None), (4, "bilinear"), (3, "bilinear"), (4, "nearest")],
)
def test_g_block_equals_the_diagram(channels, upsampling, training):
    block = g_block(channels, upsampling)
    x, c = normal(*SHAPE), normal(2, 5, seed=2)
    w = oracle.Weights(block, iterations=int(training))
    expected = oracle.g_block(
        x.astype("float64"), c.astype("float64"), w, upsampling, training
    )
    outputs = block(x, c, training=training)
    scale = 2 if upsampling else 1
    assert outputs.shape == (2, 3, 4 * scale, 6 * scale, channels)
    np.testing.assert_allclose(outputs, expected, **CLOSE)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("channels", "rank", "spatial_pool", "time_pool"),
    [
        (4, 2, 2, 1),
        (3, 2, 2, 1),
        (3, 2, 1, 1),
        (4, 2, 1, 1),
        (4, 3, 2, 2),
        (3, 3, 2, 1),
        (3, 3, 1, 2),
    ],
)
def test_d_block_equals_the_diagram(
    channels, rank, spatial_pool, time_pool, first
):
    shape = (2, 5, 4, 6, 3)
    block = d_block(
        channels,
        shape,
        rank=rank,
        spatial_pool=spatial_pool,
        time_pool=time_pool,
        first=first,
    )
    x = normal(*shape)
    w = oracle.Weights(block)
    expected = oracle.d_block(
        x.astype("float64"), w, spatial_pool, time_pool, first
    )
    outputs = block(x)
    assert outputs.shape == (
        2,
        5 // time_pool,
        4 // spatial_pool,
        6 // spatial_pool,
        channels,
    )
    np.testing.assert_allclose(outputs, expected, **CLOSE)
    kernel = block.conv1.kernel.weight.shape
    assert kernel == (*[3] * rank, 3, channels)
    if block.skip is not None:
        kernel = block.skip.kernel.weight.shape
        assert kernel == (*[1] * rank, 3, channels)


def test_skip_is_the_identity_only_where_nothing_changes():
    def has_skip(block):
        return any("/skip/" in v.path for v in block.variables)

    assert not has_skip(g_block(3))
    assert has_skip(g_block(4))
    assert has_skip(g_block(3, "bilinear"))
    assert not has_skip(d_block(3, spatial_pool=1))
    assert has_skip(d_block(4, spatial_pool=1))
    assert has_skip(d_block(3))
    assert has_skip(d_block(3, rank=3, spatial_pool=1, time_pool=2))


def test_2d_blocks_keep_frames_apart_and_3d_blocks_mix_them():
    x = normal(*SHAPE)
    changed = x.copy()
    changed[:, 2] += 1.0
    c = normal(2, 5, seed=2)
    for training in (True, False):  # CBN statistics are per frame.
        first, second = (
            g_block(4, "bilinear")(a, c, training=training).numpy()
            for a in (x, changed)
        )
        np.testing.assert_array_equal(first[:, :2], second[:, :2])
    block = d_block(4)
    np.testing.assert_array_equal(block(x)[:, :2], block(changed)[:, :2])
    block = d_block(4, rank=3)
    difference = np.abs(block(x) - block(changed)).max((0, 2, 3, 4))
    assert difference.min() > 1e-2  # Two 3x3x3 kernels reach two frames.


def test_norm_arguments_and_spectral_norm_reach_the_layers():
    spectral_norm = SpectralNorm(2)
    block = g_block(4, norm_args=dict(epsilon=0.5), spectral_norm=spectral_norm)
    x, c = normal(*SHAPE), normal(2, 5, seed=2)
    for norm in (block.norm1, block.norm2):
        assert norm.epsilon == 0.5
        assert norm.gain.spectral_norm is spectral_norm
        assert norm.bias.spectral_norm is spectral_norm
    u = oracle.Weights(block)["conv2/kernel_u"]
    kernel = oracle.Weights(block)["conv2/kernel"]
    block(x, c, training=True)
    _, expected = oracle.spectral_normalize(kernel, u, 2)
    np.testing.assert_allclose(
        oracle.Weights(block)["conv2/kernel_u"], expected, rtol=1e-3, atol=1e-5
    )


def test_evaluation_changes_no_variable():
    x, c = normal(*SHAPE), normal(2, 5, seed=2)
    block = g_block(4, "bilinear")
    before = oracle.values(block)
    block(x, c)
    oracle.assert_unchanged(block, before)
    block = d_block(4)
    before = oracle.values(block)
    block(x)
    oracle.assert_unchanged(block, before)


def test_mixed_precision():
    x, c = normal(*SHAPE), normal(2, 5, seed=2)
    policy = dict(dtype="mixed_bfloat16")
    g, d = g_block(4, "bilinear", **policy), d_block(4, rank=3, **policy)
    for outputs, block, expected in (
        (
            g(x, c, training=True),
            g,
            g_block(4, "bilinear")(x, c, training=True),
        ),
        (d(x, training=True), d, d_block(4, rank=3)(x, training=True)),
    ):
        assert outputs.dtype == tf.bfloat16
        assert {v.dtype for v in block.variables} == {"float32"}
        np.testing.assert_allclose(
            tf.cast(outputs, "float32"), expected, atol=0.04 * np.ptp(expected)
        )
