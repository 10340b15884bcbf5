"""The first frames of a video file, to be continued."""

import itertools

import numpy as np

from dvdgan_tf.video import reading


def first_frames(path, count, resolution, fit, stride=1):
    """Reads frames as training sees them.

    Args:
        path: of a video.
        count: how many frames.
        resolution: height and width.
        fit: "crop", the square in the middle; or "squash", all of the frame.
        stride: every n-th frame is taken, from the first.

    Returns:
        uint8 [count, resolution, resolution, 3]

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no video, or too short.
    """

    def target(*size):
        if fit == "squash":
            return resolution, resolution
        scale = resolution / min(size)
        return tuple(max(resolution, round(edge * scale)) for edge in size)

    frames = reading.read_frames(path, target)
    end = (count - 1) * stride + 1
    frames = list(itertools.islice(frames, end))
    if len(frames) < end:
        every = f" at a stride of {stride}: {end}" if stride > 1 else ""
        raise ValueError(
            f"{path} has {len(frames)} frames; this model continues "
            f"{count}{every}."
        )
    frames = frames[::stride]
    height, width = frames[0].shape[:2]
    top, left = (height - resolution) // 2, (width - resolution) // 2
    square = np.s_[top : top + resolution, left : left + resolution]
    return np.stack([frame[square] for frame in frames])
