"""Plots metrics of one or more runs against the step.

    python -m dvdgan_tf.plot --run=float32=runs/a --run=bfloat16=runs/b \
        --metric=loss/D_S --metric=loss/G --output=runs.png

A metric is a key of the runs' `metrics.jsonl`. Faint lines are the values as
they are there, strong ones their running mean.
"""

import json
import os
import sys

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from absl import app, flags

from dvdgan_tf.runs import RunFolder

FLAGS = flags.FLAGS

flags.DEFINE_multi_string(
    "run", [], "label=folder, or a folder; may be repeated."
)
flags.DEFINE_multi_string("metric", [], "A key; may be repeated.")
flags.DEFINE_integer("window", 5, "Values in the running mean.")
flags.DEFINE_string("output", "runs.png", "The picture.")


def main(argv):
    """Writes one picture with a panel for each metric."""
    output = os.path.expanduser(FLAGS.output)
    try:
        if len(argv) > 1 or not FLAGS.run or FLAGS.window < 1:
            raise ValueError("Give --run at least once, and --window >= 1.")
        runs = [read(run) for run in FLAGS.run]
        metrics = FLAGS.metric or losses(runs)
        plot(runs, metrics, output)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    print(output)


def read(run):
    """(label, list of the lines' dicts) of label=folder."""
    label, _, folder = run.rpartition("=")
    path = RunFolder(os.path.expanduser(folder)).metrics
    with open(path) as file:
        rows = [json.loads(line) for line in file]
    if not rows:
        raise ValueError(f"{path!r} has no lines yet.")
    return label or folder, rows


def losses(runs):
    """The metrics that all runs have and whose names begin with "loss"."""
    common = set.intersection(
        *({k for r in rows for k in r} for _, rows in runs)
    )
    return sorted(name for name in common if name.startswith("loss"))


def plot(runs, metrics, output):
    """Draws and saves."""
    if not metrics:
        raise ValueError("The runs have no loss in common; give --metric.")
    figure, panels = plt.subplots(
        1, len(metrics), figsize=(4 * len(metrics), 3.2), squeeze=False
    )
    for metric, axes in zip(metrics, panels[0], strict=True):
        for label, rows in runs:
            points = [(r["step"], r[metric]) for r in rows if metric in r]
            if not points:
                raise ValueError(f"Run {label!r} has no metric {metric!r}.")
            steps, values = np.array(points, float).T
            (line,) = axes.plot(steps, values, alpha=0.25)
            n = min(FLAGS.window, len(values))
            mean = np.convolve(values, np.ones(n) / n, "valid")
            axes.plot(steps[n - 1 :], mean, color=line.get_color(), label=label)
        axes.set(title=metric, xlabel="step")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.tight_layout()
    figure.savefig(output, dpi=100)


if __name__ == "__main__":
    app.run(main)
