import flops
import keras
import numpy as np
import pytest
import tensorflow as tf
import xla_cost
from training import tiny

from dvdgan_tf.layers.recurrent import ConvGRU
from dvdgan_tf.layers.tsru import TSRUc, TSRUp, TSRUs
from dvdgan_tf.networks.discriminators import (
    SpatialDiscriminator,
    TemporalDiscriminator,
)
from dvdgan_tf.networks.generator import Generator

# As `tiny`: one group 4x4 -> 8x8 of 4 and 2 channels, 4 frames, 3 classes.
G = dict(resolution=8, num_frames=4, num_classes=3, ch=2)
G.update(z_dim=4, embedding_dim=3)
D = dict(resolution=8, num_classes=3, ch=2)


def network(cls, **arguments):
    """A network's shapes without values: nothing is computed here."""
    with keras.StatelessScope(initialize_variables=False):
        return cls(**arguments)


@pytest.fixture
def generator():
    return network(Generator, **G)


@pytest.fixture
def d_spatial():
    return network(SpatialDiscriminator, k=2, **D)


@pytest.fixture
def d_temporal():
    return network(TemporalDiscriminator, num_3d_blocks=1, **D)


def taps(size, kernel, stride=1):
    """Taps of a kernel padded by one that meet a line of `size` pixels."""
    starts = np.arange(0, size - stride + 1, stride)[:, None] - (kernel > 1)
    positions = starts + np.arange(kernel)
    return int(((positions >= 0) & (positions < size)).sum())


@pytest.mark.parametrize("padding", [True, False])
def test_convolution(padding):
    net = flops.Network(1, 1, drawn=False, padding=padding)
    net.conv("a", 5, (4, 6), (2, 7))
    net.conv("b", 5, (4, 6), (2, 7), pools=(2, 2))
    net.conv("c", 5, (3, 4, 4), (2, 7), pools=(2, 2, 2))
    net.conv("d", 5, (4, 6), (2, 7), kernel=1)
    macs = 5 * 2 * 7 * 2
    if padding:
        expected = [9 * 24, 16 * 6, 64 * 4, 24]
    else:
        # 3x3 on 4 pixels: 2 + 3 + 3 + 2; 4x4, stride 2: 3 + 3.
        assert (taps(4, 3), taps(4, 4, 2)) == (10, 6)
        # The third frame has no partner: the pool drops it, the taps do not.
        expected = [10 * 16, 6 * 10, 3 * 6 * 6, 24]
    assert list(net.by_layer().values()) == [macs * n for n in expected]


def test_spectral_norm():
    net = flops.Network(1, 3, drawn=False, padding=True)
    net.norm("a", 18, 4)
    # Three times W u and W^T v; backward one outer product.
    assert net.by_layer() == {"spectral_norm": 6 * 2 * 18 * 4}
    assert net.backward() == 2 * 18 * 4
    assert net.backward(weights=False) == 0


def test_attention():
    net = flops.Network(1, 1, drawn=False, padding=True)
    net.attention("a", 3, 4, 16)
    convs = 16 * (16 * 2 + 16 * 2 + 16 * 8 + 8 * 16)
    products = 16 * 4 * (2 + 8)
    layers = net.by_layer()
    assert layers["a"] == 2 * 3 * (convs + products)
    weights = 2 * 3 * convs + layers["spectral_norm"] // 2
    assert net.backward(inputs=False) == weights
    assert net.backward(weights=False) == 2 * 3 * (convs + 2 * products)


def test_generator_done_once(generator):
    layers = flops.GeneratorCount(generator, batch_size=5).by_layer()
    c = 7
    del layers["spectral_norm"]
    assert layers == {
        "seed": 2 * 5 * (3 * 3 + c * 64),
        # x once, then three steps with a state that is not zero.
        "4x4_recurrent": 2 * 5 * 16 * 9 * (4 * 12 + 3 * (4 * 8 + 4 * 4)),
        "4x4_block": 2 * 5 * (4 * 16 * 9 * 2 * 4 * 4 + 4 * c * 4),
        "4x4_block_up": 2
        * 5
        * (
            4 * 64 * 9 * (4 * 2 + 2 * 2)
            + 4 * 16 * 4 * 2
            + 2 * c * 4
            + 2 * c * 2
        ),
        "head": 2 * 5 * (4 * 64 * 9 * 2 * 3 + 2 * c * 2),
    }


def test_generator_as_drawn(generator):
    once = flops.GeneratorCount(generator, 5).by_layer()
    drawn = flops.GeneratorCount(generator, 5, drawn=True).by_layer()
    assert drawn["4x4_recurrent"] == 2 * 5 * 4 * 16 * 9 * 8 * 12
    skip = 2 * 5 * 4 * 4 * 2
    difference = drawn["4x4_block_up"] - once["4x4_block_up"]
    assert difference == skip * (64 - 16)
    same = ("seed", "4x4_block", "head", "spectral_norm")
    assert all(drawn[layer] == once[layer] for layer in same)


# Width 4, f's hidden layer 2: multiply-adds per tap of x once, of a state and
# what is made of it in three steps, of c in four; then of a step as drawn.
@pytest.mark.parametrize(
    "unit, once, drawn",
    [
        (TSRUc, 4 * 10 + 3 * (4 * 6 + 2 * 2 + 4 * 4), 8 * 6 + 4 + 8 * 4),
        (TSRUp, 4 * 10 + 3 * (4 * 10 + 2 * 2), 8 * 10 + 4),
        (
            TSRUs,
            4 * 6 + 3 * (4 * 2 + 2 * 2 + 4 * 8) + 4 * 4 * 4,
            8 * 2 + 4 + 8 * 4 + 8 * 4,
        ),
    ],
)
def test_units_that_warp(unit, once, drawn):
    generator = network(Generator, recurrent_unit=unit, **G)
    gru = network(Generator, **G)
    count = flops.GeneratorCount(generator, 5).by_layer()
    drawn_count = flops.GeneratorCount(generator, 5, drawn=True).by_layer()
    gru_count = flops.GeneratorCount(gru, 5).by_layer()
    assert count["4x4_recurrent"] == 2 * 5 * 16 * 9 * once
    assert drawn_count["4x4_recurrent"] == 2 * 5 * 16 * 9 * 4 * drawn
    # W u and W^T v, of three kernels of 8 x 4 taps in the ConvGRU.
    norms = count["spectral_norm"] - gru_count["spectral_norm"]
    assert norms == 2 * 2 * 9 * (8 * 2 + 2 * 2 + 8 * 4 + 8 * 4 - 3 * 8 * 4)


def test_discriminators(d_spatial, d_temporal):
    spatial = flops.DiscriminatorCount(d_spatial, 2, 5).by_layer()
    temporal = flops.DiscriminatorCount(d_temporal, 4, 5).by_layer()
    del spatial["spectral_norm"], temporal["spectral_norm"]
    last = 16 * 9 * (2 * 4 + 4 * 4) + 16 * 2 * 4
    assert spatial == {
        "8x8_block0": 2 * 10 * (64 * 54 + 16 * 16 * 4 + 16 * 6),
        "4x4_block1": 2 * 10 * last,
        "head": 2 * (10 * 4 + 5 * 3 * 4),
    }
    first = 4 * 16 * 27 * 3 * 2 + 2 * 4 * 64 * 2 * 2 + 2 * 4 * 3 * 2
    assert temporal == {
        "4x4_block0": 2 * 5 * first,
        "2x2_block1": 2 * 10 * last // 4,
        "head": 2 * (10 * 4 + 5 * 3 * 4),
    }


def test_reduced_inputs_of_discriminators():
    spatial = network(SpatialDiscriminator, k=2, downsampling=2, **D)
    temporal = network(
        TemporalDiscriminator, num_3d_blocks=1, phi=1, crop=2, **D
    )
    spatial = flops.DiscriminatorCount(spatial, 2, 5).by_layer()
    first = 2 * 10 * (16 * 54 + 4 * 16 * 4 + 4 * 6)
    assert spatial["4x4_block0"] == first
    cropped = flops.DiscriminatorCount(temporal, 4, 5).by_layer()
    # As many pixels as phi = 2 leaves.
    temporal = network(TemporalDiscriminator, num_3d_blocks=1, **D)
    assert cropped == flops.DiscriminatorCount(temporal, 4, 5).by_layer()


def test_discriminator_as_drawn(d_spatial):
    count = flops.DiscriminatorCount(d_spatial, 2, 5, drawn=True)
    # The first block's skip comes after the pool in the figure as well.
    first = 64 * 9 * (3 * 2 + 2 * 2) + 16 * 3 * 2
    assert count.by_layer()["8x8_block0"] == 2 * 10 * first


def test_step(generator, d_spatial, d_temporal):
    networks = (generator, d_spatial, d_temporal)
    count = flops.StepCount(*networks, batch_size=5, d_steps=3)
    g = flops.GeneratorCount(generator, 5)
    single, double = (
        [
            flops.DiscriminatorCount(d_spatial, 2, n),
            flops.DiscriminatorCount(d_temporal, 4, n),
        ]
        for n in (5, 10)
    )
    # Only conv1 and the skip of the first blocks read the video.
    videos = sum(
        sum(p.inputs for p in d.products if p.reads_video) for d in double
    )
    assert videos == 2 * (20 * (64 * 54 + 16 * 6)) + 2 * 10 * (
        4 * 16 * 162 + 2 * 4 * 6
    )
    d_update = g.forward() - videos
    d_update += sum(d.forward() + d.backward() for d in double)
    g_update = g.forward() + g.backward()
    g_update += sum(d.forward() + d.backward(weights=False) for d in single)
    assert count.d_update == d_update
    assert count.g_update == g_update
    assert count.step == 3 * d_update + g_update


def test_another_recurrent_unit_is_refused():
    class Other(keras.layers.Layer):
        def __init__(self, spectral_norm, **kwargs):
            super().__init__(**kwargs)

    generator = network(Generator, recurrent_unit=Other, **G)
    with pytest.raises(ValueError, match="Received: Other"):
        flops.GeneratorCount(generator, 1)


@pytest.mark.parametrize("unit", [ConvGRU, TSRUc, TSRUp, TSRUs])
def test_agrees_with_xla_on_the_generator(unit):
    generator = Generator(recurrent_unit=unit, **G)
    generator.build()
    weights = [v.value for v in generator.trainable_variables]

    @tf.function(jit_compile=True)
    def gradients(z, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(generator(z, y, training=True)))
        return tape.gradient(loss, weights)

    found = xla_cost.of_function(
        gradients, tf.zeros([5, 4]), tf.zeros([5], tf.int32)
    )
    count = flops.GeneratorCount(generator, 5, padding=False)
    assert found == count.forward() + count.backward()


def test_agrees_with_xla_on_a_step(trainer):
    found = xla_cost.of_trainer(trainer, next(tiny.batches(trainer)))
    count = flops.count(trainer, padding=False)
    assert found == pytest.approx((count.d_update, count.g_update), rel=0.02)


def test_products_as_xla_counts_them():
    jax = pytest.importorskip("jax")

    def run(x, kernel, matrix):
        y = jax.lax.conv_general_dilated(
            x,
            kernel,
            window_strides=(2, 1),
            padding=((1, 2), (0, 1)),
            lhs_dilation=(2, 3),
            rhs_dilation=(1, 2),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return jax.numpy.tensordot(y, matrix, 1)

    lowered = jax.jit(run).lower(
        np.zeros([2, 5, 7, 3], np.float32),
        np.zeros([3, 2, 3, 4], np.float32),
        np.zeros([4, 5], np.float32),
    )
    text = lowered.as_text("hlo", debug_info=False)
    assert xla_cost.products(text) == lowered.cost_analysis()["flops"]
