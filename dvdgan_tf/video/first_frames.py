"""The door for videos of strangers: their first frames, or why there are none.

Whoever takes a video from a user takes it here, so that the file is decoded
in a process of its own, with limits of time and memory, and so that what
cannot be read is refused in the same words everywhere.
"""

import os
from typing import Any

import numpy as np

from dvdgan_tf.video.isolated import IsolatedDecoder
from dvdgan_tf.video.opening import CannotReadError, UnreadableVideoError

# Seconds for one file. Some frames take a second at most, even of 8K.
_FILE_LIMIT_S = 120


class FirstFrames:
    """Reads the first frames of files, one file after the other.

    A context manager, for it keeps the decoding process from file to file.
    Not for use from several threads.

    Args:
        count: number of frames to take of each file.
        size: (height, width) to resize the frames to; None keeps the file's.
        cover: instead, (height, width) that the frames are to cover: they
            keep their shape, and are no larger than they must be.
        file_limit_s: seconds until a file is given up.
    """

    def __init__(
        self,
        count: int,
        size: tuple[int, int] | None = None,
        cover: tuple[int, int] | None = None,
        file_limit_s: float = _FILE_LIMIT_S,
    ) -> None:
        self._decoder = IsolatedDecoder(
            short_side=None,
            size=size,
            cover=cover,
            quality=None,
            max_frames=count,
            file_limit_s=file_limit_s,
        )

    def __enter__(self) -> "FirstFrames":
        return self

    def __exit__(self, *_: Any) -> None:
        self._decoder.close()

    def read(self, path: str | os.PathLike) -> np.ndarray:
        """Reads one file, or one folder of pictures.

        Args:
            path: video file, or folder of numbered pictures.

        Returns:
            uint8 [T, height, width, 3], the pixels as decoded; T is less than
            `count` where the file ends before.

        Raises:
            FileNotFoundError: there is no such file.
            UnreadableVideoError: no video, damaged before `count` frames, or
                beyond the limits; its message has the file's name without the
                folder, which is nobody's business on a web page.
            CannotReadError: this machine failed to read the file.
        """
        path = os.fspath(path)
        if not os.path.exists(path):
            raise FileNotFoundError(
                f"There is no video file {path!r}; check its name."
            )
        name = os.path.basename(path)
        try:
            frames = [
                np.frombuffer(frame, np.uint8).reshape(
                    piece.height, piece.width, 3
                )
                for piece in self._decoder.pieces(path)
                for frame in piece.frames
            ]
        except CannotReadError as error:
            raise CannotReadError(name, error.reason) from error
        if self._decoder.reason:
            raise UnreadableVideoError(name, self._decoder.reason)
        return np.stack(frames)


def first_frames(
    path: str | os.PathLike,
    count: int,
    size: tuple[int, int] | None = None,
    cover: tuple[int, int] | None = None,
) -> np.ndarray:
    """Reads the first frames of one video file; see `FirstFrames`."""
    with FirstFrames(count, size, cover) as reader:
        return reader.read(path)
