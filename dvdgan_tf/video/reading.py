"""Frames out of video files of any kind, with their times (PyAV)."""

import contextlib
import errno
import math
import os
import stat
import types
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

# Bilinear, whose kernel swscale widens when it shrinks a frame, so nothing
# aliases. Without the other flags its fast path turns white into 253.
_BILINEAR = (
    Interpolation.BILINEAR
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.ACCURATE_RND
)

# 8K. A header of some bytes can ask for far more, and the decoder obeys.
MAX_PIXELS = 8192 * 4320

# A playlist that is named like a video must not open other files or hosts:
# no protocol has this name. The file itself is read by Python.
_OPTIONS = {"protocol_whitelist": "none"}

# Rates outside of the range are nonsense: 1000 is what containers that count
# in 1/1000 s say where they know nothing.
_DEFAULT_FPS, _MIN_FPS, _TOO_MANY_FPS = 25.0, 1.0, 1000.0

# Control characters that are in no text.
_BINARY = set(range(32)) - set(b"\t\n\f\r\x1b")

# What damaged files make PyAV raise; IndexError where a stream appears late.
_ERRORS = (av.FFmpegError, OSError, ValueError, IndexError, MemoryError)

# What the system says where the file is not at fault: a drive that fails or is
# gone, too many open files, too little memory. FFmpeg uses these numbers, too,
# but for damage; such an error is an av.FFmpegError.
_MACHINE_ERRNOS = {
    *(errno.EIO, errno.EREMOTEIO, errno.ESTALE, errno.ENOTCONN),
    *(errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
}

# What HEIF files (AVIF, HEIC) of one picture say that they are, ISO 23008-12.
_PICTURE_BRANDS = {"avif", "heic", "heix", "mif1"}

# No frame is shown for longer: time stamps may jump by hours.
_LONGEST_S = 1.0

# Containers round time stamps, most of them to 1/1000 s or 1/600 s.
_ROUNDING_S = 0.002

# A claimed rate this near to the measured one is right: old AVI files lose a
# frame or two to guessed times. 24 and 25 fps are 4 % apart.
_AGREEMENT = 0.03


class UnreadableVideoError(ValueError):
    """A file is no video, or damaged from here on.

    Attributes:
        reason: why, in words that leave out the file's name.
    """

    def __init__(self, path, reason):
        super().__init__(
            f"Cannot decode {os.fspath(path)!r} ({reason}); check the file or "
            "leave it out."
        )
        self.reason = reason


class CannotReadError(OSError):
    """This machine fails to read a file that may be in order.

    Attributes:
        reason: why, in words that leave out the file's name.
    """

    def __init__(self, path, reason):
        super().__init__(
            f"Cannot read {os.fspath(path)!r} ({reason}), which is trouble of "
            "this machine or of its drives; try again, or leave the file out."
        )
        self.reason = reason


class TimedFrame(NamedTuple):
    """A frame of a video.

    Attributes:
        pixels: uint8 RGB [height, width, 3].
        time: seconds since the first frame, never less than the one before.
        nominal_fps: the frames per second asked for, or else those that the
            file claims; see `average_fps`.
    """

    pixels: np.ndarray
    time: float
    nominal_fps: float


def read_frames(path, size=None, fps=None):
    """Decodes the first video stream of a file, frame by frame.

    Cover art is not a video stream. Frames are turned as the file asks its
    players to turn them, in steps of 90 degrees. Headers are not believed:
    the frames are those that decode. Some files that were cut off end early
    without an error, others raise after the frames that were readable; the
    caller decides what those are worth. Damaged frames at the beginning, as
    in recordings, are left out.

    Args:
        path: any file that PyAV decodes.
        size: target (height, width) in pixels, or a function from the first
            frame's (height, width), after turning, to the target; None keeps
            the first frame's.
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


def read_timed_frames(path, size=None, fps=None):
    """Decodes like `read_frames`, which see, and tells the frames' times.

    With `fps`, frame k is the last whose time is at most k / fps after the
    first one's. Where time stamps are missing or repeated, time goes on by
    the stream's average rate; where they jump back it goes on from there,
    and where they jump ahead the frame before lasts one second.

    Args:
        path: see `read_frames`.
        size: see `read_frames`.
        fps: see `read_frames`.

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
    with _video(path) as (container, stream):
        nominal = _claimed_fps(stream)
        frames = _readable(container, stream, damage)
        frames = _timed(frames, stream.time_base, 1 / nominal)
        if fps is not None:
            frames = _resampled(frames, fps, 1 / nominal)
            nominal = float(fps)
        for pixels, time in _resized(frames, size):
            yield TimedFrame(pixels, time, nominal)
        if damage:
            raise damage[0]


def check_frames(path):
    """Decodes like `read_frames`, which see, but looks at no pixel.

    Args:
        path: see `read_frames`.

    Yields:
        The number of frames decoded so far.

    Raises:
        FileNotFoundError: there is no such file.
        CannotReadError: see `read_frames`.
        UnreadableVideoError: see `read_frames`.
    """
    damage = []
    with _video(path) as (container, stream):
        frames = _readable(container, stream, damage)
        for count, _ in enumerate(frames, start=1):
            yield count
        if damage:
            raise damage[0]


def average_fps(num_frames, span, nominal_fps):
    """Frames per second of a run of frames.

    Args:
        num_frames: in the run.
        span: seconds from its first frame to its last.
        nominal_fps: what the file claims, taken where the times agree up to
            their rounding, or where there is but one frame.

    Returns:
        A float above 0.
    """
    claimed = (num_frames - 1) / nominal_fps  # seconds
    agrees = abs(span - claimed) <= _ROUNDING_S + _AGREEMENT * span
    if agrees or span * _TOO_MANY_FPS <= num_frames - 1:
        return nominal_fps
    return (num_frames - 1) / span


@contextlib.contextmanager
def _video(path):
    try:
        with (
            open(path, "rb", 0, opener=_without_waiting) as file,
            _container(file) as container,
        ):
            yield container, _first_stream(container)
    except _ERRORS as error:
        if isinstance(error, FileNotFoundError):
            raise FileNotFoundError(
                f"There is no video file {os.fspath(path)!r}; check its name."
            ) from error
        if _is_the_machines(error):
            raise CannotReadError(path, _words(error)) from error
        raise UnreadableVideoError(path, _words(error)) from error


def _is_the_machines(error):
    return (
        isinstance(error, OSError)
        and not isinstance(error, av.FFmpegError)
        and error.errno in _MACHINE_ERRNOS
    )


def _without_waiting(path, flags):
    # For a writer, where the file is a named pipe.
    return os.open(path, flags | os.O_NONBLOCK)


def _container(file):
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is not a regular file")
    if not status.st_size:
        raise ValueError("it is empty, 0 bytes")
    # Without the name: its ending would turn plain text into video.
    nameless = types.SimpleNamespace(
        read=file.read, seek=file.seek, tell=file.tell
    )
    try:
        # Some real files carry metadata that is not UTF-8.
        return av.open(nameless, metadata_errors="ignore", options=_OPTIONS)
    except av.FFmpegError as error:
        file.seek(0)
        # Of text in any encoding: a web page or a pointer to large files.
        if not _BINARY & set(file.read(1024)):
            raise ValueError("it is text, no video") from error
        raise ValueError(
            f"it is no video file, or its header is damaged ({_words(error)})"
        ) from error


def _first_stream(container):
    # FFmpeg takes a picture for a video of one frame, whatever its name.
    brand = container.metadata.get("major_brand", "")
    if container.format.name.endswith("_pipe") or brand in _PICTURE_BRANDS:
        raise ValueError("it is a picture, no video")
    streams = container.streams.video
    if not streams:
        raise ValueError(
            "it holds no video, only audio"
            if container.streams.audio
            else "it holds no video"
        )
    cover = av.stream.Disposition.attached_pic
    streams = [s for s in streams if not s.disposition & cover]
    if not streams:
        raise ValueError("it holds no video, only audio and its cover")
    # No context where there is no decoder.
    streams = [s for s in streams if s.codec_context]
    if not streams:
        raise ValueError("there is no decoder for its video")
    context = streams[0].codec_context
    # Many files are decoded at once, so one thread for each.
    context.thread_count = 1
    context.options = {"max_pixels": str(MAX_PIXELS)}
    return streams[0]


def _claimed_fps(stream):
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and _MIN_FPS <= rate < _TOO_MANY_FPS:
            return float(rate)
    return _DEFAULT_FPS


def _readable(container, stream, damage):
    started = False
    frames = container.decode(stream)
    while True:
        try:
            frame = next(frames, None)
        except _ERRORS as error:
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


def _stamped(frames):
    # As FFmpeg guesses: AVI knows only the order of decoding, and where the
    # presentation times made up for it go back more often, that is better.
    faults = {"pts": 0, "dts": 0}
    last = {}
    for frame in frames:
        stamps = {"pts": frame.pts, "dts": frame.dts}
        for kind, stamp in stamps.items():
            if stamp is not None:
                faults[kind] += stamp <= last.get(kind, -math.inf)
                last[kind] = stamp
        best = sorted(stamps, key=faults.get)  # stable, so pts if in doubt
        yield (
            frame,
            next((stamps[k] for k in best if stamps[k] is not None), None),
        )


def _timed(frames, time_base, period):
    time, offset, last = -period, 0.0, None
    for frame, ticks in _stamped(frames):
        stamp = None if ticks is None else float(ticks * time_base)
        if stamp is None or stamp == last:
            time += period
        elif last is None or stamp < last or stamp + offset < time - _LONGEST_S:
            time += period
            offset = time - stamp
        elif stamp + offset > time + _LONGEST_S:
            time += _LONGEST_S
            offset = time - stamp
        else:
            # Where guessed times ran a little ahead, they wait.
            time = max(time, stamp + offset)
        last = last if stamp is None else stamp
        yield frame, time


def _resampled(frames, fps, period):
    tolerance = min(_ROUNDING_S, 0.25 / fps)
    shown, time, index = None, 0.0, 0
    for count, (frame, time) in enumerate(frames):
        while shown and index / fps + tolerance < time:
            yield shown, index / fps
            index += 1
        shown = frame
        # The last frame lasts as long as frames do on average.
        period = time / count if count else period
    while shown and index / fps + tolerance < time + period:
        yield shown, index / fps
        index += 1


def _resized(frames, size):
    reformatter = VideoReformatter()
    target = source = None
    for frame, time in frames:
        if frame is not source:
            turns = round(frame.rotation / 90) % 4  # counterclockwise
            if target is None:
                shape = (frame.height, frame.width)[:: -1 if turns % 2 else 1]
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


def _words(error):
    words = getattr(error, "strerror", None) or str(error)
    return " ".join(words.split()) or type(error).__name__
