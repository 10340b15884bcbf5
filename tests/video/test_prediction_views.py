"""Views of predictions, against the place of every pixel."""

import numpy as np
import pytest

from dvdgan_tf.video.pictures import BACKGROUND
from dvdgan_tf.video.prediction_views import (
    BORDER_COLOUR,
    GAP,
    MARGIN,
    side_by_side,
    strip,
)

# Large enough to be shown as they are.
H, W = 64, 70
CELL = (H + 2 * MARGIN, W + 2 * MARGIN)
EDGE = 8
HEADING = 18


def clips(n=2, samples=2, frames=6, given=2):
    """Real clips and predictions of noise."""
    rng = np.random.default_rng(0)
    shape = [n, samples + 1, frames, H, W, 3]
    noise = rng.integers(0, 256, shape, np.uint8)
    return noise[:, 0], noise[:, 1:, given:]


def cell(image, row, column, columns, top=0):
    """(frame, margin's pixels) at a place of a grid of cells."""
    left = image.shape[-2] - EDGE - columns * CELL[1]
    y, x = EDGE + top + row * CELL[0], left + column * CELL[1]
    framed = image[..., y : y + CELL[0], x : x + CELL[1], :]
    frame = framed[..., MARGIN:-MARGIN, MARGIN:-MARGIN, :]
    inside = np.zeros(CELL, bool)
    inside[MARGIN:-MARGIN, MARGIN:-MARGIN] = True
    return frame, framed[..., ~inside, :]


def expected_rows(real, predictions, clip):
    """Rows of one clip, [S + 2, T, H, W, 3], frame by frame."""
    samples, predicted = predictions.shape[1:3]
    given = real.shape[1] - predicted
    rows = np.zeros([samples + 2, *real.shape[1:]], int)
    for t in range(real.shape[1]):
        rows[0, t] = real[clip, t]
        for s in range(samples):
            rows[1 + s, t] = (
                real[clip, t] if t < given else predictions[clip, s, t - given]
            )
        rows[-1, t] = np.abs(rows[0, t] - rows[1, t])
    return rows


@pytest.mark.parametrize(
    ("max_frames", "shown"),
    [(12, [0, 1, 2, 3, 4, 5]), (2, [0, 5]), (3, [0, 2, 5]), (4, [0, 2, 3, 5])],
)
def test_strip_has_every_frame_in_its_place(max_frames, shown):
    real, predictions = clips()
    image = strip(real, predictions, max_frames)
    assert image.dtype == np.uint8
    height = 4 * CELL[0]
    assert image.shape[0] == EDGE + 2 * height + GAP + EDGE
    gap = image[EDGE + height : EDGE + height + GAP]
    assert (gap == BACKGROUND).all()
    for clip in range(2):
        rows = expected_rows(real, predictions, clip)
        for row, column in np.ndindex(4, len(shown)):
            t = shown[column]
            frame, margin = cell(
                image, row, column, len(shown), clip * (height + GAP)
            )
            np.testing.assert_array_equal(frame, rows[row, t])
            colour = BORDER_COLOUR if t < 2 else BACKGROUND
            assert (margin == colour).all()


@pytest.mark.parametrize(("n", "samples", "given"), [(1, 1, 5), (3, 2, 1)])
def test_side_by_side_has_every_clip_in_its_place(n, samples, given):
    real, predictions = clips(n, samples, given=given)
    video = side_by_side(real, predictions)
    columns = samples + 2
    height = EDGE + HEADING + n * CELL[0] + EDGE
    assert video.shape == (6, height, 2 * EDGE + columns * CELL[1], 3)
    assert video.dtype == np.uint8
    for clip, column in np.ndindex(n, columns):
        frames, margins = cell(video, clip, column, columns, HEADING)
        expected = expected_rows(real, predictions, clip)[column]
        np.testing.assert_array_equal(frames, expected)
        for t, margin in enumerate(margins):
            colour = BORDER_COLOUR if t < given else BACKGROUND
            assert (margin == colour).all()


def test_difference_does_not_wrap_around():
    real = np.zeros([1, 2, H, W, 3], np.uint8)
    predictions = np.full([1, 1, 1, H, W, 3], 255, np.uint8)
    frame, _ = cell(strip(real, predictions), 2, 1, 2)
    assert (frame == 255).all()
    frame, _ = cell(strip(255 - real, 255 - predictions), 2, 1, 2)
    assert (frame == 255).all()


def test_a_perfect_prediction_differs_nowhere():
    real, _ = clips()
    view = side_by_side(real, real[:, None, 2:])
    frames, _ = cell(view, 0, 2, 3, HEADING)
    assert not frames.any()


def test_rows_are_labelled():
    real, predictions = clips()
    plain = strip(real, predictions)
    named = strip(real, predictions, names=["walk", "play the violin"])
    # Only the names differ: on the left of each clip's first row.
    left = plain.shape[1] - EDGE - 6 * CELL[1]
    assert (plain[:, :left] != BACKGROUND).any(-1).any(1).sum() > 8 * 5
    wider = named.shape[1] - plain.shape[1]
    assert wider >= 0
    changed = (named[:, wider : wider + left] != plain[:, :left]).any((1, 2))
    rows = {(y - EDGE) // CELL[0] for y in np.flatnonzero(changed)}
    assert rows == {0, 4}
    moving = side_by_side(real, predictions, ["walk", "run"])
    assert moving.shape[2] > side_by_side(real, predictions).shape[2]


def test_small_frames_are_enlarged():
    real = np.arange(2, dtype=np.uint8).reshape(1, 2, 1, 1, 1)
    real = np.broadcast_to(90 * real, [1, 2, 16, 16, 3])
    image = strip(real, real[:, None, 1:])
    size = 64 + 2 * MARGIN
    assert image.shape[0] == EDGE + 3 * size + EDGE
    frame = image[EDGE + MARGIN :, -EDGE - size + MARGIN :][:64, :64]
    assert (frame == 90).all()


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ([2, 2, 6, H, W, 3], "uint8"),  # No frame is given.
        ([2, 2, 0, H, W, 3], "uint8"),
        ([2, 0, 4, H, W, 3], "uint8"),
        ([2, 2, 4, H, W, 3], "float32"),
        ([1, 2, 4, H, W, 3], "uint8"),
        ([2, 2, 4, W, H, 3], "uint8"),
        ([2, 4, H, W, 3], "uint8"),
    ],
)
@pytest.mark.parametrize("view", [strip, side_by_side])
def test_other_arrays_are_refused(view, shape, dtype):
    real, _ = clips()
    with pytest.raises(ValueError) as error:
        view(real, np.zeros(shape, dtype))
    message = str(error.value)
    assert "\n" not in message
    assert f"{dtype} {shape}" in message


def test_a_strip_of_one_frame_is_refused():
    with pytest.raises(ValueError, match="max_frames=1"):
        strip(*clips(), max_frames=1)
