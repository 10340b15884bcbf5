"""Real clips as the networks take them: given frames, classes."""

import keras
import tensorflow as tf

from dvdgan_tf.video.pixels import to_float


def given_frames(generator: keras.Model, videos: tf.Tensor) -> tf.Tensor | None:
    """Takes the frames of real videos that G continues.

    Args:
        generator: G.
        videos: uint8 [B, T, H, W, 3].

    Returns:
        float32 [B, C, H, W, 3] in [-1, 1]; None in synthesis.
    """
    frames = generator.conditioning_frames
    return to_float(videos[:, :frames]) if frames else None


def class_ids(generator: keras.Model, labels: tf.Tensor) -> tf.Tensor:
    """Returns the videos' classes, int32; all 0 where G has one class."""
    if generator.num_classes == 1:
        labels = tf.zeros_like(labels)
    return tf.cast(labels, tf.int32)


def whole(given: tf.Tensor | None, continuations: tf.Tensor) -> tf.Tensor:
    """Joins given frames and G's along time; without the former, G's stay."""
    if given is None:
        return continuations
    return tf.concat([given, continuations], 1)
