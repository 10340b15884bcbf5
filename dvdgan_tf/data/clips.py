"""The paper's pre-processing: a random run of frames, crop and flip.

Pure functions in TensorFlow ops. The `seed`s are int32 [2], those of the
`tf.random.stateless_*` functions: the same seed gives the same draw.
"""

import tensorflow as tf


def window_length(num_frames: int, stride: int) -> int:
    """How many frames a run spans.

    Args:
        num_frames: frames taken, at least 1.
        stride: distance between them in frames, at least 1.

    Returns:
        Frames from the first to the last taken, both counted.
    """
    return (num_frames - 1) * stride + 1


def random_window_start(
    video_frames: int | tf.Tensor, num_frames: int, stride: int, seed: tf.Tensor
) -> tf.Tensor:
    """Draws where a run of frames starts, uniform over all that fit.

    Args:
        video_frames: integer scalar, frames in the whole video, at least
            `window_length(num_frames, stride)`.
        num_frames: frames taken.
        stride: distance between them in frames.
        seed: int32 [2].

    Returns:
        int32 scalar, the number of the first frame.
    """
    starts = (
        tf.cast(video_frames, tf.int32) - window_length(num_frames, stride) + 1
    )
    return tf.random.stateless_uniform([], seed, 0, starts, tf.int32)


def random_corner(
    height: int | tf.Tensor,
    width: int | tf.Tensor,
    size: tuple[int, int],
    seed: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws the corner of a crop, uniform over all that fit.

    Args:
        height: height of the whole frame in pixels, integer scalar.
        width: width of the whole frame in pixels, integer scalar.
        size: (height, width) of the crop in pixels, no more than the whole.
        seed: int32 [2].

    Returns:
        Its top and left, int32 scalars.
    """
    seeds = tf.random.split(seed, 2)
    top, left = (
        tf.random.stateless_uniform([], seeds[i], 0, whole - side + 1, tf.int32)
        for i, (whole, side) in enumerate(
            zip((height, width), size, strict=True)
        )
    )
    return top, left


def random_crop(
    video: tf.Tensor, size: tuple[int, int], seed: tf.Tensor
) -> tf.Tensor:
    """Crops at a random place, the same in all frames.

    Args:
        video: [..., H, W, C], H and W at least those of `size`; where one is
            equal to it, this is the paper's crop along the other axis.
        size: (height, width) of the crop in pixels.
        seed: int32 [2].

    Returns:
        [..., *size, C], the dtype of `video`.
    """
    shape = tf.shape(video)
    top, left = random_corner(shape[-3], shape[-2], size, seed)
    height, width = size
    crop = video[..., top : top + height, left : left + width, :]
    return tf.ensure_shape(crop, [*video.shape[:-3], *size, video.shape[-1]])


def random_flip(video: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors left and right, the whole clip or not at all, p = 0.5.

    Args:
        video: [..., W, C].
        seed: int32 [2].

    Returns:
        The shape and dtype of `video`.
    """
    mirrored = tf.random.stateless_uniform([], seed) < 0.5
    return tf.cond(mirrored, lambda: _mirror(video), lambda: video)


def _mirror(video):
    # Three axes, the last of 3 colours, have a kernel four times as fast.
    shape = tf.shape(video)
    rows = tf.reshape(video, [-1, shape[-2], video.shape[-1]])
    return tf.ensure_shape(
        tf.reshape(tf.reverse(rows, [1]), shape), video.shape
    )
