"""From encoded frames to a clip of the resolution that is trained at.

Pure functions in TensorFlow ops; integers until a resize, and after it.
"""

import tensorflow as tf

from dvdgan_tf.data import clips

# How files of these formats begin.
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PN"
# Of all decoded frames of a clip; and how often one side may be the other.
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
    """The same of a JPEG or PNG image; those of others mean nothing."""

    def png_size():
        # The first chunk begins with width and height.
        sides = tf.strings.substr(frame, 16, 8)
        return tf.io.decode_raw(sides, tf.int32, little_endian=False)[::-1]

    is_jpeg = tf.strings.substr(frame, 0, 3) == _JPEG
    return tf.cond(is_jpeg, lambda: _jpeg_size(frame), png_size)


def decode_crop(encoded, jpeg, resolution, seed):
    """The paper's: short side to `resolution`, random square of the rest.

    Frames whose short side is `resolution` as stored are not resized, and of
    a JPEG then only the square is decoded.

    Args:
        encoded: string [T], JPEG or PNG frames of one size.
        jpeg: whether all are JPEG.
        resolution: height and width of the clip in pixels.
        seed: int32 [2], of the square.

    Returns:
        uint8 [T, resolution, resolution, 3].
    """
    if not jpeg:
        video = decode(encoded)
        video = tf.cond(
            tf.reduce_min(tf.shape(video)[1:3]) == resolution,
            lambda: video,
            lambda: resize_short_side(video, resolution),
        )
        return clips.random_square_crop(video, resolution, seed)
    size = tf.io.extract_jpeg_shape(encoded[0])[:2]
    return tf.cond(
        tf.reduce_min(size) == resolution,
        lambda: _decode_square(encoded, size, resolution, seed),
        lambda: clips.random_square_crop(
            resize_short_side(decode(encoded), resolution), resolution, seed
        ),
    )


def decode_squash(encoded, resolution):
    """Both sides to `resolution`.

    Args:
        encoded: string [T], JPEG or PNG frames of one size.
        resolution: height and width of the clip in pixels.

    Returns:
        uint8 [T, resolution, resolution, 3].
    """
    video = decode(encoded)
    video = tf.cond(
        tf.reduce_all(tf.shape(video)[1:3] == resolution),
        lambda: video,
        lambda: resize(video, [resolution, resolution]),
    )
    return tf.ensure_shape(video, [encoded.shape[0], resolution, resolution, 3])


def decode(encoded):
    """Whole frames, gray ones as RGB.

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


def _decode_square(encoded, size, resolution, seed):
    top, left = clips.random_square(size[0], size[1], resolution, seed)
    square = tf.stack([top, left, resolution, resolution])
    # The exact transform and smooth chroma cost no time that can be measured.
    video = tf.stack(
        [
            tf.io.decode_and_crop_jpeg(
                frame, square, 3, dct_method="INTEGER_ACCURATE"
            )
            for frame in tf.unstack(encoded)
        ]
    )
    return tf.ensure_shape(video, [None, resolution, resolution, 3])


def resize_short_side(video, resolution):
    """Resizes, keeping the shape, so that the shorter side is `resolution`.

    Args:
        video: uint8 [T, H, W, 3].
        resolution: length of the shorter side in pixels.

    Returns:
        uint8 [T, h, w, 3], the lesser of h and w being `resolution`.
    """
    size = tf.shape(video)[1:3]
    short = tf.reduce_min(size)
    # Rounded to the nearest.
    return resize(video, (2 * size * resolution + short) // (2 * short))


def resize(video, size):
    """Bilinear, averaging over all pixels where it shrinks.

    Args:
        video: uint8 [T, H, W, 3].
        size: height and width in pixels.

    Returns:
        uint8 [T, *size, 3].
    """
    video = tf.image.resize(video, size, antialias=True)
    return tf.saturate_cast(tf.round(video), tf.uint8)
