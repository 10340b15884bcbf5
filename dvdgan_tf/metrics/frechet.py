"""The Frechet distance: FVD of I3D's logits, FID of pooled features."""

import functools
from typing import NamedTuple

import numpy as np
from absl import logging

from dvdgan_tf.metrics.checks import (
    Estimate,
    checked_ddof,
    checked_features,
    checked_pair,
    checked_whole_number,
)

# Groups of the jackknife, each left out once.
_NUM_GROUPS = 10

# Rounding, relative to both traces; a distance below zero by more is a bug.
_ROUNDING = 1e-9


class _Gaussian(NamedTuple):
    """mean [D], and root [R, D] with root^T root = covariance; R <= D."""

    mean: np.ndarray
    root: np.ndarray


def frechet_distance(statistics_a, statistics_b, ddof=1):
    """Squared Frechet distance between Gaussians fitted to two sets.

        d = |m_a - m_b|^2 + Tr A + Tr B - 2 Tr (A^1/2 B A^1/2)^1/2

    The last trace is the sum of the singular values of A^1/2 B^1/2, symmetric
    roots by eigenvalues, so nothing is lost where covariances are singular;
    `scipy.linalg.sqrtm` of A B fails there. Eigenvalues that rounding made
    negative count as zero, and so does a distance that is below zero by
    rounding (1e-9 of Tr A + Tr B).

    Source: Dowson and Landau (1982); Heusel et al. (2017), equation 6; as FVD,
    Unterthiner et al. (2018), equation 1.

    Args:
        statistics_a: `FeatureStatistics` of D features.
        statistics_b: `FeatureStatistics` of D features.
        ddof: covariances are divided by N - ddof: 1 is the official FVD.

    Returns:
        float, at least 0, in the features' unit squared. Biased upwards, the
        more so the fewer clips: compare at equal counts only.

    Raises:
        ValueError: if the dimensions differ, a set has fewer than 2 clips, or
            a covariance is not positive semi-definite.
    """
    if statistics_a.dimension != statistics_b.dimension:
        raise ValueError(
            f"Statistics of {statistics_a.dimension} and "
            f"{statistics_b.dimension} features cannot be compared; take both "
            "from the same network."
        )
    fewest = min(statistics_a.count, statistics_b.count)
    _warn_of_few_clips(fewest, statistics_a.dimension)
    a = _gaussian_of_statistics(statistics_a, ddof)
    return _distance(a, _gaussian_of_statistics(statistics_b, ddof))


def frechet_distance_of_features(a, b, ddof=1):
    """`frechet_distance` of the features themselves, without covariances.

    The last trace is the sum of the singular values of Z_a Z_b^T, Z being the
    centred features divided by sqrt(N - ddof): exact with fewer clips than
    dimensions, too, since nothing is squared.

    Args:
        a: [N, D], N > 1.
        b: [M, D], M > 1.
        ddof: covariances are divided by N - ddof: 1 is the official FVD.

    Returns:
        float, at least 0, in the features' unit squared.

    Raises:
        ValueError: if there are too few rows, or a value is not finite.
    """
    a, b = checked_pair(a, b, at_least=2)
    _warn_of_few_clips(min(len(a), len(b)), a.shape[1])
    return _distance(
        _gaussian_of_features(a, ddof), _gaussian_of_features(b, ddof)
    )


def extrapolated_frechet_distance(
    features, reference_statistics, num_points=3, seed=0, ddof=1
):
    """What the Frechet distance tends to with ever more generated clips.

    The bias is nearly linear in 1 / N: the distances at N, N / 2, ... and
    N / num_points clips are regressed on 1 / N (least squares), and the
    intercept is the estimate (Chong and Forsyth 2020, arXiv 1911.07023). They
    draw a random subset per point; here, a point at N / j is the mean over j
    disjoint parts, so all clips count at each and the intercept is hardly
    noisier than the plain distance. Its standard error is the jackknife's,
    over ten random groups of clips left out in turn; it covers the choice of
    the generated clips, not that of the reference. Costs
    11 num_points (num_points + 1) / 2 distances.

    The reference is taken as it is: a small one leaves its own bias. The
    bias is linear only where N / num_points is well above D.

    Args:
        features: [N, D] of generated clips, N >= 4 num_points.
        reference_statistics: `FeatureStatistics` of real clips.
        num_points: subset sizes, at least 2.
        seed: seed of the clips' order.
        ddof: covariances are divided by N - ddof, as in `frechet_distance`.

    Returns:
        `Estimate`, in the features' unit squared; may fall below 0.

    Raises:
        ValueError: if there are too few clips, or a value is not finite.
    """
    num_points = checked_whole_number(num_points, 2, "num_points")
    least = max(4 * num_points, 2 * _NUM_GROUPS)
    features = checked_features(features, at_least=least)
    if features.shape[1] != reference_statistics.dimension:
        raise ValueError(
            f"The reference has {reference_statistics.dimension} dimensions, "
            f"the features {features.shape[1]}; take both from one network."
        )
    smallest = len(features) // num_points
    _warn_of_few_clips(
        min(smallest, reference_statistics.count), features.shape[1]
    )
    reference = _gaussian_of_statistics(reference_statistics, ddof)

    def intercept(clips):
        return _intercept(clips, reference, num_points, ddof)

    features = np.random.default_rng(seed).permutation(features)
    groups = np.array_split(np.arange(len(features)), _NUM_GROUPS)
    left_out = [intercept(np.delete(features, g, axis=0)) for g in groups]
    variance = (_NUM_GROUPS - 1) * np.var(left_out)
    return Estimate(intercept(features), float(np.sqrt(variance)))


def _intercept(features, reference, num_points, ddof):
    """The line through (j / N, mean distance of j parts), at 0."""
    parts = np.arange(1, num_points + 1)

    def distance(part):
        return _distance(_gaussian_of_features(part, ddof), reference)

    means = [
        np.mean([distance(features[i::j]) for i in range(j)]) for j in parts
    ]
    return float(np.polynomial.Polynomial.fit(parts, means, 1)(0.0))


def _gaussian_of_features(features, ddof):
    ddof = checked_ddof(ddof)
    mean = features.mean(axis=0)
    root = (features - mean) / np.sqrt(len(features) - ddof)
    if len(root) > root.shape[1]:
        # A rotation of the rows: singular values stay, rows become D.
        root = np.linalg.qr(root, mode="r")
    return _Gaussian(mean, root)


def _gaussian_of_statistics(statistics, ddof):
    covariance = statistics.covariance(checked_ddof(ddof))
    values, vectors = np.linalg.eigh(covariance)
    if values[0] < -1e-6 * values[-1]:
        raise ValueError(
            f"A covariance has the eigenvalue {values[0]:.3g}, the largest "
            f"being {values[-1]:.3g}; it cannot be that of features."
        )
    root = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    return _Gaussian(statistics.mean, root)


def _distance(a, b):
    traces = np.sum(a.root**2) + np.sum(b.root**2)
    cross = np.linalg.svd(a.root @ b.root.T, compute_uv=False).sum()
    distance = np.sum((a.mean - b.mean) ** 2) + traces - 2.0 * cross
    if -_ROUNDING * traces <= distance < 0.0:
        return 0.0
    return float(distance)


@functools.cache
def _warn_of_few_clips(count, dimension):
    """Once for each pair of numbers."""
    if count <= dimension:
        logging.warning(
            "A Frechet distance of %d clips in %d dimensions is mostly bias: "
            "compare it at equal counts only, or use more clips.",
            count,
            dimension,
        )
