"""Pictures of several clips."""

import numpy as np
import pytest

from dvdgan_tf.video import pictures
from dvdgan_tf.video.lettering import Label


def test_tile_places_each_video_by_row_and_column():
    videos = np.arange(1, 6, dtype=np.uint8).reshape(5, 1, 1, 1, 1)
    videos = np.broadcast_to(videos, [5, 2, 3, 4, 3])
    tiled = pictures.tile(videos, columns=3)
    assert tiled.shape == (2, 6, 12, 3)
    expected = np.kron([[1, 2, 3], [4, 5, 0]], np.ones([3, 4]))
    for t in range(2):
        np.testing.assert_array_equal(tiled[t, ..., 0], expected)


def test_tile_of_images_with_a_gap():
    images = np.full([2, 3, 4, 3], 9, np.uint8)
    tiled = pictures.tile(images, columns=2, gap=1)
    assert tiled.shape == (3, 9, 3)
    np.testing.assert_array_equal(tiled[0, :, 0], [9] * 4 + [0] + [9] * 4)


def test_tile_needs_a_column():
    with pytest.raises(ValueError) as error:
        pictures.tile(np.zeros([2, 3, 4, 3], np.uint8), 0)
    assert "columns=0" in str(error.value)


def test_gaps_and_empty_places_have_the_background():
    images = np.full([3, 3, 4, 3], 9, np.uint8)
    tiled = pictures.tile(images, columns=2, gap=1, background=(1, 2, 3))
    assert tiled.shape == (7, 9, 3)
    assert (tiled[3] == (1, 2, 3)).all() and (tiled[4:, 4:] == (1, 2, 3)).all()
    assert (tiled[4:, :4] == 9).all()


def test_a_strip_runs_from_left_to_right():
    video = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
    video = np.broadcast_to(video, [4, 2, 3, 3])
    np.testing.assert_array_equal(
        pictures.strip(video)[1, :, 2], np.repeat(np.arange(4), 3)
    )


@pytest.mark.parametrize(
    ("size", "times"),
    [
        ((32, 32), 2),
        ((4, 4), 16),
        ((64, 64), 1),
        ((48, 100), 2),
        ((128, 65), 1),
    ],
)
def test_small_pictures_are_enlarged_by_a_whole_number(size, times):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, [2, *size, 3], np.uint8)
    shown = pictures.enlarged(images)
    assert shown.shape == (2, times * size[0], times * size[1], 3)
    for y in range(times):
        np.testing.assert_array_equal(shown[:, y::times, ::times], images)


@pytest.mark.parametrize("frames", [(), (5,)])
def test_a_grid_has_every_picture_in_its_place(frames):
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 256, [6, *frames, 32, 32, 3], np.uint8)
    labels = [Label("run"), Label("walk")]
    grid = pictures.grid(clips, columns=3, labels=labels)
    large = pictures.enlarged(clips)
    assert grid.shape[:-3] == frames
    assert grid.shape[-3] == 8 + 64 + 2 + 64 + 8
    left = grid.shape[-2] - 8 - 3 * 64 - 2 * 2
    for number, picture in enumerate(large):
        top = 8 + 66 * (number // 3)
        start = left + 66 * (number % 3)
        found = grid[..., top : top + 64, start : start + 64, :]
        np.testing.assert_array_equal(found, picture)
    # Names on the left, the same in every frame, and quiet elsewhere.
    column = grid[..., :left, :]
    assert (column == column.reshape(-1, *column.shape[-3:])[0]).all()
    assert (column != pictures.BACKGROUND).any()
    assert (grid[..., 72:74, :, :] == pictures.BACKGROUND).all()
    assert pictures.grid(clips, 3).shape[-2] == 8 + 3 * 64 + 2 * 2 + 8
