"""The pretrained weights of I3D: their names, reading, folding, checksum."""

import hashlib
import os

import keras
import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

from dvdgan_tf.features.i3d import I3D, INPUT_SIZE

_LOGITS = "Logits/Conv3d_0c_1x1"
# Of Sonnet 1's batch norm, which has no gain here.
_EPSILON = 1e-3


def unit_names(unit):
    """The TensorFlow names of a unit's variables, as the authors store them.

    Args:
        unit: name of the unit in `I3D.units`.

    Returns:
        The kernel's first; then the bias's, or those of beta, mean and
        variance of a batch norm.
    """
    parts = ["conv_3d/w", "conv_3d/b"]
    if unit != _LOGITS:
        parts = ["conv_3d/w"] + [
            f"batch_norm/{part}"
            for part in ("beta", "moving_mean", "moving_variance")
        ]
    return [f"RGB/inception_i3d/{unit}/{part}" for part in parts]


def weight_names():
    """The TensorFlow names of all variables."""
    return [name for unit in I3D().units for name in unit_names(unit)]


def folded(weights, unit):
    """Kernel and bias of a unit that do its batch norm, too.

    Args:
        weights: {TF name: array or tensor}.
        unit: name of the unit in `I3D.units`.

    Returns:
        (kernel [k, k, k, C, C'], bias [C']).
    """
    values = [weights[name] for name in unit_names(unit)]
    if unit == _LOGITS:
        return tuple(values)
    kernel, beta, mean, variance = values
    scale = (variance + _EPSILON) ** -0.5
    return kernel * scale, beta - mean * scale


def make_network(weights, dtype="float32"):
    """Makes the network with given weights.

    Args:
        weights: {TF name: float32 array}; the logits' tell the number of
            classes.
        dtype: type of the convolutions, "float32" or "bfloat16".

    Returns:
        An `I3D`.

    Raises:
        ValueError: if an array has another shape than the network's.
    """
    num_classes = len(weights[unit_names(_LOGITS)[-1]])
    network = I3D(num_classes, dtype=dtype)
    # Makes the variables; nothing is computed.
    network(keras.Input((None, INPUT_SIZE, INPUT_SIZE, 3)))
    for unit, layer in network.units.items():
        _check_shapes(weights, unit, layer)
        kernel, bias = folded(weights, unit)
        layer.kernel.assign(kernel)
        layer.bias.assign(bias)
    return network


def _check_shapes(weights, unit, layer):
    for i, name in enumerate(unit_names(unit)):
        expected = tuple((layer.bias if i else layer.kernel).shape)
        if weights[name].shape != expected:
            raise ValueError(
                f"These are no weights of I3D: {name} has the shape "
                f"{weights[name].shape} instead of {expected}."
            )


def checksum(weights):
    """SHA-256 of all tensors, one after the other in order of their names.

    For `i3d-kinetics-400` of DeepMind it is
    40cda3a73eba49c7cec1b125cf2197c122a1c4e08a50031b91889e9be252d1ac.

    Args:
        weights: {TF name: float32 array}.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(weights[name].astype("<f4").tobytes())
    return digest.hexdigest()


def read_weights(folder):
    """Reads the weights from a SavedModel, of TensorFlow 1 or 2.

    Args:
        folder: folder of the SavedModel. The names of its variables may have a
            prefix, such as "module/".

    Returns:
        {TF name without prefix: float32 array}, vectors [C] also where they
        are stored as [1, 1, 1, 1, C].

    Raises:
        ValueError: one sentence, if these are not the weights of I3D.
    """
    path = os.path.join(folder, "variables", "variables")
    try:
        reader = tf.train.load_checkpoint(path)
        keys = _checkpoint_keys(reader)
        prefix = _prefix(keys, folder)
        return {
            name: _read(reader, keys, prefix + name, folder)
            for name in weight_names()
        }
    # A data file that is too short raises an IndexError.
    except (tf.errors.OpError, RuntimeError, IndexError) as error:
        message = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"{path!r} is no checkpoint that can be read: {message}"
        ) from error


def _checkpoint_keys(reader):
    """{TF name: key}: the same in TensorFlow 1; in 2 there is a table."""
    table = "_CHECKPOINTABLE_OBJECT_GRAPH"
    if not reader.has_tensor(table):
        return {key: key for key in reader.get_variable_to_shape_map()}
    graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(
        reader.get_tensor(table)
    )
    attributes = [a for node in graph.nodes for a in node.attributes]
    return {a.full_name: a.checkpoint_key for a in attributes}


def _prefix(keys, folder):
    last = unit_names(_LOGITS)[-1]
    found = [key for key in keys if f"/{key}".endswith(f"/{last}")]
    if len(found) != 1:
        raise ValueError(
            f"{folder!r} does not hold the weights of I3D: of its {len(keys)} "
            f"variables {len(found)} are called {last}."
        )
    return found[0].removesuffix(last)


def _read(reader, keys, name, folder):
    if name not in keys:
        raise ValueError(
            f"{folder!r} does not hold all weights of I3D: {name} is missing."
        )
    value = reader.get_tensor(keys[name])
    if value.dtype != "float32":
        raise ValueError(
            f"{name} in {folder!r} is of type {value.dtype}, not float32."
        )
    return value if name.endswith("/w") else value.reshape(-1)
