"""The smallest model, clips and network there are, so that a life costs little.

Tracing a step takes far longer than running it, so the functions that commands
compile run as they stand, operation by operation, unless a scene is `traced`.
The networks have one group at 4x4 -> 8x8: a resolution that `widths` does not
know and gets here.
"""

import importlib
import os
import warnings
from collections.abc import Callable, Iterable

import gin
import numpy as np
import tensorflow as tf

from dvdgan_tf.networks import widths
from dvdgan_tf.video import writing

STEPS, CHECKPOINT_EVERY = 4, 1

widths.GENERATOR_MULTIPLIERS.setdefault(8, (1, 1))
widths.DISCRIMINATOR_MULTIPLIERS.setdefault(8, (1, 1))

_BINDINGS = (
    "CH = 1",
    "RESOLUTION = 8",
    "NUM_FRAMES = 2",
    "BATCH_SIZE = 2",
    "DATASET = @GreyNoise",
    "Generator.z_dim = 4",
    "Generator.embedding_dim = 3",
    "SpatialDiscriminator.k = 1",
    "TemporalDiscriminator.num_3d_blocks = 1",
    "TemporalDiscriminator.time_pool = 1",
    "Trainer.d_steps = 1",
    "Trainer.ema_decay = 0.5",
    "Trainer.ema_start_step = 1",
    f"train.num_steps = {STEPS}",
    f"train.checkpoint_every = {CHECKPOINT_EVERY}",
    f"train.sample_every = {STEPS}",
    "train.steps_per_loop = 1",
    "train.keep_checkpoints = 2",
    "train.keep_powers_of_two = False",
    "train.standing_statistics_batches = 1",
    "SampleGrid.num_classes = 1",
    "SampleGrid.samples_per_class = 2",
)
# What the commands import when they need it, so that no life does.
_LATE = (
    "dvdgan_tf.data.pipeline",
    "dvdgan_tf.evaluation.evaluator",
    "dvdgan_tf.evaluation.results",
    "dvdgan_tf.exporting.discriminator_module",
    "dvdgan_tf.exporting.saved_model",
    "dvdgan_tf.exporting.tflite",
    "dvdgan_tf.generation.from_run",
    "dvdgan_tf.stored_weights",
    "dvdgan_tf.training.loop",
    "PIL.GifImagePlugin",
    "PIL.PngImagePlugin",
    "tensorboard.summary.v2",
)


@gin.register
class GreyNoise:
    """A source of noise, brighter for higher classes."""

    num_examples = 6
    num_frames = 2
    resolution = 8
    class_names = ("dark", "bright")
    label_counts = np.array([2, 4])
    labels = np.array([0, 1, 1, 0, 1, 1], np.int32)

    def prepare(self) -> None:
        """Does nothing."""

    def describe(self) -> dict:
        """Says what these clips are."""
        return {"dataset": "grey_noise", "split": "train"}

    @tf.autograph.experimental.do_not_convert
    def load(self, index: tf.Tensor, seed: tf.Tensor) -> tuple:
        """Returns uint8 [2, 8, 8, 3] and the label."""
        label = tf.gather(self.labels, index)
        video = tf.random.stateless_uniform(
            [2, 8, 8, 3], seed, 0, 190, tf.int32
        )
        return tf.cast(video + 60 * label, tf.uint8), label


@gin.register
class MeanColors:
    """A feature network: the mean colours of the first two frames."""

    name = "mean_colors"
    checksum = "0" * 64
    preprocessing = "none"
    outputs = ("logits",)

    def preprocess(self, frames: tf.Tensor) -> tf.Tensor:
        """Takes uint8 [B, T, H, W, 3] to [0, 1]."""
        return tf.cast(frames, tf.float32) / 255.0

    def __call__(self, videos: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns features [B, 6] as `logits`."""
        means = tf.reduce_mean(videos[:, :2], [2, 3])
        return {"logits": tf.reshape(means, [-1, 6])}


def import_all() -> None:
    """Imports what lives will need."""
    from dvdgan_tf import prepare

    prepare.import_libraries()
    for name in _LATE:
        importlib.import_module(name)


def write_clips(folder: str, classes: int = 2, clips: int = 3) -> None:
    """Writes class/clip.gif, each of 3 frames of 16x16 noise."""
    random = np.random.default_rng(0)
    for label in range(classes):
        for number in range(clips):
            video = random.integers(0, 256, [3, 16, 16, 3], np.uint8)
            path = os.path.join(folder, f"class{label}", f"{number}.gif")
            writing.write_gif(path, video, 10)


def bound(bindings: Iterable[str]) -> list[str]:
    """Flags of gin bindings."""
    return [f"--gin_param={binding}" for binding in bindings]


def training_flags(workdir: str) -> list[str]:
    """All flags of `dvdgan_tf.train`."""
    return [
        "--gin_file=gin/dvdgan.gin",
        *bound(_BINDINGS),
        f"--workdir={workdir}",
    ]


def untraced(main: Callable, arguments: list[str]) -> Callable[[], None]:
    """A call of a command that compiles nothing but how data are read."""

    def call():
        warnings.filterwarnings("ignore", ".*does not apply to tf.data")
        tf.config.run_functions_eagerly(True)
        main(arguments)

    return call


def traced(main: Callable, arguments: list[str]) -> Callable[[], None]:
    """A call of a command as users run it."""
    return lambda: main(arguments)
