"""Names the layer in which training has diverged."""

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from dvdgan_tf import named_variables

# A weight that was smaller than this counts as this large: biases begin at 0.
_FLOOR = 0.01


def fastest_growing(networks: Iterable[keras.Model], path: str) -> str | None:
    """Says which weight has grown most since a checkpoint.

    Args:
        networks: what is trained.
        path: path of the checkpoint, without an ending.

    Returns:
        Text such as "g/head/kernel, whose root mean square went from 0.05 to
        30"; None where the checkpoint cannot be read, or nothing has grown.
    """
    found, largest = None, 1.0
    try:
        reader = tf.train.load_checkpoint(path)
        stored = named_variables.stored_in(path)
        for variable in (v for n in networks for v in n.trainable_variables):
            if variable.path not in stored:
                continue
            before = _size(reader.get_tensor(stored[variable.path][0]))
            now = _size(variable.numpy())
            growth = now / max(before, _FLOOR)
            if growth > largest:
                largest = growth
                found = (
                    f"{variable.path}, whose root mean square went from "
                    f"{before:.3g} to {now:.3g}"
                )
    except (tf.errors.OpError, IndexError):
        return None
    return found


def _size(values: np.ndarray) -> float:
    """The root mean square; infinite where a value is not finite."""
    values = np.asarray(values, np.float64)
    finite = np.isfinite(values).all()
    return float(np.sqrt(np.mean(np.square(values)))) if finite else np.inf
