import functools

import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf.layers.conv_gru import ConvGRU
from dvdgan_tf.layers.recurrent import RecurrentUnit, StepConvolutions
from dvdgan_tf.layers.tsru import TSRUc, TSRUp, TSRUs
from dvdgan_tf.networks.discriminators import (
    SpatialDiscriminator,
    TemporalDiscriminator,
)
from dvdgan_tf.networks.frame_encoder import FrameEncoder
from dvdgan_tf.networks.generator import Generator
from tools.flops import xla_cost
from tools.flops.network_flops import DiscriminatorCount, GeneratorCount
from tools.flops.shapes import network

# As `tiny`: one group 4x4 -> 8x8 of 4 and 2 channels, 4 frames, 3 classes.
G = dict(resolution=8, num_frames=4, num_classes=3, ch=2)
G.update(z_dim=4, embedding_dim=3)
D = dict(resolution=8, num_classes=3, ch=2)


@pytest.fixture
def generator():
    return network(tiny.NETWORKS["generator"], num_classes=3)


@pytest.fixture
def d_spatial():
    return network(tiny.NETWORKS["spatial_discriminator"], num_classes=3)


@pytest.fixture
def d_temporal():
    return network(tiny.NETWORKS["temporal_discriminator"], num_classes=3)


def test_generator_done_once(generator):
    layers = GeneratorCount(generator, batch_size=5).by_layer()
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
    once = GeneratorCount(generator, 5).by_layer()
    drawn = GeneratorCount(generator, 5, drawn=True).by_layer()
    assert drawn["4x4_recurrent"] == 2 * 5 * 4 * 16 * 9 * 8 * 12
    skip = 2 * 5 * 4 * 4 * 2
    difference = drawn["4x4_block_up"] - once["4x4_block_up"]
    assert difference == skip * (64 - 16)
    same = ("seed", "4x4_block", "head", "spectral_norm")
    assert all(drawn[layer] == once[layer] for layer in same)


def test_frame_encoder():
    encoder = functools.partial(FrameEncoder, ch=2)
    predicts = dict(G, conditioning_frames=2, frame_encoder=encoder)
    count = GeneratorCount(network(Generator, **predicts), 5)
    layers = count.by_layer()
    # Two frames are given, two made, and no state is zero.
    expected = {
        "frame_encoder/8x8_block0": 2 * (64 * 54 + 16 * 16 * 4 + 16 * 6),
        "frame_encoder/4x4_block1": 2 * (16 * 9 * (8 + 16) + 16 * 8),
        "frame_encoder/4x4_state": 16 * 9 * (2 * 4) * 4,
        "4x4_recurrent": 16 * 9 * (4 * 12 + 2 * (4 * 8 + 4 * 4)),
        "head": 2 * 64 * 9 * 2 * 3 + 2 * 7 * 2,
    }
    assert {k: layers[k] for k in expected} == {
        k: 2 * 5 * macs for k, macs in expected.items()
    }
    # The given frames need no gradient.
    reading = [p.layer for p in count.products if p.reads_video]
    assert set(reading) == {"frame_encoder/8x8_block0"}
    saved = count.backward() - count.backward(videos=False)
    assert saved == 2 * 5 * 2 * (64 * 54 + 16 * 6)


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
    count = GeneratorCount(generator, 5).by_layer()
    drawn_count = GeneratorCount(generator, 5, drawn=True).by_layer()
    gru_count = GeneratorCount(gru, 5).by_layer()
    assert count["4x4_recurrent"] == 2 * 5 * 16 * 9 * once
    assert drawn_count["4x4_recurrent"] == 2 * 5 * 16 * 9 * 4 * drawn
    # W u and W^T v, of three kernels of 8 x 4 taps in the ConvGRU.
    norms = count["spectral_norm"] - gru_count["spectral_norm"]
    assert norms == 2 * 2 * 9 * (8 * 2 + 2 * 2 + 8 * 4 + 8 * 4 - 3 * 8 * 4)


def test_discriminators(d_spatial, d_temporal):
    spatial = DiscriminatorCount(d_spatial, 2, 5).by_layer()
    temporal = DiscriminatorCount(d_temporal, 4, 5).by_layer()
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
    spatial = DiscriminatorCount(spatial, 2, 5).by_layer()
    first = 2 * 10 * (16 * 54 + 4 * 16 * 4 + 4 * 6)
    assert spatial["4x4_block0"] == first
    cropped = DiscriminatorCount(temporal, 4, 5).by_layer()
    # As many pixels as phi = 2 leaves.
    temporal = network(TemporalDiscriminator, num_3d_blocks=1, **D)
    assert cropped == DiscriminatorCount(temporal, 4, 5).by_layer()


def test_discriminator_as_drawn(d_spatial):
    count = DiscriminatorCount(d_spatial, 2, 5, drawn=True)
    # The first block's skip comes after the pool in the figure as well.
    first = 64 * 9 * (3 * 2 + 2 * 2) + 16 * 3 * 2
    assert count.by_layer()["8x8_block0"] == 2 * 10 * first


def test_frames_that_are_not_square():
    """A seed of 4x7, and in D_T maps of 4x7 that are pooled to 2x4."""
    generator = network(Generator, **{**G, "resolution": (8, 14)})
    layers = GeneratorCount(generator, 5).by_layer()
    seed, large = 4 * 7, 8 * 14
    assert layers["seed"] == 2 * 5 * (3 * 3 + 7 * 4 * seed)
    per_tap = 4 * 12 + 3 * (4 * 8 + 4 * 4)
    assert layers["4x7_recurrent"] == 2 * 5 * seed * 9 * per_tap
    head = 4 * large * 9 * 2 * 3 + 2 * 7 * 2
    assert layers["head"] == 2 * 5 * head
    rectangle = {**D, "resolution": (8, 14)}
    d_spatial = network(SpatialDiscriminator, k=2, **rectangle)
    spatial = DiscriminatorCount(d_spatial, 2, 5).by_layer()
    first = large * 54 + seed * 16 * 4 + seed * 6
    assert spatial["8x14_block0"] == 2 * 10 * first
    d_temporal = network(TemporalDiscriminator, num_3d_blocks=1, **rectangle)
    temporal = DiscriminatorCount(d_temporal, 4, 5).by_layer()
    # Nothing is fused: all 27 taps of both, and the skip on 2x4 and 2 frames.
    first = 4 * seed * 27 * (3 * 2 + 2 * 2) + 2 * 8 * 3 * 2
    assert temporal["4x7_block0"] == 2 * 5 * first
    last = 8 * 9 * (2 * 4 + 4 * 4) + 8 * 2 * 4
    assert temporal["2x4_block1"] == 2 * 10 * last


class Leaky(RecurrentUnit):
    """h' = W * [h; x], a unit of which nobody knows but this file."""

    def build(self, inputs_shape):
        channels = inputs_shape[-1]
        shape = (3, 3, 2 * channels, channels)
        self.kernel = self.add_spectral_weight("kernel", shape)
        self.bias = self.add_bias(channels)

    @staticmethod
    def convolutions(channels):
        c = channels
        return StepConvolutions(
            kernels=[(2 * c, c)],
            drawn=[(2 * c, c)],
            inputs=(c, c),
            states=[(c, c)],
        )


def test_a_new_unit_is_counted_by_its_own_method():
    generator = network(Generator, recurrent_unit=Leaky, **G)
    count = GeneratorCount(generator, 5).by_layer()
    drawn_count = GeneratorCount(generator, 5, drawn=True).by_layer()
    # Of four frames x is the same, and the first state is 0.
    assert count["4x4_recurrent"] == 2 * 5 * 16 * 9 * (4 * 4 + 3 * 4 * 4)
    assert drawn_count["4x4_recurrent"] == 2 * 5 * 16 * 9 * 4 * 8 * 4


def test_a_unit_without_that_method_is_refused():
    class Uncounted(Leaky):
        convolutions = staticmethod(RecurrentUnit.convolutions)

    generator = network(Generator, recurrent_unit=Uncounted, **G)
    with pytest.raises(NotImplementedError, match="`convolutions`"):
        GeneratorCount(generator, 1)


def flop_by_xla(generator, *frames):
    """FLOP of G on five videos, and of its gradients for its weights."""
    generator.build()
    weights = [v.value for v in generator.trainable_variables]

    @tf.function(jit_compile=True)
    def gradients(z, y, *frames):
        with tf.GradientTape() as tape:
            given = {"frames": frames[0]} if frames else {}
            videos = generator(z, y, training=True, **given)
            loss = tf.reduce_sum(tf.square(videos))
        return tape.gradient(loss, weights)

    z, y = tf.zeros([5, 4]), tf.zeros([5], tf.int32)
    return xla_cost.of_function(gradients, z, y, *frames)


@pytest.mark.parametrize("unit", [ConvGRU, TSRUc, TSRUp, TSRUs])
def test_agrees_with_xla_on_the_generator(unit):
    generator = Generator(recurrent_unit=unit, **G)
    count = GeneratorCount(generator, 5, padding=False)
    assert flop_by_xla(generator) == count.forward() + count.backward()


def test_agrees_with_xla_on_prediction():
    """At a resolution of which two maps of 4x4 are made, and one is used."""
    multipliers = (1, 2, 3, 4)
    encoder = functools.partial(
        FrameEncoder, ch=1, channel_multipliers=multipliers
    )
    generator = Generator(
        **dict(G, resolution=32, ch=1, channel_multipliers=multipliers[::-1]),
        conditioning_frames=2,
        frame_encoder=encoder,
        recurrent_unit=TSRUs,
    )
    count = GeneratorCount(generator, 5, padding=False)
    expected = count.forward() + count.backward(videos=False)
    assert flop_by_xla(generator, tf.zeros([5, 2, 32, 32, 3])) == expected
