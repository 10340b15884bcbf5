import keras
import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.training.accumulation import (
    accumulated_gradients,
    gradients_for_examples,
    map_over_parts,
    sum_over_parts,
)


def examples(batch=6):
    rng = np.random.default_rng(0)
    return dict(
        x=tf.constant(rng.normal(size=(batch, 2, 3)).astype("float32")),
        y=tf.constant(rng.integers(0, 9, batch)),
    )


def sums(x, y):
    y = tf.cast(y, "float32")
    return tf.reduce_sum(x**2), [tf.einsum("bij,b->ij", x, y)]


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("parts", [1, 2, 3, 6])
def test_sums_are_those_of_the_whole_batch(parts, in_graph):
    def run():
        zeros = (tf.zeros([]), [tf.zeros([2, 3])])
        return sum_over_parts(sums, examples(), parts, zeros)

    total, (matrix,) = tf.function(run)() if in_graph else run()
    x, y = (np.asarray(e, "float64") for e in examples().values())
    np.testing.assert_allclose(total, (x**2).sum(), rtol=1e-5)
    expected = sum(x[i] * y[i] for i in range(6))
    np.testing.assert_allclose(matrix, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("parts", [1, 2, 3, 6])
def test_mapped_parts_are_concatenated_in_order(parts, in_graph):
    def run():
        return map_over_parts(
            lambda x, y: (
                tf.cast(y, "float32"),
                x * tf.cast(len(x), "float32"),
            ),
            tuple(examples().values()),
            parts,
        )

    labels, scaled = tf.function(run)() if in_graph else run()
    x, y = examples().values()
    np.testing.assert_array_equal(labels, np.asarray(y, "float32"))
    np.testing.assert_allclose(scaled, x * (6 // parts), rtol=1e-6)


def quadratic(weights, x):
    """The sum over examples of (x . w)^2, and as metrics those of x . w."""
    products = tf.linalg.matvec(x, weights[0])
    total = tf.reduce_sum(products)
    return tf.reduce_sum(products**2), tf.stack([total, -total])


@pytest.mark.parametrize("parts", [1, 2, 6])
def test_gradients_pass_through_one_normalisation(parts):
    """L = sum (x . v / |v|)^2, whose gradient is orthogonal to v."""
    rng = np.random.default_rng(1)
    x, v = rng.normal(size=(6, 3)), rng.normal(size=3)
    variable = keras.Variable(v, dtype="float32")
    calls = []

    def normalized():
        calls.append(1)
        return (variable.value / tf.norm(variable.value),)

    metrics, (gradient,) = accumulated_gradients(
        quadratic,
        normalized,
        [variable],
        dict(x=tf.constant(x, "float32")),
        parts,
        2,
    )
    norm = np.linalg.norm(v)
    w, covariance = v / norm, x.T @ x
    expected = 2 * (covariance @ w - w * (w @ covariance @ w)) / norm
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)
    total = (x @ w).sum()
    np.testing.assert_allclose(metrics, [total, -total], rtol=1e-4)
    assert len(calls) == 1


def test_parts_are_added_in_float32():
    """In bfloat16 256 + 1 is 256, where the sum of 300 ones would stop."""
    variable = keras.Variable([0.0], dtype="float32")

    @tf.function
    def run():
        return accumulated_gradients(
            lambda weights, x: (tf.reduce_sum(weights[0] * x), tf.zeros([1])),
            lambda: (tf.cast(variable.value, tf.bfloat16),),
            [variable],
            dict(x=tf.ones([300, 1], tf.bfloat16)),
            300,
            1,
        )[1]

    np.testing.assert_array_equal(run()[0], [300.0])


@pytest.mark.parametrize("parts", [1, 2, 6])
def test_gradients_for_examples_equal_numpy(parts):
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 6, 3)).astype("float32")
    losses, gradient = gradients_for_examples(
        lambda clips, y: tf.reduce_sum(clips**2 * y),
        tf.constant(x),
        dict(y=tf.constant(y)),
        parts,
    )
    assert losses.shape == (parts,)
    np.testing.assert_allclose(np.sum(losses), (x**2 * y).sum(), rtol=1e-4)
    np.testing.assert_allclose(gradient, 2 * x * y, rtol=1e-5)
