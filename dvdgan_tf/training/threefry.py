"""Random bits that are the same on every device, compiled by XLA or not.

TensorFlow's own stateless generators give other numbers under XLA. This one
is Threefry-2x32 with 20 rounds of Salmon et al., Parallel Random Numbers: As
Easy as 1, 2, 3 (SC 2011), from additions, shifts and bitwise operations of
uint32 alone: those wrap by definition, TensorFlow has kernels of them for
CPUs and GPUs (its int32 kernels on GPUs run on the host), and XLA lowers them
for any device.
"""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
PARITY = np.uint32(0x1BD11BDA)  # Skein's constant, for the key schedule.


def threefry(
    key: Sequence[tf.Tensor], counter: Sequence[tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Makes random bits, a bijection of the counter for each key.

    Args:
        key: two uint32 words, tensors of any shapes.
        counter: two more; all four are broadcast against each other.

    Returns:
        Two uint32 tensors: words of independent random bits.
    """
    key = [*key, key[0] ^ key[1] ^ PARITY]
    x0, x1 = (c + k for c, k in zip(counter, key, strict=False))
    for round_ in range(20):
        x0 = x0 + x1
        x1 = x0 ^ _rotate_left(x1, ROTATIONS[round_ % 8])
        injection, rest = divmod(round_ + 1, 4)
        if not rest:
            x0 = x0 + key[injection % 3]
            x1 = x1 + key[(injection + 1) % 3] + np.uint32(injection)
    return x0, x1


def words(x: tf.Tensor | int) -> Sequence[tf.Tensor]:
    """Splits an integer into its low and high 32 bits: a key or a counter.

    Args:
        x: int64 tensor, or a Python integer, which is taken modulo 2**64.

    Returns:
        Two uint32 tensors of x's shape.
    """
    if isinstance(x, int):
        x %= 2**64
        low, high = x % 2**32, x >> 32
        return tf.constant(low, tf.uint32), tf.constant(high, tf.uint32)
    mask = tf.constant(0xFFFFFFFF, tf.int64)
    # The mask leaves numbers that uint32 holds, so that casting is defined.
    return [
        tf.cast(tf.bitwise.bitwise_and(half, mask), tf.uint32)
        for half in (x, tf.bitwise.right_shift(x, tf.constant(32, tf.int64)))
    ]


def uniform(bits: tf.Tensor) -> tf.Tensor:
    """Makes uniform float32 in [0, 1): multiples of 2**-24, all exact.

    Args:
        bits: uint32 tensor.
    """
    bits = tf.bitwise.right_shift(bits, np.uint32(8))
    return tf.cast(bits, tf.float32) * 2.0**-24


def normal(bits0: tf.Tensor, bits1: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Makes standard normal float32 by Box and Muller, at most 5.8 in size.

    Unlike the inverse distribution function, this takes only functions that
    every backend rounds well: backends agree to about 1e-6.

    Args:
        bits0: uint32 tensor.
        bits1: uint32 tensor of the same shape.

    Returns:
        Two independent tensors of that shape.
    """
    # 1 - u is exact and never 0.
    radius = tf.sqrt(-2.0 * tf.math.log(1.0 - uniform(bits0)))
    angle = 2.0 * math.pi * uniform(bits1)
    return radius * tf.cos(angle), radius * tf.sin(angle)


def _rotate_left(x, n):
    return tf.bitwise.bitwise_or(
        tf.bitwise.left_shift(x, np.uint32(n)),
        tf.bitwise.right_shift(x, np.uint32(32 - n)),
    )
