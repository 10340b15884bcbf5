"""Writes I3D as a SavedModel with the interface of DeepMind's TF-Hub module."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from dvdgan_tf.features import i3d, i3d_weights


def save(weights: Mapping[str, np.ndarray], folder: str) -> None:
    """Writes a SavedModel whose variables have DeepMind's names and values.

    Its signature "default" maps `rgb_input`, float32 [B, T, 224, 224, 3] in
    [-1, 1] with T >= 9, to `default`, the logits [B, K] averaged over time.
    Batch norm is folded into the convolutions in its graph.

    Args:
        weights: {TF name: float32 array}, as `i3d_weights.read_weights`
            returns them.
        folder: is made.

    Raises:
        ValueError: if the weights are not those of I3D.
    """
    # The graph is that of this network, with other tensors as its variables.
    network = i3d_weights.make_network(weights)
    module = tf.Module()
    variables = {
        name: tf.Variable(value, trainable=False, name=name)
        for name, value in weights.items()
    }
    module.weights = list(variables.values())
    size = i3d.INPUT_SIZE
    spec = tf.TensorSpec([None, None, size, size, 3], name="rgb_input")

    @tf.function(input_signature=[spec])
    def default(rgb_input):
        tensors = {}
        for name, unit in network.units.items():
            kernel, bias = i3d_weights.folded(variables, name)
            tensors |= {unit.kernel.path: kernel, unit.bias.path: bias}
        outputs, _ = network.stateless_call(
            [], [tensors[v.path] for v in network.variables], rgb_input
        )
        return {"default": outputs["logits"]}

    tf.saved_model.save(module, folder, signatures={"default": default})
