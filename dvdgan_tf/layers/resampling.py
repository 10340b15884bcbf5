"""Doubling and halving of spatial (and temporal) size.

Source: figures of v2: bilinear up-sampling in G, average pooling in D.
"""

import tensorflow as tf

METHODS = ("bilinear", "nearest")


def upsample(images: tf.Tensor, method: str = "bilinear") -> tf.Tensor:
    """Doubles height and width.

    Args:
        images: [..., H, W, C], static H and W.
        method: "bilinear" (half-pixel centres, edges clamped: the grid of
            `tf.image.resize`) or "nearest".

    Returns:
        [..., 2 H, 2 W, C] in the dtype of `images`.
    """
    *batch, height, width, channels = images.shape
    flat = tf.reshape(images, [-1, height, width, channels])
    # Bilinear resizing returns float32 whatever it is given, and XLA's
    # gradient of it too, whatever its type says.
    flat = tf.cast(flat, tf.float32)
    flat = tf.image.resize(flat, [2 * height, 2 * width], method)
    flat = tf.cast(flat, images.dtype)
    shape = tf.concat([tf.shape(images)[:-3], tf.shape(flat)[1:]], 0)
    return tf.ensure_shape(
        tf.reshape(flat, shape), [*batch, 2 * height, 2 * width, channels]
    )


def average_pool(
    images: tf.Tensor, spatial: int = 2, time: int = 1
) -> tf.Tensor:
    """Averages over windows without overlap; a remainder is dropped.

    Args:
        images: [B, T, H, W, C].
        spatial: window in height and width.
        time: window in time.

    Returns:
        [B, T // time, H // spatial, W // spatial, C]
    """
    if spatial == 1 and time == 1:
        return images
    window = [1, time, spatial, spatial, 1]
    return tf.nn.avg_pool3d(images, window, window, "VALID")
