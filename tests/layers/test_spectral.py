import gin
import numpy as np
import numpy_layers as oracle
import pytest
import tensorflow as tf

from dvdgan_tf.layers.spectral_layers import (
    SpectralConv,
    SpectralDense,
    SpectralEmbedding,
)
from dvdgan_tf.layers.spectral_norm import SpectralNorm

# Every kind of weight layer: how it is made, its input's shape, and the
# shape of its weight.
KINDS = {
    "conv2d": (SpectralConv, (4,), {}, (2, 4, 6, 3), (3, 3, 3, 4)),
    "conv3d": (
        SpectralConv,
        (4,),
        {"rank": 3},
        (2, 3, 4, 6, 3),
        (3, 3, 3, 3, 4),
    ),
    "dense": (SpectralDense, (5,), {}, (2, 7), (7, 5)),
    "wide_dense": (SpectralDense, (7,), {}, (2, 3), (3, 7)),
    "embedding": (SpectralEmbedding, (6, 4), {}, (2, 6), (6, 4)),
}


def build(kind, random=True, **kwargs):
    cls, args, options, input_shape, _ = KINDS[kind]
    layer = cls(*args, **options, **kwargs)
    layer.build(input_shape)
    if random:
        oracle.randomize(layer)
    return layer


def inputs_of(kind):
    rng = np.random.default_rng(1)
    return rng.normal(size=KINDS[kind][3]).astype("float32")


@pytest.mark.parametrize("iterations", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_weight_over_sigma_and_u_equal_the_algorithm(kind, iterations):
    layer = build(kind, spectral_norm=SpectralNorm(iterations))
    (weight,) = layer.spectral_weights
    assert weight.weight.shape == KINDS[kind][4]
    assert weight.u.shape == KINDS[kind][4][-1:]
    u = weight.u.numpy().astype("float64")
    for _ in range(2):  # The second pass starts from the first one's u.
        expected, u = oracle.spectral_normalize(
            weight.weight.numpy().astype("float64"), u, iterations
        )
        normalized = weight.normalized(training=True)
        np.testing.assert_allclose(normalized, expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(weight.u.numpy(), u, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_sigma_converges_to_the_largest_singular_value(kind):
    layer = build(kind, spectral_norm=SpectralNorm(100))
    (weight,) = layer.spectral_weights
    normalized = weight.normalized(training=True).numpy()
    value = weight.weight.numpy()
    top = np.linalg.svd(
        value.reshape(-1, value.shape[-1]).astype("float64"), compute_uv=False
    )[0]
    np.testing.assert_allclose(weight.sigma(), top, rtol=1e-3)
    np.testing.assert_allclose(normalized, value / top, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_output_equals_numpy(kind):
    layer = build(kind)
    inputs = inputs_of(kind)
    for training in (True, False):
        w = oracle.Weights(layer, iterations=int(training))
        x = inputs.astype("float64")
        if kind == "embedding":
            expected = x @ w.normalized("embeddings")
        elif "conv" in kind:
            expected = oracle.conv(x, w)
        else:
            expected = oracle.dense(x, w)
        outputs = layer(inputs, training=training)
        np.testing.assert_allclose(outputs, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("kernel_size", "use_bias"), [(3, True), (1, False)])
def test_conv2d_on_videos_treats_frames_as_images(kernel_size, use_bias):
    x = np.random.default_rng(2).normal(size=(2, 3, 4, 6, 3))
    layer = SpectralConv(5, kernel_size, use_bias=use_bias)
    layer.build(x.shape)
    oracle.randomize(layer)
    assert len(layer.trainable_variables) == 1 + use_bias
    w = oracle.Weights(layer)
    outputs = layer(x.astype("float32"))
    for b, t in np.ndindex(2, 3):
        expected = oracle.conv(x[b, t], w)
        np.testing.assert_allclose(
            outputs[b, t], expected, rtol=1e-3, atol=1e-4
        )


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_changes_no_variable_and_training_only_u(kind):
    layer = build(kind)
    before = oracle.values(layer)
    layer(inputs_of(kind))
    layer(inputs_of(kind), training=False)
    oracle.assert_unchanged(layer, before)
    layer(inputs_of(kind), training=True)
    changed = [
        v.name
        for v in layer.variables
        if not np.array_equal(v.numpy(), before[v.path])
    ]
    assert changed == [layer.spectral_weights[0].u.name]
    assert [v.name for v in layer.non_trainable_variables] == changed


def gradient(layer, kind, training, cotangent):
    (weight,) = layer.spectral_weights
    with tf.GradientTape() as tape:
        outputs = layer(inputs_of(kind), training=training)
        loss = tf.reduce_sum(outputs * cotangent)
    return tape.gradient(loss, weight.weight.value).numpy()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_gradient_is_orthogonal_to_the_weight(kind, training):
    layer = build(kind)
    outputs = layer(inputs_of(kind))
    cotangent = np.random.default_rng(3).normal(size=outputs.shape)
    cotangent = cotangent.astype("float32")
    weight = layer.spectral_weights[0].weight.numpy()
    grad = gradient(layer, kind, training, cotangent)
    scale = np.linalg.norm(grad) * np.linalg.norm(weight)
    assert scale > 0.1
    assert abs(np.vdot(grad, weight)) < 1e-4 * scale


def test_gradient_of_a_plain_weight_is_not_orthogonal_to_it():
    # The control of the test above: it can fail.
    weight = tf.Variable(np.random.default_rng(0).normal(size=(7, 5)))
    x = np.random.default_rng(1).normal(size=(2, 7))
    cotangent = np.random.default_rng(3).normal(size=(2, 5))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.matmul(x, weight) * cotangent)
    grad = tape.gradient(loss, weight).numpy()
    scale = np.linalg.norm(grad) * np.linalg.norm(weight)
    assert abs(np.vdot(grad, weight)) > 1e-2 * scale


@pytest.mark.parametrize("kind", ["conv2d", "dense"])
def test_gradient_passes_through_sigma_but_not_through_u_and_v(kind):
    """Against central differences, with u and v held and with them free."""
    layer = build(kind)
    (weight,) = layer.spectral_weights
    value = weight.weight.numpy().astype("float64")
    u = weight.u.numpy().astype("float64")
    _, new_u = oracle.spectral_normalize(value, u, 1)
    v = value.reshape(-1, len(u)) @ u
    v /= np.linalg.norm(v)
    x = inputs_of(kind).astype("float64")
    apply = oracle.convolve if kind == "conv2d" else np.matmul
    cotangent = np.random.default_rng(3).normal(
        size=layer(inputs_of(kind)).shape
    )

    def held(w):
        sigma = v @ w.reshape(-1, len(u)) @ new_u
        return np.vdot(apply(x, w / sigma), cotangent)

    def free(w):
        return np.vdot(
            apply(x, oracle.spectral_normalize(w, u, 1)[0]), cotangent
        )

    grad = gradient(layer, kind, True, cotangent.astype("float32"))
    largest = np.abs(grad).max()
    held = finite_differences(held, value)
    np.testing.assert_allclose(grad, held, rtol=1e-3, atol=1e-3 * largest)
    free = finite_differences(free, value)
    assert np.abs(grad - free).max() > 1e-2 * largest


def finite_differences(function, value, step=1e-5):
    out = np.empty_like(value)
    for i in np.ndindex(value.shape):
        delta = np.zeros_like(value)
        delta[i] = step
        difference = function(value + delta) - function(value - delta)
        out[i] = difference / (2 * step)
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_initialisation_is_orthogonal_with_bias_zero(kind):
    layer = build(kind, random=False)
    (weight,) = layer.spectral_weights
    matrix = weight.weight.numpy().reshape(-1, weight.u.shape[0])
    gram = matrix.T @ matrix
    if matrix.shape[0] < matrix.shape[1]:
        gram = matrix @ matrix.T
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-5)
    if kind != "embedding":
        np.testing.assert_array_equal(layer.bias.numpy(), 0.0)
    assert np.linalg.norm(weight.u.numpy()) > 0


def test_norms_below_epsilon_are_not_divided_by():
    layer = build("dense", random=False)
    (weight,) = layer.spectral_weights
    weight.weight.assign(np.zeros((7, 5)))
    np.testing.assert_array_equal(weight.normalized(training=True), 0.0)
    assert np.isfinite(weight.u.numpy()).all()


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_precision_keeps_variables_in_float32(kind):
    layer = build(kind, dtype="mixed_bfloat16")
    reference = build(kind)
    x = inputs_of(kind)
    outputs = layer(x, training=True)
    assert outputs.dtype == tf.bfloat16
    assert {v.dtype for v in layer.variables} == {"float32"}
    expected = reference(x, training=True).numpy()
    np.testing.assert_allclose(
        tf.cast(outputs, "float32"), expected, atol=0.02 * np.ptp(expected)
    )
    np.testing.assert_array_equal(
        layer.spectral_weights[0].u.numpy(),
        reference.spectral_weights[0].u.numpy(),
    )


def test_errors_name_the_value():
    with pytest.raises(ValueError, match="power_iterations=0") as info:
        SpectralNorm(power_iterations=0)
    assert "\n" not in str(info.value)
    with pytest.raises(ValueError, match="rank=4") as info:
        SpectralConv(3, rank=4)
    assert "\n" not in str(info.value)


def test_gin_can_set_the_power_iterations():
    gin.parse_config("SpectralNorm.power_iterations = 2")
    try:
        assert gin.get_configurable("SpectralNorm")().power_iterations == 2
    finally:
        gin.clear_config()


@pytest.mark.parametrize("kind", ["conv2d", "dense", "embedding"])
def test_a_fresh_weight_is_used_as_it_is(kind):
    """It is orthogonal: sigma is 1, whatever u of length 1."""
    (weight,) = build(kind, random=False).spectral_weights
    np.testing.assert_allclose(tf.norm(weight.u), 1.0, rtol=1e-6)
    np.testing.assert_allclose(weight.sigma(), 1.0, rtol=1e-5)
