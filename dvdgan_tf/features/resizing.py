"""From pixels to I3D's input: the resize and the range."""

import tensorflow as tf

from dvdgan_tf.video.pixels import to_float

METHODS = ("official", "half_pixel", "antialias")


def to_input(frames, size, method):
    """Squashes frames to a square, from [0, 255] to [-1, 1].

    Args:
        frames: uint8 or float in [0, 255], [B, T, H, W, 3].
        size: height and width in pixels.
        method: name of a bilinear resizing. "official" is FVD's: the grid of
            TensorFlow 1's `resize_bilinear`, whose first pixel is the input's
            first. "half_pixel" is today's usual grid, where pixels are squares.
            "antialias" is the same, but averages over all pixels where it
            shrinks. On noise the first two differ by 30 of 255 on average.

    Returns:
        float32 [B, T, size, size, 3].

    Raises:
        ValueError: there is no such method.
    """
    if method not in METHODS:
        raise ValueError(
            f"The resize method must be one of {', '.join(METHODS)}. "
            f"Received: {method!r}."
        )
    shape = tf.shape(frames)
    images = tf.reshape(
        tf.cast(frames, tf.float32), tf.concat([[-1], shape[2:]], 0)
    )
    if method == "official":
        images = tf.raw_ops.ResizeBilinear(
            images=images,
            size=[size, size],
            align_corners=False,
            half_pixel_centers=False,
        )
    else:
        images = tf.image.resize(
            images, [size, size], antialias=method == "antialias"
        )
    images = tf.reshape(images, [shape[0], shape[1], size, size, 3])
    images = tf.ensure_shape(images, [None, frames.shape[1], size, size, 3])
    return to_float(images)
