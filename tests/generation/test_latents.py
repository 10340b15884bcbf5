"""What is drawn for a seed stays what it is, and is as frequent as it must."""

import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.generation import latents, standing_statistics
from dvdgan_tf.generation.latents import LabelledLatents

# Drawn by version 0.1.0: measured numbers and samples depend on these.
DRAWN = {
    -1: ([1.0134093761, 1.1608351469, 0.3027294874, -0.3305555284], 1),
    0: ([0.1637295931, -0.1439604461, 0.2400701344, 0.1424382031], 1),
    5: ([-0.2041347473, -0.3211025893, -0.5216485857, -0.6614314913], 1),
}


@pytest.mark.parametrize("number", sorted(DRAWN))
def test_draws_of_a_seed_stay_what_they_were(number):
    z, label = LabelledLatents(4, [3, 9], truncation=0.5, seed=7)(number)
    expected, expected_label = DRAWN[number]
    np.testing.assert_allclose(z, expected, rtol=1e-6)
    assert label == expected_label and label.dtype == tf.int32


def test_labels_are_as_frequent_as_in_the_data():
    draw = LabelledLatents(2, [1, 0, 3], truncation=0.5)
    drawn = tf.data.Dataset.range(4000).map(draw).batch(4000)
    z, labels = next(drawn.as_numpy_iterator())
    share = np.bincount(labels, minlength=3) / 4000
    # Four standard deviations of a share of 4,000.
    np.testing.assert_allclose(share, [0.25, 0, 0.75], atol=0.028)
    np.testing.assert_allclose(z.std(), 0.5, rtol=0.05)
    # z does not tell the label.
    assert abs(np.corrcoef(z[:, 0], labels)[0, 1]) < 0.065


def test_statistics_are_of_clips_that_are_never_measured():
    draw = LabelledLatents(3, [1, 1], seed=2)
    drawn = standing_statistics.of_synthesis(draw, 5)
    found = [(z.tolist(), y) for z, y in drawn.as_numpy_iterator()]
    numbers = (-1, -2, -3, -4, -5)
    expected = [(z.numpy().tolist(), int(y)) for z, y in map(draw, numbers)]
    assert found == expected
    measured = [draw(n)[0].numpy().tolist() for n in range(5)]
    assert not any(z in measured for z, _ in found)


def test_a_clip_has_its_z_whatever_is_drawn_with_it():
    whole = latents.of_clips(3, range(4), [2, 5])
    assert whole.shape == (4, 2, 5) and whole.dtype == np.float32
    np.testing.assert_array_equal(latents.of_clips(3, [2], [2, 5])[0], whole[2])
    assert np.abs(latents.of_clips(4, [2], [2, 5])[0] - whole[2]).max() > 0.1


def test_predictions_for_statistics_are_of_one_pass_and_given_frames():
    class Generator:
        conditioning_frames, num_classes = 2, 1

    clips = np.arange(3 * 4, dtype=np.uint8).reshape(3, 4, 1, 1, 1)
    labels = np.array([5, 6, 7])
    dataset = tf.data.Dataset.from_tensor_slices((clips, labels))
    drawn = standing_statistics.of_prediction(
        Generator, dataset, lambda number: tf.cast(number, tf.float32), 3
    )
    for i, (z, y, frames) in enumerate(drawn.as_numpy_iterator()):
        assert (z, y) == (i - 3, 0)  # The generator has one class.
        np.testing.assert_allclose(frames, clips[i, :2] / 127.5 - 1, rtol=1e-6)
