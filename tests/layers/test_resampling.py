import numpy as np
import numpy_layers as oracle
import pytest
import tensorflow as tf

from dvdgan_tf.layers.resampling import average_pool, pooled_side, upsample


def images(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("shape", [(2, 3, 5, 2), (2, 3, 3, 5, 2), (1, 1, 1, 2)])
@pytest.mark.parametrize("method", ["bilinear", "nearest"])
def test_upsample_equals_numpy_and_tf_image_resize(shape, method):
    x = images(*shape)
    outputs = upsample(tf.constant(x), method)
    expected = oracle.UP[method](x.astype("float64"))
    assert outputs.shape == expected.shape
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    frames = x.reshape(-1, *shape[-3:])
    size = [2 * shape[-3], 2 * shape[-2]]
    resized = tf.image.resize(frames, size, method=method)
    np.testing.assert_allclose(
        outputs, tf.reshape(resized, outputs.shape), rtol=1e-5, atol=1e-6
    )


def test_bilinear_by_hand():
    x = tf.constant([[0.0, 4.0, 8.0]])[None, ..., None]
    expected = [0.0, 1.0, 3.0, 5.0, 7.0, 8.0]
    np.testing.assert_allclose(upsample(x)[0, :, :, 0], [expected, expected])


def test_upsample_with_unknown_batch_and_time():
    spec = tf.TensorSpec((None, None, 3, 5, 2))
    double = tf.function(upsample, input_signature=[spec])
    x = images(2, 3, 3, 5, 2)
    np.testing.assert_array_equal(double(x), upsample(tf.constant(x)))
    static = double.get_concrete_function().structured_outputs.shape
    assert static.as_list() == [None, None, 6, 10, 2]


@pytest.mark.parametrize(
    ("spatial", "time"), [(2, 1), (2, 2), (1, 2), (4, 1), (1, 1)]
)
def test_average_pool_drops_remainders(spatial, time):
    x = images(2, 5, 5, 7, 3)
    outputs = average_pool(x, spatial, time)
    expected = oracle.pool(x.astype("float64"), spatial, time)
    assert outputs.shape == (2, 5 // time, 5 // spatial, 7 // spatial, 3)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("spatial", "time"), [(2, 1), (2, 2), (1, 2)])
def test_average_pool_rounds_up(spatial, time):
    x = images(2, 5, 5, 7, 3)
    outputs = average_pool(x, spatial, time, round_up=True)
    expected = oracle.pool_up(x.astype("float64"), spatial, time)
    height, width = (pooled_side(n, spatial, True) for n in (5, 7))
    assert outputs.shape == (2, 5 // time, height, width, 3)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ["bilinear", "nearest"])
def test_dtype_is_kept(method):
    x = tf.cast(images(1, 2, 4, 6, 2), "bfloat16")
    assert upsample(x, method).dtype == tf.bfloat16
    assert average_pool(x, 2, 2).dtype == tf.bfloat16
