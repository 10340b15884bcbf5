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
    images: tf.Tensor, spatial: int = 2, time: int = 1, round_up: bool = False
) -> tf.Tensor:
    """Averages over windows without overlap.

    Args:
        images: [B, T, H, W, C].
        spatial: window in height and width.
        time: window in time, where a remainder is dropped.
        round_up: whether a last odd row or column has windows of its own,
            whose mean is that of what is in them, or is dropped; for spatial
            windows of 1 or 2.

    Returns:
        [B, T // time, H', W', C], see `pooled_side`.
    """
    if round_up and any(side % spatial for side in images.shape[2:4]):
        # "SAME" counts no padding, and of one row puts it at the end.
        window = [1, 1, spatial, spatial, 1]
        images = tf.nn.avg_pool3d(images, window, window, "SAME")
        spatial = 1
    if spatial == 1 and time == 1:
        return images
    window = [1, time, spatial, spatial, 1]
    return tf.nn.avg_pool3d(images, window, window, "VALID")


def pooled_side(side: int, window: int, round_up: bool) -> int:
    """Returns the height or width that `average_pool` makes of one."""
    return -(-side // window) if round_up else side // window
