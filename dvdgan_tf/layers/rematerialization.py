"""Rematerialisation: which results inside a network are kept for gradients.

A network is a chain of segments: functions of nothing but their arguments.
What passes from one segment to the next is kept. What is inside is kept, too,
or recomputed for the gradient (`recompute`), or exists for one part of the
batch at a time (`parts`). None of this changes a result: batch norm takes its
statistics between the segments, of the whole batch, and weights are normalised
outside of them.

A recurrence over time has a segment of its own kind, see `time_parts`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from dvdgan_tf.layers.batch_parts import run_in_parts
from dvdgan_tf.layers.shards import Batch, for_shards
from dvdgan_tf.layers.time_parts import number_of_parts


def run_segment(
    function: Callable[..., tf.Tensor],
    examples: Sequence[Batch],
    parameters: Any,
    recompute: bool = False,
    parts: int = 1,
) -> Batch:
    """Returns `function(*examples, parameters)`.

    Args:
        function: depends on `examples` and `parameters` only; whatever it
            needs a gradient for must be among them. It returns one tensor
            [B, ...] of the type of the first example.
        examples: tensors [B, ...], or all of them in shards. With `parts` > 1
            their shapes must be static.
        parameters: tensors, nested as `function` takes them.
        recompute: whether the gradient evaluates `function` again instead of
            keeping what is inside.
        parts: number of equal parts of the batch that are evaluated one after
            the other; more than one implies `recompute`.

    Returns:
        A tensor [B, ...], or its shards.
    """
    if isinstance(examples[0], list):
        run = functools.partial(run_segment, recompute=recompute, parts=parts)
        return for_shards(lambda *x: run(function, x, parameters), *examples)
    if parts > 1:
        return run_in_parts(function, examples, parameters, parts)
    if not recompute:
        return function(*examples, parameters)
    return _recomputed(function, examples, parameters)


def run_segment_of_frames(
    function: Callable[..., tf.Tensor],
    examples: Sequence[Batch],
    parameters: Any,
    recompute: bool = False,
    parts: int = 1,
) -> Batch:
    """Runs a segment that treats each frame alone, as `run_segment` does.

    The gradient of a frame's up-sampled maps takes more memory than all that
    is kept of it between the segments. So frames are recomputed in parts, too.

    Args:
        function: a function like that of `run_segment`, which takes frames [B
            T, ...], whichever clip they are from.
        examples: tensors [B, T, ...], or all of them in shards. With
            `recompute` or `parts` > 1 their shapes must be static.
        parameters: tensors, nested as `function` takes them.
        recompute: whether the gradient evaluates `function` again, as in
            `run_segment`.
        parts: number of parts of the batch, as in `run_segment`.

    Returns:
        A tensor [B, T, ...], or its shards.
    """
    if isinstance(examples[0], list):
        run = functools.partial(
            run_segment_of_frames, recompute=recompute, parts=parts
        )
        return for_shards(lambda *x: run(function, x, parameters), *examples)
    batch, frames = examples[0].shape[:2]
    if recompute and batch is not None:
        parts *= number_of_parts(batch * frames // parts)
    tensors: Sequence[tf.Tensor] = examples
    flat = [tf.reshape(x, [-1, *x.shape[2:]]) for x in tensors]
    outputs: tf.Tensor = run_segment(
        function, flat, parameters, recompute, parts
    )
    return tf.reshape(outputs, [-1, frames, *outputs.shape[1:]])


def _recomputed(function, examples, parameters):
    flat = tf.nest.flatten(parameters)

    # All arguments are passed in flat: a gradient reaches those only.
    @tf.recompute_grad
    def recomputed(*args):
        packed = tf.nest.pack_sequence_as(parameters, args[len(examples) :])
        return function(*args[: len(examples)], packed)

    return recomputed(*examples, *flat)
