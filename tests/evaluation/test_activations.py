import functools

import numpy as np
import pytest
import tensorflow as tf
from tqdm import tqdm

from dvdgan_tf.data import pipeline
from dvdgan_tf.evaluation import activations
from dvdgan_tf.evaluation.activations import (
    Activations,
    make_step,
    to_pixels,
)
from dvdgan_tf.evaluation.measured_clips import GeneratedClips, RealClips
from tests.evaluation.tiny import MeanColors, Source, make_generator


def strategy():
    return tf.distribute.OneDeviceStrategy("CPU:0")


def two_replicas():
    devices = [d.name for d in tf.config.list_logical_devices("CPU")[:2]]
    if len(devices) < 2:
        pytest.skip("needs two logical CPUs")
    return tf.distribute.MirroredStrategy(devices)


def measure(clips, network, strategy, batch_size, num_frames=None, **kwargs):
    step = make_step(clips.videos, network, strategy, num_frames)
    return activations.measure(
        clips, step, strategy, network.outputs, batch_size, **kwargs
    )


def real(num_clips=None, seed=0):
    return RealClips(Source(), pipeline.example, num_clips, seed)


def test_each_clip_once_and_in_an_order_of_the_seed():
    result = measure(real(), MeanColors(), strategy(), 5)
    greys = np.round(result.features["logits"][:, 0] * 25.5).astype(int)
    assert sorted(greys) == list(range(12))
    assert list(greys) != sorted(greys)
    np.testing.assert_array_equal(result.labels, greys % 2)
    again = measure(real(), MeanColors(), strategy(), 4)
    np.testing.assert_array_equal(
        again.features["logits"], result.features["logits"]
    )
    other = measure(real(seed=1), MeanColors(), strategy(), 4)
    assert np.any(other.features["logits"] != result.features["logits"])


def test_statistics_are_of_all_clips_and_features_of_the_first():
    result = measure(real(), MeanColors(), strategy(), 5, keep=7)
    everything = measure(real(), MeanColors(), strategy(), 5)
    features = everything.features["logits"].astype(np.float64)
    assert result.count == 12
    np.testing.assert_array_equal(
        result.features["logits"], everything.features["logits"][:7]
    )
    assert result.labels.shape == (7,)
    np.testing.assert_allclose(
        result.statistics["logits"].covariance(),
        np.cov(features, rowvar=False),
        rtol=1e-12,
    )


def test_the_padding_of_the_last_batch_is_not_measured(monkeypatch):
    # As TQDM_DISABLE=1 does, which tqdm reads when it is imported.
    off = functools.partial(tqdm, disable=True)
    monkeypatch.setattr(activations, "progress_bar", off)
    result = measure(real(11), MeanColors(), strategy(), 4)
    assert result.count == 11
    assert result.labels.shape == (11,)


def test_two_replicas_measure_the_same_clips():
    one = measure(real(11), MeanColors(), strategy(), 4)
    two = measure(real(11), MeanColors(), two_replicas(), 4)
    np.testing.assert_allclose(
        one.features["logits"], two.features["logits"], atol=1e-6
    )
    np.testing.assert_array_equal(one.labels, two.labels)


def test_generated_clips_do_not_depend_on_the_batch_size():
    generator = make_generator(2)
    generator.build()
    clips = GeneratedClips(generator, 10, [1, 3], truncation=0.5, seed=3)
    one, two = (
        measure(clips, MeanColors(), strategy(), size) for size in (2, 5)
    )
    np.testing.assert_allclose(
        one.features["logits"], two.features["logits"], atol=1e-5
    )
    np.testing.assert_array_equal(one.labels, two.labels)


def test_z_is_truncated_and_labels_are_as_frequent_as_in_the_data():
    generator = make_generator(3)
    clips = [
        GeneratedClips(generator, 2000, [1, 3, 0], truncation, seed=3)
        for truncation in (1.0, 0.5)
    ]
    z, y = zip(*clips[0].inputs().as_numpy_iterator(), strict=True)
    half, _ = zip(*clips[1].inputs().take(5).as_numpy_iterator(), strict=True)
    np.testing.assert_allclose(half, 0.5 * np.array(z[:5]))
    assert np.std(z) == pytest.approx(1.0, abs=0.03)
    assert np.bincount(y, minlength=3)[2] == 0
    assert np.mean(y) == pytest.approx(0.75, abs=0.04)


def test_pixels_are_rounded_only_where_asked():
    videos = tf.constant([-1.0, -0.999, 0.0, 0.5, 1.0, 1.2])
    exact = np.clip((videos.numpy() + 1) * 127.5, 0, 255)
    np.testing.assert_allclose(to_pixels(videos, False), exact, rtol=1e-6)
    np.testing.assert_array_equal(to_pixels(videos, True), np.rint(exact))
    whole = tf.constant([0, 7, 255], tf.uint8)
    np.testing.assert_array_equal(to_pixels(whole, False), [0.0, 7.0, 255.0])


def test_only_the_first_frames_are_shown():
    with pytest.raises(ValueError, match="2 frames"):
        measure(real(), MeanColors(), strategy(), 4, num_frames=1)
    result = measure(real(), MeanColors(), strategy(), 4, num_frames=3)
    assert result.count == 12


def test_arrays_hold_all_of_it():
    result = measure(real(), MeanColors(), strategy(), 4)
    arrays = result.to_dict()
    again = Activations.from_dict(arrays, ("logits",))
    np.testing.assert_array_equal(
        again.features["logits"], result.features["logits"]
    )
    np.testing.assert_array_equal(
        again.statistics["logits"].covariance(),
        result.statistics["logits"].covariance(),
    )
    with pytest.raises(KeyError):
        Activations.from_dict(arrays, ("average_pool",))
    arrays["labels"] = arrays["labels"][:3]
    with pytest.raises(ValueError, match="features of 'logits'"):
        Activations.from_dict(arrays, ("logits",))


def test_activations_that_are_not_finite_are_refused():
    found = activations.Activations(("logits",))
    with pytest.raises(ValueError, match="finite"):
        found.update({"logits": np.full([2, 3], np.nan)}, np.zeros(2, int))
