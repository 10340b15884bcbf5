"""The first frames of a video file, to be continued."""

import os

import numpy as np

from dvdgan_tf.frame_size import Resolution, sides
from dvdgan_tf.video import first_frames as door


def first_frames(
    path: str | os.PathLike,
    count: int,
    resolution: Resolution,
    fit: str,
    stride: int = 1,
) -> np.ndarray:
    """Reads the frames that a model continues, as training would see them.

    The file is decoded in a process of its own; see `video.first_frames`.

    Args:
        path: video file.
        count: number of frames.
        resolution: height and width of the frames in pixels: one number, or
            both.
        fit: "crop" takes the largest part in the middle of that shape,
            "squash" all of the frame.
        stride: every n-th frame is taken, from the first.

    Returns:
        uint8 [count, height, width, 3]

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no video, cannot be decoded, or is too short.
        CannotReadError: this machine failed to read the file.
    """
    size = sides(resolution)
    end = (count - 1) * stride + 1
    if fit == "squash":
        frames = door.first_frames(path, end, size=size)
    else:
        frames = door.first_frames(path, end, cover=size)
    if len(frames) < end:
        every = f" at a stride of {stride}: {end}" if stride > 1 else ""
        raise ValueError(
            f"{os.path.basename(path)} has {len(frames)} frames; this model "
            f"continues {count}{every}."
        )
    frames = frames[::stride]
    height, width = size
    top, left = (frames.shape[1] - height) // 2, (frames.shape[2] - width) // 2
    return frames[:, top : top + height, left : left + width]
