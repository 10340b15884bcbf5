"""Draws the figures of training, evaluation and features."""

import os

import matplotlib

# Without pyplot, figures have no window: they are drawn by Agg.
from matplotlib.figure import Figure

from dvdgan_tf.plotting import training_curves

# A "$" in the name of a folder or metric is no formula.
matplotlib.rcParams["text.parse_math"] = False


def write(figures: dict[str, Figure], folder: str) -> list[str]:
    """Saves {name: `Figure`} in a folder, and returns the paths."""
    os.makedirs(folder, exist_ok=True)
    paths = []
    for name, figure in figures.items():
        paths.append(os.path.join(folder, name))
        figure.savefig(paths[-1], dpi=100)
    return paths


def draw_losses(
    runs: dict[str, list[dict]], metrics: list[str], window: int
) -> Figure:
    """A panel for each metric of training, two lines for each run.

    Faint lines are the values as they were logged, strong ones their running
    mean.

    Args:
        runs: {label: rows that `training_curves.read` returned}.
        metrics: keys of the rows.
        window: number of values in the running mean.

    Raises:
        ValueError: a run has no such metric.
    """
    figure, panels = _panels(len(metrics))
    for metric, axes in zip(metrics, panels, strict=True):
        for label, rows in runs.items():
            steps, values, mean_steps, mean = training_curves.curve(
                rows, metric, window
            )
            (line,) = axes.plot(steps, values, alpha=0.25)
            axes.plot(mean_steps, mean, color=line.get_color(), label=label)
        axes.set(title=metric, xlabel="step")
        axes.legend(fontsize="small")
    return figure


def draw_metrics(data: dict) -> Figure:
    """A panel for each metric of evaluation, a line for each run.

    Args:
        data: what `metrics_data` returned.
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


def draw_truncation(data: dict) -> Figure:
    """A panel for each protocol, a curve for each run and step.

    Args:
        data: what `truncation_data` returned.
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


def draw_features(data: dict) -> Figure:
    """A panel for each output of the network, a cloud for each file.

    Args:
        data: what `features_data` returned.
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
