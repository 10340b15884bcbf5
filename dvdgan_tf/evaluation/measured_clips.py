"""The clips that are measured: of a dataset, or made by a generator.

Clips are any object that has

    num_clips       int
    num_frames      int, of every clip
    inputs()        -> `tf.data.Dataset` of num_clips elements, one a clip:
                    (tensors, int32 label [])
    videos(inputs, labels) -> [B, T, H, W, 3], uint8 or float in [-1, 1], of
                    a batch of the elements; in a replica, in graph code
    samples_per_condition  int, how many clips in a row continue the same
                    real frames; 1 if none
    similarity      None, or where real frames are continued, a function
                    (inputs, pixels) -> {name in `SIMILARITY`: [B, predicted
                    frames]} of the first frames, float in [0, 255], of
                    videos; in a replica, in graph code

All randomness is a function of (seed, number of the clip): the clips are the
same whatever the batch size and the number of replicas.
"""

import tensorflow as tf

from dvdgan_tf.generation import latents, standing_statistics
from dvdgan_tf.generation.latents import LabelledLatents
from dvdgan_tf.generation.rollout import num_passes, roll_out
from dvdgan_tf.generation.standing_statistics import class_ids
from dvdgan_tf.metrics import frame_similarity
from dvdgan_tf.video.pixels import to_float

SIMILARITY = ("psnr", "ssim")


class RealClips:
    """Clips of a dataset in an order drawn by the seed, one window of each.

    Args:
        source: a prepared source of clips (see `data.pipeline`).
        example: `data.pipeline.example`.
        num_clips: number of clips; past the dataset's size every clip comes
            again with another window. None takes each clip of the dataset once.
        seed: seed of the order, windows, crops and flips, an integer.
        first: number of the first clip. Others of the same seed are other
            windows, and of other clips as long as the dataset has some.
    """

    samples_per_condition = 1
    similarity = None

    def __init__(self, source, example, num_clips=None, seed=0, first=0):
        self.source = source
        self.num_clips = num_clips or source.num_examples
        self.num_frames = source.num_frames
        self._example = example
        self._seed = seed
        self._first = first

    def others(self, first: int, num_clips: int) -> "RealClips":
        """Clips of the same dataset and seed with other numbers."""
        return RealClips(
            self.source, self._example, num_clips, self._seed, first
        )

    def inputs(self) -> tf.data.Dataset:
        """See the top of this file."""
        numbers = tf.data.Dataset.range(
            self._first, self._first + self.num_clips
        )
        return numbers.map(
            lambda number: self._example(self.source, number, self._seed),
            tf.data.AUTOTUNE,
            deterministic=True,
        )

    def videos(self, inputs, labels: tf.Tensor) -> tf.Tensor:
        """See the top of this file."""
        del labels
        return inputs


class GeneratedClips:
    """Samples of a generator, labels drawn as often as they are in the data.

    Args:
        generator: a `networks.Generator`.
        num_clips: number of clips.
        label_counts: [classes], how often each label is in the data.
        truncation: what z is multiplied by, above 0; 1 for none.
        seed: int, of z and y.
    """

    samples_per_condition = 1
    similarity = None

    def __init__(
        self, generator, num_clips, label_counts, truncation=1.0, seed=0
    ):
        self.generator = generator
        self.num_clips = num_clips
        self.num_frames = generator.num_frames
        self._draw = LabelledLatents(
            generator.z_dim, label_counts, truncation, seed
        )

    def inputs(self) -> tf.data.Dataset:
        """See the top of this file."""
        return tf.data.Dataset.range(self.num_clips).map(self._draw)

    def standing_inputs(self, count: int) -> tf.data.Dataset:
        """The samples that standing statistics are taken over, `count`."""
        return standing_statistics.of_synthesis(self._draw, count)

    def videos(self, inputs, labels: tf.Tensor) -> tf.Tensor:
        """See the top of this file."""
        return self.generator(inputs, labels, training=False)


class PredictedClips:
    """Frames of real clips and a generator's continuations of them.

    Args:
        generator: a `networks.Generator` with conditioning frames.
        conditions: `RealClips`, whose first frames are continued.
        num_frames: number of frames of the whole clip. The generator is rolled
            out where it makes fewer at a time (see `generation.rollout`).
        samples_per_condition: number of continuations of each real clip.
        truncation: what z is multiplied by, above 0; 1 for none.
        seed: seed of z, an integer; the conditions have a seed of their own.
    """

    def __init__(
        self,
        generator,
        conditions,
        num_frames,
        samples_per_condition=1,
        truncation=1.0,
        seed=0,
    ):
        self.generator = generator
        self.num_clips = conditions.num_clips * samples_per_condition
        self.num_frames = num_frames
        self.samples_per_condition = samples_per_condition
        self._conditions = conditions
        self._given = generator.conditioning_frames
        self._passes = num_passes(
            num_frames, self._given, generator.generated_frames
        )
        self._truncation = truncation
        self._seed = seed

    def inputs(self) -> tf.data.Dataset:
        """See the top of this file; a real clip and z [passes, z_dim]."""
        samples = tf.data.Dataset.range(self.samples_per_condition)

        def continuations(number, condition):
            clip, label = condition
            first = number * self.samples_per_condition
            return samples.map(lambda n: ((clip, self._z(first + n)), label))

        return self._conditions.inputs().enumerate().flat_map(continuations)

    def standing_inputs(self, count: int) -> tf.data.Dataset:
        """The samples that standing statistics are taken over, `count`."""
        # Draws and windows that no measured clip has.
        others = self._conditions.others(-count, count)
        return standing_statistics.of_prediction(
            self.generator,
            others.inputs(),
            lambda number: self._z(number)[0],
            count,
        )

    def videos(self, inputs, labels: tf.Tensor) -> tf.Tensor:
        """See the top of this file."""
        clips, z = inputs
        return roll_out(
            self._predict,
            z,
            class_ids(self.generator, labels),
            to_float(clips[:, : self._given]),
            self.num_frames,
        )

    def similarity(self, inputs, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """See the top of this file."""
        clips, _ = inputs
        return _similarity(clips, pixels, self._given)

    def _z(self, number):
        shape = [self._passes, self.generator.z_dim]
        return self._truncation * latents.of_clip(self._seed, number, shape)

    def _predict(self, z, y, frames):
        return self.generator(z, y, training=False, frames=frames)


class CopiedFrames:
    """Frames of real clips, then the last one over and over: a baseline.

    Args:
        conditions: `RealClips`, whose first frames are continued.
        conditioning_frames: number of real frames before the copies.
        num_frames: number of frames of the whole clip.
    """

    samples_per_condition = 1

    def __init__(self, conditions, conditioning_frames, num_frames):
        self.num_clips = conditions.num_clips
        self.num_frames = num_frames
        self._conditions = conditions
        self._given = conditioning_frames

    def inputs(self) -> tf.data.Dataset:
        """See the top of this file."""
        return self._conditions.inputs()

    def videos(self, inputs, labels: tf.Tensor) -> tf.Tensor:
        """See the top of this file."""
        del labels
        given = inputs[:, : self._given]
        copies = self.num_frames - self._given
        return tf.concat([given, tf.repeat(given[:, -1:], copies, 1)], 1)

    def similarity(self, inputs, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """See the top of this file."""
        return _similarity(inputs, pixels, self._given)


def _similarity(clips, pixels, given):
    """Compares real clips with the pixels of their continuations."""
    real, predicted = clips[:, given : pixels.shape[1]], pixels[:, given:]
    return {
        "psnr": frame_similarity.psnr(real, predicted),
        "ssim": frame_similarity.ssim(real, predicted),
    }
