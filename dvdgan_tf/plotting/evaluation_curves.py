"""Reads `evaluations.jsonl`: the curves of what was measured."""

import json
import os
from collections.abc import Mapping, Sequence

import numpy as np

from dvdgan_tf.run_folder import RunFolder

INCEPTION_SCORE = "inception_score"
FRECHET_DISTANCE = "frechet_distance"


def read(workdir: str) -> list[dict]:
    """The results of a folder that belong to a step; none without a file.

    Prints how many lines are left out: damaged ones, and those of clips that
    are not of a checkpoint (`--clips`), which have no step.

    Args:
        workdir: the folder.

    Returns:
        List of dicts, oldest first; see `dvdgan_tf.evaluation.evaluator`.
    """
    path = RunFolder(os.path.expanduser(workdir)).evaluations
    if not os.path.isfile(path):
        return []
    rows, damaged, without_step = [], 0, 0
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            row = _parse(line)
            if row is None:
                damaged += 1
            elif row["step"] is None:
                without_step += 1
            else:
                rows.append(row)
    if damaged:
        print(f"Damaged lines skipped in {path}: {damaged}.")
    if without_step:
        print(f"Results without a step skipped in {path}: {without_step}.")
    return rows


def _parse(line):
    """The dict of a line, or None if it is damaged."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    row = {"step": None, "standard_error": None} | row
    error = row["standard_error"]
    good = (
        isinstance(row.get("metric"), str)
        and _is_number(row.get("value"))
        and _is_number(row.get("truncation"))
        and (row["step"] is None or _is_number(row["step"]))
        and (error is None or (_is_number(error) and error >= 0))
    )
    return row if good else None


def _is_number(value):
    """Whether it can be drawn: finite, and not close to overflow."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < 1e100


def metrics_data(rows: Mapping[str, Sequence[dict]]) -> dict:
    """Curves against the step, of results without truncation.

    Args:
        rows: {run: list of dicts}; of a step measured twice, the latest.

    Returns:
        {metric: {run: float [points, 3]}}: step, value and standard error
        (NaN if unknown), by step.
    """
    points = {}
    for workdir, results in rows.items():
        for row in results:
            if row["truncation"] == 1:
                error = row["standard_error"]
                lines = points.setdefault(row["metric"], {})
                lines.setdefault(workdir, {})[row["step"]] = (
                    row["step"],
                    row["value"],
                    np.nan if error is None else error,
                )
    return {
        metric: {
            workdir: np.array([line[step] for step in sorted(line)], float)
            for workdir, line in lines.items()
        }
        for metric, lines in sorted(points.items())
    }


def truncation_data(
    rows: Mapping[str, Sequence[dict]], all_steps: bool = False
) -> dict:
    """Truncation curves.

    Args:
        rows: {run: list of dicts}; of a level measured twice, the latest.
        all_steps: whether each step has a curve, or a run's newest step.

    Returns:
        {protocol: {(run, step): float [levels, 3]}}: level, Inception
        score and Frechet distance, by level; of steps with two levels or more
        of both metrics.
    """
    curves = {}
    for workdir, results in rows.items():
        for protocol, steps in _levels(results).items():
            several = {
                step: np.array(sorted(points), float)
                for step, points in steps.items()
                if len(points) > 1
            }
            for step in sorted(several)[0 if all_steps else -1 :]:
                curve = curves.setdefault(protocol, {})
                curve[workdir, step] = several[step]
    return dict(sorted(curves.items()))


def _levels(results):
    """{protocol: {step: [(level, Inception score, Frechet distance)]}}."""
    both = {}
    for row in results:
        protocol, _, name = row["metric"].rpartition("/")
        key = protocol, row["step"], row["truncation"]
        if name in (INCEPTION_SCORE, FRECHET_DISTANCE):
            both.setdefault(key, {})[name] = row["value"]
    steps = {}
    for (protocol, step, level), values in both.items():
        if len(values) == 2:
            points = steps.setdefault(protocol, {}).setdefault(step, [])
            points.append(
                (level, values[INCEPTION_SCORE], values[FRECHET_DISTANCE])
            )
    return steps
