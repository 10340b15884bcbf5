"""R1 and R2 of the real D_S and D_T: their second derivatives."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf.regularization.gradient_penalty import GradientPenalty

BATCH = 2
REGULARIZER = GradientPenalty(1.0, 0.5, every=1)
NETWORKS = dict(
    spatial=(tiny.NETWORKS["spatial_discriminator"], 2),
    # Windows of 1 at the input, so that attention has a 4 x 4 map, too.
    temporal=(
        functools.partial(tiny.NETWORKS["temporal_discriminator"], phi=1),
        tiny.FRAMES,
    ),
)


def make(kind, attention, **changes):
    """A network whose attention counts; clips and labels for it."""
    factory, frames = NETWORKS[kind]
    if attention:
        changes.update(ch=8, attention_resolutions=(4,))
    network = factory(num_classes=tiny.CLASSES, **changes)
    network.build()
    rng = np.random.default_rng(0)
    for variable in network.trainable_variables:
        if variable.name == "gamma":
            variable.assign(0.7)
        elif variable.name != "bias":
            variable.assign(rng.normal(size=variable.shape))
    for _ in range(20):
        parameters = network.parameters(training=True)
    shape = [BATCH, frames, 8, 8, 3]
    clips = rng.uniform(-1, 1, size=[2, *shape]).astype("float32")
    return network, parameters, (*tf.unstack(clips), tf.constant([0, 2]))


def penalty(network, parameters, real, fake, y):
    scores = [lambda x: network.apply(x, y, parameters)] * 2
    return REGULARIZER.penalty(scores, (real, fake), BATCH)


def value_and_gradients(network, parameters, examples):
    flat = tf.nest.flatten(parameters)
    with tf.GradientTape() as tape:
        tape.watch(flat)
        value = penalty(network, parameters, *examples)
    return value, tape.gradient(value, flat, unconnected_gradients="zero")


def compiled(network, parameters, examples):
    run = functools.partial(value_and_gradients, network)
    return tf.function(run, jit_compile=True)(parameters, examples)


def vector(gradients):
    """All gradients in one, float64."""
    parts = [tf.cast(g, tf.float64).numpy().ravel() for g in gradients]
    return np.concatenate(parts)


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("kind", NETWORKS)
def test_gradients_agree_with_central_differences(kind, attention):
    network, parameters, examples = make(kind, attention)
    value, gradients = value_and_gradients(network, parameters, examples)
    assert value > 0 and np.isfinite(vector(gradients)).all()
    flat = tf.nest.flatten(parameters)
    function = tf.function(functools.partial(penalty, network))
    rng = np.random.default_rng(1)
    found, expected = [], []
    for _ in range(9):
        steps = [1e-5 * rng.normal(size=p.shape) * np.std(p) for p in flat]
        moved = [
            [
                tf.constant(p + sign * s, tf.float32)
                for p, s in zip(flat, steps, strict=True)
            ]
            for sign in (1, -1)
        ]
        there = [
            float(function(tf.nest.pack_sequence_as(parameters, m), *examples))
            for m in moved
        ]
        expected.append((there[0] - there[1]) / 2e-5)
        # Of the steps as rounded to float32.
        found.append(vector(gradients) @ (vector(moved[0]) - vector(moved[1])))
    found = np.array(found) / 2e-5
    # The median: the penalty jumps where a ReLU or a maximum changes sides.
    error = np.median(np.abs(found - expected))
    assert error < 0.02 * np.sqrt(np.mean(found**2))


@pytest.mark.parametrize("kind", NETWORKS)
def test_xla_agrees(kind):
    arguments = make(kind, attention=True)
    value, gradients = value_and_gradients(*arguments)
    xla_value, xla_gradients = compiled(*arguments)
    np.testing.assert_allclose(xla_value, value, rtol=1e-4)
    gradients = vector(gradients)
    error = np.abs(vector(xla_gradients) - gradients).max()
    assert error < 1e-4 * np.abs(gradients).max()


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("run", [value_and_gradients, compiled])
def test_mixed_bfloat16_is_near(kind, run):
    value, gradients = value_and_gradients(*make(kind, attention=True))
    mixed = make(kind, attention=True, dtype="mixed_bfloat16")
    mixed_value, mixed_gradients = run(*mixed)
    assert mixed_value.dtype == tf.float32
    np.testing.assert_allclose(mixed_value, value, rtol=0.05)
    difference = vector(mixed_gradients) - vector(gradients)
    norm = np.linalg.norm(vector(gradients))
    assert np.linalg.norm(difference) < 0.1 * norm


def test_gradients_of_recomputed_blocks_raise():
    arguments = make("spatial", False, recompute=True)
    with pytest.raises(NotImplementedError):
        value_and_gradients(*arguments)
