import logging

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

from dvdgan_tf.metrics import frechet
from dvdgan_tf.metrics.statistics import FeatureStatistics
from dvdgan_tf.metrics.tfgan import import_tensorflow_gan


def features(count, dimension, seed=0):
    rng = np.random.default_rng(seed)
    mix = np.eye(dimension) + 0.3 * rng.normal(size=(dimension, dimension))
    return rng.normal(size=(count, dimension)) @ mix + rng.normal(
        size=dimension
    )


def statistics_of(x):
    result = FeatureStatistics(x.shape[1])
    result.update(x)
    return result


def statistics_with(mean, covariance, count=1001):
    """Statistics whose covariance, divided by count - 1, is the given one."""
    arrays = dict(
        count=np.int64(count),
        mean=np.asarray(mean, float),
        scatter=np.asarray(covariance, float) * (count - 1),
    )
    return FeatureStatistics.from_dict(arrays)


def by_statistics(a, b, ddof=1):
    return frechet.frechet_distance(statistics_of(a), statistics_of(b), ddof)


BOTH = pytest.mark.parametrize(
    "distance", [by_statistics, frechet.frechet_distance_of_features]
)


def oracle(a, b, ddof=1):
    """SciPy's root of the product: right for well-conditioned matrices."""
    cov_a, cov_b = np.cov(a.T, ddof=ddof), np.cov(b.T, ddof=ddof)
    root = scipy.linalg.sqrtm(cov_a @ cov_b)
    shift = np.sum((a.mean(0) - b.mean(0)) ** 2)
    return shift + np.trace(cov_a + cov_b - 2 * np.real(root))


@BOTH
@pytest.mark.parametrize("ddof", [0, 1])
def test_equals_scipy(distance, ddof):
    a, b = features(60, 8, 1), features(45, 8, 2)
    expected = oracle(a, b, ddof)
    np.testing.assert_allclose(distance(a, b, ddof), expected, rtol=1e-9)
    assert abs(oracle(a, b, 1 - ddof) - expected) > 1e-3 * expected


@BOTH
@pytest.mark.filterwarnings("ignore")
def test_equals_tensorflow_gan(distance):
    a, b = features(60, 8, 1), features(45, 8, 2)
    tfgan = import_tensorflow_gan().eval
    expected = tfgan.frechet_classifier_distance_from_activations(
        tf.constant(a), tf.constant(b)
    )
    np.testing.assert_allclose(distance(a, b), expected, rtol=1e-6)


def test_one_dimension():
    a, b = statistics_with([1.0], [[4.0]]), statistics_with([3.0], [[0.25]])
    expected = (1 - 3) ** 2 + (2 - 0.5) ** 2
    assert frechet.frechet_distance(a, b) == pytest.approx(expected, rel=1e-12)


def test_commuting_covariances():
    # sum over axes of (sigma_a - sigma_b)^2, in any common frame.
    rng = np.random.default_rng(0)
    frame = np.linalg.qr(rng.normal(size=(7, 7)))[0]
    sigmas = rng.uniform(0, 3, size=(2, 7))
    sigmas[0, :2] = 0
    sigmas[1, 1:3] = 0
    means = rng.normal(size=(2, 7))
    a, b = (
        statistics_with(m, (frame * s**2) @ frame.T)
        for m, s in zip(means, sigmas, strict=True)
    )
    expected = np.sum(np.diff(means, axis=0) ** 2) + np.sum(
        np.diff(sigmas, axis=0) ** 2
    )
    assert frechet.frechet_distance(a, b) == pytest.approx(expected, rel=1e-7)


def test_rank_one_covariances_that_do_not_commute():
    # Tr (A^1/2 B A^1/2)^1/2 = |u . v| for A = u u^T and B = v v^T.
    u, v = np.random.default_rng(0).normal(size=(2, 30))
    a, b = (statistics_with(np.zeros(30), np.outer(w, w)) for w in (u, v))
    expected = u @ u + v @ v - 2 * abs(u @ v)
    assert frechet.frechet_distance(a, b) == pytest.approx(expected, rel=1e-7)


@BOTH
def test_deficient_rank_equals_scipy_in_the_subspace(distance):
    a, b = features(12, 5, 1), features(9, 5, 2)
    rng = np.random.default_rng(3)
    isometry = np.linalg.qr(rng.normal(size=(60, 5)))[0].T
    expected = oracle(a, b)
    actual = distance(a @ isometry, b @ isometry)
    assert actual == pytest.approx(expected, rel=1e-7)


@BOTH
def test_orthogonal_subspaces(distance):
    a, b = features(12, 5, 1), features(9, 4, 2)
    padded_a = np.pad(a, [(0, 0), (0, 4)])
    padded_b = np.pad(b, [(0, 0), (5, 0)])
    expected = np.sum(a.mean(0) ** 2) + np.sum(b.mean(0) ** 2)
    expected += a.var(0, ddof=1).sum() + b.var(0, ddof=1).sum()
    actual = distance(padded_a, padded_b)
    assert actual == pytest.approx(expected, rel=1e-7)


@BOTH
@pytest.mark.parametrize("count", [3, 20, 200])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_a_set_against_itself(distance, count, scale):
    x = scale * features(count, 20) * np.arange(1, 21) ** -2.0
    trace = x.var(0, ddof=1).sum()
    reordered = np.random.default_rng(0).permutation(x)
    assert 0 <= distance(x, x) < 1e-9 * trace
    assert 0 <= distance(x, reordered) < 1e-9 * trace


@BOTH
def test_constant_sets(distance):
    a, b = np.zeros((3, 4)), np.full((2, 4), 2.0)
    assert distance(a, b) == pytest.approx(16.0, rel=1e-12)
    assert distance(a, a) == 0.0


@BOTH
def test_more_noise_is_further(distance):
    x = features(300, 6)
    noise = np.random.default_rng(9).normal(size=x.shape)
    distances = [distance(x, x + s * noise) for s in (0, 0.1, 0.3, 1, 3)]
    assert all(np.diff(distances) > 0)


def test_bias_of_few_clips():
    """Equal Gaussians, 256 clips each: 0.748 of the trace, over many draws."""
    a, b = np.random.default_rng(0).normal(size=(2, 256, 400))
    actual = frechet.frechet_distance_of_features(a, b) / 400
    assert actual == pytest.approx(0.748, abs=0.015)


def test_extrapolation_removes_the_bias():
    truth = statistics_with(np.zeros(30), np.eye(30))
    x = np.random.default_rng(0).normal(size=(180, 30))
    plain = frechet.frechet_distance(statistics_of(x), truth)
    estimate = frechet.extrapolated_frechet_distance(x, truth)
    assert plain > 1.3
    assert abs(estimate.value) < plain / 6


def test_extrapolation_and_its_error_over_many_draws():
    rng = np.random.default_rng(0)
    sigma, mean = np.array([3.0, 2.0, 1.0, 0.5, 0.1]), np.full(5, 0.5)
    reference = statistics_with(np.zeros(5), np.diag(np.full(5, 1.5**2)))
    truth = np.sum(mean**2) + np.sum((sigma - 1.5) ** 2)
    estimates = np.array(
        [
            frechet.extrapolated_frechet_distance(
                mean + sigma * rng.normal(size=(90, 5)), reference, seed=i
            )
            for i in range(80)
        ]
    )
    spread = estimates[:, 0].std(ddof=1)
    assert abs(estimates[:, 0].mean() - truth) < 4 * spread / np.sqrt(80)
    assert 0.75 < estimates[:, 1].mean() / spread < 1.35


def test_extrapolation_equals_the_line_by_hand():
    x, reference = features(80, 3), statistics_of(features(500, 3, 1))
    order = np.random.default_rng(5).permutation(len(x))

    def at(parts):
        ds = [by_statistics_and(x[order[i::parts]]) for i in range(parts)]
        return np.mean(ds)

    def by_statistics_and(part):
        return frechet.frechet_distance(statistics_of(part), reference)

    slope, intercept = np.polyfit([1 / 80, 2 / 80], [at(1), at(2)], 1)
    estimate = frechet.extrapolated_frechet_distance(
        x, reference, num_points=2, seed=5
    )
    assert estimate.value == pytest.approx(intercept, rel=1e-9)
    assert slope > 0


def test_warns_once_of_too_few_clips(caplog):
    a, b = features(9, 11), features(40, 11)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            by_statistics(b, features(12, 11))
        assert not caplog.records
        for _ in range(2):
            by_statistics(a, b)
            frechet.frechet_distance_of_features(b, a)
    assert [r.getMessage()[:40] for r in caplog.records] == [
        "A Frechet distance of 9 clips in 11 dime"
    ]


@BOTH
def test_unfit_sets_are_refused(distance):
    x = features(9, 4)
    with pytest.raises(ValueError, match="at least 2"):
        distance(x, x[:1])
    with pytest.raises(ValueError, match="same network"):
        distance(x, x[:, :3])
    with pytest.raises(ValueError, match="must be finite"):
        distance(x, np.where(np.arange(4) == 2, np.inf, x))
    with pytest.raises(ValueError, match="ddof must be 1"):
        distance(x, x, ddof=2)


def test_what_is_no_covariance_is_refused():
    indefinite = np.array([[1.0, 2.0], [2.0, 1.0]])
    bad = statistics_with(np.zeros(2), indefinite)
    with pytest.raises(ValueError, match="eigenvalue -1"):
        frechet.frechet_distance(bad, statistics_of(features(9, 2)))


def test_unfit_extrapolations_are_refused():
    x = features(40, 4)
    reference = statistics_of(x)
    extrapolate = frechet.extrapolated_frechet_distance
    with pytest.raises(ValueError, match="at least 20 rows; received 19"):
        extrapolate(x[:19], reference)
    with pytest.raises(ValueError, match="at least 24 rows; received 23"):
        extrapolate(x[:23], reference, num_points=6)
    with pytest.raises(ValueError, match="from one network"):
        extrapolate(x[:, :3], reference)
    with pytest.raises(ValueError, match="num_points must be at least 2"):
        extrapolate(x, reference, num_points=1)
