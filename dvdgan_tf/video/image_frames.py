"""Frames out of numbered image files, PNG or JPEG."""

import os
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from dvdgan_tf.video.opening import MAX_PIXELS, UnreadableVideoError
from dvdgan_tf.video.reading import TimedFrame

# Image files say nothing of time.
_FPS = 25.0


def read_images(paths: Sequence[str]) -> Iterator[TimedFrame]:
    """Decodes image files, each to one frame.

    Args:
        paths: image files, in the order of the frames.

    Yields:
        `TimedFrame`s at 25 frames per second, all of one size.

    Raises:
        UnreadableVideoError: a file is no image, is damaged, is too large, or
            has another size than the first.
    """
    shape = None
    for number, path in enumerate(paths):
        name = os.path.basename(path)
        try:
            pixels = _decoded(path)
        # Whatever a file makes the library raise is that file's fault.
        except Exception as error:
            raise UnreadableVideoError(
                path, f"{name}: {_words(error)}"
            ) from error
        shape = shape or pixels.shape
        if pixels.shape != shape:
            raise UnreadableVideoError(
                path,
                f"{name}: it has {pixels.shape[0]} x {pixels.shape[1]} pixels, "
                f"the first frame {shape[0]} x {shape[1]}",
            )
        yield TimedFrame(pixels, number / _FPS, _FPS)


def _decoded(path):
    with Image.open(path, formats=("PNG", "JPEG")) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ValueError(f"its {height} x {width} pixels are too many")
        return np.asarray(image.convert("RGB"))


def _words(error):
    if isinstance(error, Image.UnidentifiedImageError):
        return "it is no PNG or JPEG file, or its header is damaged"
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return " ".join(str(error).split()) or type(error).__name__
