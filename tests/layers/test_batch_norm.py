import numpy as np
import numpy_layers as oracle
import pytest
import tensorflow as tf

from dvdgan_tf.layers.batch_norm import ClassConditionalBatchNorm

SHAPE = (4, 3, 2, 3, 5)  # B, T, H, W, C
TIGHT = dict(rtol=1e-3, atol=1e-4)


def build(shape=SHAPE, random=True, **kwargs):
    norm = ClassConditionalBatchNorm(**kwargs)
    norm.build(shape, (shape[0], 6))
    if random:
        oracle.randomize(norm)
    return norm


def data(seed=1, shape=SHAPE):
    """x with another mean and scale in every frame and channel, and c."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.5, 3.0, (shape[1], 1, 1, shape[-1]))
    offset = rng.normal(size=scale.shape) * 2
    x = rng.normal(size=shape) * scale + offset
    return x.astype("float32"), rng.normal(size=(shape[0], 6)).astype("float32")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("epsilon", [1e-4, 0.3])
def test_equals_numpy(training, epsilon):
    norm = build(epsilon=epsilon)
    x, c = data()
    w = oracle.Weights(norm, iterations=int(training))
    expected = oracle.batch_norm(
        x.astype("float64"), c.astype("float64"), w, training, epsilon
    )
    np.testing.assert_allclose(norm(x, c, training=training), expected, **TIGHT)


def test_default_epsilon_is_the_papers():
    assert ClassConditionalBatchNorm().epsilon == 1e-4


def test_gain_is_one_plus_the_projection():
    norm = build()
    x, c = data()
    outputs = norm(x, np.zeros_like(c), training=True)
    # With c = 0 gain is 1 and bias 0: standardised per frame and channel.
    np.testing.assert_allclose(
        np.mean(outputs, (0, 2, 3)), np.zeros((3, 5)), atol=1e-5
    )
    np.testing.assert_allclose(
        np.std(outputs, (0, 2, 3)), np.ones((3, 5)), atol=1e-3
    )


def test_statistics_and_parameters_have_the_right_shapes():
    norm = build()
    assert norm.moving_mean.shape == norm.moving_variance.shape == (3, 5)
    assert [v.shape for v in norm.trainable_variables] == [(6, 5), (6, 5)]


def test_nothing_passes_between_frames_but_between_examples():
    norm = build()
    x, c = data()
    reference = norm(x, c, training=True).numpy()
    later = x.copy()
    later[:, 2] = later[:, 2] * 3 + 1
    norm = build()
    changed = norm(later, c, training=True).numpy()
    np.testing.assert_array_equal(changed[:, :2], reference[:, :2])
    other = x.copy()
    other[1] = other[1] * 3 + 1
    norm = build()
    changed = norm(other, c, training=True).numpy()
    assert np.abs(changed[0] - reference[0]).min(-1).max() > 1e-2


def test_inference_keeps_examples_apart_and_changes_no_variable():
    norm = build()
    x, c = data()
    before = oracle.values(norm)
    reference = norm(x, c).numpy()
    oracle.assert_unchanged(norm, before)
    x[1] += 1.0
    c[1] += 1.0
    changed = norm(x, c).numpy()
    np.testing.assert_allclose(changed[[0, 2]], reference[[0, 2]], **TIGHT)


def test_moving_statistics_start_at_0_and_1_and_follow_the_momentum():
    norm = build(random=False, momentum=0.8)
    np.testing.assert_array_equal(norm.moving_mean.numpy(), 0.0)
    np.testing.assert_array_equal(norm.moving_variance.numpy(), 1.0)
    mean, variance = np.zeros((3, 5)), np.ones((3, 5))
    for seed in (1, 2):
        x, c = data(seed)
        norm(x, c, training=True)
        mean = 0.8 * mean + 0.2 * x.mean((0, 2, 3))
        variance = 0.8 * variance + 0.2 * x.var((0, 2, 3))
        np.testing.assert_allclose(norm.moving_mean.numpy(), mean, **TIGHT)
        np.testing.assert_allclose(
            norm.moving_variance.numpy(), variance, **TIGHT
        )


def test_momentum_schedule_gives_standing_statistics():
    norm = build()
    batches = [data(seed) for seed in (1, 2, 3)]
    for n, (x, c) in enumerate(batches, 1):
        norm.momentum.assign((n - 1) / n)
        norm(x, c, training=True)
    means = [x.mean((0, 2, 3)) for x, _ in batches]
    variances = [x.var((0, 2, 3)) for x, _ in batches]
    np.testing.assert_allclose(
        norm.moving_mean.numpy(), np.mean(means, 0), **TIGHT
    )
    np.testing.assert_allclose(
        norm.moving_variance.numpy(), np.mean(variances, 0), **TIGHT
    )


def test_variance_far_from_zero_is_accurate():
    norm = build()
    x, c = data()
    x = x * 0.1 + 300.0
    outputs = norm(x, np.zeros_like(c), training=True)
    exact = x.astype("float64")
    exact -= exact.mean((0, 2, 3), keepdims=True)
    exact /= np.sqrt(exact.var((0, 2, 3), keepdims=True) + 1e-4)
    np.testing.assert_allclose(outputs, exact, atol=1e-2)


def run_and_differentiate(norm, x, c, cotangent):
    variables = [v.value for v in norm.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch([x, c])
        outputs = norm(x, c, training=True)
        loss = tf.reduce_sum(cotangent * tf.sin(outputs))
    return outputs, *tape.gradient(loss, [x, c, *variables])


def on_two_replicas(arrays):
    """The layer, and what `run_and_differentiate` gives on each replica."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        norm = build()

    def part(array):
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(
                np.split(array, 2)[context.replica_id_in_sync_group]
            )
        )

    @tf.function
    def step(*args):
        return strategy.run(
            lambda *args: run_and_differentiate(norm, *args), args
        )

    split = step(*map(part, arrays))
    return norm, [strategy.experimental_local_results(x) for x in split]


def test_two_replicas_equal_one_on_the_joint_batch():
    x, c = data()
    x[:2] += 2.0  # The replicas' statistics differ.
    cotangent = np.random.default_rng(3).normal(size=SHAPE).astype("float32")
    arrays = [x, c, cotangent]
    single = build()
    joint = run_and_differentiate(single, *map(tf.constant, arrays))

    norm, split = on_two_replicas(arrays)
    for i in range(3):  # Outputs, dL/dx, dL/dc: by example.
        np.testing.assert_allclose(
            np.concatenate(split[i]), joint[i], rtol=1e-3, atol=1e-4
        )
    for i in (3, 4):  # dL/dW_g and dL/dW_b: the sum over replicas.
        np.testing.assert_allclose(
            sum(split[i]), joint[i], rtol=1e-3, atol=1e-4
        )
    for one, mirrored in zip(single.variables, norm.variables, strict=True):
        for value in mirrored.value.values:  # One per replica.
            np.testing.assert_allclose(value.numpy(), one.numpy(), **TIGHT)


def test_two_replicas_with_channels_that_hardly_vary():
    # E[x^2] - E[x]^2 in float32 can be less than -epsilon.
    _, c = data()
    means = np.linspace(50.0, 500.0, 15).reshape(1, 3, 1, 1, 5)
    x = means + 1e-3 * np.random.default_rng(4).normal(size=SHAPE)
    x = x.astype("float32")
    _, split = on_two_replicas([x, c, np.ones(SHAPE, "float32")])
    for values in split:
        assert all(np.isfinite(value).all() for value in values)


def test_mixed_precision_keeps_statistics_in_float32():
    norm, reference = build(dtype="mixed_bfloat16"), build()
    x, c = data()
    outputs = norm(x, c, training=True)
    assert outputs.dtype == tf.bfloat16
    assert {v.dtype for v in norm.variables} == {"float32"}
    expected = reference(x, c, training=True).numpy()
    np.testing.assert_allclose(
        tf.cast(outputs, "float32"), expected, atol=0.02 * np.ptp(expected)
    )
