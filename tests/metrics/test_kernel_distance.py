import numpy as np
import pytest

from dvdgan_tf.metrics.kernel_distance import kernel_distance

pytestmark = pytest.mark.filterwarnings("ignore")


def features(count, dimension=5, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimension))


def oracle(a, b):
    def kernel(x, y):
        return (sum(x * y) / len(x) + 1) ** 3

    def within(x):
        pairs = [(i, j) for i in range(len(x)) for j in range(len(x)) if i != j]
        return np.mean([kernel(x[i], x[j]) for i, j in pairs])

    across = np.mean([kernel(x, y) for x in a for y in b])
    return within(a) + within(b) - 2 * across


def parts(x, sizes):
    return np.split(x, np.cumsum(sizes)[:-1])


def test_equals_the_definition_in_blocks():
    a, b = features(41), 0.5 + features(23, seed=1)
    rng = np.random.default_rng(7)
    blocks_a = parts(rng.permutation(a), [10, 10, 10, 11])
    blocks_b = parts(rng.permutation(b), [5, 6, 6, 6])
    values = [oracle(x, y) for x, y in zip(blocks_a, blocks_b, strict=True)]
    actual = kernel_distance(a, b, num_blocks=4, seed=7)
    assert actual.value == pytest.approx(np.mean(values), rel=1e-10)
    expected = np.std(values, ddof=1) / np.sqrt(4)
    assert actual.standard_error == pytest.approx(expected, rel=1e-10)


def test_unbiased_at_any_count():
    """E of the estimate is 0 for equal distributions, as of its U-statistic."""
    rng = np.random.default_rng(0)
    estimates = np.array(
        [
            kernel_distance(*rng.normal(size=(2, 24, 3)), num_blocks=4)
            for _ in range(60)
        ]
    )
    values, errors = estimates.T
    spread = values.std(ddof=1)
    assert abs(values.mean()) < 3.5 * spread / np.sqrt(60)
    assert (values < 0).any()
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(spread, rel=0.3)


def test_computed_in_float64():
    a, b = features(30), features(30, seed=1)
    offset = 300.0
    rng = np.random.default_rng(0)
    order_a, order_b = rng.permutation(30), rng.permutation(30)
    a, b = a + offset, b + offset
    values = [
        oracle(x, y)
        for x, y in zip(
            parts(a[order_a], [15, 15]),
            parts(b[order_b], [15, 15]),
            strict=True,
        )
    ]
    actual = kernel_distance(a, b, num_blocks=2, seed=0).value
    assert actual == pytest.approx(np.mean(values), rel=1e-3)


def test_further_is_more():
    a, b = features(200), features(200, seed=1)
    values = [kernel_distance(a, b + s).value for s in (0, 0.3, 1, 3)]
    assert all(np.diff(values) > 0)
    assert abs(values[0]) < 5 * kernel_distance(a, b).standard_error


def test_unfit_inputs_are_refused():
    with pytest.raises(
        ValueError, match=r"second.* at least 20 rows; received"
    ):
        kernel_distance(features(30), features(19))
    with pytest.raises(ValueError, match="num_blocks must be at least 2"):
        kernel_distance(features(30), features(30), num_blocks=1)
    with pytest.raises(ValueError, match="first set's features must be finite"):
        kernel_distance(np.full((20, 2), np.nan), features(20, 2))
    with pytest.raises(ValueError, match="5 and 4 dimensions"):
        kernel_distance(features(30), features(30, 4))
