"""From encoded frames to a clip of the resolution that is trained at.

Pure functions in TensorFlow ops; integers until a resize, and after it.
"""

from typing import Any

import tensorflow as tf

from dvdgan_tf.data import clips

# How files of these formats begin.
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PN"
# The largest size of a clip's decoded frames, and the largest ratio of sides.
_MOST_BYTES, _MOST_NARROW = 2**30, 32


def check(encoded: tf.Tensor) -> tf.Tensor:
    """Checks frames before they are decoded, whoever has written them.

    A few bytes may claim to be an image that fills the memory.

    Args:
        encoded: string [T], frames.

    Returns:
        The same.

    Raises:
        tf.errors.InvalidArgumentError: a frame is no JPEG or PNG image, or
            they differ in size, are too large, or are too narrow.
    """
    heads = tf.strings.substr(encoded, 0, 3)
    sizes = tf.cond(
        tf.reduce_all(heads == _JPEG),
        lambda: tf.stack([_jpeg_size(frame) for frame in tf.unstack(encoded)]),
        lambda: tf.stack([_any_size(frame) for frame in tf.unstack(encoded)]),
    )
    sides = tf.cast(sizes[0], tf.int64)
    least, most = tf.reduce_min(sides), tf.reduce_max(sides)
    fine = (
        tf.reduce_all((heads == _JPEG) | (heads == _PNG))
        & tf.reduce_all(sizes == sizes[0])
        & (3 * encoded.shape[0] * least * most <= _MOST_BYTES)
        & (least > 0)
        & (most <= _MOST_NARROW * least)
    )
    with tf.control_dependencies([tf.debugging.Assert(fine, [sizes])]):
        return tf.identity(encoded)


def _jpeg_size(frame):
    """Height and width that a header states, int32 [2]."""
    return tf.io.extract_jpeg_shape(frame)[:2]


def _any_size(frame):
    """Height and width of a JPEG or PNG image; of others they mean nothing."""

    def png_size():
        # The first chunk begins with width and height.
        sides = tf.strings.substr(frame, 16, 8)
        return tf.io.decode_raw(sides, tf.int32, little_endian=False)[::-1]

    is_jpeg = tf.strings.substr(frame, 0, 3) == _JPEG
    return tf.cond(is_jpeg, lambda: _jpeg_size(frame), png_size)


def decode_crop(
    encoded: tf.Tensor, jpeg: bool, size: tuple[int, int], seed: tf.Tensor
) -> tf.Tensor:
    """Decodes as the paper does: scaled to just cover `size`, then cropped.

    For square clips that is the short side to that size, and a random square.
    Frames that just cover it as stored are not resized, and of a JPEG then
    only the crop is decoded.

    Args:
        encoded: string [T], JPEG or PNG frames of one size.
        jpeg: whether all are JPEG.
        size: (height, width) of the clip in pixels.
        seed: int32 [2], which draws the place of the crop.

    Returns:
        uint8 [T, *size, 3].
    """
    if not jpeg:
        video = decode(encoded)
        video = tf.cond(
            just_covers(tf.shape(video)[1:3], size),
            lambda: video,
            lambda: resize_to_cover(video, size),
        )
        return clips.random_crop(video, size, seed)
    stored = tf.io.extract_jpeg_shape(encoded[0])[:2]
    return tf.cond(
        just_covers(stored, size),
        lambda: _decode_part(encoded, stored, size, seed),
        lambda: clips.random_crop(
            resize_to_cover(decode(encoded), size), size, seed
        ),
    )


def decode_squash(encoded: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Decodes frames and resizes both sides to those of the clip.

    Args:
        encoded: string [T], JPEG or PNG frames of one size.
        size: (height, width) of the clip in pixels.

    Returns:
        uint8 [T, *size, 3].
    """
    video = decode(encoded)
    video = tf.cond(
        tf.reduce_all(tf.shape(video)[1:3] == size),
        lambda: video,
        lambda: resize(video, size),
    )
    return tf.ensure_shape(video, [encoded.shape[0], *size, 3])


def decode(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes whole frames, grey ones as RGB.

    Args:
        encoded: string [T], JPEG or PNG frames of one size.

    Returns:
        uint8 [T, H, W, 3].
    """
    # One decoder for both formats; a JPEG's transform is the exact one.
    return tf.stack(
        [
            tf.io.decode_jpeg(frame, 3, dct_method="INTEGER_ACCURATE")
            for frame in tf.unstack(encoded)
        ]
    )


def just_covers(stored: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Whether frames are as large as `size`, and one side is no larger."""
    larger = stored - tf.constant(size)
    return tf.reduce_min(larger) == 0


def _decode_part(encoded, stored, size, seed):
    top, left = clips.random_corner(stored[0], stored[1], size, seed)
    part = tf.stack([top, left, *size])
    # The exact transform and smooth chroma cost no time that can be measured.
    video = tf.stack(
        [
            tf.io.decode_and_crop_jpeg(
                frame, part, 3, dct_method="INTEGER_ACCURATE"
            )
            for frame in tf.unstack(encoded)
        ]
    )
    return tf.ensure_shape(video, [None, *size, 3])


def resize_to_cover(video: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Resizes, keeping the shape, to the least that covers `size`.

    Args:
        video: uint8 [T, H, W, 3].
        size: (height, width) in pixels.

    Returns:
        uint8 [T, h, w, 3], h or w as in `size` and the other no less.
    """
    stored = tf.shape(video)[1:3]
    height, width = size
    # The side that is scaled most: exactly to that of `size`.
    side, target = tf.cond(
        stored[0] * width <= stored[1] * height,
        lambda: (stored[0], height),
        lambda: (stored[1], width),
    )
    # Rounded to the nearest.
    return resize(video, (2 * stored * target + side) // (2 * side))


def resize(video: tf.Tensor, size: Any) -> tf.Tensor:
    """Resizes bilinearly, averaging over all pixels where it shrinks.

    Args:
        video: uint8 [T, H, W, 3].
        size: height and width in pixels.

    Returns:
        uint8 [T, *size, 3].
    """
    video = tf.image.resize(video, size, antialias=True)
    return tf.saturate_cast(tf.round(video), tf.uint8)
