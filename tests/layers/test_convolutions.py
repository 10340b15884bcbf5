import numpy as np
import numpy_layers as oracle
import pytest
import tensorflow as tf

from dvdgan_tf.layers.convolutions import (
    convolve,
    convolve_and_pool,
    pooling_kernel,
)


def normal(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


# Edge of the kernel, windows in (time,) height, width; (time, space) of the
# oracle's pool.
CASES = [
    (3, (2, 2), (1, 2)),
    (3, (1, 1), (1, 1)),
    (1, (2, 2), (1, 2)),
    (5, (2, 2), (1, 2)),
    (3, (2, 2, 2), (2, 2)),
    (3, (1, 2, 2), (1, 2)),
    (3, (2, 1, 1), (2, 1)),
]


@pytest.mark.parametrize(("edge", "windows", "pool"), CASES)
@pytest.mark.parametrize("size", [(5, 6, 8), (4, 7, 9)])
def test_one_convolution_equals_convolution_and_pool(edge, windows, pool, size):
    x = tf.constant(normal(2, *size, 3))
    kernel = tf.constant(normal(*[edge] * len(windows), 3, 4, seed=2))
    expected = oracle.pool(
        oracle.convolve(
            x.numpy().astype("float64"), kernel.numpy().astype("float64")
        ),
        time=pool[0],
        spatial=pool[1],
    )
    outputs = convolve_and_pool(x, pooling_kernel(kernel, windows), windows)
    assert outputs.shape == expected.shape
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("edge", "windows", "pool"), CASES)
def test_its_gradients_are_those_of_convolution_and_pool(edge, windows, pool):
    x = tf.constant(normal(2, 4, 6, 8, 3))
    kernel = tf.constant(normal(*[edge] * len(windows), 3, 4, seed=2))

    def fused(x, kernel):
        return convolve_and_pool(x, pooling_kernel(kernel, windows), windows)

    def plain(x, kernel):
        time, space = pool
        window = [1, time, space, space, 1]
        return tf.nn.avg_pool3d(convolve(x, kernel), window, window, "VALID")

    gradients = []
    for function in (fused, plain):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            outputs = function(x, kernel)
            loss = tf.reduce_sum(outputs * normal(*outputs.shape, seed=3))
        gradients.append(tape.gradient(loss, [x, kernel]))
    for a, b in zip(*gradients, strict=True):
        assert np.abs(b).max() > 0.1
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
