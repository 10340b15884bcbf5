"""How good are the frames of a long clip, early ones and late ones?

    python -m tools.studies.fvd_over_time --workdir=runs/actions \
        --gin_file=gin/fvd.gin --num_frames=200 --num_clips=96

Samples clips that are longer than those of the run's training, cuts them into
windows of the protocol's length, and measures all first windows, all second
ones, and so on against the protocol's real clips. Prints a table of the
metrics by window and, as the last line, the path of a picture of them.
"""

import argparse
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
from absl import logging

from dvdgan_tf import config
from dvdgan_tf.data import pipeline
from dvdgan_tf.evaluation.activations import make_step, measure
from dvdgan_tf.evaluation.evaluator import Evaluator
from dvdgan_tf.progress_bar import progress_bar
from dvdgan_tf.run_folder import RunFolder
from dvdgan_tf.sampling.loading import load
from dvdgan_tf.training.strategies import make_strategy


def main(arguments=None):
    """Measures, prints, draws."""
    options = parse(arguments)
    logging.set_verbosity(logging.WARNING)
    try:
        folder = RunFolder(options.workdir)
        folder.check_is_run()
        config.parse(options.gin_file, options.gin_param, folder.config)
        # Its multiplications would move a distance on GPUs.
        tf.config.experimental.enable_tensor_float_32_execution(False)
        rows = []
        for row in measurements(options):
            print_row(row, is_first=not rows)
            rows.append(row)
        plot(rows, options.output)
    except (ValueError, TypeError, OSError, ImportError) as error:
        sys.exit(f"error: {config.one_line(error)}")
    except tf.errors.OpError as error:
        sys.exit(f"error: {config.innermost(error)}")
    print(options.output)


def parse(arguments=None):
    """Reads the options from a list of arguments or the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--workdir", required=True, help="The run's folder.")
    add("--step", type=int, help="Step of the checkpoint; the newest.")
    add("--gin_file", action="append", default=[], help="A protocol.")
    add("--gin_param", action="append", default=[], help="A gin binding.")
    add("--num_frames", type=int, default=200, help="Frames of each clip.")
    add("--num_clips", type=int, default=96, help="Number of clips.")
    add("--seed", type=int, default=0, help="Seed of clips and classes.")
    add("--output", default="fvd_over_time.png", help="The picture.")
    return parser.parse_args(arguments)


class Windows:
    """The same frames of all clips; see `evaluation.measured_clips`.

    Args:
        videos: uint8 [N, T', H, W, 3].
        labels: int32 [N].
        first: number of the first frame.
        num_frames: number of frames.
    """

    samples_per_condition = 1
    similarity = None

    def __init__(self, videos, labels, first, num_frames):
        self.num_clips = len(videos)
        self.num_frames = num_frames
        self._videos = videos[:, first : first + num_frames]
        self._labels = labels

    def inputs(self):
        """See `evaluation.measured_clips`."""
        slices = (self._videos, self._labels)
        return tf.data.Dataset.from_tensor_slices(slices)

    def videos(self, inputs, labels):
        """See `evaluation.measured_clips`."""
        del labels
        return inputs


def measurements(options):
    """Measures one window after the other.

    Args:
        options: what `parse` returns.

    Yields:
        (number of the first frame, {metric: `Measured`}).

    Raises:
        ValueError: the clips are shorter than a window.
    """
    evaluator = Evaluator(make_strategy("one_device"), pipeline.example)
    protocol, length = evaluator.protocol, evaluator.num_frames
    if options.num_frames < length:
        raise ValueError(
            f"--num_frames must be at least {length}, the protocol's. "
            f"Received: {options.num_frames}"
        )
    reference = evaluator.reference()
    videos, labels = samples(evaluator.source, options)
    step = make_step(
        Windows(videos, labels, 0, length).videos,
        evaluator.network,
        evaluator.strategy,
    )
    for first in range(0, options.num_frames - length + 1, length):
        activations = measure(
            Windows(videos, labels, first, length),
            step,
            evaluator.strategy,
            evaluator.network.outputs,
            protocol.batch_size,
            keep=protocol.keep_features,
            title=f"from frame {first}",
        )
        found = {}
        for function in protocol.measures:
            found |= function(reference, activations)
        yield first, found


def samples(source, options):
    """Long clips, with labels as frequent as they are in the data.

    Args:
        source: the dataset, prepared.
        options: what `parse` returns.

    Returns:
        uint8 [N, T', H, W, 3], int32 [N].
    """
    model = load(options.workdir, options.step)
    labels = np.zeros(options.num_clips, np.int32)
    if len(model.class_names) > 1:
        shares = np.asarray(source.label_counts, np.float64)
        labels = np.random.default_rng(options.seed).choice(
            len(shares), options.num_clips, p=shares / shares.sum()
        )
    batches = model.batches(
        labels.tolist(),
        options.num_clips,
        options.seed,
        num_frames=options.num_frames,
    )
    total = -(-options.num_clips // model.batch_size)
    batches = progress_bar(batches, total=total, desc="samples", unit="batch")
    return np.concatenate(list(batches)), labels.astype(np.int32)


def print_row(row, is_first):
    """One line of the table; before the first, its head."""
    first, metrics = row
    width = max(map(len, metrics)) + 2
    if is_first:
        head = "".join(f"{metric:>{width}}" for metric in metrics)
        print(f"{'from frame':<12}{head}")
    values = "".join(f"{m.value:>{width}.6g}" for m in metrics.values())
    print(f"{first:<12}{values}", flush=True)


def plot(rows, path):
    """Draws and saves a panel for each metric.

    Args:
        rows: rows that `measurements` yielded.
        path: path of the picture.
    """
    firsts = [first for first, _ in rows]
    names = list(rows[0][1])
    figure, panels = plt.subplots(
        1, len(names), figsize=(4 * len(names), 3), squeeze=False
    )
    for axes, name in zip(panels[0], names, strict=True):
        measured = [metrics[name] for _, metrics in rows]
        axes.errorbar(
            firsts,
            [m.value for m in measured],
            [m.standard_error or 0.0 for m in measured],
            marker="o",
            capsize=2,
        )
        axes.set(xlabel="first frame of the window", ylim=(0, None))
        axes.set_ylabel(name.replace("_", " "))
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
