import numpy as np
import pytest

from dvdgan_tf.metrics import precision_recall as module
from dvdgan_tf.metrics.precision_recall import precision_recall


def features(count, dimension=3, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimension))


def oracle(real, fake, k):
    def inside(points, manifold):
        radii = []
        for i, x in enumerate(manifold):
            others = np.delete(manifold, i, axis=0)
            radii.append(sorted(np.linalg.norm(others - x, axis=1))[k - 1])
        distances = [np.linalg.norm(manifold - p, axis=1) for p in points]
        return np.mean([(d <= np.array(radii)).any() for d in distances])

    return inside(fake, real), inside(real, fake)


@pytest.mark.parametrize("num_neighbors", [1, 3, 5])
@pytest.mark.parametrize("max_distances", [1, 100, 2**23])
def test_equals_the_definition(monkeypatch, num_neighbors, max_distances):
    monkeypatch.setattr(module, "_MAX_DISTANCES", max_distances)
    real, fake = features(43), 1.5 + 0.7 * features(38, seed=1)
    expected = oracle(real, fake, num_neighbors)
    assert 0 < min(expected) < max(expected) < 1
    assert precision_recall(real, fake, num_neighbors) == pytest.approx(
        expected
    )


def test_collapse_costs_recall_and_spread_costs_precision():
    real = features(200)
    collapsed, spread = 0.05 * features(200, seed=1), 5 * features(200, seed=1)
    assert precision_recall(real, collapsed).precision == 1.0
    assert precision_recall(real, collapsed).recall < 0.05
    assert precision_recall(real, spread).precision < 0.2
    assert precision_recall(real, spread).recall > 0.9


def test_a_set_against_itself_and_one_far_off():
    x = features(50, 40)
    assert precision_recall(x, x) == (1.0, 1.0)
    assert precision_recall(x, x + 100) == (0.0, 0.0)


def test_a_common_offset_does_not_matter():
    real, fake = features(43), 0.9 + 0.7 * features(38, seed=1)
    expected = oracle(real, fake, 3)
    actual = precision_recall(real + 1e7, fake + 1e7)
    assert actual == pytest.approx(expected)


def test_copies_of_a_clip_are_at_no_distance():
    x = np.repeat(features(60, 401), 5, axis=0)
    some = np.repeat(x[::35], 5, axis=0)
    assert precision_recall(x, some).precision == 1.0
    assert precision_recall(some, x).recall == 1.0
    near = x + 1e-3 * features(len(x), 401, 1)
    assert precision_recall(x, near).precision == 0.0


def test_unfit_inputs_are_refused():
    with pytest.raises(
        ValueError, match=r"second.* at least 4 rows; received 3"
    ):
        precision_recall(features(9), features(3))
    with pytest.raises(ValueError, match="num_neighbors must be at least 1"):
        precision_recall(features(9), features(9), 0)
    with pytest.raises(ValueError, match="must be finite"):
        precision_recall(features(9), np.full((9, 3), np.inf))
    with pytest.raises(ValueError, match="3 and 4 dimensions"):
        precision_recall(features(9), features(9, 4))
