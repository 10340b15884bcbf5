"""Draws z: each clip's is a function of a seed and the clip's number.

So a clip is the same whatever the batch size, the number of replicas and the
number of clips. (A training step draws on its own, see `training.randomness`:
its generator also runs compiled by XLA, and gives the same on all devices.)
"""

from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf


def of_clip(
    seed: int, number: int | tf.Tensor, shape: Sequence[int]
) -> tf.Tensor:
    """Draws the z of a clip, in graph code.

    Args:
        seed: any integer.
        number: number of the clip, an integer scalar; may be negative.
        shape: shape of the result, such as [z_dim].

    Returns:
        float32, standard normal.
    """
    return tf.random.stateless_normal(shape, _key(seed, number))


class LabelledLatents:
    """Draws z, truncated, and the label of a clip, in graph code.

    Labels are as frequent as they are in the data.

    Args:
        z_dim: numbers in z.
        label_counts: [n], how many clips of the data have each label; labels
            from n upwards are never drawn.
        truncation: what z is multiplied by, above 0; 1 for none.
        seed: any integer.
    """

    def __init__(
        self,
        z_dim: int,
        label_counts: Sequence[int],
        truncation: float = 1.0,
        seed: int = 0,
    ):
        self._z_dim = z_dim
        self._truncation = truncation
        self._seed = seed
        counts = np.asarray(label_counts, np.float64)
        self._label_cdf = (np.cumsum(counts) / counts.sum()).astype(np.float32)

    def __call__(self, number: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws z, float32 [z_dim], and the label, int32 [].

        Args:
            number: number of the clip, an integer scalar; may be negative.
        """
        of_z, of_label = tf.unstack(
            tf.random.split(_key(self._seed, number), 2)
        )
        z = tf.random.stateless_normal([self._z_dim], of_z)
        # Inverse transform sampling; the last bound is 1.
        uniform = tf.random.stateless_uniform([], of_label)
        label = tf.reduce_sum(
            tf.cast(uniform >= self._label_cdf[:-1], tf.int32)
        )
        return self._truncation * z, label


def of_clips(
    seed: int, numbers: Iterable[int], shape: Sequence[int]
) -> np.ndarray:
    """Draws the z of clips by NumPy's generator; other numbers than `of_clip`.

    Args:
        seed: an integer, at least 0.
        numbers: numbers of the clips, each at least 0.
        shape: shape of each clip's z.

    Returns:
        float32 [clips, *shape], standard normal.
    """
    return np.stack(
        [
            np.random.default_rng([seed, number])
            .standard_normal(shape)
            .astype(np.float32)
            for number in numbers
        ]
    )


def together(
    seed: int, shape: Sequence[int], dtype: type = np.float64
) -> np.ndarray:
    """Draws the z of a fixed number of clips in one go, by NumPy's generator.

    Args:
        seed: an integer, at least 0.
        shape: shape of the result, such as [clips, z_dim].
        dtype: type that NumPy draws in; its numbers differ from type to type.

    Returns:
        float32, standard normal.
    """
    z = np.random.default_rng(seed).standard_normal(shape, dtype)
    return z.astype(np.float32)


def _key(seed, number):
    """The seed of a clip's draws, for TensorFlow's stateless operations."""
    base = tf.constant([seed, 0], tf.int64)
    return tf.random.fold_in(base, tf.cast(number, tf.int64))
