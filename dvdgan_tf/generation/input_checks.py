"""Assertions inside of a module: impossible inputs end in one sentence."""

import tensorflow as tf


def checked(
    inputs: dict[str, tf.Tensor],
    specs: dict[str, tf.TensorSpec],
    num_classes: int,
) -> dict[str, tf.Tensor]:
    """Returns the inputs, with assertions about their sizes and class ids.

    A signature that is called by name, or by TensorFlow Serving, checks the
    types of its inputs but not their shapes. Ranks are left to TensorFlow,
    which takes them for granted where it optimises the graph.

    Args:
        inputs: dict of tensors.
        specs: {name: tf.TensorSpec}; where the first axis is of any size, it
            is the batch, of one size for all.
        num_classes: bound of integer `y`.

    Returns:
        `inputs`, which depend on the assertions.
    """
    batched = {n: s for n, s in specs.items() if s.shape[:1] == [None]}
    batch = tf.shape(inputs[next(iter(batched))])[:1]
    assertions = []
    for name, spec in batched.items():
        found, sizes = tf.shape(inputs[name]), spec.shape.as_list()[1:]
        shape = ", ".join(["B", *map(str, sizes)])
        assertions.append(
            tf.debugging.Assert(
                tf.reduce_all(found == tf.concat([batch, sizes], 0)),
                [
                    f"{name} must be {spec.dtype.name} [{shape}], with one B "
                    f"for {' and '.join(batched)}.",
                    "Received:",
                    found,
                ],
            )
        )
    y = inputs["y"]
    if y.dtype.is_integer:
        ids = f"y must be class ids from 0 to {num_classes - 1}."
        possible = tf.reduce_all((y >= 0) & (y < num_classes))
        assertions.append(tf.debugging.Assert(possible, [ids, "Received:", y]))
    with tf.control_dependencies(assertions):
        return {name: tf.identity(value) for name, value in inputs.items()}
