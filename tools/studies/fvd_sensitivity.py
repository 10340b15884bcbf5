"""How do a protocol's metrics answer to damage done to real clips?

    python -m tools.studies.fvd_sensitivity --gin_file=gin/folder_64.gin \
        --gin_file=gin/fvd.gin --gin_param=Protocol.num_real_clips=90

Damages the real clips of the protocol at growing levels and measures them
against the same clips undamaged: no damage is a Frechet distance of 0 but for
rounding, and a kernel distance below 0, as that takes the two sets for
independent. Other windows of the data, undamaged, are measured the same way:
damage below them is lost among the choice of clips. Prints a table and, as the
last line, the path of a picture with one panel for each metric and damage.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# TensorFlow leaves oneDNN off on some CPUs, where it halves I3D's time.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from absl import app, flags, logging

from dvdgan_tf import config
from dvdgan_tf.data import pipeline
from dvdgan_tf.evaluation.activations import make_step, measure
from dvdgan_tf.evaluation.evaluator import Evaluator
from dvdgan_tf.evaluation.measured_clips import RealClips
from dvdgan_tf.training.strategies import make_strategy
from tools.studies.damages import DAMAGES, DamagedClips

FLAGS = flags.FLAGS

flags.DEFINE_multi_string(
    "gin_file", [], "A gin file; may be repeated: the dataset's, the protocol."
)
flags.DEFINE_multi_string("gin_param", [], "A gin binding; may be repeated.")
flags.DEFINE_multi_enum(
    "damage", list(DAMAGES), list(DAMAGES), "May be repeated; all by default."
)
flags.DEFINE_integer(
    "levels", 3, "Of each damage, evenly up to its highest.", lower_bound=1
)
flags.DEFINE_string("output", "fvd_sensitivity.png", "The picture.")

# What the undamaged clips are called that are other windows.
_OTHERS = "other windows"


def main(argv):
    """Measures, prints, draws."""
    if not FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    try:
        if len(argv) > 1:
            raise ValueError(f"Unknown argument {argv[1]!r}; see --help.")
        if not FLAGS.gin_file:
            raise ValueError(
                "Name a dataset and a protocol, such as "
                "--gin_file=gin/folder_64.gin --gin_file=gin/fvd.gin."
            )
        config.parse(FLAGS.gin_file, FLAGS.gin_param)
        # Its multiplications would move a distance on GPUs.
        tf.config.experimental.enable_tensor_float_32_execution(False)
        rows = []
        for row in measurements(list(dict.fromkeys(FLAGS.damage))):
            print_row(row, is_first=not rows)
            rows.append(row)
        plot(rows, FLAGS.output)
    except (ValueError, TypeError, OSError, ImportError) as error:
        sys.exit(f"error: {config.one_line(error)}")
    except tf.errors.OpError as error:
        sys.exit(f"error: {config.innermost(error)}")
    print(FLAGS.output)


def measurements(names):
    """Measures one set of clips after the other.

    Args:
        names: names of damages.

    Yields:
        (name, level, {metric: `Measured`}); first the other windows, whose
        level is None, then each damage from level 0 on.
    """
    evaluator = Evaluator(make_strategy("one_device"), pipeline.example)
    protocol = evaluator.protocol
    reference = evaluator.reference()

    def metrics(activations):
        found = {}
        for function in protocol.measures:
            found |= function(reference, activations)
        return found

    def activations(clips, title):
        step = make_step(
            clips.videos,
            evaluator.network,
            evaluator.strategy,
            evaluator.num_frames,
        )
        return measure(
            clips,
            step,
            evaluator.strategy,
            evaluator.network.outputs,
            protocol.batch_size,
            keep=protocol.keep_features,
            title=title,
        )

    def real(seed):
        return RealClips(
            evaluator.source, pipeline.example, protocol.num_real_clips, seed
        )

    yield _OTHERS, None, metrics(activations(real(protocol.seed + 1), _OTHERS))
    undamaged = metrics(reference)
    for name in names:
        yield name, 0.0, undamaged
        damage = DAMAGES[name]
        for level in damage.highest * np.linspace(0, 1, FLAGS.levels + 1)[1:]:
            clips = DamagedClips(
                real(protocol.seed),
                damage.function,
                level,
                evaluator.num_frames,
                protocol.seed,
            )
            title = f"{name} {level:.3g}"
            yield name, float(level), metrics(activations(clips, title))


def print_row(row, is_first):
    """One line of the table; before the first, its head."""
    name, level, metrics = row
    width = max(map(len, metrics)) + 2
    if is_first:
        head = "".join(f"{metric:>{width}}" for metric in metrics)
        print(f"{'damage':<14}{'level':>8}{head}")
    shown = "" if level is None else f"{level:.3g}"
    values = "".join(f"{m.value:>{width}.6g}" for m in metrics.values())
    print(f"{name:<14}{shown:>8}{values}", flush=True)


def plot(rows, path):
    """Draws and saves one row of panels for each metric.

    Args:
        rows: rows that `measurements` yielded.
        path: path of the picture.
    """
    (_, _, others), *rows = rows
    names = list(dict.fromkeys(name for name, _, _ in rows))
    figure, panels = plt.subplots(
        len(others),
        len(names),
        figsize=(3 * len(names) + 0.5, 2.6 * len(others)),
        sharey="row",
        squeeze=False,
    )
    for column, name in enumerate(names):
        points = [(level, m) for kind, level, m in rows if kind == name]
        panels[0, column].set_title(name)
        panels[-1, column].set_xlabel(DAMAGES[name].unit)
        for axes, metric in zip(panels[:, column], others, strict=True):
            levels = [level for level, _ in points]
            measured = [metrics[metric] for _, metrics in points]
            axes.errorbar(
                levels,
                [m.value for m in measured],
                [m.standard_error or 0.0 for m in measured],
                marker="o",
                capsize=2,
            )
            axes.axhline(
                others[metric].value,
                color="grey",
                linestyle="--",
                label=_OTHERS,
            )
            axes.grid(alpha=0.3)
    for axes, metric in zip(panels[:, 0], others, strict=True):
        axes.set_ylabel(metric.replace("_", " "))
    panels[0, 0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    app.run(main)
