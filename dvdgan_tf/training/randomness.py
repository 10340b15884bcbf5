"""The random draws of a step: z, y, and noise for the inputs of D."""

from typing import Any

import numpy as np
import tensorflow as tf

from dvdgan_tf.training import threefry


class Randomness:
    """Draws that depend on (seed, step, update) and nothing else.

    Each example has its place in the global batch and draws by that, so that
    the examples are the same however many replicas share them, on whatever
    device, compiled by XLA or not.

    Args:
        seed: an integer.
        batch_size: examples over all replicas.
        generator: G, whose z_dim, generated_frames and num_classes count.
        extra_draws: further numbers that each real and each fake clip needs.
    """

    def __init__(
        self, seed: int, batch_size: int, generator: Any, extra_draws: int = 0
    ):
        self.seed = seed
        self.batch_size = batch_size
        self.z_dim = generator.z_dim
        self.generated_frames = generator.generated_frames
        self.num_classes = generator.num_classes
        self.extra_draws = extra_draws
        self.follow_labels(np.ones(self.num_classes))

    def follow_labels(self, counts: Any) -> None:
        """Sets the distribution of y; by default it is uniform.

        It is called before the first draw.

        Args:
            counts: [n], n <= num_classes, examples of each class; classes
                beyond n are never drawn.
        """
        counts = np.pad(
            np.asarray(counts, np.float64), (0, self.num_classes - len(counts))
        )
        cdf = np.cumsum(counts)
        self._label_cdf = (cdf / cdf[-1]).astype(np.float32)

    def draw(self, step: tf.Tensor, update: tf.Tensor) -> list[tf.Tensor]:
        """Draws for one update of one step, in replica context.

        Args:
            step: int64 scalar.
            update: number of the update within the step, integer scalar.

        Returns:
            z [b, z_dim], standard normal; y [b], int32 class ids; and twice
            uniform noise [b, generated_frames + 2 + extra_draws] in [0, 1),
            for real and for fake videos: the first pick D_S's frames, the
            next two the place of D_T's crop, the others how the clip is
            augmented.
        """
        key = threefry.threefry(
            threefry.words(self.seed), threefry.words(tf.cast(step, tf.int64))
        )
        update = threefry.words(tf.cast(update, tf.int64))
        key = threefry.threefry(key, update)
        # One counter per example and pair of words: z, y, frames, crop,
        # augmentation. Runs go on with the same draws as long as new ones
        # come last.
        noise = self.generated_frames + 2 + self.extra_draws
        pairs = (-(-self.z_dim // 2), 1, noise)
        position = np.arange(sum(pairs), dtype=np.uint32)
        bits0, bits1 = (
            tf.split(bits, pairs, axis=1)
            for bits in threefry.threefry(key, (self._examples(), position))
        )
        z = tf.concat(threefry.normal(bits0[0], bits1[0]), 1)[:, : self.z_dim]
        # Inverse transform sampling; XLA has no stateless categorical.
        y = threefry.uniform(bits0[1]) >= self._label_cdf[:-1]
        y = tf.reduce_sum(tf.cast(y, tf.int32), 1)
        return [z, y, threefry.uniform(bits0[2]), threefry.uniform(bits1[2])]

    def _examples(self):
        """Numbers in the global batch of this replica's examples: [b, 1]."""
        context = tf.distribute.get_replica_context()
        size = self.batch_size // context.num_replicas_in_sync
        begin = tf.cast(context.replica_id_in_sync_group * size, tf.uint32)
        return begin + np.arange(size, dtype=np.uint32)[:, None]
