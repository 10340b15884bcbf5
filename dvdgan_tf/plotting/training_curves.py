"""Reads `metrics.jsonl`: the curves of training."""

import json
import os

import numpy as np

from dvdgan_tf.run_folder import RunFolder


def read(workdir: str) -> list[dict]:
    """The lines that training has logged, oldest first; none without a file.

    Args:
        workdir: the run's folder.

    Raises:
        ValueError: a line is damaged.
    """
    path = RunFolder(os.path.expanduser(workdir)).metrics
    if not os.path.isfile(path):
        return []
    rows = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
                if not isinstance(row["step"], int | float):
                    raise ValueError("its step is no number")
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise ValueError(
                    f"Line {number} of {path} is damaged ({error}); delete "
                    "the line."
                ) from error
            rows.append(row)
    return rows


def losses(runs: dict[str, list[dict]]) -> list[str]:
    """The metrics that all runs have and whose names begin with "loss"."""
    common = set.intersection(
        *({key for row in rows for key in row} for rows in runs.values())
    )
    return sorted(name for name in common if name.startswith("loss"))


def curve(rows: list[dict], metric: str, window: int) -> tuple:
    """A metric against the step, and its running mean.

    Args:
        rows: rows that `read` returned.
        metric: a key of them.
        window: number of values in the running mean; fewer if there are not
            so many.

    Returns:
        Steps and values, float [N], and the steps and values of the mean,
        float [N - window + 1].

    Raises:
        ValueError: no row has the metric.
    """
    points = [(row["step"], row[metric]) for row in rows if metric in row]
    if not points:
        known = sorted({key for row in rows for key in row} - {"step"})
        raise ValueError(
            f"There is no metric {metric!r}; there are {', '.join(known)}."
        )
    steps, values = np.array(points, float).T
    count = min(window, len(values))
    mean = np.convolve(values, np.ones(count) / count, "valid")
    return steps, values, steps[count - 1 :], mean
