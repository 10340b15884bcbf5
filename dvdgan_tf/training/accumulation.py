"""Parts of a batch one after the other: gradient accumulation.

What is a sum over examples, such as the hinge losses and their gradients, is
the sum over the parts. The weights are normalised before, once, and shared by
the parts.
"""

import tensorflow as tf


def sum_over_parts(function, examples, parts, zeros):
    """The sum of what `function` returns for the parts of a batch.

    Args:
        function: called with the parts of `examples`.
        examples: tensors [B, ...] of static shape.
        parts: number of parts, a divisor of B.
        zeros: tensors of the shapes and types that `function` returns.

    Returns:
        What `function` would return for the whole batch.
    """
    if parts == 1:
        return function(*examples)
    return tf.foldl(
        lambda sums, part: tf.nest.map_structure(tf.add, sums, function(*part)),
        _split(examples, parts),
        initializer=zeros,
        parallel_iterations=1,
    )


def map_over_parts(function, examples, parts):
    """Concatenates what `function` returns for the parts of a batch.

    Args:
        function: called with the parts of `examples`; returns two float32
            tensors [n, ...].
        examples: tensors [B, ...] of static shape.
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
    return tuple(
        tf.reshape(x, [parts, x.shape[0] // parts, *x.shape[1:]])
        for x in examples
    )
