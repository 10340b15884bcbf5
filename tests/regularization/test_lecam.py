import numpy as np
import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf.regularization.lecam import LeCam

BATCH = 6
SETTINGS = dict(weight=0.4, decay=0.8, start_update=2)


def scores(seed=0):
    """Of six updates: float32 [updates, D_S and D_T, real and fake, BATCH]."""
    drawn = np.random.default_rng(seed).normal(size=[6, 2, 2, BATCH])
    shift = np.array([[3.0, -2.0], [0.5, 1.0]])[:, :, None]
    return (2 * drawn + shift).astype("float32")


def simulated(scores, one_sided, weight, decay, start_update):
    """Penalties [updates, 2] and anchors after each, from the equations."""
    anchors, penalties, history = None, [], []
    for i, update in enumerate(scores.astype("float64")):
        terms = [0.0, 0.0]
        for d, (real, fake) in enumerate(update if i >= start_update else ()):
            a_real, a_fake = anchors[d]
            above, below = real - a_fake, a_real - fake
            if one_sided:
                above, below = np.maximum(above, 0), np.maximum(below, 0)
            terms[d] = weight * ((above**2).mean() + (below**2).mean())
        means = update.mean(-1)
        if anchors is None:
            anchors = means
        else:
            anchors = decay * anchors + (1 - decay) * means
        penalties.append(terms)
        history.append(anchors)
    return np.array(penalties), np.array(history)


def run(lecam, scores):
    """Penalties and anchors after each update, in one graph."""
    strategy = tf.distribute.get_strategy()
    count = strategy.num_replicas_in_sync

    @tf.autograph.experimental.do_not_convert
    def on_replica(scores):
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        mine = tf.split(scores, count, axis=-1)
        mine = tf.gather(tf.stack(mine), replica)
        terms = [lecam.penalty(d, *tf.unstack(mine[d]), BATCH) for d in (0, 1)]
        return tf.stack(terms), tf.reduce_sum(mine, -1) / BATCH

    @tf.function
    def loop(scores):
        penalties = tf.TensorArray(tf.float32, len(scores), element_shape=[2])
        anchors = tf.TensorArray(tf.float32, len(scores), element_shape=[2, 2])
        for i in tf.range(len(scores)):
            terms, means = (
                strategy.reduce("SUM", x, axis=None)
                for x in strategy.run(on_replica, args=(scores[i],))
            )
            lecam.update(means)
            penalties = penalties.write(i, terms)
            anchors = anchors.write(i, lecam.anchors.read_value())
        return penalties.stack(), anchors.stack()

    return [x.numpy() for x in loop(tf.constant(scores))]


@pytest.mark.parametrize("strategy", [tiny.one_device, tiny.mirrored])
@pytest.mark.parametrize("one_sided", [False, True])
def test_penalties_and_anchors_equal_numpy(strategy, one_sided):
    with strategy().scope():
        lecam = LeCam(one_sided=one_sided, **SETTINGS)
        penalties, anchors = run(lecam, scores())
    expected, expected_anchors = simulated(scores(), one_sided, **SETTINGS)
    assert not expected[:2].any() and expected[2:].all()
    np.testing.assert_allclose(penalties, expected, rtol=1e-5)
    np.testing.assert_allclose(anchors, expected_anchors, rtol=1e-5)
    assert lecam.updates.numpy() == 6


def test_the_first_means_are_the_anchors():
    lecam = LeCam(decay=0.99)
    means = np.array([[3.25, -1.1], [0.3, 7.0]], "float32")
    lecam.update(means)
    np.testing.assert_array_equal(lecam.anchors, means)


@pytest.mark.parametrize("one_sided", [False, True])
def test_gradients_are_those_of_the_squares_with_constant_anchors(one_sided):
    lecam = LeCam(0.5, start_update=1, one_sided=one_sided)
    lecam.update(tf.constant([[9.0, 9.0], [1.0, -1.0]]))
    real, fake = tf.constant([0.5, -3.0, 2.0]), tf.constant([2.0, 0.0, -4.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake, lecam.anchors])
        penalty = lecam.penalty(1, real, fake, 3)
    # D(x) - a_F is 1.5, -2, 3; a_R - D(G(z)) is -1, 1, 5.
    expected = np.array([[1.5, -2, 3], [1, -1, -5]])
    if one_sided:
        expected = np.array([[1.5, 0, 3], [0, -1, -5]])
    assert penalty.numpy() == pytest.approx(0.5 * (expected**2).sum() / 3)
    found = tape.gradient(penalty, [real, fake])
    np.testing.assert_allclose(found, 2 * 0.5 * expected / 3, rtol=1e-6)
    assert tape.gradient(penalty, lecam.anchors) is None


def test_counts_for_nothing_before_its_start():
    lecam = LeCam(start_update=3)
    real = tf.constant([1.0, 2.0])
    lecam.update(tf.zeros([2, 2]))
    lecam.update(tf.zeros([2, 2]))
    for expected in (0.0, 0.3 * 5.0):
        with tf.GradientTape() as tape:
            tape.watch(real)
            penalty = lecam.penalty(0, real, tf.zeros([2]), 2)
        gradient = tape.gradient(penalty, real).numpy()
        assert penalty.numpy() == pytest.approx(expected / 2)
        assert gradient.any() == bool(expected)
        lecam.update(tf.zeros([2, 2]))


def test_all_state_is_in_its_variables():
    lecam, other = LeCam(**SETTINGS), LeCam(**SETTINGS)
    assert list(lecam.variables) == ["lecam/anchors", "lecam/updates"]
    whole = run(lecam, scores())
    half = LeCam(**SETTINGS)
    run(half, scores()[:3])
    for name, variable in other.variables.items():
        variable.assign(half.variables[name])
    resumed = run(other, scores()[3:])
    for found, expected in zip(resumed, whole, strict=True):
        np.testing.assert_array_equal(found, expected[3:])


@pytest.mark.parametrize(
    "argument",
    [
        {"weight": -0.1},
        {"weight": float("nan")},
        {"decay": 1.0},
        {"decay": -0.5},
        {"start_update": 0},
    ],
)
def test_impossible_arguments_are_refused(argument):
    ((name, value),) = argument.items()
    with pytest.raises(ValueError, match=rf"LeCam.*{name}={value}"):
        LeCam(**argument)
