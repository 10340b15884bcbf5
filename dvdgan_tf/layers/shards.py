"""A batch in shards: a list of tensors [B / shards, ...].

The shards of a segment do not depend on each other; only the statistics of
batch norm are taken over all of them. On a CPU they run side by side, one per
thread, because the small operations of a narrow network gain little from
several threads each.
"""

from collections.abc import Callable
from typing import TypeAlias

import tensorflow as tf

# [B, ...], in one piece or in shards.
Batch: TypeAlias = tf.Tensor | list[tf.Tensor]


def shard(x: tf.Tensor, shards: int) -> Batch:
    """Splits [B, ...] into a list of shards; with one, x stays as it is."""
    return tf.split(x, shards) if shards > 1 else x


def for_shards(function: Callable[..., tf.Tensor], *examples: Batch) -> Batch:
    """Calls a function with each shard of its arguments.

    Args:
        function: takes tensors [B, ...] and returns one.
        *examples: tensors, or lists of equally many shards each.

    Returns:
        The result of `function`, or a list of its results.
    """
    if not isinstance(examples[0], list):
        return function(*examples)
    return [function(*shards) for shards in zip(*examples, strict=True)]


def join(x: Batch) -> tf.Tensor:
    """Returns [B, ...] from a tensor or from its shards."""
    return tf.concat(x, 0) if isinstance(x, list) else x
