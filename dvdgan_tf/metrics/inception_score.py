"""The inception score of class logits or probabilities."""

import itertools
from typing import NamedTuple

import numpy as np

from dvdgan_tf.metrics.checks import checked_features, checked_whole_number


class InceptionScore(NamedTuple):
    """The score of each part of the clips, summed up.

    Attributes:
        mean: mean over the splits, between 1 and the number of classes.
        std: standard deviation over the splits, with their number as divisor
            (ddof 0), as is usual in the field; 0 for one split. It is no
            standard error.
    """

    mean: float
    std: float


def inception_score(logits, num_splits=10):
    """exp(E_x[KL(p(y | x) || p(y))]), p(y) being the mean of p(y | x).

    Salimans et al. (2016), arXiv 1606.03498, section 4; their code's splits:
    consecutive rows, so clips must not be sorted by class.

    All in logarithms, in NumPy: tensorflow-gan's score takes no probabilities,
    and is NaN where a class' probability underflows in every row.

    Args:
        logits: [N, K], K classes. Not probabilities.
        num_splits: parts that are scored apart; 1 to N. The score grows with
            N / num_splits, so compare at equal numbers.

    Returns:
        `InceptionScore`.

    Raises:
        ValueError: if there are fewer rows than splits, or a value is not
            finite.
    """
    num_splits = checked_whole_number(num_splits, 1, "num_splits")
    logits = checked_features(logits, num_splits, "logits")
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return _score(log_p, num_splits)


def inception_score_of_probabilities(probabilities, num_splits=10):
    """`inception_score` of the classifier's probabilities.

    Args:
        probabilities: [N, K], rows adding up to 1 (within 0.01: half
            precision); normalised in float64.
        num_splits: number of splits, as in `inception_score`.

    Returns:
        `InceptionScore`.

    Raises:
        ValueError: if rows are no probabilities, or fewer than the splits.
    """
    num_splits = checked_whole_number(num_splits, 1, "num_splits")
    p = checked_features(probabilities, num_splits, "probabilities")
    totals = p.sum(axis=1, keepdims=True)
    wrong = (p.min(axis=1) < 0) | (np.abs(totals[:, 0] - 1) > 0.01)
    if wrong.any():
        row = np.argmax(wrong)
        raise ValueError(
            f"Probabilities must be at least 0 and add up to 1; row {row} is "
            f"{p[row].min():g} at least and adds up to {totals[row, 0]:g}; "
            "pass logits to inception_score."
        )
    with np.errstate(divide="ignore"):
        return _score(np.log(p / totals), num_splits)


def _score(log_p, num_splits):
    ends = np.arange(num_splits + 1) * len(log_p) // num_splits
    scores = [
        np.exp(_mean_divergence(log_p[start:end]))
        for start, end in itertools.pairwise(ends)
    ]
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))


def _mean_divergence(log_p):
    log_mean = np.logaddexp.reduce(log_p, axis=0) - np.log(len(log_p))
    p = np.exp(log_p)
    # 0 log 0 is 0; both logarithms may be -inf there.
    ratio = np.subtract(log_p, log_mean, out=np.zeros_like(p), where=p > 0)
    return (p * ratio).sum(axis=1).mean()
