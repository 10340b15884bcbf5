import numpy as np
import numpy_layers as oracle
import pytest
import tensorflow as tf

from dvdgan_tf.layers.attention import SelfAttention, _max_pool

SHAPE = (2, 3, 4, 6, 16)  # B, T, H, W, C


def build(random=True, **kwargs):
    layer = SelfAttention(**kwargs)
    layer.build(SHAPE)
    if random:
        oracle.randomize(layer)
        layer.gamma.assign(0.7)
    return layer


def inputs():
    return np.random.default_rng(1).normal(size=SHAPE).astype("float32")


@pytest.mark.parametrize("training", [True, False])
def test_equals_numpy(training):
    layer = build()
    x = inputs()
    w = oracle.Weights(layer, iterations=int(training))
    expected = oracle.attention(x.astype("float64"), w)
    outputs = layer(x, training=training)
    np.testing.assert_allclose(outputs, expected, rtol=1e-3, atol=1e-4)
    assert np.abs(expected - x).max() > 0.05


def test_the_last_odd_row_and_column_are_attended_to():
    layer = build()
    x = inputs()[:, :, :3, :5]
    expected = oracle.attention(x.astype("float64"), oracle.Weights(layer))
    np.testing.assert_allclose(layer(x), expected, rtol=1e-3, atol=1e-4)
    # As keys, not only as queries: others see a change there.
    changed = x.copy()
    changed[:, :, 2, 4] *= -3
    difference = np.abs(layer(changed) - layer(x)).max(-1)
    assert difference[:, :, 0, 0].min() > 1e-6


def test_identity_at_the_start():
    x = inputs()
    np.testing.assert_array_equal(build(random=False)(x, training=True), x)


def test_four_spectral_kernels_and_gamma():
    shapes = {v.path.split("/", 1)[1]: v.shape for v in build().variables}
    assert shapes == {
        "theta/kernel": (1, 1, 16, 2),
        "theta/kernel_u": (2,),
        "phi/kernel": (1, 1, 16, 2),
        "phi/kernel_u": (2,),
        "g/kernel": (1, 1, 16, 8),
        "g/kernel_u": (8,),
        "o/kernel": (1, 1, 8, 16),
        "o/kernel_u": (16,),
        "gamma": (),
    }


def test_frames_and_examples_do_not_mix_but_positions_do():
    layer = build()
    x = inputs()
    reference = layer(x).numpy()
    x[0, 1, 0, 0] += 3.0
    changed = layer(x).numpy()
    difference = np.abs(changed - reference).max(-1)
    assert difference[0, 1].min() > 1e-6
    difference[0, 1] = 0.0
    np.testing.assert_allclose(difference, 0.0, atol=1e-6)


def test_evaluation_changes_no_variable():
    layer = build()
    before = oracle.values(layer)
    layer(inputs())
    oracle.assert_unchanged(layer, before)


def test_mixed_precision():
    layer = build(dtype="mixed_bfloat16")
    outputs = layer(inputs(), training=True)
    assert outputs.dtype == tf.bfloat16
    assert {v.dtype for v in layer.variables} == {"float32"}
    expected = build()(inputs(), training=True).numpy()
    np.testing.assert_allclose(
        tf.cast(outputs, "float32"), expected, atol=0.03 * np.ptp(expected)
    )


def test_too_few_channels_raise():
    with pytest.raises(ValueError, match="channels=4") as info:
        SelfAttention().build((None, None, 4, 4, 4))
    assert "\n" not in str(info.value)


def window(*values):
    """[1, 1, 2, 2, 1]"""
    return tf.reshape(tf.constant(values), [1, 1, 2, 2, 1])


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_second_derivative_of_the_pool_is_at_the_maximum(jit_compile, dtype):
    # The first two differ after their first 16 bits, the last two do not.
    values = window(1.0, 1.001, -1.0, -2.0)
    if dtype == "bfloat16":
        values = window(1.0, 1.25, -1.0, -2.0)

    # <grad of a * max(x), d> = a d[argmax]: its derivative is d[argmax].
    @tf.function(jit_compile=jit_compile)
    def derivative(x, d):
        a = tf.ones([], x.dtype)
        with tf.GradientTape() as outer:
            outer.watch(a)
            with tf.GradientTape() as inner:
                inner.watch(x)
                pooled = a * _max_pool(x)
            inner_product = tf.reduce_sum(d * inner.gradient(pooled, x))
        return outer.gradient(inner_product, a)

    d = window(10.0, 20.0, 30.0, 40.0)
    assert derivative(tf.cast(values, dtype), tf.cast(d, dtype)).numpy() == 20
