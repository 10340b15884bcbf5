"""Decoding of untrusted video files, in a process that may crash or hang."""

import contextlib
import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import time

import dvdgan_tf
from dvdgan_tf.data import decode_worker

# -P: the folder that the program was started in may be full of videos, and
# nothing in it is to be imported.
_COMMAND = (sys.executable, "-P", "-m", decode_worker.__name__)

# Importing from a slow network drive on a busy machine takes that long.
_START_LIMIT_S = 120

# More than any answer has; a process whose memory is damaged says anything.
_MAX_HEADER, _MAX_DATA = 1 << 16, 1 << 28

_READ_SIZE = 1 << 16


@dataclasses.dataclass(frozen=True)
class Piece:
    """A run of consecutive frames of one video.

    Attributes:
        frames: list of bytes, one JPEG file (RGB, chroma 4:2:0) a frame.
        start: number of the first frame in the video as resampled.
        fps: frames per second.
        height: of the frames in pixels.
        width: of the frames in pixels.
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
        short_side,
        fps=None,
        quality=95,
        damaged="keep_readable",
        min_frames=1,
        max_frames_per_piece=300,
        time_limit_s=60,
    ):
        """Starts nothing yet.

        Args:
            short_side: the frames' shorter side in pixels, the other one
                follows; None keeps the files' sizes.
            fps: frames per second to resample to; None keeps all frames.
            quality: of the JPEG files, 1 to 100.
            damaged: of a file that is damaged in the middle, "keep_readable"
                keeps what comes before and "drop" nothing. For the latter all
                of a file is decoded once before it is decoded for its frames:
                that takes longer, but neither memory nor disk for a video of
                any length. Some formats, Matroska among them, do not show
                that a file was cut off; such a file is just shorter.
            min_frames: files of fewer frames (readable, resampled) are
                skipped; at most `max_frames_per_piece`.
            max_frames_per_piece: frames in a piece; the last has fewer.
            time_limit_s: seconds without a frame, or while checking without
                progress, until a file is given up.

        Raises:
            ValueError: an argument is out of its range.
        """
        _check(short_side is None or short_side >= 1, short_side=short_side)
        _check(fps is None or 0 < fps < float("inf"), fps=fps)
        _check(1 <= quality <= 100, quality=quality)
        _check(damaged in ("keep_readable", "drop"), damaged=damaged)
        _check(
            1 <= min_frames <= max_frames_per_piece,
            min_frames=min_frames,
            max_frames_per_piece=max_frames_per_piece,
        )
        _check(time_limit_s > 0, time_limit_s=time_limit_s)
        self.reason = None
        self._request = {
            "short_side": short_side,
            "fps": fps,
            "quality": quality,
            "max_frames_per_piece": max_frames_per_piece,
            "whole": damaged == "drop",
        }
        self._min_frames = min_frames
        self._time_limit_s = time_limit_s
        self._child = None
        self._reading = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the process; a next file would start another."""
        if self._child:
            self._child.kill()
        self._child = None

    def pieces(self, path):
        """Decodes one file.

        A crash or a hang costs the frames since the last whole piece.

        Args:
            path: of the file, str, bytes or path-like.

        Yields:
            `Piece`s in order; none for a file that is skipped.

        Raises:
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
            self._ensure_child()
            yield from self._pieces(os.fsdecode(path))
            finished = True
        finally:
            # Whoever turns away in the middle leaves answers unread.
            if not finished:
                self.close()
            self._reading = False

    def _ensure_child(self):
        if self._child and not self._child.is_alive():
            self.close()
        if not self._child:
            self._child = _Child()

    def _pieces(self, path):
        frames, count = [], 0
        try:
            self._child.send({"path": path, **self._request})
            while True:
                header, data = self._child.receive(self._time_limit_s)
                if header["type"] == "end":
                    trouble = header["reason"]
                    break
                if header["type"] == "frame":
                    frames.append(data)
                elif header["type"] == "piece":
                    count += len(frames)
                    if count >= self._min_frames:
                        yield _piece(frames, header)
                    frames = []
        except (EOFError, TimeoutError) as error:
            trouble = str(error)
            self.close()
        self.reason = self._outcome(count, trouble)

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


class _Child:
    def __init__(self):
        root = os.path.dirname(os.path.dirname(dvdgan_tf.__file__))
        paths = [root, os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            # Nothing here multiplies matrices; a pool of threads for each of
            # many processes is waste.
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        failure = "The process that decodes videos cannot be started"
        try:
            self._process = subprocess.Popen(
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env=environment,
            )
        except OSError as error:
            raise ChildProcessError(
                f"{failure} ({_COMMAND[0]!r}: {error.strerror})."
            ) from error
        self._answers = self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        try:
            self.receive(_START_LIMIT_S)
        except (EOFError, TimeoutError) as error:
            self.kill()
            raise ChildProcessError(
                f"{failure} ({error}); what it printed says why."
            ) from error

    def is_alive(self):
        # Between files it has nothing to say: its end hangs up the pipe, and
        # that is seen before the end itself while it still has threads.
        return self._process.poll() is None and not self._poll.poll(0)

    def kill(self):
        # It owns nothing that needs tidying up, and may be past listening.
        self._process.kill()
        # Not for ever: it may wait for a network drive that is gone.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._process.stdin.close()
        self._process.stdout.close()

    def send(self, request):
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            raise EOFError(self._death()) from None

    def receive(self, limit_s):
        # (header, data); TimeoutError or EOFError, in words, if there is none.
        deadline = time.monotonic() + limit_s
        prefix = decode_worker.HEADER_LENGTH
        try:
            (length,) = prefix.unpack(self._read(prefix.size, deadline))
            if length > _MAX_HEADER:
                raise ValueError
            header = json.loads(self._read(length, deadline))
            length = header.get("bytes", 0)
            if not 0 <= length <= _MAX_DATA:
                raise ValueError
            return header, self._read(length, deadline)
        except TimeoutError:
            raise TimeoutError(f"no frame within {limit_s:g} s") from None
        except ValueError:
            raise EOFError("its decoder went astray") from None

    def _read(self, size, deadline):
        data = bytearray()
        while len(data) < size:
            left_ms = max(0, deadline - time.monotonic()) * 1000
            if not self._poll.poll(left_ms):
                raise TimeoutError
            part = os.read(self._answers, min(size - len(data), _READ_SIZE))
            if not part:
                raise EOFError(self._death())
            data += part
        return bytes(data)

    def _death(self):
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "its decoder stopped answering"
        if status >= 0:
            return f"its decoder ended with status {status}"
        name = signal.Signals(-status).name
        hint = ", perhaps out of memory" if name == "SIGKILL" else ""
        return f"its decoder died of {name}{hint}"
