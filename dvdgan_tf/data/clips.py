"""The paper's pre-processing: a random run of frames, crop and flip.

Pure functions in TensorFlow ops. The `seed`s are int32 [2], those of the
`tf.random.stateless_*` functions: the same seed gives the same draw.
"""

import tensorflow as tf


def window_length(num_frames, stride):
    """How many frames a run spans.

    Args:
        num_frames: frames taken, at least 1.
        stride: distance between them in frames, at least 1.

    Returns:
        Frames from the first to the last taken, both counted.
    """
    return (num_frames - 1) * stride + 1


def random_window_start(video_frames, num_frames, stride, seed):
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


def random_square_crop(video, resolution, seed):
    """Draws a square, the same in all frames, uniform over all that fit.

    Args:
        video: [..., H, W, C], H and W at least `resolution`; where one is
            equal to it, this is the paper's crop along the other axis.
        resolution: height and width of the square in pixels.
        seed: int32 [2].

    Returns:
        [..., resolution, resolution, C], the dtype of `video`.
    """
    shape = tf.shape(video)
    seeds = tf.random.split(seed, 2)
    top, left = (
        tf.random.stateless_uniform(
            [], seeds[i], 0, shape[i - 3] - resolution + 1, tf.int32
        )
        for i in (0, 1)
    )
    crop = video[..., top : top + resolution, left : left + resolution, :]
    return tf.ensure_shape(
        crop, [*video.shape[:-3], resolution, resolution, video.shape[-1]]
    )


def random_flip(video, seed):
    """Mirrors left and right, the whole clip or not at all, p = 0.5.

    Args:
        video: [..., W, C].
        seed: int32 [2].

    Returns:
        The shape and dtype of `video`.
    """
    mirrored = tf.random.stateless_uniform([], seed) < 0.5
    return tf.where(mirrored, tf.reverse(video, [-2]), video)
