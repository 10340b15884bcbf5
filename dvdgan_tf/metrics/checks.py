"""What every metric demands of its inputs, and what some of them return."""

import math
from typing import NamedTuple

import numpy as np

# float64 holds its sixth power, which the kernel distance takes, and sums of
# it; no network's features are near.
_LARGEST = 1e30


class Estimate(NamedTuple):
    """An unbiased (so perhaps negative) estimate.

    Attributes:
        value: the estimated value, in the metric's unit.
        standard_error: one standard deviation of `value`, in the same unit.
    """

    value: float
    standard_error: float


def checked_features(features, at_least=1, name="features"):
    """Features as a float64 matrix.

    Args:
        features: [N, D], real numbers; a row is a clip.
        at_least: the smallest N that will do.
        name: what the errors call them.

    Returns:
        [N, D], float64.

    Raises:
        ValueError: if they are no matrix of real numbers, if rows are too few,
            or if a value is not finite or beyond 1e30.
    """
    features = np.asarray(features)
    if features.dtype.kind not in "fiu" and features.dtype.name != "bfloat16":
        raise ValueError(
            f"{name} must be real numbers; received type {features.dtype}."
        )
    if features.ndim != 2 or not features.shape[1]:
        raise ValueError(
            f"{name} must be [N, D] with D > 0; received shape "
            f"{list(features.shape)}."
        )
    if len(features) < at_least:
        raise ValueError(
            f"{name} must have at least {at_least} rows; received "
            f"{len(features)}; use more clips."
        )
    features = features.astype(np.float64)
    bad = ~(np.abs(features) <= _LARGEST)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(
            f"{name} must be finite and at most {_LARGEST:g} in size; received "
            f"{features[row, column]} in row {row}; leave such clips out, or "
            "find out why the network returns it."
        )
    return features


def checked_pair(a, b, at_least=1):
    """Two feature matrices of one width; see `checked_features`.

    Args:
        a: [N, D].
        b: [M, D].
        at_least: the smallest N and M that will do.

    Returns:
        Both, float64.

    Raises:
        ValueError: if either is unfit, or their widths differ.
    """
    a = checked_features(a, at_least, "The first set's features")
    b = checked_features(b, at_least, "The second set's features")
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"Features of {a.shape[1]} and {b.shape[1]} dimensions cannot be "
            "compared; take both from the same network."
        )
    return a, b


def checked_ddof(ddof):
    """What is taken from N where a covariance is divided by N - ddof.

    Args:
        ddof: anything.

    Returns:
        0 or 1.

    Raises:
        ValueError: if it is neither.
    """
    if ddof not in (0, 1):
        raise ValueError(
            "ddof must be 1 (divide by N - 1, official) or 0 (by N); received "
            f"{ddof!r}."
        )
    return int(ddof)


def checked_whole_number(value, least, name):
    """An int.

    Args:
        value: anything.
        least: the smallest that will do.
        name: what the error calls it.

    Returns:
        int.

    Raises:
        ValueError: if it is no whole number of at least `least`.
    """
    numeric = isinstance(value, (int, float, np.number))
    if not numeric or not math.isfinite(value) or value != int(value):
        raise ValueError(f"{name} must be a whole number; received {value!r}.")
    if value < least:
        raise ValueError(f"{name} must be at least {least}; received {value}.")
    return int(value)
