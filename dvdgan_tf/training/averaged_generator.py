"""What the averaged generator does beside training: statistics and samples."""

from typing import Any

import keras
import tensorflow as tf

from dvdgan_tf.training.randomness import Randomness
from dvdgan_tf.training.real_clips import class_ids, given_frames


class AveragedGenerator:
    """The averaged generator on all replicas, and the live one beside it.

    Args:
        strategy: the `tf.distribute.Strategy` of the networks.
        average: the averaged generator.
        live: the generator that is trained.
        randomness: draws z and y for the standing statistics.
        accumulation_steps: parts of a batch, one after the other.
        shards: shards of a part, side by side.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        average: keras.Model,
        live: keras.Model,
        randomness: Randomness,
        accumulation_steps: int = 1,
        shards: int = 1,
    ):
        self.strategy = strategy
        self.average = average
        self.live = live
        self.randomness = randomness
        self.accumulation_steps = accumulation_steps
        self.shards = shards

    @tf.function(reduce_retracing=True)
    def update_standing_statistics(
        self, num_batches: tf.Tensor, iterator: Any = None
    ) -> None:
        """Recomputes the batch norm statistics; see `Trainer`."""
        for i in tf.range(num_batches):
            batch = () if iterator is None else (next(iterator),)
            self.strategy.run(self._accumulate, args=(i, *batch))

    def _accumulate(self, i, batch=None):
        # Negative step numbers: draws that no training step makes.
        z, y, _, _ = self.randomness.draw(-1 - tf.cast(i, tf.int64), 0)
        given = None
        if batch:
            videos, labels = batch
            given = given_frames(self.average, videos)
            y = class_ids(self.average, labels)
        self.average.accumulate_standing_statistics(
            z,
            y,
            tf.cast(i + 1, tf.float32),  # The n-th batch, counted from 1.
            given,
            parts=self.accumulation_steps,
            shards=self.shards,
        )

    def sample(
        self,
        z: tf.Tensor,
        y: tf.Tensor,
        ema: bool,
        frames: tf.Tensor | None,
    ) -> tf.Tensor:
        """Samples in inference mode; see `Trainer`."""
        run = self._sample_average if ema else self._sample_live
        videos = self.strategy.run(run, args=(z, y, frames))
        return self.strategy.experimental_local_results(videos)[0]

    @tf.function(reduce_retracing=True)
    def _sample_average(self, z, y, frames):
        return self.average(z, y, training=False, frames=frames)

    @tf.function(reduce_retracing=True)
    def _sample_live(self, z, y, frames):
        return self.live(z, y, training=False, frames=frames)
