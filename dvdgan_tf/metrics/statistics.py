"""Mean and covariance of features, streamed and merged in float64."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dvdgan_tf.metrics.checks import (
    checked_ddof,
    checked_features,
    checked_whole_number,
)

# More than any sum of squared features, less than where float64 ends.
_LARGEST = 1e100


class FeatureStatistics:
    """Count, mean and scatter of rows seen so far; exact in any division.

    Parts are joined by the pairwise update of Chan, Golub and LeVeque (1983),

        delta = m_b - m_a,   n = n_a + n_b
        m = m_a + delta n_b / n
        S = S_a + S_b + delta delta^T n_a n_b / n,

    where S = sum over rows of (x - m) (x - m)^T: no large numbers cancel, as
    they would in E[x x^T] - m m^T.

    Args:
        dimension: D, the number of features.

    Attributes:
        count: N, rows seen so far.
        dimension: D.

    Raises:
        ValueError: if `dimension` is no whole number above 0.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = checked_whole_number(dimension, 1, "dimension")
        self.count = 0
        self._mean = np.zeros(self.dimension)
        self._scatter = np.zeros([self.dimension, self.dimension])

    def update(self, features: ArrayLike) -> None:
        """Adds rows.

        Args:
            features: [N, D], real numbers; N may be 0.

        Raises:
            ValueError: if the shape is another, or a value is not finite.
        """
        features = checked_features(features, at_least=0)
        self._check_dimension(features.shape[1])
        if len(features):
            mean = features.mean(axis=0)
            centred = features - mean
            self._add(len(features), mean, centred.T @ centred)

    def merge(self, other: "FeatureStatistics") -> None:
        """Adds all rows that `other` has seen.

        Args:
            other: `FeatureStatistics` of the same dimension.

        Raises:
            ValueError: if the dimension is another.
        """
        self._check_dimension(other.dimension)
        if other.count:
            self._add(other.count, other._mean, other._scatter)

    @property
    def mean(self) -> np.ndarray:
        """The rows' mean, [D], float64.

        Raises:
            ValueError: if no row has been seen.
        """
        self._check_count(1)
        return self._mean.copy()

    def covariance(self, ddof: int = 1) -> np.ndarray:
        """The rows' covariance, S / (N - ddof).

        Args:
            ddof: 1 (the official FVD, `np.cov`) or 0 (StyleGAN's habit).

        Returns:
            [D, D], float64, in the features' unit squared.

        Raises:
            ValueError: if there are fewer than two rows.
        """
        ddof = checked_ddof(ddof)
        self._check_count(2)
        return self._scatter / (self.count - ddof)

    def to_dict(self) -> dict[str, Any]:
        """All of it as arrays, for `np.savez` and the like.

        Returns:
            {"count": int64 scalar, "mean": [D], "scatter": [D, D]}, float64.
        """
        return {
            "count": np.int64(self.count),
            "mean": self._mean.copy(),
            "scatter": self._scatter.copy(),
        }

    @classmethod
    def from_dict(cls, arrays: Mapping[str, ArrayLike]) -> "FeatureStatistics":
        """The inverse of `to_dict`, for arrays that need not be trusted.

        Args:
            arrays: a mapping with what `to_dict` returns.

        Returns:
            `FeatureStatistics`.

        Raises:
            ValueError: if an array is missing, is of another shape, is not
                finite, or cannot be a count, a mean or a scatter matrix.
        """
        missing = {"count", "mean", "scatter"} - set(arrays)
        if missing:
            raise ValueError(f"Feature statistics lack {sorted(missing)}.")
        count, mean = np.asarray(arrays["count"]), np.asarray(arrays["mean"])
        if count.ndim or count.dtype.kind not in "iu" or mean.ndim != 1:
            raise ValueError(
                "Feature statistics need a whole scalar count and a mean [D]; "
                f"received {count.dtype} {list(count.shape)} and "
                f"{list(mean.shape)}."
            )
        result = cls(len(mean))
        result.count = checked_whole_number(count.item(), 0, "count")
        result._mean = checked_features(mean[None], name="The mean")[0]
        result._scatter = _checked_scatter(arrays["scatter"], len(mean))
        if not result.count and (result._mean.any() or result._scatter.any()):
            raise ValueError("Feature statistics of 0 rows must be zeros.")
        return result

    def _add(self, count, mean, scatter):
        delta = mean - self._mean
        total = self.count + count
        self._mean += delta * (count / total)
        self._scatter += scatter
        self._scatter += np.outer(delta, delta) * (self.count * count / total)
        self.count = total

    def _check_dimension(self, dimension):
        if dimension != self.dimension:
            raise ValueError(
                f"These statistics are of {self.dimension} features; received "
                f"{dimension}; take all from the same network."
            )

    def _check_count(self, needed):
        if self.count < needed:
            raise ValueError(
                f"Statistics of {self.count} clips are too few for this; "
                f"at least {needed} are needed."
            )


def _checked_scatter(scatter, dimension):
    scatter = np.asarray(scatter)
    if scatter.shape != (dimension, dimension):
        raise ValueError(
            f"The scatter matrix must be [{dimension}, {dimension}], as the "
            f"mean is [{dimension}]; received {list(scatter.shape)}."
        )
    if scatter.dtype.kind != "f" or not (np.abs(scatter) <= _LARGEST).all():
        raise ValueError(
            f"The scatter matrix must be finite floats up to {_LARGEST:g}; the "
            "file is damaged, or holds something else."
        )
    scatter = scatter.astype(np.float64)
    largest = np.abs(scatter).max()
    symmetric = np.abs(scatter - scatter.T).max() <= 1e-9 * largest
    if not symmetric or (np.diagonal(scatter) < 0).any():
        raise ValueError(
            "The scatter matrix must be symmetric with a diagonal of at least "
            "0; the file is damaged, or holds something else."
        )
    return scatter
