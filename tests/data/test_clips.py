"""The paper's pre-processing."""

import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.data import clips


def seeds(count):
    return tf.stack([tf.range(count), tf.fill([count], 5)], axis=1)


def numbered(height, width):
    """[2, height, width, 3]: row, column and frame of each pixel."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack(
        [
            np.stack([rows, columns, np.full_like(rows, frame)], axis=-1)
            for frame in range(2)
        ]
    ).astype(np.uint8)


@pytest.mark.parametrize(
    "num_frames, stride, length", [(16, 1, 16), (16, 2, 31), (1, 9, 1)]
)
def test_window_length(num_frames, stride, length):
    assert clips.window_length(num_frames, stride) == length


@pytest.mark.parametrize(
    "video_frames, num_frames, stride, starts",
    [(10, 4, 1, 7), (10, 4, 3, 1), (12, 4, 3, 3), (5, 1, 2, 5)],
)
def test_starts_are_all_that_fit(video_frames, num_frames, stride, starts):
    @tf.function
    def start(seed):
        return clips.random_window_start(video_frames, num_frames, stride, seed)

    counts = np.bincount([start(seed).numpy() for seed in seeds(300)])
    assert len(counts) == starts
    # Uniform: within 5 standard deviations of a binomial count.
    mean = 300 / starts
    assert np.all(np.abs(counts - mean) <= 5 * np.sqrt(mean))


@pytest.mark.parametrize(
    "height, width, size",
    [
        (6, 9, (6, 6)),
        (9, 6, (6, 6)),
        (8, 9, (6, 6)),
        (6, 6, (6, 6)),
        (6, 9, (5, 8)),
        (9, 6, (8, 5)),
    ],
)
def test_crop_is_a_sub_window_and_all_of_them(height, width, size):
    video = numbered(height, width)

    @tf.function
    def crop(seed):
        cropped = clips.random_crop(tf.constant(video), size, seed)
        assert cropped.shape == (2, *size, 3) and cropped.dtype == tf.uint8
        return cropped

    corners = set()
    for seed in seeds(200):
        cropped = crop(seed).numpy()
        top, left, _ = cropped[0, 0, 0]
        expected = video[:, top : top + size[0], left : left + size[1]]
        np.testing.assert_array_equal(cropped, expected)
        corners.add((int(top), int(left)))
    places = (height - size[0] + 1) * (width - size[1] + 1)
    assert len(corners) == places


def test_crop_of_unknown_size_has_a_static_shape():
    @tf.function(input_signature=[tf.TensorSpec([4, None, None, 3], tf.uint8)])
    def crop(video):
        cropped = clips.random_crop(video, (8, 8), [1, 2])
        assert cropped.shape == (4, 8, 8, 3)
        return cropped

    crop(np.zeros([4, 8, 11, 3], np.uint8))


def test_flip_mirrors_whole_clips_half_of_the_time():
    video = numbered(3, 5)

    @tf.function
    def flip(seed):
        return clips.random_flip(tf.constant(video), seed)

    mirrored = 0
    for seed in seeds(400):
        flipped = flip(seed).numpy()
        is_mirrored = flipped[0, 0, 0, 1] == 4
        expected = video[:, :, ::-1] if is_mirrored else video
        np.testing.assert_array_equal(flipped, expected)
        mirrored += is_mirrored
    assert 150 < mirrored < 250


def test_same_seed_same_draw():
    video = tf.constant(numbered(6, 30))
    for function in (
        lambda seed: clips.random_crop(video, (6, 6), seed),
        lambda seed: clips.random_flip(video, seed),
        lambda seed: clips.random_window_start(99, 4, 1, seed),
    ):
        np.testing.assert_array_equal(function([3, 4]), function([3, 4]))
