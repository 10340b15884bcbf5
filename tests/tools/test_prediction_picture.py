"""The README's picture of predictions: what is where, and which clips."""

import numpy as np
from sklearn import datasets

from dvdgan_tf.video.pictures import BACKGROUND
from dvdgan_tf.video.prediction_views import BORDER_COLOUR
from tools import prediction_picture


def test_real_clips_are_above_predictions_and_given_frames_have_a_border():
    real = np.full([3, 5, 64, 64, 3], 100, np.uint8)
    predicted = real.copy()
    predicted[:, 2:] = 200
    picture = prediction_picture.draw(real, predicted, given=2)
    assert picture.shape[0] == 5 and picture.dtype == np.uint8
    for level, count in ((100, [6, 6, 3, 3, 3]), (200, [0, 0, 3, 3, 3])):
        found = (picture == level).all(-1).sum((1, 2)) / 64**2
        np.testing.assert_array_equal(found, count)
    rows = (picture[-1] == 100).all(-1).any(1).nonzero()[0]
    assert rows.max() < (picture[-1] == 200).all(-1).any(1).nonzero()[0].min()
    # A border is two pixels wide, around each of the six frames.
    border = (picture == BORDER_COLOUR).all(-1).sum((1, 2))
    np.testing.assert_array_equal(border, [6 * (68**2 - 64**2)] * 2 + [0] * 3)
    assert (picture[:, 0, 0] == BACKGROUND).all()


def test_clips_are_of_digits_that_training_never_sees(monkeypatch):
    digits = datasets.load_digits()
    digits.images[:1500] = 0.0
    monkeypatch.setattr(datasets, "load_digits", lambda: digits)
    facts = {"resolution": 32, "num_frames": 4}
    clips = prediction_picture.held_out_clips(facts, 8, seed=0)
    assert clips.shape == (8, 4, 32, 32, 3)
    assert (clips.max((1, 2, 3, 4)) > 200).all()
