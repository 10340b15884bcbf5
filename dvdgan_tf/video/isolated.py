"""Decoding of untrusted video files, in a process that may crash or hang."""

import dataclasses
import os
import time
from collections.abc import Iterator
from typing import Any

from dvdgan_tf.video.decode_process import DecodeProcess, DiedError
from dvdgan_tf.video.opening import CannotReadError

# A record of TFDS is a message of Protocol Buffers, which ends at 2 GiB, and
# lies in memory some five times while it is made.
_MAX_PIECE_BYTES = 1 << 28

_KILLED_TWICE = (
    "the decoder was killed twice, by the system: too little memory?"
)


@dataclasses.dataclass(frozen=True)
class Piece:
    """A run of consecutive frames of one video.

    Attributes:
        frames: list of bytes, one JPEG file (RGB, chroma 4:2:0) a frame, or
            the pixels themselves, RGB row by row.
        start: number of the first frame in the video as resampled.
        fps: frames per second.
        height: height of the frames in pixels.
        width: width of the frames in pixels.
    """

    frames: list
    start: int
    fps: float
    height: int
    width: int


class IsolatedDecoder:
    """Decodes video files, one after the other, in a process of its own.

    A context manager. The process is started with the first file, again when
    it died, and ends with its parent, however that ends. Not for use from
    several threads.

    Attributes:
        reason: why the file read last was skipped or cut short, as a short
            sentence without the file's name; None where it was not. Set when
            `pieces` ends.
    """

    def __init__(
        self,
        short_side: int | None,
        fps: float | None = None,
        quality: int | None = 95,
        damaged: str = "keep_readable",
        min_frames: int = 1,
        max_frames_per_piece: int = 600,
        time_limit_s: float = 60,
        size: tuple[int, int] | None = None,
        cover: tuple[int, int] | None = None,
        max_frames: int | None = None,
        file_limit_s: float = float("inf"),
    ) -> None:
        """Starts nothing yet.

        Args:
            short_side: the frames' shorter side in pixels, the other one
                follows; None keeps the files' sizes.
            fps: frames per second to resample to; None keeps all frames.
            quality: JPEG quality of the frames, 1 to 100; None for their
                pixels as they were decoded.
            damaged: what becomes of a file that is damaged in the middle:
                "keep_readable" keeps what comes before the damage, "drop" keeps
                nothing. With "drop", each file is decoded twice, first to check
                it. That takes longer, but neither memory nor disk, however long
                the video is. Some formats, Matroska among them, do not show
                that a file was cut off; such a file is just shorter.
            min_frames: number of frames, readable and resampled, below which a
                file is skipped; at most `max_frames_per_piece`.
            max_frames_per_piece: number of frames in a piece. The last piece
                has fewer, and so have those whose JPEG files reach 256 MiB
                before.
            time_limit_s: seconds without a frame, or while checking without
                progress, until a file is given up.
            size: (height, width) of the frames, instead of `short_side`.
            cover: (height, width) that the frames are to cover, instead of
                `short_side`: they keep their shape, and are no larger than
                they must be.
            max_frames: number of frames after which a file is left alone;
                None reads all of it.
            file_limit_s: seconds until a file is given up, whatever progress
                there is.

        Raises:
            ValueError: an argument is out of its range.
        """
        _check(short_side is None or short_side >= 1, short_side=short_side)
        _check(fps is None or 0 < fps < float("inf"), fps=fps)
        _check(quality is None or 1 <= quality <= 100, quality=quality)
        _check(damaged in ("keep_readable", "drop"), damaged=damaged)
        _check(
            1 <= min_frames <= max_frames_per_piece,
            min_frames=min_frames,
            max_frames_per_piece=max_frames_per_piece,
        )
        _check(time_limit_s > 0, time_limit_s=time_limit_s)
        _check(max_frames is None or max_frames >= 1, max_frames=max_frames)
        _check(file_limit_s > 0, file_limit_s=file_limit_s)
        self.reason = None
        if short_side is not None:
            cover = (short_side, short_side)
        self._request = {
            "cover": cover,
            "size": size,
            "fps": fps,
            "quality": quality,
            "max_frames_per_piece": max_frames_per_piece,
            "max_bytes_per_piece": _MAX_PIECE_BYTES,
            "max_frames": max_frames,
            "whole": damaged == "drop",
        }
        self._min_frames = min_frames
        self._time_limit_s = time_limit_s
        self._file_limit_s = file_limit_s
        self._child = None
        self._reading = False

    def __enter__(self) -> "IsolatedDecoder":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process; a next file would start another."""
        if self._child:
            self._child.kill()
        self._child = None

    def pieces(
        self, path: str | bytes | os.PathLike, part: int | None = None
    ) -> Iterator[Piece]:
        """Decodes one clip.

        A crash or a hang costs the frames since the last whole piece. Where
        the file may not be at fault, a fresh process tries once more: the
        process was killed, or gone before its first frame of this file, or
        reading failed.

        Args:
            path: video file, folder of pictures, or array file.
            part: number of the clip in an array file; None for all else.

        Yields:
            `Piece`s in order; none for a file that is skipped.

        Raises:
            CannotReadError: this machine failed twice to read the file.
            ChildProcessError: the decoding process cannot be started.
            RuntimeError: another file is being read.
        """
        if self._reading:
            raise RuntimeError(
                f"Cannot read {os.fspath(path)!r} yet: use up, or close, the "
                "pieces of the file before."
            )
        self._reading, self.reason = True, None
        finished = False
        try:
            yield from self._enough(self._tried_twice(os.fsdecode(path), part))
            finished = True
        finally:
            # A caller that stops in the middle leaves answers unread.
            if not finished:
                self.close()
            self._reading = False

    def _enough(self, pieces):
        # Leaves out all of a file that has fewer than min_frames.
        waiting, count = [], 0
        for piece in pieces:
            count += len(piece.frames)
            waiting.append(piece)
            while waiting and count >= self._min_frames:
                yield waiting.pop(0)
        self.reason = self._outcome(count, self.reason)

    def _tried_twice(self, path, part):
        given = kills = 0
        for is_last in (False, True):
            seen = 0
            try:
                for piece in self._decoded(path, part):
                    seen += len(piece.frames)
                    if seen > given:  # Otherwise the first try has given it.
                        given = seen
                        yield piece
                return
            except CannotReadError:
                self.close()
                if is_last:
                    raise
            except TimeoutError as error:
                self.close()
                self.reason = str(error)
                return
            except DiedError as error:
                self.close()
                kills += error.killed
                if is_last or not (error.killed or error.was_idle):
                    self.reason = _KILLED_TWICE if kills == 2 else str(error)
                    return

    def _decoded(self, path, part):
        if self._child and not self._child.is_alive():
            self.close()
        if not self._child:
            self._child = DecodeProcess()
        self._child.send({"path": path, "part": part, **self._request})
        deadline = time.monotonic() + self._file_limit_s
        frames = []
        while True:
            header, data = self._receive(deadline)
            if header["type"] == "frame":
                frames.append(data)
            elif header["type"] == "piece":
                yield _piece(frames, header)
                frames = []
            elif header["type"] == "end":
                if header["machine"]:
                    raise CannotReadError(path, header["reason"])
                self.reason = header["reason"]
                return

    def _receive(self, deadline):
        left = max(0.0, deadline - time.monotonic())
        try:
            return self._child.receive(min(self._time_limit_s, left))
        except TimeoutError:
            if left > self._time_limit_s:
                raise
            raise TimeoutError(
                f"it takes longer than {self._file_limit_s:g} s"
            ) from None

    def _outcome(self, count, trouble):
        if not count:
            return trouble or "none of its frames can be decoded"
        if count < self._min_frames:
            few = f"{count} frames, fewer than min_frames={self._min_frames}"
            return f"only {few}: {trouble}" if trouble else f"it has {few}"
        return trouble and f"cut short after {count} frames: {trouble}"


def _piece(frames, header):
    keys = ("start", "fps", "height", "width")
    return Piece(frames, **{key: header[key] for key in keys})


def _check(is_valid, **arguments):
    if not is_valid:
        raise ValueError(
            "IsolatedDecoder cannot work with "
            + ", ".join(f"{k}={v!r}" for k, v in arguments.items())
            + "; see its docstring for the ranges."
        )
