"""Warps maps by a flow: bilinear sampling at moved pixels.

Source: w of TrIVD-GAN's recurrent units, whose form is open; sampling as in
Jaderberg et al. 2015, "Spatial Transformer Networks", equation 5.
"""

import tensorflow as tf


def warp(images: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    """Samples each pixel from where its flow points to.

    Pixel (i, j) of the result is the image at (i + dy, j + dx), linearly
    interpolated along both axes. Outside of the image is its nearest border
    (coordinates are clamped), where the flow has no gradient. Coordinates and
    sums are float32 whatever the type of `images`: many pixels may read the
    same one, whose gradient is their sum.

    Args:
        images: [B, H, W, C], static H, W and C.
        flow: (dy, dx) in pixels, [B, H, W, 2].

    Returns:
        [B, H, W, C] in the dtype of `images`.
    """
    _, height, width, channels = images.shape
    flow = tf.cast(flow, tf.float32)
    rows = tf.range(height, dtype=tf.float32)[:, None]
    columns = tf.range(width, dtype=tf.float32)
    top, down = _cell(rows + flow[..., 0], height)
    left, right = _cell(columns + flow[..., 1], width)
    # One index for pixels of all images: a plain gather of rows of C numbers.
    image = tf.range(tf.shape(images)[0])[:, None, None]
    corner = (image * height + top) * width + left
    pixels = tf.reshape(tf.cast(images, tf.float32), [-1, channels])
    below = width if height > 1 else 0
    beside = 1 if width > 1 else 0

    def line(start):
        first = tf.gather(pixels, start)
        return _mix(first, tf.gather(pixels, start + beside), right)

    sampled = _mix(line(corner), line(corner + below), down)
    return tf.cast(sampled, images.dtype)


def _cell(positions, size):
    """The last pixel but one at or before each position, and how far past.

    Clamped once more as integers: a flow of NaN reads a pixel, too, and the
    result is NaN.
    """
    positions = tf.clip_by_value(positions, 0.0, size - 1.0)
    start = tf.cast(tf.floor(positions), tf.int32)
    start = tf.clip_by_value(start, 0, max(size - 2, 0))
    return start, (positions - tf.cast(start, tf.float32))[..., None]


def _mix(first, second, fraction):
    return (1.0 - fraction) * first + fraction * second
