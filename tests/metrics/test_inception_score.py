import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.metrics.inception_score import (
    inception_score,
    inception_score_of_probabilities,
)
from dvdgan_tf.metrics.tfgan import import_tensorflow_gan


def logits(count=53, classes=7, seed=0):
    return np.random.default_rng(seed).normal(0, 3, (count, classes))


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)


def oracle(p):
    divergences = [
        sum(
            p_y * np.log(p_y / m) for p_y, m in zip(row, p.mean(0), strict=True)
        )
        for row in p
    ]
    return np.exp(np.mean(divergences))


@pytest.mark.parametrize("num_splits", [1, 3, 10, 53])
def test_equals_the_definition(num_splits):
    x = logits()
    n = len(x)
    parts = [
        softmax(x)[i * n // num_splits : (i + 1) * n // num_splits]
        for i in range(num_splits)
    ]
    scores = [oracle(part) for part in parts]
    expected = [np.mean(scores), np.std(scores)]
    np.testing.assert_allclose(
        inception_score(x, num_splits), expected, rtol=1e-10, atol=1e-12
    )
    np.testing.assert_allclose(
        inception_score_of_probabilities(softmax(x), num_splits),
        expected,
        rtol=1e-10,
        atol=1e-12,
    )


@pytest.mark.filterwarnings("ignore")
def test_equals_tensorflow_gan():
    x = logits()
    expected = import_tensorflow_gan().eval.classifier_score_from_logits(
        tf.constant(x)
    )
    actual = inception_score(x, num_splits=1)
    assert actual.mean == pytest.approx(float(expected), rel=1e-10)
    assert actual.std == 0.0


def test_bounds():
    same = np.tile(logits(1), (20, 1))
    assert inception_score(same, 2).mean == pytest.approx(1.0, rel=1e-12)
    certain = np.tile(np.eye(5), (4, 1))
    for score in (
        inception_score(100 * certain, 4),
        inception_score_of_probabilities(certain, 4),
    ):
        np.testing.assert_allclose(score, [5.0, 0.0], rtol=1e-12, atol=1e-12)


def test_logits_may_be_of_any_size():
    x = logits()
    expected = inception_score(x, 1).mean
    shifted = x + np.linspace(-1e4, 1e4, len(x))[:, None]
    assert inception_score(shifted, 1).mean == pytest.approx(expected, rel=1e-9)
    never = np.concatenate([x, np.full((len(x), 1), -1e4)], axis=1)
    assert inception_score(never, 1).mean == pytest.approx(expected, rel=1e-9)


def test_rounded_probabilities_are_normalised():
    p = softmax(logits())
    scales = np.linspace(0.992, 1.008, len(p))[:, None]
    np.testing.assert_allclose(
        inception_score_of_probabilities(p * scales, 2),
        inception_score_of_probabilities(p, 2),
        rtol=1e-10,
    )


def test_unfit_inputs_are_refused():
    x = logits()
    with pytest.raises(ValueError, match="at least 54 rows; received 53"):
        inception_score(x, 54)
    with pytest.raises(ValueError, match="num_splits must be at least 1"):
        inception_score(x, 0)
    with pytest.raises(ValueError, match="logits must be finite"):
        inception_score(np.where(x > 5, np.nan, x))
    with pytest.raises(ValueError, match="pass logits to inception_score"):
        inception_score_of_probabilities(x)
    with pytest.raises(ValueError, match=r"row 1 .* adds up to 2"):
        inception_score_of_probabilities([[0.5, 0.5], [1.0, 1.0]], 1)
