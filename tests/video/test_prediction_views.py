"""Views of predictions, against the place of every pixel."""

import numpy as np
import pytest

from dvdgan_tf.video.prediction_views import (
    BORDER_COLOUR,
    GAP,
    MARGIN,
    side_by_side,
    strip,
)

H, W = 3, 5
CELL = (H + 2 * MARGIN, W + 2 * MARGIN)


def clips(n=2, samples=2, frames=6, given=2):
    """Real clips and predictions of noise."""
    rng = np.random.default_rng(0)
    shape = [n, samples + 1, frames, H, W, 3]
    noise = rng.integers(0, 256, shape, np.uint8)
    return noise[:, 0], noise[:, 1:, given:]


def cell(image, row, column, top=0):
    """(frame, margin's pixels) at a place of a grid of cells."""
    y, x = top + row * CELL[0], column * CELL[1]
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
    assert image.shape == (2 * height + GAP, len(shown) * CELL[1], 3)
    assert not image[height : height + GAP].any()
    for clip in range(2):
        rows = expected_rows(real, predictions, clip)
        for row, column in np.ndindex(4, len(shown)):
            t = shown[column]
            frame, margin = cell(image, row, column, clip * (height + GAP))
            np.testing.assert_array_equal(frame, rows[row, t])
            colour = BORDER_COLOUR if t < 2 else (0, 0, 0)
            assert (margin == colour).all()


@pytest.mark.parametrize(("n", "samples", "given"), [(1, 1, 5), (3, 2, 1)])
def test_side_by_side_has_every_clip_in_its_place(n, samples, given):
    real, predictions = clips(n, samples, given=given)
    video = side_by_side(real, predictions)
    columns = samples + 2
    assert video.shape == (6, n * CELL[0], columns * CELL[1], 3)
    assert video.dtype == np.uint8
    for clip, column in np.ndindex(n, columns):
        frames, margins = cell(video, clip, column)
        expected = expected_rows(real, predictions, clip)[column]
        np.testing.assert_array_equal(frames, expected)
        for t, margin in enumerate(margins):
            colour = BORDER_COLOUR if t < given else (0, 0, 0)
            assert (margin == colour).all()


def test_difference_does_not_wrap_around():
    real = np.zeros([1, 2, H, W, 3], np.uint8)
    predictions = np.full([1, 1, 1, H, W, 3], 255, np.uint8)
    frame, _ = cell(strip(real, predictions), 2, 1)
    assert (frame == 255).all()
    frame, _ = cell(strip(255 - real, 255 - predictions), 2, 1)
    assert (frame == 255).all()


def test_a_perfect_prediction_differs_nowhere():
    real, _ = clips()
    frames, _ = cell(side_by_side(real, real[:, None, 2:]), 0, 2)
    assert not frames.any()


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
