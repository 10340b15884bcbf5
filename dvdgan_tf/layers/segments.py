"""Which results inside a network are kept for gradients, and which not.

A network is a chain of segments: functions of nothing but their arguments.
What passes from one segment to the next is kept. What is inside is kept, too,
recomputed for the gradient, or exists for one part of the batch at a time.
None of this changes a result: batch norm takes its statistics between the
segments, of the whole batch, and weights are normalised outside of them.
"""

import tensorflow as tf


def run_segment(function, examples, parameters, recompute=False, parts=1):
    """Returns `function(*examples, parameters)`.

    Args:
        function: of `examples` and `parameters` only; whatever it needs a
            gradient for must be among them. It returns one tensor [B, ...]
            of the type of the first example.
        examples: tensors [B, ...], where `parts` > 1 of static shape.
        parameters: tensors, nested as `function` takes them.
        recompute: whether the gradient evaluates `function` again instead of
            keeping what is inside.
        parts: number of equal parts of the batch that are evaluated one after
            the other; more than one implies `recompute`.

    Returns:
        A tensor [B, ...].
    """
    if parts > 1:
        return _in_parts(function, examples, parameters, parts)
    if not recompute:
        return function(*examples, parameters)
    flat = tf.nest.flatten(parameters)

    # All arguments are passed in flat: a gradient reaches those only.
    @tf.recompute_grad
    def recomputed(*args):
        packed = tf.nest.pack_sequence_as(parameters, args[len(examples) :])
        return function(*args[: len(examples)], packed)

    return recomputed(*examples, *flat)


def _in_parts(function, examples, parameters, parts):
    """`run_segment` in parts, forward and backward.

    The gradient is a loop of its own: that of TensorFlow for a loop would
    keep a second copy of all that goes into it.
    """

    def call(part, flat):
        packed = tf.nest.pack_sequence_as(parameters, flat)
        return function(*part, packed)

    @tf.custom_gradient
    def run(*args):
        split = [_split(x, parts) for x in args[: len(examples)]]
        flat = list(args[len(examples) :])
        outputs = tf.map_fn(
            lambda part: call(part, flat),
            split,
            fn_output_signature=split[0].dtype,
            parallel_iterations=1,
        )

        def gradient(upstream):
            return _gradients_in_parts(call, split, flat, upstream, parts)

        return _join(outputs), gradient

    return run(*examples, *tf.nest.flatten(parameters))


def _gradients_in_parts(call, split, flat, upstream, parts):
    """Gradients for examples [B, ...], then for the flat parameters.

    Args:
        call: function of a list of examples and of the flat parameters.
        split: the examples, [parts, B / parts, ...].
        flat: the parameters.
        upstream: gradient for the result, [B, ...].
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
        # In float32 whatever the parameters are.
        pairs = zip(sums, d_flat, strict=True)
        return i + 1, arrays, [s + tf.cast(d, tf.float32) for s, d in pairs]

    arrays = [
        tf.TensorArray(x.dtype, parts, element_shape=x.shape[1:]) for x in split
    ]
    _, arrays, sums = tf.while_loop(
        lambda i, *_: i < parts,
        body,
        (0, arrays, [tf.zeros(x.shape, tf.float32) for x in flat]),
        maximum_iterations=parts,
        parallel_iterations=1,
    )
    return [
        *(_join(array.stack()) for array in arrays),
        *(tf.cast(s, x.dtype) for s, x in zip(sums, flat, strict=True)),
    ]


def _split(x, parts):
    """[B, ...] -> [parts, B / parts, ...]."""
    return tf.reshape(x, [parts, x.shape[0] // parts, *x.shape[1:]])


def _join(x):
    """[parts, b, ...] -> [parts b, ...]."""
    return tf.reshape(x, [x.shape[0] * x.shape[1], *x.shape[2:]])
