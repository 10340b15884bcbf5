"""Falling learning rates: the curves, and what a step does with them."""

import math

import gin
import numpy as np
import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf.training.decay import CosineDecay, DecayedRate, LinearDecay


def by_hand(kind, step, num_steps, start, final):
    if step <= start:
        return 1.0
    if step >= start + num_steps:
        return final
    share = (step - start) / num_steps
    if kind is LinearDecay:
        return 1.0 + (final - 1.0) * share
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * share))


@pytest.mark.parametrize("kind", [LinearDecay, CosineDecay])
@pytest.mark.parametrize("start", [0, 7, 2**31])
def test_curves(kind, start):
    decay = kind(num_steps=40, start_step=start, final=0.25)
    for passed in (0, 1, 13, 39, 40, 41, 10_000):
        step = start + passed
        expected = by_hand(kind, step, 40, start, 0.25)
        found = decay(tf.constant(step, tf.int64))
        assert float(found) == pytest.approx(expected, rel=1e-5)
    assert float(decay(tf.constant(0, tf.int64))) == 1.0


def test_gin_binds_the_arguments():
    gin.parse_config(
        "CosineDecay.num_steps = 40\nCosineDecay.final = 0.25\n"
        "Trainer.learning_rate_decay = @CosineDecay"
    )
    try:
        decay = gin.get_bindings("Trainer")["learning_rate_decay"]()
    finally:
        gin.clear_config()
    assert (decay.num_steps, decay.start_step, decay.final) == (40, 0, 0.25)


def test_updates_of_a_step_have_one_rate():
    rate = DecayedRate(0.5, LinearDecay(num_steps=4), updates_per_step=2)
    rates = [float(rate(update)) for update in range(10)]
    assert rates == [0.5, 0.5, 0.375, 0.375, 0.25, 0.25, 0.125, 0.125, 0, 0]


@pytest.mark.parametrize(
    "arguments", [{"num_steps": 0}, {"start_step": -1}, {"final": 1.5}]
)
def test_impossible_arguments(arguments):
    with pytest.raises(ValueError, match="Received"):
        CosineDecay(**{"num_steps": 10, **arguments})


@pytest.mark.parametrize("strategy", [tiny.one_device, tiny.mirrored])
def test_a_run_without_rate_stands_still(strategy):
    """Two steps at half the rate and none: after them nothing moves."""
    trainer = tiny.trainer(
        strategy(),
        learning_rate_decay=lambda: LinearDecay(num_steps=2, final=0.0),
        d_steps=2,
    )
    iterator = tiny.batches(trainer)
    history = trainer.run(iterator, tf.constant(2)).numpy()
    weights = [v.numpy() for v in trainer.generator.trainable_variables]
    weights += [v.numpy() for v in trainer.d_spatial.trainable_variables]
    history = np.concatenate([history, trainer.run(iterator, tf.constant(2))])
    after = trainer.generator.trainable_variables
    after = [*after, *trainer.d_spatial.trainable_variables]
    for before, variable in zip(weights, after, strict=True):
        np.testing.assert_array_equal(before, variable.numpy())
    assert trainer.metrics[-2:] == ("learning_rate/g", "learning_rate/d")
    shares = np.array([1.0, 0.5, 0.0, 0.0])[:, None]
    np.testing.assert_allclose(
        history[:, -2:], shares * [1e-4, 5e-4], rtol=1e-6
    )


def test_a_full_rate_is_the_constant_one():
    """The step is the same, bit for bit, until the rates fall."""
    weights = []
    for decay in (None, lambda: CosineDecay(num_steps=5, start_step=50)):
        trainer = tiny.trainer(learning_rate_decay=decay)
        trainer.run(tiny.batches(trainer), tf.constant(2))
        weights.append([v.numpy() for v in trainer.generator.variables])
    for constant, full in zip(*weights, strict=True):
        np.testing.assert_array_equal(constant, full)
