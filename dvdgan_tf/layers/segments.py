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
    if not recompute and parts == 1:
        return function(*examples, parameters)
    flat = tf.nest.flatten(parameters)

    # All arguments are passed in flat: a gradient reaches those only.
    @tf.recompute_grad
    def recomputed(*args):
        packed = tf.nest.pack_sequence_as(parameters, args[len(examples) :])
        return function(*args[: len(examples)], packed)

    if parts == 1:
        return recomputed(*examples, *flat)
    split = [_split(x, parts) for x in examples]
    outputs = tf.map_fn(
        lambda part: recomputed(*part, *flat),
        tuple(split),
        fn_output_signature=split[0].dtype,
    )
    return tf.reshape(outputs, [-1, *outputs.shape[2:]])


def _split(x, parts):
    """[B, ...] -> [parts, B / parts, ...]."""
    return tf.reshape(x, [parts, x.shape[0] // parts, *x.shape[1:]])
