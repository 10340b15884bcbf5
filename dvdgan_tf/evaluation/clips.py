"""The clips that are measured: of a dataset, or made by a generator.

Clips are any object that has

    num_clips       int
    num_frames      int, of every clip
    inputs()        -> `tf.data.Dataset` of num_clips elements, one a clip:
                    (a tensor, int32 label [])
    videos(inputs, labels) -> [B, T, H, W, 3], uint8 or float in [-1, 1], of
                    a batch of the elements; in a replica, in graph code

All randomness is a function of (seed, number of the clip): the clips are the
same whatever the batch size and the number of replicas.
"""

import numpy as np
import tensorflow as tf


class RealClips:
    """Clips of a dataset in an order drawn by the seed, one window of each.

    Args:
        source: see `data.pipeline`; prepared.
        example: `data.pipeline.example`.
        num_clips: how many; past the dataset's size every clip comes again
            with another window. None: each clip of the dataset once.
        seed: int, of order, windows, crops and flips.
    """

    def __init__(self, source, example, num_clips=None, seed=0):
        self.source = source
        self.num_clips = num_clips or source.num_examples
        self.num_frames = source.num_frames
        self._example = example
        self._seed = seed

    def inputs(self):
        """See the top of this file."""
        return tf.data.Dataset.range(self.num_clips).map(
            lambda number: self._example(self.source, number, self._seed),
            tf.data.AUTOTUNE,
            deterministic=True,
        )

    def videos(self, inputs, labels):
        """See the top of this file."""
        del labels
        return inputs


class GeneratedClips:
    """Samples of a generator, labels drawn as often as they are in the data.

    Args:
        generator: a `networks.Generator`.
        num_clips: how many.
        label_counts: [classes], how often each label is in the data.
        truncation: what z is multiplied by, above 0; 1 for none.
        seed: int, of z and y.
    """

    def __init__(
        self, generator, num_clips, label_counts, truncation=1.0, seed=0
    ):
        self.generator = generator
        self.num_clips = num_clips
        self.num_frames = generator.num_frames
        self._truncation = truncation
        self._seed = seed
        counts = np.asarray(label_counts, np.float64)
        self._label_cdf = (np.cumsum(counts) / counts.sum()).astype(np.float32)

    def inputs(self):
        """See the top of this file."""
        return tf.data.Dataset.range(self.num_clips).map(self.draw)

    def draw(self, number):
        """z [z_dim], truncated, and label of the clip of that number."""
        seeds = tf.random.split(
            tf.random.fold_in(
                tf.constant([self._seed, 0], tf.int64), tf.cast(number, "int64")
            ),
            2,
        )
        z = tf.random.stateless_normal([self.generator.z_dim], seeds[0])
        # Inverse transform sampling; the last bound is 1.
        uniform = tf.random.stateless_uniform([], seeds[1])
        label = tf.reduce_sum(
            tf.cast(uniform >= self._label_cdf[:-1], tf.int32)
        )
        return self._truncation * z, label

    def videos(self, inputs, labels):
        """See the top of this file."""
        return self.generator(inputs, labels, training=False)
