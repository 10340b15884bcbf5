"""A feature network, a generator and clips that cost nothing."""

import numpy as np
import tensorflow as tf

from dvdgan_tf.networks.generator import Generator


class MeanColors:
    """A network whose features are the mean colours of the first frames."""

    name = "mean_colors"
    checksum = "0" * 64
    preprocessing = "none"
    outputs = ("logits",)

    def preprocess(self, frames):
        if frames.shape[1] < 2:
            raise ValueError("MeanColors takes 2 frames or more.")
        return tf.cast(frames, tf.float32) / 255.0

    def __call__(self, videos):
        means = tf.reduce_mean(videos[:, :2], [2, 3])
        return {"logits": tf.reshape(means, [-1, 6])}


class Source:
    """Clips of one colour each: clip i is of grey 10 i."""

    num_frames = 4
    resolution = 32
    class_names = ("a", "b")
    num_examples = 12
    label_counts = np.array([3, 9])

    def prepare(self):
        pass

    def describe(self):
        return {"dataset": "grey", "split": "train", "resolution": 32}

    def load(self, index, seed):
        del seed
        grey = tf.cast(10 * index, tf.uint8)
        return tf.fill([4, 32, 32, 3], grey), tf.cast(index % 2, tf.int32)


def make_generator(num_classes, name="generator", resolution=32, **kwargs):
    return Generator(
        resolution=resolution,
        num_frames=4,
        num_classes=num_classes,
        ch=2,
        channel_multipliers=(2, 2, 1, 1),
        z_dim=4,
        embedding_dim=4,
        name=name,
        **kwargs,
    )
