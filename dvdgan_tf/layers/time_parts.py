"""A recurrence whose gradient recomputes one part of time after the other."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from dvdgan_tf.layers import gradient_sums

# Into how many parts frames are divided at most where they are recomputed.
_MOST_PARTS = 8


def number_of_parts(frames: int) -> int:
    """Returns the largest number of equal parts that frames divide into."""
    most = range(_MOST_PARTS, 0, -1)
    return next(parts for parts in most if frames % parts == 0)


def run_recurrence(
    function: Callable[..., tf.Tensor],
    inputs: tf.Tensor,
    state: tf.Tensor,
    parameters: Any,
) -> tf.Tensor:
    """Runs a recurrence over time whose gradient recomputes it.

    Time is divided into parts. The inputs are kept, and the states, which are
    the result; the gradient evaluates one part after the other again, the
    last one first.

    Args:
        function: returns the states [B, n, ...] of n steps, given their
            inputs [B, n, ...], the state [B, ...] before them and
            `parameters`; it depends on these arguments only.
        inputs: [B, T, ...], T static.
        state: the state before the first step, [B, ...].
        parameters: tensors, nested as `function` takes them.

    Returns:
        The states of all steps, [B, T, ...].
    """

    def call(inputs, state, flat):
        packed = tf.nest.pack_sequence_as(parameters, flat)
        return function(inputs, state, packed)

    @tf.custom_gradient
    def run(inputs, state, *flat):
        parts = number_of_parts(inputs.shape[1])
        split = _split_time(inputs, parts)
        states = _states_in_parts(call, split, state, flat)

        def gradient(upstream):
            # The state before each part.
            ends = _split_time(states, parts)[:, :-1, -1]
            before = tf.concat([state[:, None], ends], 1)
            upstream = _split_time(upstream, parts)
            return _gradients_through_time(call, split, before, flat, upstream)

        return states, gradient

    return run(inputs, state, *tf.nest.flatten(parameters))


def _states_in_parts(call, split, state, flat):
    """Returns the states of all steps, [B, T, ...].

    Args:
        call: a function of inputs [B, n, ...], state and the flat parameters.
        split: the inputs of all steps, [B, parts, n, ...].
        state: the state before the first step, [B, ...].
        flat: the parameters.
    """
    parts = split.shape[1]

    def body(i, state, states):
        new = call(split[:, i], state, flat)
        return i + 1, new[:, -1], states.write(i, new)

    _, _, states = tf.while_loop(
        lambda i, *_: i < parts,
        body,
        (0, state, tf.TensorArray(state.dtype, parts)),
        maximum_iterations=parts,
        parallel_iterations=1,
    )
    return _join_time(states.stack())


def _gradients_through_time(call, split, before, flat, upstream):
    """Returns the gradients for inputs, first state and flat parameters.

    Args:
        call: a function of inputs [B, n, ...], state and the flat parameters.
        split: the inputs of all steps, [B, parts, n, ...].
        before: the states before each part, [B, parts, ...].
        flat: the parameters.
        upstream: the gradient for the states, [B, parts, n, ...].
    """
    parts = split.shape[1]

    def body(i, d_state, d_inputs, sums):
        inputs, state = split[:, i], before[:, i]
        with tf.GradientTape() as tape:
            tape.watch([inputs, state, flat])
            states = call(inputs, state, flat)
            outputs = [states, states[:, -1]]
        d_input, d_state, d_flat = tape.gradient(
            outputs,
            [inputs, state, flat],
            output_gradients=[upstream[:, i], d_state],
            unconnected_gradients="zero",
        )
        return (
            i - 1,
            d_state,
            d_inputs.write(i, d_input),
            gradient_sums.add(sums, d_flat),
        )

    _, d_state, d_inputs, sums = tf.while_loop(
        lambda i, *_: i >= 0,
        body,
        (
            parts - 1,
            tf.zeros_like(before[:, 0]),
            tf.TensorArray(split.dtype, parts),
            gradient_sums.zeros(flat),
        ),
        maximum_iterations=parts,
        parallel_iterations=1,
    )
    return [
        _join_time(d_inputs.stack()),
        d_state,
        *gradient_sums.cast(sums, flat),
    ]


def _split_time(x, parts):
    """[B, T, ...] -> [B, parts, T / parts, ...]."""
    return tf.reshape(x, [-1, parts, x.shape[1] // parts, *x.shape[2:]])


def _join_time(x):
    """[parts, B, n, ...] -> [B, parts n, ...]."""
    x = tf.transpose(x, [1, 0, *range(2, x.shape.rank)])
    return tf.reshape(x, [-1, x.shape[1] * x.shape[2], *x.shape[3:]])
