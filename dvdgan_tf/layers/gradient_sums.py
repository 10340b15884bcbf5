"""Gradients for parameters, summed over parts that are computed in turn.

The sums are float32 whatever the parameters are: in bfloat16, a sum of many
parts would lose its small terms.
"""

from collections.abc import Sequence

import tensorflow as tf


def zeros(parameters: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Returns the sums before any part, one for each parameter."""
    return [tf.zeros(x.shape, tf.float32) for x in parameters]


def add(
    sums: Sequence[tf.Tensor], gradients: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """Returns the sums with the gradients of one more part added."""
    pairs = zip(sums, gradients, strict=True)
    return [s + tf.cast(d, tf.float32) for s, d in pairs]


def cast(
    sums: Sequence[tf.Tensor], parameters: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """Returns the sums in the types of the parameters."""
    pairs = zip(sums, parameters, strict=True)
    return [tf.cast(s, x.dtype) for s, x in pairs]
