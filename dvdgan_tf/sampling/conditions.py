"""The first frames of a video file, to be continued."""

import os

import numpy as np

from dvdgan_tf.video import first_frames as door


def first_frames(
    path: str | os.PathLike,
    count: int,
    resolution: int,
    fit: str,
    stride: int = 1,
) -> np.ndarray:
    """Reads the frames that a model continues, as training would see them.

    The file is decoded in a process of its own; see `video.first_frames`.

    Args:
        path: video file.
        count: number of frames.
        resolution: height and width of the frames in pixels.
        fit: "crop" takes the square in the middle, "squash" all of the frame.
        stride: every n-th frame is taken, from the first.

    Returns:
        uint8 [count, resolution, resolution, 3]

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no video, cannot be decoded, or is too short.
        CannotReadError: this machine failed to read the file.
    """
    end = (count - 1) * stride + 1
    if fit == "squash":
        frames = door.first_frames(path, end, size=(resolution, resolution))
    else:
        frames = door.first_frames(path, end, short_side=resolution)
    if len(frames) < end:
        every = f" at a stride of {stride}: {end}" if stride > 1 else ""
        raise ValueError(
            f"{os.path.basename(path)} has {len(frames)} frames; this model "
            f"continues {count}{every}."
        )
    frames = frames[::stride]
    height, width = frames.shape[1:3]
    top, left = (height - resolution) // 2, (width - resolution) // 2
    return frames[:, top : top + resolution, left : left + resolution]
