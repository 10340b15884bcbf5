"""Reads the checkpoint of I3D in the sdist, and nothing else, from a pickle.

A pickle may call any function. This reader knows three: those by which NumPy
rebuilds an array, and has stand-ins for them which accept little-endian
float32 and as many bytes as the shape says.
"""

import io
import math
import pickle
from typing import Any

import numpy as np

from dvdgan_tf.features.i3d_weights import weight_names

# Flax's names below a unit, and TensorFlow's.
_VARIABLES = {
    "params/Conv_0/kernel": "conv_3d/w",
    "params/Conv_0/bias": "conv_3d/b",
    "params/BatchNorm_0/bias": "batch_norm/beta",
    "batch_stats/BatchNorm_0/mean": "batch_norm/moving_mean",
    "batch_stats/BatchNorm_0/var": "batch_norm/moving_variance",
}
# The authors' TensorFlow code has a slip of the pen, which Flax's lacks.
_RENAMED = {
    "Mixed_5b/Branch_2/Conv3d_0b_3x3": "Mixed_5b/Branch_2/Conv3d_0a_3x3"
}


def read_checkpoint(data: bytes) -> dict[str, np.ndarray]:
    """Reads the weights of I3D as Flax's port stores them.

    Args:
        data: bytes of a pickle: nested dicts {"params" or "batch_stats":
            {unit: {layer: {variable: float32 array}}}}.

    Returns:
        {TF name: float32 array}, for all names that I3D has.

    Raises:
        ValueError: one sentence, if the pickle holds anything else.
    """
    try:
        tree = _Unpickler(io.BytesIO(data)).load()
    except Exception as error:
        # Pickles may raise anything.
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"The checkpoint is not one of float32 arrays: {reason}"
        ) from error
    weights = {}
    for path, array in _leaves(tree):
        # The statistics are stored as [1, 1, 1, 1, C].
        value = array if path.endswith("/kernel") else array.reshape(-1)
        weights[_tf_name(path)] = value
    missing = [name for name in weight_names() if name not in weights]
    if missing:
        raise ValueError(
            f"The checkpoint lacks {len(missing)} of the weights of I3D, "
            f"{missing[0]} first."
        )
    return weights


class _Dtype:
    """Stands for `numpy.dtype("<f4")`, of which only "f4" is known first."""

    __slots__ = ("is_little_endian",)

    def __init__(self) -> None:
        self.is_little_endian = False

    def __setstate__(self, state: tuple) -> None:
        self.is_little_endian = state[1] == "<"


class _Array:
    """Stands for an empty array, to be filled."""

    __slots__ = ("value",)

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran_order, data = state
        if not (type(dtype) is _Dtype and dtype.is_little_endian):
            raise ValueError("an array is not of little-endian float32.")
        if fortran_order or type(data) is not bytes:
            raise ValueError("an array is not stored row by row.")
        if len(data) != 4 * math.prod(shape):
            raise ValueError(
                f"an array of shape {shape} is stored in {len(data)} bytes."
            )
        self.value = np.frombuffer(data, "<f4").reshape(shape)


class _MakeDtype:
    """Stands for the class `numpy.dtype`."""

    __slots__ = ()

    def __call__(self, code: Any, *_: Any) -> _Dtype:
        if code != "f4":
            raise ValueError(f"an array is of type {code!r}, not 'f4'.")
        return _Dtype()


class _Reconstruct:
    """Stands for NumPy's function that makes an empty array."""

    __slots__ = ()

    def __call__(self, kind: Any, *_: Any) -> _Array:
        if kind is not _NDARRAY:
            raise ValueError("an array is of another class than ndarray.")
        return _Array()


# Without attributes, since a pickle could set them.
_NDARRAY = object()
_STAND_INS = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _MakeDtype(),
    ("numpy.core.multiarray", "_reconstruct"): _Reconstruct(),
    ("numpy._core.multiarray", "_reconstruct"): _Reconstruct(),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """The stand-in; there is no other class."""
        if (module, name) not in _STAND_INS:
            raise ValueError(f"it names {module}.{name}.")
        return _STAND_INS[module, name]


def _leaves(tree):
    """Yields ("params/.../kernel", array) for all arrays, depth first."""
    waiting = [("", tree)]
    while waiting:
        path, node = waiting.pop()
        if type(node) is dict and all(type(key) is str for key in node):
            waiting += [(f"{path}/{key}", node[key]) for key in node]
        elif type(node) is _Array and hasattr(node, "value"):
            yield path.removeprefix("/"), node.value
        else:
            raise ValueError(
                f"The checkpoint holds something else than dicts of arrays "
                f"at {path or 'its top'!r}."
            )


def _tf_name(path):
    collection, _, rest = path.partition("/")
    unit, *variable = rest.rsplit("/", 2)
    name = _VARIABLES.get("/".join([collection, *variable]))
    if name is None:
        raise ValueError(f"The checkpoint holds {path}, which I3D has not.")
    return f"RGB/inception_i3d/{_RENAMED.get(unit, unit)}/{name}"
