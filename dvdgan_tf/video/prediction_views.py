"""Predictions beside the real continuation, for the eye: still and moving.

Both views show, for each clip, what was real, the sampled continuations, and
|real - first sample|, which is black while conditioning frames play. Frames
that were given have a coloured border; it lies around the frame, not on it.
"""

import numpy as np

from dvdgan_tf.video import pictures

# Pixels around each frame, and between the clips of a still image.
MARGIN = 2
GAP = 6

# Orange, which real frames rarely have along all four edges.
BORDER_COLOUR = (255, 140, 0)


def strip(real, predictions, max_frames=12):
    """A still image: time runs to the right.

    For each clip one row of real frames, one for each sample (the given
    frames, then the predicted ones) and one of differences.

    Args:
        real: uint8 [N, T, H, W, 3], whole clips.
        predictions: uint8 [N, S, T - C, H, W, 3], S continuations of the
            first C frames of each clip; C and S at least 1.
        max_frames: columns at most, at least 2: the first frame, the last,
            and others evenly spread.

    Returns:
        uint8 [height, width, 3]

    Raises:
        ValueError: an argument is not of that form.
    """
    if max_frames < 2:
        raise ValueError(
            "max_frames must be at least 2, the first frame and the last. "
            f"Received: max_frames={max_frames}"
        )
    panels = _panels(real, predictions)
    count = min(max_frames, panels.shape[2])
    shown = np.linspace(0, panels.shape[2] - 1, count).round().astype(int)
    clips = [
        pictures.tile(clip.reshape(-1, *clip.shape[2:]), columns=count)
        for clip in panels[:, :, shown]
    ]
    return pictures.tile(np.stack(clips), columns=1, gap=GAP)


def side_by_side(real, predictions):
    """A clip: each row is real | sample 1 | ... | sample S | difference.

    Args:
        real: uint8 [N, T, H, W, 3], whole clips.
        predictions: uint8 [N, S, T - C, H, W, 3]; see `strip`.

    Returns:
        uint8 [T, height, width, 3]

    Raises:
        ValueError: an argument is not of that form.
    """
    panels = _panels(real, predictions)
    return pictures.tile(
        panels.reshape(-1, *panels.shape[2:]), columns=panels.shape[1]
    )


def _panels(real, predictions):
    """Framed clips: uint8 [N, S + 2, T, H + margins, W + margins, 3]."""
    real, predictions = np.asarray(real), np.asarray(predictions)
    _check(real, predictions)
    given = real.shape[1] - predictions.shape[2]
    samples = [
        np.concatenate([real[:, :given], continuation], 1)
        for continuation in np.moveaxis(predictions, 1, 0)
    ]
    # Of uint8 values, without the wrap-around of their subtraction.
    first = samples[0]
    difference = np.maximum(real, first) - np.minimum(real, first)
    videos = np.stack([real, *samples, difference], 1)
    n, rows, frames, height, width, _ = videos.shape
    framed = np.zeros(
        [n, rows, frames, height + 2 * MARGIN, width + 2 * MARGIN, 3], np.uint8
    )
    framed[:, :, :given] = BORDER_COLOUR
    framed[..., MARGIN:-MARGIN, MARGIN:-MARGIN, :] = videos
    return framed


def _check(real, predictions):
    fits = (
        real.ndim == 5
        and predictions.ndim == 6
        and real.dtype == predictions.dtype == np.uint8
        and real.shape[-1] == 3
        and len(real) == len(predictions)
        and real.shape[2:] == predictions.shape[3:]
        and 0 < predictions.shape[2] < real.shape[1]
        and 0 not in (*real.shape, *predictions.shape)
    )
    if not fits:
        raise ValueError(
            "Real clips must be uint8 [N, T, H, W, 3] and predictions uint8 "
            "[N, S, T - C, H, W, 3], with C and S at least 1. Received: "
            f"{real.dtype} {list(real.shape)} and "
            f"{predictions.dtype} {list(predictions.shape)}; "
            "`pixels.to_uint8` converts from [-1, 1]."
        )
