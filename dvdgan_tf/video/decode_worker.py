"""Decodes video files into frames, in a process of its own.

    python -m dvdgan_tf.video.decode_worker

A file made to harm, or a bug of a decoder, ends this process and no other;
`isolated` starts it and talks to it. No TensorFlow here.

Each request is a line of JSON on standard input, an object with

    path        str; bytes that are no text as lone surrogates (os.fsdecode);
                a video file, a folder of pictures or an array file
    part        number of the clip in an array file; null for all else
    cover       [height, width] in pixels: frames are resized, keeping their
                shape, to the least that is as large; null keeps the file's size
    size        [height, width] in pixels, instead of cover; or null
    fps         frames per second to resample to; null keeps every frame
    quality     JPEG quality, 1 to 100; null for frames of bare RGB bytes
    max_frames  int, where reading ends; null reads to the end
    max_frames_per_piece  int
    max_bytes_per_piece   int, bytes of frames where a piece ends
    whole       true to decode all of a file before the first frame is sent,
                and to send none if it is damaged

Each answer on standard output is the length of a JSON object (4 bytes, big
endian), the object, and as many bytes as its key "bytes" says, 0 if absent:

    {"type": "ready"}                 once, at the start
    {"type": "frame", "bytes": int}   then the JPEG file, or the pixels
    {"type": "piece", "start": int, "frames": int, "fps": float,
     "height": int, "width": int}     behind the frames of a piece
    {"type": "alive"}                 each second while `whole` is checked
    {"type": "end", "reason": str or null, "machine": bool}

where "reason" says why there are no more frames, null at the regular end, and
"machine" that not the file is at fault; then its last frames are in no piece.
"""

import dataclasses
import functools
import io
import itertools
import json
import os
import resource
import select
import signal
import struct
import sys
import threading
import time
from typing import Any

import av
from PIL import Image

from dvdgan_tf.video import opening, reading, stills, time_stamps

HEADER_LENGTH = struct.Struct(">I")

# The longest side that JPEG can say, less what libjpeg keeps for itself.
_MAX_SIDE = 65500

_ALIVE_S = 1.0

# Address space of the process. Decoded frames of 8K take 0.2 GB each, and
# decoders hold some of them.
_MEMORY_BYTES = 8 << 30


def main() -> None:
    """Answers requests until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's business
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory()
    av.logging.set_level(None)
    # What libraries print would damage the protocol.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _send(answers, {"type": "ready"})
        for line in sys.stdin.buffer:
            _answer(json.loads(line), answers)
    except BrokenPipeError:
        os._exit(0)  # without a last attempt to flush


def _limit_memory():
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or hard > _MEMORY_BYTES:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, hard))
    # Sizes are checked before anything is decoded.
    Image.MAX_IMAGE_PIXELS = None


def _end_with_parent():
    # Also while a decoder hangs. Standard input is never ready for `events`
    # of 0, but tells when its other end is closed.
    poll = select.poll()
    poll.register(0, 0)
    poll.poll()
    os._exit(0)


def _send(answers, header, data=b""):
    if data:
        header["bytes"] = len(data)
    header = json.dumps(header).encode()
    answers.write(HEADER_LENGTH.pack(len(header)) + header)
    answers.write(data)
    answers.flush()


def _answer(request, answers):
    reason, machine = None, False
    try:
        if request["whole"]:
            reason = _damage(request, answers)
        if reason is None:
            _send_frames(request, answers)
    except BrokenPipeError:
        raise
    except opening.CannotReadError as error:
        reason, machine = error.reason, True
    except Exception as error:
        # Whatever a file makes the libraries raise is that file's fault.
        reason = _words(error)
    _send(answers, {"type": "end", "reason": reason, "machine": machine})


def _check(request):
    path, part = request["path"], request["part"]
    if stills.is_stills(path, part):
        return stills.check_frames(path, part)
    return reading.check_frames(path)


def _frames(request):
    size = functools.partial(
        _size, cover=request["cover"], exact=request["size"]
    )
    path, part, fps = request["path"], request["part"], request["fps"]
    if stills.is_stills(path, part):
        if not (request["cover"] or request["size"]):
            size = None
        return stills.read_timed_frames(path, part, size, fps)
    return reading.read_timed_frames(path, size, fps)


def _damage(request, answers):
    count, next_alive = 0, time.monotonic()
    try:
        for decoded in _check(request):
            count = decoded
            if time.monotonic() >= next_alive:
                _send(answers, {"type": "alive"})
                next_alive = time.monotonic() + _ALIVE_S
    except opening.UnreadableVideoError as error:
        if not count:
            return error.reason
        return f"it is damaged after {count} decoded frames: {error.reason}"
    return None


def _send_frames(request, answers):
    frames = itertools.islice(_frames(request), request["max_frames"])
    piece = pixels = None
    try:
        for number, frame in enumerate(frames):
            if frame.pixels is not pixels:  # else it is a repeated one
                pixels = frame.pixels
                data = _encoded(pixels, request["quality"])
            if piece is None:
                piece = _Piece(number, frame)
            _send(answers, {"type": "frame"}, data)
            piece.add(frame, data)
            if piece.is_full(request):
                _send(answers, piece.header())
                piece = None
    except opening.UnreadableVideoError:
        # What came before the damage is a piece of its own.
        if piece:
            _send(answers, piece.header())
        raise
    if piece:
        _send(answers, piece.header())


@dataclasses.dataclass
class _Piece:
    start: int
    first: reading.TimedFrame
    frames: int = 0
    bytes: int = 0
    last: reading.TimedFrame | None = None

    def add(self, frame: reading.TimedFrame, data: Any) -> None:
        self.frames += 1
        self.bytes += len(data)
        self.last = frame

    def is_full(self, request: dict) -> bool:
        return (
            self.frames >= request["max_frames_per_piece"]
            or self.bytes >= request["max_bytes_per_piece"]
        )

    def header(self) -> dict:
        height, width, _ = self.first.pixels.shape
        fps = time_stamps.average_fps(
            self.frames,
            self.last.time - self.first.time,
            self.first.nominal_fps,
        )
        return {
            "type": "piece",
            "start": self.start,
            "frames": self.frames,
            "fps": fps,
            "height": height,
            "width": width,
        }


def _size(height, width, cover, exact):
    if exact:
        return tuple(exact)
    scale = max(cover[0] / height, cover[1] / width) if cover else 1
    size = round(height * scale), round(width * scale)
    if max(size) > _MAX_SIDE or size[0] * size[1] > opening.MAX_PIXELS:
        raise ValueError(
            f"its frames of {height} x {width} pixels become too large, "
            f"{size[0]} x {size[1]}"
        )
    return size


def _encoded(pixels, quality):
    if quality is None:
        return pixels.tobytes()
    # Chroma at half resolution, as nearly all videos have it already.
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    image.save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return file.getvalue()


def _words(error):
    if isinstance(error, opening.UnreadableVideoError):
        return error.reason
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


if __name__ == "__main__":
    main()
