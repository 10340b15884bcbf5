import sys
import types

import numpy as np
import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf.training import losses

SCORES = [-3.0, -1.0, -0.25, 0.0, 0.5, 1.0, 4.0]


def generator_hinge(scores, size):
    return losses.Hinge.generator([scores], None, size)


def value_and_gradient(loss, *scores):
    scores = [tf.constant(s) for s in scores]
    with tf.GradientTape() as tape:
        tape.watch(scores)
        value = loss(*scores, len(scores[0]))
    return value.numpy(), [g.numpy() for g in tape.gradient(value, scores)]


def test_discriminator_hinge_by_hand():
    value, (real, fake) = value_and_gradient(
        losses.Hinge.discriminator, [2.0, 0.5, -1.0, 0.0], [-2.0, 0.5, 0, -0.5]
    )
    # Real: 0 + 0.5 + 2 + 1; fake: 0 + 1.5 + 1 + 0.5; over 4.
    assert value == (3.5 + 3.0) / 4
    np.testing.assert_array_equal(real, [0, -0.25, -0.25, -0.25])
    np.testing.assert_array_equal(fake, [0, 0.25, 0.25, 0.25])


def test_generator_hinge_by_hand():
    value = losses.Hinge.generator(
        [tf.constant([1.0, -2.0, 0.5]), tf.constant([4.0, 0.0, 1.0])], None, 3
    )
    assert value == -4.5 / 3
    assert not losses.Hinge.pairs


def test_no_gradient_beyond_the_margin():
    _, (real, fake) = value_and_gradient(
        losses.Hinge.discriminator, SCORES, SCORES
    )
    beyond = np.array(SCORES)
    assert not real[beyond > 1].any() and not fake[beyond < -1].any()
    assert (real[beyond < 1] < 0).all() and (fake[beyond > -1] > 0).all()


def test_generator_loss_is_linear_in_the_score():
    value, (gradient,) = value_and_gradient(generator_hinge, SCORES)
    assert value == pytest.approx(-np.mean(SCORES))
    # relu(1 - D) would have no gradient at D = 4.
    np.testing.assert_allclose(gradient, -1 / len(SCORES), rtol=1e-6)


def test_hinge_is_on_the_score_summed_over_frames():
    trainer = tiny.NETWORKS["spatial_discriminator"](num_classes=3)
    frames = tf.random.stateless_uniform([3, 2, 8, 8, 3], [1, 2], -1.0, 1.0)
    y = tf.constant([0, 1, 2])
    score = trainer(frames, y)
    each = [trainer(frames[:, i : i + 1], y).numpy() for i in range(2)]
    assert score.shape == (3,)
    np.testing.assert_allclose(score, each[0] + each[1], atol=1e-5)
    hinge = losses.Hinge.discriminator(score, score, 3)
    per_frame = sum(losses.Hinge.discriminator(e, e, 3) for e in each)
    expected = np.maximum(1 - score, 0) + np.maximum(1 + score, 0)
    np.testing.assert_allclose(hinge, expected.mean(), rtol=1e-6)
    assert abs(hinge - per_frame) > 0.5


def test_halves_with_the_global_size_sum_to_the_whole():
    real, fake = np.random.default_rng(0).normal(size=(2, 6)).astype("float32")
    d = losses.Hinge.discriminator
    halves = d(real[:2], fake[:2], 6) + d(real[2:], fake[2:], 6)
    np.testing.assert_allclose(halves, d(real, fake, 6), rtol=1e-6)
    g = generator_hinge
    halves = g(fake[:2], 6) + g(fake[2:], 6)
    np.testing.assert_allclose(halves, g(fake, 6), rtol=1e-6)


def pairs():
    """Scores of D_S and D_T, of real and of generated clips: [2, 2, 5]."""
    drawn = np.random.default_rng(5).normal(0, 3, (2, 2, 5)).astype("float32")
    # Far beyond where exp overflows in float32.
    drawn[0, :, 0], drawn[1, :, 1] = (120.0, -130.0), (-140.0, 110.0)
    return drawn


def test_relativistic_pairing_of_d_equals_numpy():
    assert losses.RelativisticPairing.pairs
    for real, fake in pairs():
        value, gradients = value_and_gradient(
            losses.RelativisticPairing.discriminator, real, fake
        )
        margin = (real - fake).astype("float64")
        np.testing.assert_allclose(
            value, np.logaddexp(0, -margin).mean(), rtol=1e-6
        )
        expected = -1 / (1 + np.exp(margin)) / 5
        np.testing.assert_allclose(gradients[0], expected, 1e-5, 1e-8)
        np.testing.assert_allclose(gradients[1], -expected, 1e-5, 1e-8)


def test_relativistic_pairing_of_g_equals_numpy():
    (real_s, fake_s), (real_t, fake_t) = pairs()
    value, (d_fake_s, d_fake_t) = value_and_gradient(
        lambda s, t, n: losses.RelativisticPairing.generator(
            [s, t], [real_s, real_t], n
        ),
        fake_s,
        fake_t,
    )
    expected = 0.0
    for real, fake, gradient in (
        (real_s, fake_s, d_fake_s),
        (real_t, fake_t, d_fake_t),
    ):
        margin = (fake - real).astype("float64")
        expected += np.logaddexp(0, -margin).mean()
        by_hand = -1 / (1 + np.exp(margin)) / 5
        np.testing.assert_allclose(gradient, by_hand, 1e-5, 1e-8)
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_relativistic_halves_sum_to_the_whole():
    (real, fake), _ = pairs()
    d, g = (
        losses.RelativisticPairing.discriminator,
        losses.RelativisticPairing.generator,
    )
    halves = d(real[:2], fake[:2], 5) + d(real[2:], fake[2:], 5)
    np.testing.assert_allclose(halves, d(real, fake, 5), rtol=1e-6)
    halves = g([fake[:2]], [real[:2]], 5) + g([fake[2:]], [real[2:]], 5)
    np.testing.assert_allclose(halves, g([fake], [real], 5), rtol=1e-6)


@pytest.fixture(scope="module")
def wargs():
    """tensorflow-gan's losses; it was written for TF with estimators."""
    name = "tensorflow_gan.python.estimator"
    hooks = types.SimpleNamespace(
        SessionRunHook=tf.compat.v1.train.SessionRunHook
    )
    before = set(sys.modules)
    sys.modules[name] = types.ModuleType(name)
    tf.estimator = hooks
    try:
        import tensorflow_gan
    except Exception as error:
        pytest.skip(f"tensorflow-gan cannot be imported: {error}")
    finally:
        del tf.estimator
    yield tensorflow_gan.losses.wargs
    for name in set(sys.modules) - before:
        if name.startswith("tensorflow_gan"):
            del sys.modules[name]


@pytest.mark.filterwarnings("ignore")
def test_agrees_with_tensorflow_gan(wargs):
    real, fake = np.random.default_rng(1).normal(0, 2, (2, 9)).astype("float32")
    np.testing.assert_allclose(
        losses.Hinge.discriminator(real, fake, 9),
        wargs.wasserstein_hinge_discriminator_loss(real, fake),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        generator_hinge(fake, 9),
        wargs.wasserstein_hinge_generator_loss(fake),
        rtol=1e-6,
    )
