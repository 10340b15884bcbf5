"""Draws the moving picture of predictions in the README.

    python -m dvdgan_tf.train --gin_file=gin/demo_prediction.gin \
        --gin_param=Trainer.shards=1 --gin_param=train.num_steps=1500 \
        --workdir=runs/prediction
    python -m tools.prediction_picture --workdir=runs/prediction

The clips are of the 297 images of digits that a run never trains on: the first
ones in the order that the seed gives, so nobody has picked them. The same seed
draws their motion, and z of their only sample.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from absl import app, flags

import dvdgan_tf
from dvdgan_tf.data import pipeline
from dvdgan_tf.data.digits import MovingDigits
from dvdgan_tf.video import pictures
from dvdgan_tf.video.lettering import Label
from dvdgan_tf.video.prediction_views import BORDER_COLOUR, MARGIN
from dvdgan_tf.video.writing import write_gif

FLAGS = flags.FLAGS

flags.DEFINE_string("workdir", "runs/prediction", "Folder of the run.")
flags.DEFINE_string(
    "output", "docs/images/prediction.gif", "The picture, replaced."
)
flags.DEFINE_integer("clips", 9, "Number of clips.", lower_bound=1)
flags.DEFINE_integer("seed", 0, "Seed of clips and z.", lower_bound=0)

FPS = 5

# Frames that the last one is shown for, so that the eye can compare.
_HOLD = 5


def main(_):
    """Predicts, draws, and says which step it was."""
    try:
        model = dvdgan_tf.load(FLAGS.workdir)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    real = held_out_clips(model.facts, FLAGS.clips, FLAGS.seed)
    given = model.facts["conditioning_frames"]
    predicted = np.asarray(model.predict(real[:, :given], seed=FLAGS.seed))
    picture = draw(real, predicted, given)
    picture = np.concatenate([picture, picture[-1:].repeat(_HOLD, 0)])
    write_gif(FLAGS.output, picture, FPS)
    print(f"{FLAGS.output}: step {model.facts['step']}")


def held_out_clips(facts, count, seed):
    """Draws the first clips of the held-out digits.

    Args:
        facts: what the model says of itself.
        count: number of clips.
        seed: seed of their order and motion.

    Returns:
        uint8 [count, T, H, W, 3].
    """
    source = MovingDigits(
        facts["resolution"], facts["num_frames"], 297, split="test"
    )
    numbers = range(count)
    clips = [pipeline.example(source, number, seed)[0] for number in numbers]
    return np.stack([clip.numpy() for clip in clips])


def draw(real, predicted, given):
    """Draws the real clips in a row and their continuations below.

    Args:
        real: uint8 [N, T, H, W, 3].
        predicted: uint8 [N, T, H, W, 3], which begin with the given frames.
        given: number of these; they have a coloured border.

    Returns:
        uint8 [T, height, width, 3].
    """
    clips = pictures.enlarged(np.concatenate([real, predicted]))
    edges = [(0, 0), (0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)]
    framed = np.pad(clips, edges)
    border = np.pad(np.zeros(clips.shape[2:4], bool), MARGIN, constant_values=1)
    framed[:, :, border] = pictures.BACKGROUND
    framed[:, :given, border] = BORDER_COLOUR
    gap = 2 * MARGIN
    tiled = pictures.tile(framed, len(real), gap, pictures.BACKGROUND)
    height = framed.shape[2]
    labels = [Label("what happened"), Label("predicted")]
    return pictures.with_labels(tiled, labels, (0, height + gap), height)


if __name__ == "__main__":
    app.run(main)
