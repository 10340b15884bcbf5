import numpy as np
import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf.regularization.adaptive import AdaptiveStrength

BATCH = 6
SETTINGS = dict(target=0.5, interval=3, examples_to_full=150, initial=0.25)


def signs(updates, seed=0):
    """Mean signs of a batch: D_S overfits first, then does not; D_T hardly."""
    rng = np.random.default_rng(seed)
    right = np.stack(
        [np.linspace(1.2, 0.5, updates), np.full(updates, 0.65)], 1
    )
    drawn = rng.uniform(size=[BATCH, updates, 2]) < right
    return np.where(drawn, 1.0, -1.0).mean(0).astype("float32")


def simulated(signs, target, interval, examples_to_full, initial):
    """p after each update, by the paper, one batch after the other."""
    p, history = [initial, initial], []
    for i in range(len(signs)):
        if i % interval == interval - 1:
            for d in range(2):
                r = float(np.mean(signs[i - interval + 1 : i + 1, d]))
                step = BATCH * interval / examples_to_full
                p[d] += step if r > target else -step if r < target else 0
                p[d] = min(max(p[d], 0.0), 1.0)
        history.append(list(p))
    return np.array(history)


def run(strength, signs):
    """p after each update, all of them in one graph."""

    @tf.function
    def loop(signs):
        history = tf.TensorArray(tf.float32, len(signs), element_shape=[2])
        for i in tf.range(len(signs)):
            strength.update(signs[i], BATCH)
            history = history.write(i, strength.probability.read_value())
        return history.stack()

    return loop(tf.constant(signs)).numpy()


@pytest.fixture(params=[tiny.one_device, tiny.mirrored])
def strategy(request):
    return request.param()


def test_trajectory(strategy):
    with strategy.scope():
        strength = AdaptiveStrength(**SETTINGS)
    given = signs(100)
    expected = simulated(given, **SETTINGS)
    # That of D_S reaches 1 and comes back; that of D_T leaves 0 and returns.
    assert expected[:, 0].max() == 1.0 and expected[-1, 0] < 0.7
    assert expected[-1, 1] == 0.0 and np.diff(expected[:, 1]).max() > 0.1
    np.testing.assert_allclose(run(strength, given), expected, atol=1e-5)


def test_replicas_stay_alike():
    with tiny.mirrored().scope():
        strength = AdaptiveStrength(**SETTINGS)
    run(strength, signs(31))
    for variable in strength.variables.values():
        first, second = variable.values
        np.testing.assert_array_equal(first, second)


def test_signs_computed_on_replicas():
    """The mean over the global batch, as a step would make it."""
    strategy = tiny.mirrored()
    with strategy.scope():
        strength = AdaptiveStrength(0.6, 1, 100)

    def replica():
        context = tf.distribute.get_replica_context()
        first = tf.cast(context.replica_id_in_sync_group == 0, tf.float32)
        scores = tf.stack([[2.0, -1.0], [0.1, first - 0.5]])
        return tf.reduce_sum(tf.sign(scores), 0) / 4.0

    @tf.function
    def step():
        shares = strategy.run(replica)
        strength.update(strategy.reduce("SUM", shares, axis=None), 4)

    step()
    # D_S: r = 1. D_T: r = -1/2, where p cannot fall.
    np.testing.assert_allclose(strength.probability, [0.04, 0.0], rtol=1e-6)


def test_goes_on_from_its_variables():
    given = signs(100)
    whole = run(AdaptiveStrength(**SETTINGS), given)
    first, second = (AdaptiveStrength(**SETTINGS) for _ in range(2))
    begin = run(first, given[:46])  # One update after an adjustment.
    for name, variable in second.variables.items():
        variable.assign(first.variables[name].numpy())
    np.testing.assert_array_equal(
        np.concatenate([begin, run(second, given[46:])]), whole
    )


def test_variables():
    variables = AdaptiveStrength(initial=0.5).variables
    for name, value in {
        "probability": np.float32([0.5, 0.5]),
        "sign_sum": np.float32([0, 0]),
        "count": np.int64(0),
    }.items():
        variable = variables.pop(f"adaptive_strength/{name}")
        assert not variable.trainable and variable.dtype == value.dtype
        np.testing.assert_array_equal(variable, value)
    assert not variables


def test_from_0_to_1_in_500_000_examples():
    strength = AdaptiveStrength()
    for _ in range(4):
        strength.update(tf.constant([1.0, 0.5]), 1000)
    # 4,000 of 500,000 examples; 0.5 is below the target.
    np.testing.assert_allclose(strength.probability, [0.008, 0.0], rtol=1e-6)


def test_a_shorter_interval_after_resuming():
    strength = AdaptiveStrength(interval=2, examples_to_full=100)
    strength.count.assign(5)
    strength.sign_sum.assign([5.0, 5.0])
    strength.update(tf.constant([1.0, 1.0]), 4)
    # Six updates of 4 examples have not moved p yet.
    np.testing.assert_allclose(strength.probability, [0.24, 0.24], rtol=1e-6)
    assert strength.count.numpy() == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("target", 1.0),
        ("target", float("nan")),
        ("interval", 0),
        ("examples_to_full", 0),
        ("initial", 1.5),
    ],
)
def test_impossible_arguments(name, value):
    with pytest.raises(ValueError, match=rf"AdaptiveStrength\.{name}.*{name}="):
        AdaptiveStrength(**{name: value})
