"""Frames out of video files of any kind, with their times (PyAV)."""

import math
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from dvdgan_tf.video import time_stamps
from dvdgan_tf.video.deinterlacing import deinterlaced
from dvdgan_tf.video.opening import ERRORS, opened

# What (height, width) frames are resized to, from those of the first.
Size = tuple[int, int] | Callable[[int, int], tuple[int, int]] | None

# Bilinear, whose kernel swscale widens when it shrinks a frame, so nothing
# aliases. Without the other flags its fast path turns white into 253.
_BILINEAR = (
    Interpolation.BILINEAR
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.ACCURATE_RND
)


# How often one side of a pixel may be the other.
_MOST_OBLONG = 4


class TimedFrame(NamedTuple):
    """A frame of a video.

    Attributes:
        pixels: uint8 RGB [height, width, 3].
        time: seconds since the first frame, never less than the one before.
        nominal_fps: the frames per second asked for, or else those that the
            file claims; see `time_stamps.average_fps`.
    """

    pixels: np.ndarray
    time: float
    nominal_fps: float


def read_frames(
    path: str | os.PathLike, size: Size = None, fps: float | None = None
) -> Iterator[np.ndarray]:
    """Decodes the first video stream of a file, frame by frame.

    Cover art is not a video stream. Frames are shown as the file asks its
    players to show them: turned in steps of 90 degrees, wider or higher where
    pixels are not square, and deinterlaced. Headers are not believed: the
    frames are those that decode. Some files that were cut off end early
    without an error, others raise after the frames that were readable; the
    caller decides what those are worth. Damaged frames at the beginning, as
    in recordings, are left out.

    Args:
        path: path of a file that PyAV decodes.
        size: target (height, width) in pixels, or a function from the first
            frame's (height, width), with square pixels and after turning, to
            the target; None keeps the first frame's.
        fps: frames per second to resample to by time stamps, by repeating
            and leaving out frames; None keeps every frame that decodes.

    Yields:
        Frames, uint8 RGB [height, width, 3], all of one size. Repeated ones
        are the same array.

    Raises:
        FileNotFoundError: there is no such file.
        CannotReadError: reading failed for no fault of the file; an OSError.
        UnreadableVideoError: the file is no video, or damaged from here on;
            a ValueError.
    """
    for frame in read_timed_frames(path, size, fps):
        yield frame.pixels


def read_timed_frames(
    path: str | os.PathLike, size: Size = None, fps: float | None = None
) -> Iterator[TimedFrame]:
    """Decodes like `read_frames` and tells the frames' times.

    With `fps`, frame k is the last whose time is at most k / fps after the
    first one's. Where time stamps are missing or repeated, time goes on by
    the stream's average rate; where they jump back it goes on from there,
    and where they jump ahead by hours the frame before lasts one second. The
    last frame lasts as long as the file says, or as others on average.

    Args:
        path: path of the file, as `read_frames` takes it.
        size: size of the frames, as `read_frames` takes it.
        fps: frames per second, as `read_frames` takes it.

    Yields:
        `TimedFrame`s.

    Raises:
        FileNotFoundError: there is no such file.
        CannotReadError: see `read_frames`.
        UnreadableVideoError: see `read_frames`.
    """
    if fps is not None and not 0 < fps < math.inf:
        raise ValueError(f"fps must be above 0 and finite. Received: {fps}.")
    # What is wrong is said behind the last frame, not instead of it.
    damage = []
    with opened(path) as (container, stream):
        nominal = time_stamps.claimed_fps(stream)
        frames = _readable(container, stream, damage)
        longest = time_stamps.longest_s(container)
        frames = time_stamps.timed(
            frames, stream.time_base, 1 / nominal, longest
        )
        frames = deinterlaced(frames)
        if fps is not None:
            frames = time_stamps.resampled(frames, fps, 1 / nominal, longest)
            nominal = float(fps)
        for pixels, time in _resized(frames, size, _pixel_shape(stream)):
            yield TimedFrame(pixels, time, nominal)
        if damage:
            raise damage[0]


def check_frames(path: str | os.PathLike) -> Iterator[int]:
    """Decodes like `read_frames`, but looks at no pixel.

    Args:
        path: path of the file, as `read_frames` takes it.

    Yields:
        The number of frames decoded so far.

    Raises:
        FileNotFoundError: there is no such file.
        CannotReadError: see `read_frames`.
        UnreadableVideoError: see `read_frames`.
    """
    damage = []
    with opened(path) as (container, stream):
        frames = _readable(container, stream, damage)
        for count, _ in enumerate(frames, start=1):
            yield count
        if damage:
            raise damage[0]


def _readable(container, stream, damage):
    started = False
    frames = container.decode(stream)
    while True:
        try:
            frame = next(frames, None)
        except ERRORS as error:
            damage.append(error)
            return
        if frame is None:
            return
        if not frame.is_corrupt:
            started = True
            yield frame
        elif started:
            damage.append(ValueError("a frame is damaged"))
            return


def _pixel_shape(stream):
    """By what to multiply height and width, so that pixels become square."""
    ratio = stream.sample_aspect_ratio
    # Real ones are from 0.6 to 2.7; others are mistakes.
    if not ratio or not 1 / _MOST_OBLONG <= ratio <= _MOST_OBLONG:
        return 1, 1
    # Never fewer pixels than are stored.
    return max(1, 1 / ratio), max(1, ratio)


def _resized(frames, size, pixel_shape):
    reformatter = VideoReformatter()
    target = source = None
    for frame, time in frames:
        if frame is not source:
            turns = round(frame.rotation / 90) % 4  # counterclockwise
            if target is None:
                sides = (frame.height, frame.width)
                sides = [
                    round(side * factor)
                    for side, factor in zip(sides, pixel_shape, strict=True)
                ]
                shape = tuple(sides[:: -1 if turns % 2 else 1])
                target = size(*shape) if callable(size) else size or shape
            # Turned after resizing, when the frame is small.
            height, width = target[:: -1 if turns % 2 else 1]
            resized = reformatter.reformat(
                frame,
                width,
                height,
                "rgb24",
                interpolation=_BILINEAR,
                threads=1,
            )
            source, pixels = frame, np.rot90(resized.to_ndarray(), turns)
        yield pixels, time
