"""A function of a batch, evaluated for one part of the batch after the other.

What is inside of the function exists for one part at a time, forward and
backward: the gradient evaluates each part again.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from dvdgan_tf.layers import gradient_sums


def run_in_parts(
    function: Callable[..., tf.Tensor],
    examples: Sequence[tf.Tensor],
    parameters: Any,
    parts: int,
) -> tf.Tensor:
    """Runs a segment in parts, forward and backward.

    Arguments and result are those of `rematerialization.run_segment`.
    """

    def call(part, flat):
        packed = tf.nest.pack_sequence_as(parameters, flat)
        return function(*part, packed)

    @tf.custom_gradient
    def run(*args):
        split = [_split(x, parts) for x in args[: len(examples)]]
        flat = list(args[len(examples) :])

        def gradient(upstream):
            return _gradients_in_parts(call, split, flat, upstream, parts)

        return _outputs_in_parts(call, split, flat, parts), gradient

    return run(*examples, *tf.nest.flatten(parameters))


def _outputs_in_parts(call, split, flat, parts):
    """Returns the result, [B, ...].

    Args:
        call: a function of a list of examples and of the flat parameters.
        split: the examples, [parts, B / parts, ...].
        flat: the parameters.
        parts: number of parts.
    """

    def body(i, outputs):
        return i + 1, outputs.write(i, call([x[i] for x in split], flat))

    # A loop of our own, here and below: those of `tf.map_fn` and of its
    # gradient would keep second copies of all that goes into them.
    _, outputs = tf.while_loop(
        lambda i, _: i < parts,
        body,
        (0, tf.TensorArray(split[0].dtype, parts)),
        maximum_iterations=parts,
        parallel_iterations=1,
    )
    return _join(outputs.stack())


def _gradients_in_parts(call, split, flat, upstream, parts):
    """Returns the gradients for examples [B, ...] and flat parameters.

    Args:
        call: a function of a list of examples and of the flat parameters.
        split: the examples, [parts, B / parts, ...].
        flat: the parameters.
        upstream: the gradient for the result, [B, ...].
        parts: number of parts.
    """
    upstreams = _split(upstream, parts)

    def body(i, arrays, sums):
        part = [x[i] for x in split]
        with tf.GradientTape() as tape:
            tape.watch([part, flat])
            outputs = call(part, flat)
        d_part, d_flat = tape.gradient(
            outputs,
            [part, flat],
            output_gradients=upstreams[i],
            unconnected_gradients="zero",
        )
        pairs = zip(arrays, d_part, strict=True)
        arrays = [array.write(i, d) for array, d in pairs]
        return i + 1, arrays, gradient_sums.add(sums, d_flat)

    arrays = [
        tf.TensorArray(x.dtype, parts, element_shape=x.shape[1:]) for x in split
    ]
    _, arrays, sums = tf.while_loop(
        lambda i, *_: i < parts,
        body,
        (0, arrays, gradient_sums.zeros(flat)),
        maximum_iterations=parts,
        parallel_iterations=1,
    )
    d_examples = [_join(array.stack()) for array in arrays]
    return [*d_examples, *gradient_sums.cast(sums, flat)]


def _split(x, parts):
    """[B, ...] -> [parts, B / parts, ...]."""
    return tf.reshape(x, [parts, x.shape[0] // parts, *x.shape[1:]])


def _join(x):
    """[parts, b, ...] -> [parts b, ...]."""
    return tf.reshape(x, [x.shape[0] * x.shape[1], *x.shape[2:]])
