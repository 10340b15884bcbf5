"""Frames of clips that are stored as pictures or as an array, not as video.

FFmpeg reads videos; it takes a strip of frames for a picture, and has no
decoder for animated WebP.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageOps

from dvdgan_tf.arrays import open_npy
from dvdgan_tf.video.opening import (
    MAX_PIXELS,
    CannotReadError,
    UnreadableVideoError,
)
from dvdgan_tf.video.reading import TimedFrame

# Frames of a clip that is a folder; by contents, these and no others.
PICTURES = (".jpg", ".jpeg", ".png")
_FORMATS = ("JPEG", "PNG")

# In a PNG file, how many frames it has from left to right.
STRIP_FRAMES = "strip_frames"

# Of an animated WebP a frame lasts so many times as long as the shortest one,
# at most.
_MOST_REPEATS = 600

# Pictures have no times: without a rate this is what video files without one
# get, too.
_DEFAULT_FPS = 25.0


def is_stills(path: str, part: int | None) -> bool:
    """Whether a clip is read by this module and not as a video file.

    Args:
        path: folder of pictures, strip, animated WebP, array or video file.
        part: number of the clip in an array; None for all else.
    """
    return part is not None or os.path.isdir(path) or bool(_kind(path))


def _kind(path):
    """Whether a file is a "strip" or "webp"; None if it is neither."""
    try:
        if not os.path.isfile(path):  # A named pipe would wait for its writer.
            return None
        with open(path, "rb") as file:
            head = file.read(12)
        if head[:4] + head[8:] == b"RIFFWEBP":
            return "webp"
        if head.startswith(b"\x89PNG"):
            with Image.open(path, formats=["PNG"]) as image:
                return "strip" if STRIP_FRAMES in image.info else None
    except Exception:
        # Opening it again, as a video, says what is wrong.
        return None
    return None


def read_timed_frames(
    path: str,
    part: int | None = None,
    size: Callable | None = None,
    fps: float | None = None,
) -> Iterator[TimedFrame]:
    """Reads the frames of a folder of pictures, or one clip of an array.

    Every frame is kept: `fps` only says how fast they are shown.

    Args:
        path: folder whose .jpg and .png files are the frames, in the natural
            order of their names (2 before 10); a PNG file of frames from left
            to right that says how many (`writing.write_png`); an animated
            WebP, whose frames are repeated for as long as they last; or a
            .npy file of uint8 [frames, clips, height, width].
        part: number of the clip in the array; None for all else.
        size: function from the first frame's (height, width) to that of all
            frames; None keeps it, and refuses frames of other sizes.
        fps: frames per second; 25 if None.

    Yields:
        `TimedFrame`s with uint8 RGB [height, width, 3], all of one size.

    Raises:
        CannotReadError: reading failed for no fault of the files.
        UnreadableVideoError: there is no frame, or the next one is damaged.
    """
    nominal = float(fps or _DEFAULT_FPS)
    target = None
    for number, image in enumerate(_images(path, part)):
        shape = image.height, image.width
        if target is None:
            target = size(*shape) if size else shape
        if shape != target and not size:
            raise UnreadableVideoError(
                path,
                f"frame {number} has {shape[0]} x {shape[1]} pixels, the first "
                f"one {target[0]} x {target[1]}",
            )
        if shape != target:
            # Pillow widens the kernel where it shrinks, so nothing aliases.
            image = image.resize(target[::-1], Image.Resampling.BILINEAR)
        yield TimedFrame(np.asarray(image), number / nominal, nominal)


def check_frames(path: str, part: int | None = None) -> Iterator[int]:
    """Decodes like `read_timed_frames` and yields how many frames are good."""
    for count, _ in enumerate(_images(path, part), start=1):
        yield count


def frame_names(names: list[str]) -> list[str]:
    """The pictures among names of files, in their natural order."""
    return sorted(
        (name for name in names if name.lower().endswith(PICTURES)),
        key=natural_key,
    )


def natural_key(name: str) -> tuple:
    """A key that sorts 2 before 10."""
    # Digits are at the odd places, so that like is compared with like.
    parts = re.split(r"([0-9]+)", name)
    key = [int(p) if i % 2 else p for i, p in enumerate(parts)]
    return (*key, name)


def clips_of_array(path: str) -> int:
    """How many clips an array has.

    Args:
        path: path of a .npy file.

    Raises:
        ValueError: it is not uint8 [frames, clips, height, width].
    """
    return _array(path).shape[1]


def _images(path, part):
    if part is not None:
        images = _slices(path, part)
    else:
        readers = {"strip": _strip, "webp": _animation, None: _pictures}
        images = readers[None if os.path.isdir(path) else _kind(path)](path)
    try:
        yield from images
    except Image.UnidentifiedImageError as error:
        raise UnreadableVideoError(path, "it is no whole picture") from error
    except (OSError, ValueError, SyntaxError, IndexError, MemoryError) as error:
        number = getattr(error, "errno", None)
        kinds = (FileNotFoundError, PermissionError, NotADirectoryError)
        words = getattr(error, "strerror", None) or str(error)
        words = " ".join(words.split()) or type(error).__name__
        if number is not None and not isinstance(error, kinds):
            raise CannotReadError(path, words) from error
        raise UnreadableVideoError(path, words) from error


def _pictures(path):
    names = [name for name in os.listdir(path) if not name.startswith(".")]
    frames = frame_names(names)
    if not frames:
        raise ValueError("Is a directory without .jpg or .png pictures")
    for name in frames:
        file = os.path.join(path, name)
        # A named pipe would wait for its writer.
        if not stat.S_ISREG(os.stat(file).st_mode):
            raise ValueError(f"{name!r} is not a regular file")
        try:
            with Image.open(file, formats=_FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ValueError(f"{name!r} has too many pixels")
                yield _rgb(ImageOps.exif_transpose(image))
        except Image.UnidentifiedImageError:
            raise ValueError(f"{name!r} is no JPEG or PNG picture") from None
        except Image.DecompressionBombError:
            raise ValueError(f"{name!r} has too many pixels") from None
        except (OSError, SyntaxError) as error:
            # Pillow says so, without a number, where a picture is damaged.
            if getattr(error, "errno", None) is None:
                raise ValueError(f"{name!r}: {error}") from error
            raise


def _strip(path):
    with Image.open(path, formats=["PNG"]) as image:
        _check_pixels(image)
        text = str(image.info[STRIP_FRAMES])
        count = int(text) if text.isdecimal() and len(text) < 6 else 0
        if not count or image.width % count:
            raise ValueError(
                f"a strip of {image.width} pixels cannot have {text[:20]!r} "
                "frames"
            )
        whole, side = _rgb(image), image.width // count
    for left in range(0, whole.width, side):
        yield whole.crop((left, 0, left + side, whole.height))


def _animation(path):
    with Image.open(path, formats=["WEBP"]) as image:
        _check_pixels(image)
        if getattr(image, "n_frames", 1) < 2:
            raise ValueError("it is a picture, no video")
        # Encoders make equal frames one that lasts longer.
        durations = []
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            durations.append(max(1, image.info.get("duration") or 1))
        for number, duration in enumerate(durations):
            image.seek(number)
            frame = _rgb(image)
            repeats = round(duration / min(durations))
            for _ in range(min(repeats, _MOST_REPEATS)):
                yield frame


def _check_pixels(image):
    if image.width * image.height > MAX_PIXELS:
        raise ValueError("it has too many pixels")


def _rgb(image):
    if image.mode.startswith("I"):  # 16 bits a pixel
        high = np.asarray(image, np.int32) >> 8
        image = Image.fromarray(np.clip(high, 0, 255).astype(np.uint8))
    return image.convert("RGB")


def _slices(path, part):
    for frame in _array(path)[:, part]:
        yield Image.fromarray(np.ascontiguousarray(frame)).convert("RGB")


def _array(path):
    wanted = "uint8 [frames, clips, height, width]"
    array = open_npy(path)
    if array.ndim != 4:
        raise ValueError(f"{path!r} must be {wanted}")
    if array.dtype != np.uint8 or 0 in array.shape:
        raise ValueError(
            f"{path!r} must be {wanted}. Received: {array.dtype} "
            f"{list(array.shape)}"
        )
    if array.shape[2] * array.shape[3] > MAX_PIXELS:
        raise ValueError(f"the frames of {path!r} have too many pixels")
    return array
