"""Standing statistics [BigGAN]: batch norm's mean and variance over samples.

Samples are drawn as training draws them: labels as often as they are in the
data, and for prediction the first frames of real clips. Evaluation, sampling
and export take the statistics here, so that what is measured is what is
shipped.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from dvdgan_tf.generation.latents import LabelledLatents
from dvdgan_tf.video.pixels import to_float

# Examples of a replica that are inside of a segment of G at a time, where
# standing statistics are taken of a training batch on fewer devices; fewer of
# clips that are longer than the paper's longest.
_AT_ONCE = 16
_LONGEST = 48


class StandingStatistics:
    """Takes the standing statistics of a generator, on all replicas.

    To be constructed inside `strategy.scope()`.

    Args:
        network: a built `networks.Generator`.
    """

    def __init__(self, network: keras.Model) -> None:
        self._strategy = tf.distribute.get_strategy()
        self._network = network

    def take(
        self, inputs: tf.data.Dataset, batch_size: int, num_batches: int
    ) -> None:
        """Replaces the network's batch norm statistics.

        Args:
            inputs: dataset of at least batch_size * num_batches elements, as
                `of_synthesis` or `of_prediction` returns it. The statistics
                hold for its truncation and labels.
            batch_size: number of samples per batch over all replicas; it moves
                the variances.
            num_batches: number of batches that the statistics are averaged
                over.
        """
        batches = inputs.batch(batch_size, drop_remainder=True)
        batches = self._strategy.experimental_distribute_dataset(
            batches.take(num_batches)
        )
        for n, batch in enumerate(batches, start=1):
            self._accumulate(tf.constant(n, tf.float32), *batch)

    @tf.function(reduce_retracing=True)
    def _accumulate(self, n, z, y, *frames):
        self._strategy.run(
            tf.autograph.experimental.do_not_convert(self._accumulate_on),
            args=(n, z, y, *frames),
        )

    def _accumulate_on(self, n, z, y, *frames):
        parts = _parts_of(z.shape[0], self._network.generated_frames)
        self._network.accumulate_standing_statistics(
            z, y, n, *frames, parts=parts
        )


def of_synthesis(latents: LabelledLatents, count: int) -> tf.data.Dataset:
    """The samples over which statistics are taken: (z, label), `count` times.

    Args:
        latents: what draws z and the labels.
        count: number of samples.
    """
    # Negative numbers: draws that no measured clip makes.
    return tf.data.Dataset.range(count).map(lambda number: latents(-1 - number))


def of_prediction(
    generator: keras.Model,
    clips: tf.data.Dataset,
    draw_z: Callable[[tf.Tensor], tf.Tensor],
    count: int,
) -> tf.data.Dataset:
    """The predictions over which statistics are taken: (z, class id, frames).

    As in training they are of one pass: statistics over frames that were
    predicted would be others.

    Args:
        generator: a `networks.Generator` with conditioning frames.
        clips: `count` real clips, (uint8 [T, H, W, 3], integer label).
        draw_z: function of a clip's number, int64 scalar, that draws z.
        count: number of predictions. They are numbered from -count to -1, as no
            measured clip is.
    """

    def draw(number, clip_and_label):
        clip, label = clip_and_label
        given = clip[: generator.conditioning_frames]
        frames = to_float(given)
        return draw_z(number), class_ids(generator, label), frames

    return clips.enumerate(-count).map(draw)


def class_ids(generator: keras.Model, labels: tf.Tensor) -> tf.Tensor:
    """Class ids of labels; all are 0 where the generator has one class."""
    return tf.zeros_like(labels) if generator.num_classes == 1 else labels


def present(generator: keras.Model) -> dict[str, np.ndarray]:
    """The generator's batch norm statistics as they are now.

    Returns:
        {path of the variable: array}
    """
    return {
        variable.path: variable.numpy()
        for norm in generator.batch_norms()
        for variable in (norm.moving_mean, norm.moving_variance)
    }


def _parts_of(examples, num_frames):
    """Fewest equal parts of at most `_AT_ONCE` examples of that length each."""
    if examples is None:
        return 1
    at_once = max(1, _AT_ONCE * _LONGEST // max(num_frames, _LONGEST))
    least = -(-examples // at_once)
    return next(n for n in range(least, examples + 1) if examples % n == 0)
