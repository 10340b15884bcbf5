"""Batch norm statistics for several levels of truncation, and between them."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


class TruncationStatistics(tf.Module):
    """Standing statistics of a generator, one set a level of truncation.

    Between two levels they are interpolated linearly, as BigGAN's public
    modules do.

    Args:
        levels: levels of truncation, above 0 and at most 1, all different.
        sets: one dict {name: float32 array} per level; names and shapes are the
            same in all.

    Raises:
        ValueError: a level is not possible.
    """

    def __init__(
        self, levels: Sequence[float], sets: list[dict[str, np.ndarray]]
    ):
        super().__init__(name="statistics")
        check_levels(levels)
        order = np.argsort(levels)
        # float32: a level given to `at` is compared in float32.
        self.levels = np.asarray(levels, np.float32)[order].tolist()
        self._names = sorted(sets[0])
        self._sets = [
            tf.Variable(
                np.stack([sets[i][name] for i in order]),
                trainable=False,
                name=name.replace("/", "_"),
            )
            for name in self._names
        ]

    def at(self, truncation: tf.Tensor) -> dict[str, tf.Tensor]:
        """The statistics of a level, in graph code.

        Args:
            truncation: float32 scalar, from the lowest to the highest level.

        Returns:
            {name: tensor}
        """
        low, high = self.levels[0], self.levels[-1]
        message = (
            f"truncation must be {low:g}, as this module was exported for."
            if low == high
            else f"truncation must be from {low:g} to {high:g}, the levels "
            "that this module was exported for."
        )
        tolerance = 1e-6
        with tf.control_dependencies(
            [
                tf.debugging.Assert(
                    (truncation >= low - tolerance)
                    & (truncation <= high + tolerance),
                    [message, "Received:", truncation],
                )
            ]
        ):
            weights = self._weights(tf.identity(truncation))
        return {
            name: tf.tensordot(weights, tf.convert_to_tensor(values), 1)
            for name, values in zip(self._names, self._sets, strict=True)
        }

    def _weights(self, truncation):
        """The weight of each level, [levels]: the hat functions."""
        levels = tf.constant(self.levels)
        count = len(self.levels)
        if count == 1:
            return tf.ones([1])
        above = tf.reduce_sum(tf.cast(levels[1:-1] <= truncation, tf.int32))
        left, right = tf.gather(levels, above), tf.gather(levels, above + 1)
        share = (truncation - left) / (right - left)
        share = tf.clip_by_value(share, 0.0, 1.0)
        return (1.0 - share) * tf.one_hot(above, count) + share * tf.one_hot(
            above + 1, count
        )


def check_levels(levels: Sequence[float]) -> None:
    """Raises ValueError unless they are levels of truncation."""
    possible = all(0.0 < level <= 1.0 for level in levels)
    if not levels or not possible or len(set(levels)) < len(levels):
        raise ValueError(
            "Levels of truncation must be above 0, at most 1 and all "
            f"different, such as 1.0,0.5. Received: {list(levels)}"
        )
