"""Pixels as files hold them, and as the networks take and make them.

Files hold levels from 0 to 255, networks work on [-1, 1]:

    x = level / 127.5 - 1,    level = 127.5 (x + 1)

This is the only place that knows the two formulas. `to_float` and `to_levels`
take NumPy arrays and TensorFlow's tensors alike, and answer in kind; only for
a tensor do they import TensorFlow, which must be there already then.
"""

from typing import Any

import numpy as np


def to_float(levels: Any) -> Any:
    """Converts levels to the networks' range.

    Args:
        levels: array or tensor of any shape, uint8 or float in [0, 255].

    Returns:
        float32 in [-1, 1], of the same shape.
    """
    return _float32(levels) / 127.5 - 1.0


def to_levels(video: Any) -> Any:
    """Converts the networks' range to levels, neither rounded nor clipped.

    Args:
        video: array or tensor of any shape, float in [-1, 1].

    Returns:
        float32 in [0, 255], of the same shape.
    """
    return (_float32(video) + 1.0) * 127.5


def to_uint8(video: Any) -> np.ndarray:
    """Converts the networks' range to the levels that a file holds.

    Args:
        video: float of any shape in [-1, 1]; what is outside is clipped.

    Returns:
        uint8 array of the same shape, rounded to nearest.
    """
    levels = to_levels(np.asarray(video))
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def _float32(values):
    if isinstance(values, np.ndarray):
        return values.astype(np.float32)
    import tensorflow as tf

    return tf.cast(values, tf.float32)
