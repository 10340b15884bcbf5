"""A module whose clips are easily predicted, for tests of what samples it."""

import json

import tensorflow as tf

from dvdgan_tf import frame_size


class Module:
    """Red is z, green the mean label, blue the truncation; counts calls.

    A continuation is the last frame given plus z, in red.
    """

    def __init__(self, given=0, resolution=4):
        self.facts = {
            "model": "DVD-GAN-FP" if given else "DVD-GAN",
            "step": 1000,
            "resolution": resolution,
            "num_frames": 5,
            "conditioning_frames": given,
            "z_dim": 1,
            "num_classes": 3,
            "truncation_levels": [0.5, 1.0],
            "fps": 8.0,
            "fit": "crop",
            "frame_stride": 2,
        }
        self.given = given
        self.batches = []

    def metadata(self):
        return tf.constant(json.dumps(self.facts))

    def class_names(self):
        return tf.constant(json.dumps(["run", "walk", "wave"]))

    def __call__(self, inputs):
        self.batches.append(len(inputs["z"]))
        red = 0.1 * inputs["z"][:, 0]
        label = tf.reduce_sum(inputs["y"] * [0.0, 0.25, 0.5], -1)
        if self.given:
            red += tf.reduce_mean(inputs["frames"][:, -1, ..., 0], [1, 2])
        blue = tf.fill(red.shape, inputs["truncation"])
        colour = tf.stack([red, label, blue], -1)[:, None, None, None]
        size = frame_size.sides(self.facts["resolution"])
        return tf.tile(colour, [1, 5 - self.given, *size, 1])
