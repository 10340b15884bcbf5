"""Improved precision and recall: fidelity and diversity, told apart."""

from typing import NamedTuple

import numpy as np

from dvdgan_tf.metrics.checks import checked_pair, checked_whole_number

# Distances held at a time: 64 MiB.
_MAX_DISTANCES = 2**23


class PrecisionRecall(NamedTuple):
    """Fractions, 0 to 1.

    Attributes:
        precision: share of generated clips that lie among the real ones.
        recall: share of real clips that lie among the generated ones.
    """

    precision: float
    recall: float


def precision_recall(real, fake, num_neighbors=3):
    """How much of each set lies in the other's manifold.

    A set's manifold is the union of balls around its features, each as wide
    as the distance to the k-th nearest other feature of the set. Kynkaanniemi
    et al. (2019), arXiv 1904.06991, equations 1 and 2; k = 3 as there. Their
    networks are of images, so numbers compare only with one's own.

    Distances are of features less the real ones' mean, by |x|^2 + |y|^2 - 2 x
    . y in float64; squares below 1e-12 of |x|^2 + |y|^2 are 0, so that copies
    of a clip are at no distance.

    Args:
        real: [N, D].
        fake: [M, D]; M = N is the custom, since both fractions depend on it.
        num_neighbors: k, less than N and M.

    Returns:
        `PrecisionRecall`.

    Raises:
        ValueError: if rows are too few, or a value is not finite.
    """
    k = checked_whole_number(num_neighbors, 1, "num_neighbors")
    real, fake = checked_pair(real, fake, at_least=k + 1)
    center = real.mean(axis=0)
    real, fake = real - center, fake - center
    return PrecisionRecall(
        precision=_fraction_inside(fake, real, k),
        recall=_fraction_inside(real, fake, k),
    )


def _fraction_inside(points, manifold, k):
    # The nearest feature, of rank 0, is the feature itself.
    radii = [np.partition(d, k)[:, k] for d in _distances(manifold, manifold)]
    radii = np.concatenate(radii)
    inside = [(d <= radii).any(axis=1) for d in _distances(points, manifold)]
    return float(np.concatenate(inside).mean())


def _distances(points, others):
    """Squared distances of some points at a time to all others."""
    others_squared = np.sum(others**2, axis=1)
    rows = max(1, _MAX_DISTANCES // len(others))
    for start in range(0, len(points), rows):
        some = points[start : start + rows]
        sizes = np.sum(some**2, axis=1)[:, None] + others_squared
        squares = sizes - 2.0 * (some @ others.T)
        squares[squares < 1e-12 * sizes] = 0.0
        yield squares
