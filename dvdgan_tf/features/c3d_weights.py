"""Reads the weights and the mean clip of the C3D network for UCF-101."""

import hashlib
import math
import os
import zipfile
import zlib

import numpy as np

# In the network's order. Each has arrays `<layer>/W` and `<layer>/b`.
CONVOLUTIONS = (
    "conv1a",
    "conv2a",
    "conv3a",
    "conv3b",
    "conv4a",
    "conv4b",
    "conv5a",
    "conv5b",
)
DENSE_LAYERS = ("fc6", "fc7", "fc8")

# Time, height and width of what the last pool leaves of 16 frames of 112x112.
LAST_SIZE = (1, 4, 4)
NUM_CLASSES = 101
MEAN_SHAPE = (3, 16, 128, 171)

_RELEASE = "https://github.com/rezoo/tgan2/releases/download/v1.0/"
_WEIGHTS_URL = _RELEASE + "conv3d_deepnetA_ucf.npz"
_MEAN_URL = _RELEASE + "mean2.npz"

# Three times what the published weights take. A small zip can unpack to more
# than there is memory.
_MAX_BYTES = 2**30

_ERRORS = (
    ValueError,  # pickles and damaged headers of arrays
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    RuntimeError,  # encrypted, or compressed in an unknown way
    MemoryError,
)


def read_weights(path):
    """Reads a Chainer npz file of C3D weights.

    The layers are as wide as the arrays say; what is checked is that each
    layer's fits those before it, and that there are 101 classes.

    Args:
        path: path of the file. It holds at least the arrays `<layer>/W` and
            `<layer>/b` of `CONVOLUTIONS` and `DENSE_LAYERS`, in the layout of
            `chainer.serializers.save_npz`.

    Returns:
        A dict from such a key to a float32 array, as stored: W is
        [C', C, 3, 3, 3], time before height and width, in convolutions (over
        BGR in the first), and [C', C] in dense layers; b is [C']. The input
        of fc6 is the last pool's output flattened as [C, 1, 4, 4].

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no npz file, is damaged, lacks an array, or
            has one of a wrong shape or type.
    """
    layers = (*CONVOLUTIONS, *DENSE_LAYERS)
    keys = [f"{layer}/{leaf}" for layer in layers for leaf in "Wb"]
    weights = _read(path, keys, _WEIGHTS_URL)
    channels = 3
    for layer in layers:
        key = f"{layer}/W"
        wanted = (NUM_CLASSES if layer == layers[-1] else None, channels)
        if layer in CONVOLUTIONS:
            wanted += (3, 3, 3)
        _check_shape(path, weights, key, wanted, _WEIGHTS_URL)
        channels = weights[key].shape[0]
        _check_shape(path, weights, f"{layer}/b", (channels,), _WEIGHTS_URL)
        if layer == CONVOLUTIONS[-1]:
            channels *= math.prod(LAST_SIZE)
    return weights


def read_mean(path):
    """Reads the npz file of the mean clip.

    Args:
        path: path of the file, which holds at least the array `mean`.

    Returns:
        float32 [3, 16, 128, 171]: BGR, frames, height and width, in the
        range of the pixels, [0, 255].

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: as in `read_weights`.
    """
    arrays = _read(path, ["mean"], _MEAN_URL)
    _check_shape(path, arrays, "mean", MEAN_SHAPE, _MEAN_URL)
    return arrays["mean"]


def checksum(weights, mean):
    """The sha256 of all that the network computes with.

    Args:
        weights: the arrays that `read_weights` returned.
        mean: the array that `read_mean` returned.

    Returns:
        Hexadecimal digits: of the float32 arrays' bytes (little endian, the
        last axis fastest), in the order of the sorted keys, then the mean.
    """
    digest = hashlib.sha256()
    for array in (*(weights[key] for key in sorted(weights)), mean):
        digest.update(np.ascontiguousarray(array, "<f4"))
    return digest.hexdigest()


def _read(path, keys, url):
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"There is no file {path!r}; it does not come with this package, "
            f"download {url} and give its path."
        )
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no zip archive, or was cut off")
        # Never as a pickle: whoever wrote the file could run code.
        with np.load(path, allow_pickle=False) as archive:
            size = sum(i.file_size for i in archive.zip.infolist())
            if size > _MAX_BYTES:
                raise ValueError(f"it unpacks to {size} bytes")
            missing = [key for key in keys if key not in archive]
            # Of a member that is no array, NumPy gives the bytes.
            arrays = {k: np.asarray(archive[k]) for k in keys if not missing}
    except _ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"Cannot read {path!r} as an npz file ({reason}); download {url} "
            "again."
        ) from error
    if missing:
        raise ValueError(
            f"{path!r} lacks the array {missing[0]!r}; the file with all "
            f"arrays is published at {url}."
        )
    for key, array in arrays.items():
        if array.dtype.kind != "f":
            raise ValueError(
                f"The array {key!r} of {path!r} has the type {array.dtype}, "
                f"not float32; the right file is published at {url}."
            )
    return {k: array.astype(np.float32) for k, array in arrays.items()}


def _check_shape(path, arrays, key, expected, url):
    shape = arrays[key].shape
    fits = len(shape) == len(expected) and all(
        size > 0 if wanted is None else size == wanted
        for size, wanted in zip(shape, expected, strict=True)
    )
    if not fits:
        words = ", ".join("any" if n is None else str(n) for n in expected)
        raise ValueError(
            f"The array {key!r} of {os.fspath(path)!r} has the shape "
            f"{list(shape)}, not [{words}]; the right file is published at "
            f"{url}."
        )
