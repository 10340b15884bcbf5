"""Predictions beside the real continuation, for the eye: still and moving.

Both views show, for each clip, what was real, the sampled continuations, and
|real - first sample|, which is black while conditioning frames play. Frames
that were given have a coloured border; it lies around the frame, not on it.
Small frames are enlarged as in `pictures.grid`.
"""

from collections.abc import Sequence

import numpy as np

from dvdgan_tf.video import pictures
from dvdgan_tf.video.lettering import Label, headings_above

# Pixels around each frame, and between the clips of a still image.
MARGIN = 2
GAP = 10

# Orange, which real frames rarely have along all four edges.
BORDER_COLOUR = (255, 140, 0)


def strip(
    real: np.ndarray,
    predictions: np.ndarray,
    max_frames: int = 12,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """Makes a still image: time runs to the right.

    For each clip one row of real frames, one for each sample (the given
    frames, then the predicted ones) and one of differences. What a row shows
    stands beside it.

    Args:
        real: uint8 [N, T, H, W, 3], whole clips.
        predictions: uint8 [N, S, T - C, H, W, 3], S continuations of the
            first C frames of each clip; C and S at least 1.
        max_frames: number of columns at most, at least 2: the first frame,
            the last, and others evenly spread.
        names: name of each clip, such as its class; None for none.

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
    rows, frames, row_height = panels.shape[1:4]
    count = min(max_frames, frames)
    shown = np.linspace(0, frames - 1, count).round().astype(int)
    clips = [
        pictures.tile(clip.reshape(-1, *clip.shape[2:]), columns=count)
        for clip in panels[:, :, shown]
    ]
    picture = pictures.tile(np.stack(clips), 1, GAP, pictures.BACKGROUND)
    kinds = _kinds(rows)
    labels, tops = [], []
    for number in range(len(clips)):
        name = names[number] if names else ""
        labels += [Label(name, kinds[0]), *(Label("", k) for k in kinds[1:])]
        top = number * (rows * row_height + GAP)
        tops += [top + row * row_height for row in range(rows)]
    return pictures.with_labels(picture, labels, tops, row_height)


def side_by_side(
    real: np.ndarray,
    predictions: np.ndarray,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """Makes a clip: each row is real | sample 1 | ... | difference.

    Args:
        real: uint8 [N, T, H, W, 3], whole clips.
        predictions: uint8 [N, S, T - C, H, W, 3], S continuations of the first
            C frames of each clip; C and S at least 1.
        names: name of each clip, which stands beside it; None for none.

    Returns:
        uint8 [T, height, width, 3]

    Raises:
        ValueError: an argument is not of that form.
    """
    panels = _panels(real, predictions)
    columns, frames, height, width, _ = panels.shape[1:]
    tiled = pictures.tile(panels.reshape(-1, *panels.shape[2:]), columns)
    line = headings_above(_kinds(columns), width, pictures.BACKGROUND)
    head = np.broadcast_to(line, [frames, *line.shape])
    picture = np.concatenate([head, tiled], 1)
    tops = range(len(line), picture.shape[1], height)
    labels = [Label(name) for name in names] if names else None
    return pictures.with_labels(picture, labels, tops, height)


def _kinds(count):
    """What the panels of a clip show, in their order."""
    samples = [f"sample {n + 1}" for n in range(count - 2)]
    return ["real", *(samples if count > 3 else ["sample"]), "difference"]


def _panels(real, predictions):
    """Framed clips: uint8 [N, S + 2, T, H + margins, W + margins, 3]."""
    real, predictions = np.asarray(real), np.asarray(predictions)
    _check(real, predictions)
    given = real.shape[1] - predictions.shape[2]
    samples = [
        np.concatenate([real[:, :given], continuation], 1)
        for continuation in np.moveaxis(predictions, 1, 0)
    ]
    # Differences of uint8 values wrap around below zero; these do not.
    first = samples[0]
    difference = np.maximum(real, first) - np.minimum(real, first)
    videos = pictures.enlarged(np.stack([real, *samples, difference], 1))
    n, rows, frames, height, width, _ = videos.shape
    framed = np.empty(
        [n, rows, frames, height + 2 * MARGIN, width + 2 * MARGIN, 3], np.uint8
    )
    framed[:] = pictures.BACKGROUND
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
