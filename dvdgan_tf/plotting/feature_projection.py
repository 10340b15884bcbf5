"""Projects features of networks on their first two principal components."""

import zipfile
import zlib
from collections.abc import Sequence

import numpy as np


def features_data(paths: Sequence[str]) -> dict:
    """Features on the principal components of the first file's.

    Args:
        paths: two or more .npz as of `Activations.to_dict`, need not be
            trusted: "<output>/features" is float [N, D].

    Returns:
        {output: ({path: float64 [N, 2]}, shares)} of the outputs that all
        files have: the coordinates on the first two principal components of
        the first file, about its mean, and their shares of its variance.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is not such, or they do not fit together.
    """
    if len(paths) < 2:
        raise ValueError("Give --features at least twice, the real ones first.")
    sets = {path: _load_features(path) for path in paths}
    if len(sets) < len(paths):
        raise ValueError("Give --features different files.")
    outputs = set.intersection(*map(set, sets.values()))
    if not outputs:
        raise ValueError(
            f"The files {', '.join(map(repr, paths))} have no output in common."
        )
    data = {}
    for output in sorted(outputs):
        features = {path: arrays[output] for path, arrays in sets.items()}
        if len({array.shape[1] for array in features.values()}) > 1:
            raise ValueError(
                f"The features of {output!r} are of different networks: "
                f"{[list(array.shape) for array in features.values()]}."
            )
        mean, axes, shares = _principal_axes(features[paths[0]], paths[0])
        data[output] = (
            {path: (array - mean) @ axes for path, array in features.items()},
            shares,
        )
    return data


def _load_features(path):
    """{output: float64 [N, D]} of a file."""
    key = "/features"
    try:
        with open(path, "rb") as file:
            if not zipfile.is_zipfile(file):
                raise ValueError("it is no .npz")
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                found = {
                    name.removesuffix(key): np.asarray(arrays[name])
                    for name in arrays.files
                    if name.endswith(key)
                }
    except (
        EOFError,
        MemoryError,
        RuntimeError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(
            f"The features {path!r} cannot be read "
            f"({' '.join(str(error).split())})."
        ) from error
    for name, array in found.items():
        if (
            array.ndim != 2
            or array.dtype.kind != "f"
            or min(array.shape) < 2
            or not np.isfinite(array).all()
        ):
            raise ValueError(
                f"The array '{name}{key}' of {path!r} must be of finite "
                "floats, [N, D] with N and D at least 2. Received: "
                f"{array.dtype} {list(array.shape)}."
            )
    return {name: array.astype(np.float64) for name, array in found.items()}


def _principal_axes(features, path):
    """Mean [D], first two axes [D, 2] and their shares of the variance."""
    if (features == features[0]).all():
        raise ValueError(f"The features of {path!r} are all the same.")
    # Not by SVD: 10 000 clips of 4096 features would take minutes.
    variances, axes = np.linalg.eigh(np.cov(features, rowvar=False))
    shares = variances[:-3:-1] / variances.sum()
    return features.mean(0), axes[:, :-3:-1], shares
