"""Opens video files, and says in words what is wrong with them."""

import contextlib
import errno
import os
import stat
import types
from collections.abc import Iterator

import av

# 8K. A header of some bytes can ask for far more, and the decoder obeys.
MAX_PIXELS = 8192 * 4320

# A playlist that is named like a video must not open other files or hosts:
# no protocol has this name. The file itself is read by Python.
_OPTIONS = {"protocol_whitelist": "none"}

# Control characters that are in no text.
_BINARY = set(range(32)) - set(b"\t\n\f\r\x1b")

# What damaged files make PyAV raise; IndexError where a stream appears late.
ERRORS = (av.FFmpegError, OSError, ValueError, IndexError, MemoryError)

# What the system says where the file is not at fault: a drive that fails or is
# gone, too many open files, too little memory. FFmpeg uses these numbers, too,
# but for damage; such an error is an av.FFmpegError.
_MACHINE_ERRNOS = {
    *(errno.EIO, errno.EREMOTEIO, errno.ESTALE, errno.ENOTCONN),
    *(errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
}

# What HEIF files (AVIF, HEIC) of one picture say that they are, ISO 23008-12.
_PICTURE_BRANDS = {"avif", "heic", "heix", "mif1"}


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


@contextlib.contextmanager
def opened(
    path: str | os.PathLike,
) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """Opens a file for the decoding of its first video stream, in a context.

    Args:
        path: path of a file that PyAV decodes.

    Returns:
        The container, and its first video stream that is no cover.

    Raises:
        FileNotFoundError: there is no such file.
        CannotReadError: reading failed for no fault of the file, here or in
            the body of the context.
        UnreadableVideoError: the file is no video, or the body of the context
            raised one of `ERRORS`.
    """
    try:
        with (
            open(path, "rb", 0, opener=_without_waiting) as file,
            _container(file) as container,
        ):
            yield container, _first_stream(container)
    except ERRORS as error:
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
        # Text in any encoding: a web page, or a pointer to a large file.
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


def _words(error):
    words = getattr(error, "strerror", None) or str(error)
    return " ".join(words.split()) or type(error).__name__
