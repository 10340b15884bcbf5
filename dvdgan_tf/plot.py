r"""Draws what training and evaluation have written.

    python -m dvdgan_tf.plot --workdir=first=runs/a --workdir=second=runs/b \
        --features=real.npz --features=fake.npz --output=pictures

Writes of each there is data for: losses.png, what training has logged;
metrics.png, what evaluation has measured, against the step; truncation.png,
Fréchet distance against Inception score where several levels of truncation
were measured (the truncation curves of BigGAN, arXiv 1809.11096);
features.png, the first two principal components of features. Exit codes: 0
when finished; 2 for what the user can mend.
"""

import importlib.util

from absl import flags

from dvdgan_tf import command_line
from dvdgan_tf.command_line import fail, sentences

FLAGS = command_line.new_flags()
flags.DEFINE_multi_string(
    "workdir",
    [],
    "A run's folder, or label=folder to have another name in the pictures. May "
    "be repeated.",
    flag_values=FLAGS,
)
flags.DEFINE_multi_string(
    "metric",
    [],
    "A key of the runs' metrics.jsonl, drawn in losses.png; by default those "
    "whose names begin with loss. May be repeated.",
    flag_values=FLAGS,
)
command_line.define_paths(
    "features",
    "An .npz of features, such as a file of the cache of reference statistics. "
    "Twice or more often, the real ones first.",
    FLAGS,
)
flags.DEFINE_bool(
    "all_steps",
    False,
    "Draws truncation curves of all steps, not of the newest.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "window",
    5,
    "Number of logged values in the running means of losses.png.",
    lower_bound=1,
    flag_values=FLAGS,
)
command_line.define_path("output", "pictures", "Folder of the pictures.", FLAGS)


def main(arguments: list[str] | None = None) -> None:
    """Writes the pictures there is data for, and prints their paths."""
    command_line.parse(FLAGS, __doc__, arguments)
    if not FLAGS.workdir and not FLAGS.features:
        fail("Name a --workdir, such as --workdir=runs/demo.", 2)
    if importlib.util.find_spec("matplotlib") is None:
        fail("Plotting needs matplotlib: pip install 'dvdgan_tf[plot]'.", 2)
    with sentences("finished pictures are kept"):
        from dvdgan_tf.plotting import figures

        print("\n".join(figures.write(make_figures(), FLAGS.output)))


def make_figures() -> dict:
    """Draws all there is data for.

    Returns:
        {name of the picture: `Figure`}, not empty.

    Raises:
        ValueError: there is nothing to draw, or a file is not as expected.
    """
    from dvdgan_tf.plotting import figures
    from dvdgan_tf.plotting.feature_projection import features_data

    folders = labelled(FLAGS.workdir)
    drawn = draw_training(folders) | draw_evaluations(folders)
    if folders and not drawn:
        raise ValueError(
            "There is nothing to draw: neither lines of metrics.jsonl nor "
            "results of checkpoints, without truncation or of two levels, in "
            f"evaluations.jsonl of {', '.join(folders.values())}."
        )
    if FLAGS.features:
        data = features_data(FLAGS.features)
        drawn["features.png"] = figures.draw_features(data)
    return drawn


def labelled(workdirs: list[str]) -> dict[str, str]:
    """{label: folder} of texts that are label=folder, or a folder.

    Raises:
        ValueError: two have one label.
    """
    folders = {}
    for text in workdirs:
        label, _, folder = text.rpartition("=")
        label = label or folder
        if label in folders:
            raise ValueError(f"Two --workdir have the label {label!r}.")
        folders[label] = folder
    return folders


def draw_training(folders: dict[str, str]) -> dict:
    """{"losses.png": `Figure`} of the folders that have logged something."""
    from dvdgan_tf.plotting import figures, training_curves

    found = {
        label: training_curves.read(path) for label, path in folders.items()
    }
    runs = {label: rows for label, rows in found.items() if rows}
    if not runs:
        if FLAGS.metric:
            raise ValueError(
                "No --workdir has a metrics.jsonl with --metric="
                f"{FLAGS.metric[0]}."
            )
        return {}
    metrics = FLAGS.metric or training_curves.losses(runs)
    if not metrics:
        raise ValueError("The runs have no loss in common; name a --metric.")
    return {"losses.png": figures.draw_losses(runs, metrics, FLAGS.window)}


def draw_evaluations(folders: dict[str, str]) -> dict:
    """{"metrics.png" and "truncation.png": `Figure`} of what was measured."""
    from dvdgan_tf.plotting import evaluation_curves, figures

    rows = {
        label: evaluation_curves.read(path) for label, path in folders.items()
    }
    drawn = {}
    if metrics := evaluation_curves.metrics_data(rows):
        drawn["metrics.png"] = figures.draw_metrics(metrics)
    if curves := evaluation_curves.truncation_data(rows, FLAGS.all_steps):
        drawn["truncation.png"] = figures.draw_truncation(curves)
    return drawn


if __name__ == "__main__":
    main()
