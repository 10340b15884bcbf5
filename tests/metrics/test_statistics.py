import io

import numpy as np
import pytest

from dvdgan_tf.metrics.statistics import FeatureStatistics


def features(count=57, dimension=6, seed=0):
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(count, dimension)) @ rng.normal(
        size=(dimension, dimension)
    )
    return mixed + 10 * rng.normal(size=dimension)


def statistics_of(*parts):
    result = FeatureStatistics(parts[0].shape[1])
    for part in parts:
        result.update(part)
    return result


def assert_same(actual, expected, rtol=1e-12):
    assert actual.count == expected.count
    np.testing.assert_allclose(actual.mean, expected.mean, rtol=rtol)
    scale = np.abs(expected.covariance()).max()
    np.testing.assert_allclose(
        actual.covariance(), expected.covariance(), rtol=0, atol=rtol * scale
    )


@pytest.mark.parametrize("ddof", [0, 1])
def test_equals_numpy(ddof):
    x = features()
    actual = statistics_of(x)
    np.testing.assert_allclose(actual.mean, np.mean(x, 0), rtol=1e-12)
    np.testing.assert_allclose(
        actual.covariance(ddof), np.cov(x.T, ddof=ddof), rtol=1e-11
    )


def test_uneven_parts_equal_the_whole():
    x = features()
    parts = np.split(x, [1, 1, 4, 30, 31, 50])
    assert_same(statistics_of(*parts), statistics_of(x))


def test_merging_equals_the_whole():
    x = features()
    merged = FeatureStatistics(6)
    merged.merge(FeatureStatistics(6))
    for part in np.split(x, [3, 40, 41]):
        merged.merge(statistics_of(part[:2], part[2:]))
    assert_same(merged, statistics_of(x))


def test_merging_leaves_the_other_alone():
    a, b = statistics_of(features(seed=1)), statistics_of(features(seed=2))
    before = b.to_dict()
    a.merge(b)
    a.update(features(seed=3))
    for name, array in b.to_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_variance_survives_a_large_offset():
    x = features() + 1e8
    parts = statistics_of(*np.split(x, [7, 20]))
    np.testing.assert_allclose(parts.covariance(), np.cov(x.T), rtol=1e-6)


def test_float32_and_whole_numbers_are_summed_in_float64():
    x = features(count=3000).astype("float32")
    expected = statistics_of(x.astype("float64"))
    assert_same(statistics_of(*np.split(x, 30)), expected)
    whole = np.full((3, 2), 2**24 + 1)
    np.testing.assert_array_equal(statistics_of(whole).mean, 2**24 + 1)


def test_saved_and_loaded():
    x = features()
    file = io.BytesIO()
    np.savez(file, **statistics_of(x).to_dict())
    file.seek(0)
    loaded = FeatureStatistics.from_dict(np.load(file))
    assert_same(loaded, statistics_of(x), rtol=0)
    loaded.update(x)
    assert_same(loaded, statistics_of(x, x))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"mean": None}, r"lack \['mean'\]"),
        ({"count": np.float64(3.0)}, "whole scalar count"),
        ({"count": np.int64(-1)}, "at least 0"),
        ({"count": np.array([3])}, "whole scalar count"),
        ({"mean": np.zeros(5)}, r"must be \[5, 5\]"),
        ({"mean": np.full(6, np.nan)}, "The mean must be finite"),
        ({"mean": np.zeros(0)}, "dimension must be at least 1"),
        ({"mean": np.array([None] * 6)}, "must be real numbers"),
        ({"scatter": np.full((6, 6), np.inf)}, "finite"),
        ({"scatter": np.full((6, 6), 1e200)}, "finite"),
        ({"scatter": np.zeros((6, 6), complex)}, "finite floats"),
        ({"scatter": np.triu(np.ones((6, 6)))}, "symmetric"),
        ({"scatter": -np.eye(6)}, "diagonal"),
        ({"count": np.int64(0)}, "must be zeros"),
    ],
)
def test_damaged_statistics_are_refused(changes, match):
    arrays = statistics_of(features()).to_dict() | changes
    arrays = {name: a for name, a in arrays.items() if a is not None}
    with pytest.raises(ValueError, match=match):
        FeatureStatistics.from_dict(arrays)


@pytest.mark.parametrize(
    ("x", "match"),
    [
        (np.full((2, 6), np.nan), "finite.*nan in row 0"),
        (np.array([[0.0] * 6, [0.0, -np.inf, 0, 0, 0, 0]]), "-inf in row 1"),
        (np.full((2, 6), 1e200), "1e.200 in row 0"),
        (np.zeros((2, 5)), "of 6 features; received 5"),
        (np.zeros(6), r"\[N, D\].*received shape \[6\]"),
        (np.zeros((2, 6), complex), "complex128"),
        (np.array([["a"] * 6]), "real numbers"),
    ],
)
def test_unfit_features_are_refused_and_change_nothing(x, match):
    statistics = statistics_of(features())
    with pytest.raises(ValueError, match=match):
        statistics.update(x)
    assert_same(statistics, statistics_of(features()), rtol=0)


def test_too_few_clips_are_refused():
    with pytest.raises(ValueError, match="0 clips are too few"):
        FeatureStatistics(6).mean.sum()
    for ddof in (0, 1):
        with pytest.raises(ValueError, match="at least 2 are needed"):
            statistics_of(features(count=1)).covariance(ddof)
    with pytest.raises(ValueError, match="ddof must be 1"):
        statistics_of(features()).covariance(2)
    with pytest.raises(ValueError, match="of 6 features; received 5"):
        statistics_of(features()).merge(FeatureStatistics(5))
    with pytest.raises(ValueError, match="dimension must be a whole number"):
        FeatureStatistics(2.5)
