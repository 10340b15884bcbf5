"""Golden parameter counts at the paper's widths, without allocating them."""

import itertools

import keras
import numpy as np
import pytest

from dvdgan_tf.networks.discriminators import (
    SpatialDiscriminator,
    TemporalDiscriminator,
)
from dvdgan_tf.networks.generator import Generator

# Resolution: ch, and G's and both D's multipliers as PAPER has them.
PAPER = {
    64: (128, [8, 8, 8, 4, 2], [2, 4, 8, 16, 16]),
    128: (96, [8, 8, 8, 4, 2, 1], [1, 2, 4, 8, 16, 16]),
    256: (96, [8, 8, 8, 8, 4, 2, 1], [1, 2, 4, 8, 8, 16, 16]),
}
# Trainable parameters of G, D_S and D_T with 600 classes.
GOLDEN = {
    64: (305_404_739, 154_411_777, 162_683_137),
    128: (177_009_027, 87_356_449, 88_522_849),
    256: (232_163_715, 98_565_409, 99_731_809),
}


def conv(kernel, c_in, c_out, bias=True):
    return kernel * c_in * c_out + bias * c_out


def generator_count(ch, multipliers, num_classes, z=120, embedding=120):
    w = [ch * m for m in multipliers]
    c = z + embedding

    def block(c_in, c_out, has_skip):
        norms = 2 * c * c_in + 2 * c * c_out  # Gain and bias, linear.
        convs = conv(9, c_in, c_out) + conv(9, c_out, c_out)
        return norms + convs + has_skip * conv(1, c_in, c_out)

    total = num_classes * embedding + conv(1, c, 16 * w[0])
    for c_in, c_out in itertools.pairwise(w):
        total += 3 * conv(9, 2 * c_in, c_in)
        total += block(c_in, c_in, False) + block(c_in, c_out, True)
    return total + 2 * c * w[-1] + conv(9, w[-1], 3)


def discriminator_count(ch, multipliers, num_classes, num_3d_blocks=0):
    w = [3] + [ch * m for m in multipliers]
    total = num_classes * w[-1] + conv(1, w[-1], 1)
    for i, (c_in, c_out) in enumerate(itertools.pairwise(w)):
        kernel = 27 if i < num_3d_blocks else 9
        total += conv(kernel, c_in, c_out) + conv(kernel, c_out, c_out)
        if i < len(multipliers) - 1 or c_in != c_out:
            total += conv(1, c_in, c_out)
    return total


def arithmetic(resolution, num_classes, ch=None):
    paper_ch, g, d = PAPER[resolution]
    ch = ch or paper_ch
    return (
        generator_count(ch, g, num_classes),
        discriminator_count(ch, d, num_classes),
        discriminator_count(ch, d, num_classes, num_3d_blocks=2),
    )


@pytest.fixture(autouse=True)
def _forget_variables_without_values():
    yield
    keras.utils.clear_session()


def count(cls, *args, **kwargs):
    """Counts a network's variables, which get shapes but no values."""
    with keras.StatelessScope(initialize_variables=False):
        net = cls(*args, **kwargs)
        net.build()
    return sum(int(np.prod(v.shape)) for v in net.trainable_variables)


def built(resolution, num_classes, **kwargs):
    return (
        count(Generator, resolution, 12, num_classes, **kwargs),
        count(SpatialDiscriminator, resolution, num_classes, **kwargs),
        count(TemporalDiscriminator, resolution, num_classes, **kwargs),
    )


@pytest.mark.parametrize("resolution", PAPER)
def test_full_width_counts(resolution):
    assert arithmetic(resolution, 600) == GOLDEN[resolution]
    ch = PAPER[resolution][0]
    assert built(resolution, 600, ch=ch) == GOLDEN[resolution]


def test_other_widths_and_classes():
    assert built(64, 5, ch=3) == arithmetic(64, 5, ch=3)


def test_default_width_is_96():
    assert built(32, 5) == built(32, 5, ch=96)
