"""Plots what `dvdgan_tf.evaluate` has measured.

    python -m dvdgan_tf.plot --workdir=runs/a --workdir=runs/b \
        --features=real.npz --features=fake.npz --output=pictures

Of the folders' `evaluations.jsonl`: `metrics.png`, each metric against the
step, and `truncation.png`, Frechet distance against Inception score where
several levels of truncation were measured (the "truncation curves" of BigGAN,
arXiv 1809.11096). Of files of features, such as those of the cache of
reference statistics: `features.png`, their first two principal components.
"""

import os
import sys

import matplotlib
from absl import app, flags

# Without pyplot, figures have no window: they are drawn by Agg.
from matplotlib.figure import Figure

from dvdgan_tf.plotting.evaluation_curves import (
    metrics_data,
    read,
    truncation_data,
)
from dvdgan_tf.plotting.feature_projection import features_data

# A "$" in the name of a folder or metric is no formula.
matplotlib.rcParams["text.parse_math"] = False

FLAGS = flags.FLAGS


def define_flags():
    """Not when imported: other commands have flags of the same names."""
    flags.DEFINE_multi_string(
        "workdir", [], "Folder with evaluations.jsonl; may be repeated."
    )
    flags.DEFINE_multi_string(
        "features", [], "An .npz of features; at least twice, or not at all."
    )
    flags.DEFINE_bool(
        "all_steps", False, "Truncation curves of all steps, not the newest."
    )
    flags.DEFINE_string("output", ".", "Folder of the pictures.")


def main(argv):
    """Writes the pictures there is something for, and prints their paths."""
    try:
        if len(argv) > 1:
            raise ValueError(f"Unknown argument {argv[1]!r}; see --help.")
        paths = write(
            make_figures(
                FLAGS.workdir,
                [os.path.expanduser(path) for path in FLAGS.features],
                FLAGS.all_steps,
            ),
            os.path.expanduser(FLAGS.output),
        )
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    print("\n".join(paths))


def make_figures(workdirs, features, all_steps=False):
    """Draws all there is something for.

    Args:
        workdirs: list of folders.
        features: list of paths; none, or two or more.
        all_steps: see `truncation_data`.

    Returns:
        {name of the picture: `Figure`}, not empty.

    Raises:
        OSError: a file cannot be read.
        ValueError: there is nothing to plot, or a file is not as expected.
    """
    if not workdirs and not features:
        raise ValueError("Give --workdir, or --features twice.")
    rows = {workdir: read(workdir) for workdir in workdirs}
    figures = {}
    if metrics := metrics_data(rows):
        figures["metrics.png"] = draw_metrics(metrics)
    if curves := truncation_data(rows, all_steps):
        figures["truncation.png"] = draw_truncation(curves)
    if workdirs and not figures:
        raise ValueError(
            "Nothing to plot: there is no result without truncation (1.0), nor "
            f"of two levels, in {', '.join(rows)}."
        )
    if features:
        figures["features.png"] = draw_features(features_data(features))
    return figures


def write(figures, folder):
    """Saves {name: `Figure`} in a folder, and returns the paths."""
    os.makedirs(folder, exist_ok=True)
    paths = []
    for name, figure in figures.items():
        paths.append(os.path.join(folder, name))
        figure.savefig(paths[-1], dpi=100)
    return paths


def draw_metrics(data):
    """A panel for each metric, a line for each folder.

    Args:
        data: see `metrics_data`.

    Returns:
        `Figure`.
    """
    figure, panels = _panels(len(data))
    for (metric, lines), axes in zip(data.items(), panels, strict=True):
        for workdir, points in lines.items():
            steps, values, errors = points.T
            axes.errorbar(
                steps, values, errors, marker=".", capsize=3, label=workdir
            )
        axes.set(title=metric, xlabel="step")
        axes.legend(fontsize="small")
    return figure


def draw_truncation(data):
    """A panel for each protocol, a curve for each folder and step.

    Args:
        data: see `truncation_data`.

    Returns:
        `Figure`.
    """
    figure, panels = _panels(len(data))
    for (protocol, curves), axes in zip(data.items(), panels, strict=True):
        for (workdir, step), points in curves.items():
            levels, scores, distances = points.T
            label = f"{workdir}, step {step:,}"
            axes.plot(scores, distances, marker=".", label=label)
            for level, *point in zip(levels, scores, distances, strict=True):
                axes.annotate(
                    f"{level:g}",
                    point,
                    xytext=(5, -10),
                    textcoords="offset points",
                    fontsize="small",
                )
        axes.margins(0.1)
        axes.set(
            title=f"{protocol}, by truncation",
            xlabel="Inception score",
            ylabel="Fréchet distance",
        )
        axes.legend(fontsize="small")
    return figure


def draw_features(data):
    """A panel for each output of the network, a cloud for each file.

    Args:
        data: see `features_data`.

    Returns:
        `Figure`.
    """
    figure, panels = _panels(len(data))
    for (output, (sets, shares)), axes in zip(
        data.items(), panels, strict=True
    ):
        for path, points in sets.items():
            axes.scatter(*points.T, s=6, alpha=0.5, linewidths=0, label=path)
        axes.set(
            title=output,
            xlabel=f"first component ({shares[0]:.0%} of the variance)",
            ylabel=f"second component ({shares[1]:.0%})",
        )
        axes.legend(markerscale=3, fontsize="small")
    return figure


def _panels(number):
    """A figure and its list of axes, at most three in a row."""
    columns = min(number, 3)
    lines = -(-number // columns)
    figure = Figure((5 * columns, 4 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in panels[number:]:
        axes.remove()
    for axes in panels[:number]:
        axes.grid(alpha=0.3)
    return figure, panels[:number]


if __name__ == "__main__":
    define_flags()
    app.run(main)
