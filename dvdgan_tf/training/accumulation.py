"""Parts of a batch one after the other: gradient accumulation.

What is a sum over examples, such as the hinge losses and their gradients, is
the sum over the parts. The weights are normalised before, once, and shared by
the parts.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf


def accumulated_gradients(
    loss: Callable[..., tuple[tf.Tensor, tf.Tensor]],
    normalized: Callable[[], Any],
    variables: Sequence[keras.Variable],
    examples: Mapping[str, tf.Tensor],
    parts: int,
    num_metrics: int,
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Differentiates a loss for variables, part by part of the batch.

    This is done in two stages, so that the parts share one normalisation:
    the loss is differentiated for the normalised weights, part by part, and
    the sum for the variables that these weights are computed from.

    Args:
        loss: returns the loss and the metrics of some examples, a scalar and
            [num_metrics], given the normalised weights and, by name, the
            examples; both are sums over examples.
        normalized: returns the normalised weights, nested tensors.
        variables: what these weights are computed from.
        examples: {argument of the loss: tensor [B, ...]}, of static shape.
        parts: number of parts, a divisor of B.
        num_metrics: number of metrics.

    Returns:
        The metrics and the gradients for the variables, of the whole batch.
    """
    with tf.GradientTape() as tape:
        weights = normalized()
    flat = tf.nest.flatten(weights)

    @tf.autograph.experimental.do_not_convert
    def of_part(**part):
        with tf.GradientTape() as tape_of_part:
            tape_of_part.watch(weights)
            value, metrics = loss(weights, **part)
        gradients = tape_of_part.gradient(value, flat)
        # Under mixed precision the weights are bfloat16, whose 8 bits would
        # lose the later parts in the sum.
        return metrics, [tf.cast(g, tf.float32) for g in gradients]

    zeros = [tf.zeros(w.shape, tf.float32) for w in flat]
    metrics, sums = sum_over_parts(
        of_part, examples, parts, (tf.zeros([num_metrics]), zeros)
    )
    gradients = tape.gradient(
        flat,
        [v.value for v in variables],
        output_gradients=[
            tf.cast(s, w.dtype) for s, w in zip(sums, flat, strict=True)
        ],
    )
    return metrics, gradients


def gradients_for_examples(
    loss: Callable[..., tf.Tensor],
    clips: tf.Tensor,
    examples: Mapping[str, tf.Tensor],
    parts: int,
) -> Sequence[tf.Tensor]:
    """Differentiates a loss for clips, part by part of the batch.

    Args:
        loss: returns the loss of some examples, a scalar, given the clips
            and, by name, the other examples; it is a sum over examples.
        clips: float32 [B, ...], of static shape.
        examples: {argument of the loss: tensor [B, ...]}, of static shape.
        parts: number of parts, a divisor of B.

    Returns:
        The losses of the parts [parts] and the gradient [B, ...], float32.
    """

    @tf.autograph.experimental.do_not_convert
    def of_part(clips, examples):
        with tf.GradientTape() as tape:
            tape.watch(clips)
            value = loss(clips, **examples)
        return value[None], tape.gradient(value, clips)

    return map_over_parts(of_part, (clips, dict(examples)), parts)


def sum_over_parts(
    function: Callable[..., Any],
    examples: Mapping[str, tf.Tensor],
    parts: int,
    zeros: Any,
) -> Any:
    """The sum of what `function` returns for the parts of a batch.

    Args:
        function: called with the parts of `examples`, by name.
        examples: {name: tensor [B, ...]}, of static shape.
        parts: number of parts, a divisor of B.
        zeros: tensors of the shapes and types that `function` returns.

    Returns:
        What `function` would return for the whole batch.
    """
    examples = dict(examples)
    if parts == 1:
        return function(**examples)
    return tf.foldl(
        lambda sums, part: tf.nest.map_structure(
            tf.add, sums, function(**part)
        ),
        _split(examples, parts),
        initializer=zeros,
        parallel_iterations=1,
    )


def map_over_parts(
    function: Callable[..., tuple[tf.Tensor, tf.Tensor]],
    examples: tuple,
    parts: int,
) -> Sequence[tf.Tensor]:
    """Concatenates what `function` returns for the parts of a batch.

    Args:
        function: called with the parts of `examples`; returns two float32
            tensors [n, ...].
        examples: nested tensors [B, ...], of static shape.
        parts: number of parts, a divisor of B.

    Returns:
        Two tensors [n parts, ...].
    """
    if parts == 1:
        return function(*examples)
    outputs = tf.map_fn(
        lambda part: function(*part),
        _split(examples, parts),
        fn_output_signature=(tf.float32, tf.float32),
        parallel_iterations=1,
    )
    return [tf.reshape(x, [-1, *x.shape[2:]]) for x in outputs]


def _split(examples, parts):
    """[B, ...] -> [parts, B / parts, ...] of each."""
    return tf.nest.map_structure(
        lambda x: tf.reshape(x, [parts, x.shape[0] // parts, *x.shape[1:]]),
        examples,
    )
