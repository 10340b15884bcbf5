"""Samples: which clip is which, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf
from fake_modules import Module

from dvdgan_tf.sampling.classes import class_ids
from dvdgan_tf.sampling.model import Model


@pytest.fixture
def model():
    return Model(Module())


@pytest.fixture
def predictor():
    return Model(Module(given=2))


def red(z, truncation=1.0):
    return np.rint((0.1 * z * truncation + 1.0) * 127.5)


def normal(seed, number):
    return np.random.default_rng([seed, number]).standard_normal(1)[0]


def test_a_clip_depends_on_seed_and_number_only(model):
    clips = model.sample(["wave", 0], count=19, seed=4, truncation=0.5)
    assert clips.shape == (19, 5, 4, 4, 3) and clips.dtype == np.uint8
    assert clips.fps == 8.0
    expected = [red(normal(4, i), 0.5) for i in range(19)]
    np.testing.assert_allclose(clips[:, 0, 0, 0, 0], expected, atol=1)
    greens = np.array([191, 128] * 10)[:19]
    np.testing.assert_allclose(clips[:, 0, 0, 0, 1], greens, atol=1)
    assert len({tuple(c.ravel()) for c in clips}) > 10
    few = model.sample(["wave", 0], count=3, seed=4, truncation=0.5)
    np.testing.assert_array_equal(few, clips[:3])
    # One shape only, so that nothing is traced twice.
    assert set(model._module.batches) == {8}


def test_defaults_are_all_classes_and_the_highest_level(model):
    clips = model.sample(count=6)
    np.testing.assert_allclose(
        clips[:, 0, 0, 0, 1], [128, 159, 191] * 2, atol=1
    )
    assert (clips[..., 2] == 255).all()


def test_interpolations(model):
    clips = model.interpolate(["run", "wave"], 5, seed=3)
    z = [normal(3, 0), normal(3, 1)]
    half = (z[0] + z[1]) / np.sqrt(2)
    reds = clips[:, 0, 0, 0, 0]
    np.testing.assert_allclose(
        reds[[0, 2, 4]], [red(z[0]), red(half), red(z[1])], atol=1
    )
    np.testing.assert_allclose(
        clips[:, 0, 0, 0, 1], [128, 143, 159, 175, 191], atol=1
    )
    fixed = model.interpolate(["run", "wave"], 5, seed=3, latent=False)
    assert len(set(fixed[:, 0, 0, 0, 0])) == 1


def test_predictions_keep_the_frames_and_roll_on(predictor):
    frames = np.full((10, 2, 4, 4, 3), 128, np.uint8)
    frames += np.arange(10, dtype=np.uint8)[:, None, None, None, None]
    clips = predictor.predict(frames, num_frames=9, seed=1)
    assert clips.shape == (10, 9, 4, 4, 3)
    np.testing.assert_array_equal(clips[:, :2], frames)
    for i in range(10):
        z = np.random.default_rng([1, i]).standard_normal([3, 1])[:, 0]
        start = frames[i, 0, 0, 0, 0] / 127.5 - 1.0
        sums = start + 0.1 * np.cumsum(z)
        expected = np.repeat(np.rint((sums + 1) * 127.5), 3)[:7]
        np.testing.assert_allclose(clips[i, 2:, 0, 0, 0], expected, atol=1)
    later = predictor.predict(frames[4:], num_frames=9, seed=1, first=4)
    np.testing.assert_array_equal(later, clips[4:])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (dict(classes=["wlak"]), "no class 'wlak'; did you mean 'walk'"),
        (dict(classes=["zzz"]), "no class 'zzz'; there are run, walk, wave"),
        (dict(classes=[3]), "ids are from 0 to 2"),
        (dict(classes=[]), "at least one class"),
        (dict(truncation=0), "truncation must be from 0.5 to 1"),
        (dict(truncation=5), "truncation must be from 0.5 to 1"),
        (dict(count=0), "count must be at least 1"),
        (dict(seed=-1), "seed at least 0"),
    ],
)
def test_impossible_samples(model, arguments, words):
    with pytest.raises(ValueError, match=words):
        model.sample(**arguments)


@pytest.mark.parametrize(
    ("frames", "arguments", "words"),
    [
        (np.zeros([1, 3, 4, 4, 3], "f"), {}, r"must be \[B, 2, 4, 4, 3\]"),
        (np.full([1, 2, 4, 4, 3], 9.0), {}, "uint8, or float in"),
        (np.full([1, 2, 4, 4, 3], np.nan), {}, "uint8, or float in"),
        (np.zeros([1, 2, 4, 4, 3]), dict(num_frames=2), "must be above 2"),
        (np.zeros([3, 2, 4, 4, 3]), dict(classes=[0, 1]), "2 classes for 3"),
        (np.zeros([0, 2, 4, 4, 3]), {}, "count must be at least 1"),
    ],
)
def test_impossible_predictions(predictor, frames, arguments, words):
    with pytest.raises(ValueError, match=words):
        predictor.predict(frames, **arguments)


def test_each_kind_names_the_other(model, predictor):
    with pytest.raises(ValueError, match="continues 2 frames; use `predict`"):
        predictor.sample()
    with pytest.raises(ValueError, match="takes no frames; use `sample`"):
        model.predict(np.zeros([1, 2, 4, 4, 3]))


def test_what_is_no_module():
    with pytest.raises(ValueError, match="is no module of dvdgan_tf"):
        Model(tf.Module())


def test_a_name_goes_before_an_id():
    assert class_ids(["1", "0", 2], ["1", "0", "x"]) == [0, 1, 2]
    assert class_ids("x", ["1", "0", "x"]) == [2]


def test_a_notebook_shows_an_animation(model):
    html = model.sample(count=3)._repr_html_()
    assert html.startswith('<img src="data:image/webp;base64,')
