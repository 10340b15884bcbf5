"""The random draws of a step: z, y, and the noise that picks D_S's frames."""

import numpy as np
import tensorflow as tf


class Randomness:
    """Draws that depend on (seed, step, update) and nothing else.

    Each draw is made for the global batch and sliced by replica, so that the
    examples are the same however many replicas share them.

    Args:
        seed: integer.
        batch_size: examples over all replicas.
        generator: for z_dim, num_frames and num_classes.
    """

    def __init__(self, seed, batch_size, generator):
        self.seed = seed
        self.batch_size = batch_size
        self.z_dim = generator.z_dim
        self.num_frames = generator.num_frames
        self.num_classes = generator.num_classes
        self.follow_labels(np.ones(self.num_classes))

    def follow_labels(self, counts):
        """Sets the distribution of y: the paper's is that of the data.

        To be called before the first draw.

        Args:
            counts: [n], n <= num_classes, examples of each class; classes
                beyond n are never drawn.
        """
        counts = np.pad(
            np.asarray(counts, np.float64), (0, self.num_classes - len(counts))
        )
        cdf = np.cumsum(counts)
        self._label_cdf = (cdf / cdf[-1]).astype(np.float32)

    def draw(self, step, update):
        """Draws for one update of one step, in replica context.

        Args:
            step: int64 scalar.
            update: number of the update within the step, integer scalar.

        Returns:
            z [b, z_dim], standard normal; y [b], int32 class ids; and twice
            uniform noise [b, T] in [0, 1), for real and for fake frames.
        """
        seed = tf.constant([self.seed, 0], tf.int64)
        for data in (step, update):
            seed = tf.random.experimental.stateless_fold_in(
                seed, tf.cast(data, tf.int64), alg="philox"
            )
        seeds = tf.unstack(tf.random.split(seed, 4, alg="philox"))
        size = self.batch_size
        z = tf.random.stateless_normal(
            [size, self.z_dim], seeds[0], alg="philox"
        )
        y, real_noise, fake_noise = (
            tf.random.stateless_uniform([size, width], seed, alg="philox")
            for width, seed in zip(
                (1, self.num_frames, self.num_frames), seeds[1:], strict=True
            )
        )
        # Inverse transform sampling; XLA has no stateless categorical.
        y = tf.reduce_sum(tf.cast(y >= self._label_cdf[:-1], tf.int32), 1)
        draws = (z, y, real_noise, fake_noise)
        return [self._slice(x) for x in draws]

    def _slice(self, x):
        """This replica's part of a global batch."""
        context = tf.distribute.get_replica_context()
        size = self.batch_size // context.num_replicas_in_sync
        begin = context.replica_id_in_sync_group * size
        # The size stays static even where the replica's id is a tensor.
        begins = [begin, *[0] * (x.shape.rank - 1)]
        return tf.slice(x, begins, [size, *x.shape[1:]])
