"""Modules of a run: equal to its networks, with statistics between levels."""

import json

import numpy as np
import pytest
import runs
import tensorflow as tf

from dvdgan_tf import config
from dvdgan_tf.exporting import discriminator_module
from dvdgan_tf.generation import from_run, standing_statistics
from dvdgan_tf.generation.latents import LabelledLatents
from dvdgan_tf.generation.truncation import TruncationStatistics
from dvdgan_tf.layers.spectral_norm import spectral_weights

LEVELS = (1.0, 0.5)


@pytest.fixture(scope="module")
def module(run_folder):
    with config.of_run(run_folder[0]) as run:
        return from_run.generator_module(run, LEVELS, standing_batches=2)


@pytest.fixture(scope="module")
def live(run_folder, module):
    """The run's averaged generator with W and sigma(W), not folded."""
    network = run_folder[1].ema_generator
    for weight in spectral_weights(network):
        for _ in range(from_run.POWER_ITERATIONS):
            weight.normalized(training=True)
    return network


def inputs(truncation, classes=10, batch=3):
    z = np.random.default_rng(1).standard_normal((batch, 6))
    y = np.random.default_rng(2).dirichlet(np.ones(classes), batch)
    return {
        "z": tf.constant(truncation * z, tf.float32),
        "y": tf.constant(y, tf.float32),
        "truncation": tf.constant(truncation, tf.float32),
    }


def give_statistics(network, module, weights):
    """Assigns sums of the levels' statistics, weighted, lowest level first."""
    statistics = module.statistics
    for norm in network.batch_norms():
        for variable in (norm.moving_mean, norm.moving_variance):
            index = statistics._names.index(variable.path)
            sets = statistics._sets[index].numpy()
            variable.assign(np.tensordot(weights, sets, 1))


@pytest.mark.parametrize(
    ("truncation", "weights"),
    [(1.0, [0, 1]), (0.5, [1, 0]), (0.625, [0.75, 0.25])],
)
def test_a_module_is_the_live_generator(module, live, truncation, weights):
    give_statistics(live, module, weights)
    given = inputs(truncation)
    expected = live(given["z"], given["y"], training=False)
    assert float(tf.math.reduce_std(expected)) > 0.05
    np.testing.assert_allclose(module(given), expected, atol=1e-5)


def test_levels_have_statistics_of_their_own(module):
    (differences,) = {
        float(abs(np.diff(v.numpy(), axis=0)).max()) > 1e-3
        for v in module.statistics._sets
        if "variance" in v.name
    }
    assert differences


def test_standing_statistics_are_those_of_the_live_generator(live, module):
    """Two batches of two: the mean of their moments, in the first norm."""
    latents = LabelledLatents(live.z_dim, runs.COUNTS, 0.5)
    drawn = standing_statistics.of_synthesis(latents, 4)
    batches = list(drawn.batch(2))
    norm = live.batch_norms()[0]
    norm.momentum.assign(0.0)
    before = [v.numpy() for v in live.variables]
    means = []
    for z, y in batches:
        live(z, y, training=True)
        means.append(norm.moving_mean.numpy())
        # The vectors u, which passes in training mode change.
        for variable, value in zip(live.variables, before, strict=True):
            variable.assign(value)
    index = module.statistics._names.index(norm.moving_mean.path)
    stored = module.statistics._sets[index].numpy()[0]
    np.testing.assert_allclose(stored, np.mean(means, 0), atol=1e-4)


def test_ids_are_one_hot_labels(module):
    given = inputs(1.0)
    ids = module({**given, "y": tf.constant([3, 0, 9])})
    given["y"] = tf.one_hot([3, 0, 9], 10)
    np.testing.assert_allclose(ids, module(given), atol=1e-6)


@pytest.mark.parametrize("truncation", [0.0, 0.4, 1.1, 5.0])
def test_an_impossible_truncation_is_refused(module, truncation):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"must be from 0\.5 to 1"
    ):
        module(inputs(truncation))


def test_gradients_reach_all_weights(module):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(module(inputs(1.0))))
    gradients = tape.gradient(loss, module.trainable_variables)
    assert len(gradients) > 20
    assert all(g is not None for g in gradients)


def test_what_a_module_says_of_itself(module):
    names = json.loads(module.class_names().numpy())
    facts = json.loads(module.metadata().numpy())
    assert names == list("0123456789")
    assert facts == module.facts
    assert facts["truncation_levels"] == [0.5, 1.0]
    assert (facts["step"], facts["num_classes"]) == (20, 10)
    assert (facts["num_frames"], facts["resolution"]) == (4, 32)
    assert facts["conditioning_frames"] == 0 and facts["fps"] == 12.0


def test_interpolation_of_three_levels():
    values = [np.float32([2.0, 7.0]), np.float32([6.0, 1.0]), np.zeros(2, "f")]
    sets = [{"a": value} for value in values]
    statistics = TruncationStatistics((0.5, 1.0, 0.25), sets)
    for level, expected in (
        (0.25, [0.0, 0.0]),
        (0.3, [0.4, 1.4]),
        (0.5, [2.0, 7.0]),
        (0.75, [4.0, 4.0]),
        (1.0, [6.0, 1.0]),
    ):
        at = statistics.at(tf.constant(level))
        np.testing.assert_allclose(at["a"], expected, rtol=1e-5)


@pytest.mark.parametrize("levels", [(), (0.0,), (1.5,), (0.5, 0.5)])
def test_impossible_levels(levels):
    with pytest.raises(ValueError, match="Levels of truncation must be above"):
        TruncationStatistics(levels, [{}] * len(levels))


def test_discriminators_score_as_in_training(run_folder):
    folder, trainer = run_folder
    with config.of_run(folder) as run:
        module = discriminator_module.of_run(run)
    videos = tf.random.stateless_uniform([4, 4, 32, 32, 3], [1, 2], -1, 1)
    y, seed = tf.constant([1, 5, 7, 2]), tf.constant([3, 4])
    scores = module({"videos": videos, "y": y, "seed": seed})
    noise = tf.random.stateless_uniform([4, 6], seed)
    discriminator = trainer.discriminator
    spatial, temporal = discriminator.scores(
        videos, y, noise, discriminator.parameters(training=False)
    )
    np.testing.assert_allclose(scores["spatial"], spatial, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        scores["temporal"], temporal, rtol=1e-4, atol=1e-5
    )
    other = module({"videos": videos, "y": y, "seed": seed + 1})
    assert np.abs(other["spatial"] - scores["spatial"]).max() > 1e-5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (dict(truncations=(1.0, 2.0)), "Levels of truncation"),
        (dict(standing_batches=-1), "standing_batches must be"),
        (dict(standing_batches=0, truncations=(0.5,)), "truncation 1 only"),
    ],
)
def test_impossible_arguments(run_folder, arguments, words):
    with (
        config.of_run(run_folder[0]) as run,
        pytest.raises(ValueError, match=words),
    ):
        from_run.generator_module(run, **arguments)
