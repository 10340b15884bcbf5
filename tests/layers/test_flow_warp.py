import numpy as np
import numpy_tsru as oracle
import pytest
import tensorflow as tf

from dvdgan_tf.layers.flow_warp import warp

SHAPES = [(2, 4, 7, 3), (3, 6, 2, 1), (2, 1, 5, 2), (1, 3, 1, 2), (2, 1, 1, 2)]


def normal(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def image_and_flow(shape, scale):
    return normal(*shape), scale * normal(*shape[:-1], 2, seed=2)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_the_equation_also_far_outside(shape, jit_compile):
    function = tf.function(warp, jit_compile=jit_compile)
    for scale in (0.3, 3.0, 1e3):
        image, flow = image_and_flow(shape, scale)
        outputs = function(image, flow)
        assert outputs.shape == shape
        expected = oracle.warp(image.astype("float64"), flow)
        np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


def test_no_flow_changes_nothing():
    image, flow = image_and_flow(SHAPES[0], 0.0)
    np.testing.assert_array_equal(warp(image, flow), image)


def test_whole_pixels_move_in_the_direction_said():
    image, flow = image_and_flow((2, 5, 6, 3), 0.0)
    flow += [1.0, -2.0]
    outputs = warp(image, flow).numpy()
    np.testing.assert_array_equal(outputs[:, :4, 2:], image[:, 1:, :4])
    # What lies outside is the nearest border.
    np.testing.assert_array_equal(outputs[:, 4, 2:], image[:, 4, :4])
    np.testing.assert_array_equal(outputs[:, :4, 1], image[:, 1:, 0])


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_the_finite_differences(shape, jit_compile):
    image, flow = image_and_flow(shape, 2.0)
    cotangent = normal(*shape, seed=3)

    @tf.function(jit_compile=jit_compile)
    def gradients(*sources):
        with tf.GradientTape() as tape:
            tape.watch(sources)
            outputs = warp(*sources)
        return tape.gradient(outputs, sources, output_gradients=cotangent)

    found = gradients(tf.constant(image), tf.constant(flow))
    point = [image.astype("float64"), flow.astype("float64")]
    for i, gradient in enumerate(found):
        expected = np.empty(point[i].shape)
        for at in np.ndindex(expected.shape):
            sides = []
            for step in (1e-6, -1e-6):
                moved = [a.copy() for a in point]
                moved[i][at] += step
                sides.append(np.vdot(oracle.warp(*moved), cotangent))
            expected[at] = (sides[0] - sides[1]) / 2e-6
        np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4)


def test_many_pixels_that_read_one_all_add_to_its_gradient():
    # In bfloat16 a sum of ones ends at 256.
    image = tf.zeros([1, 20, 30, 1], tf.bfloat16)
    flow = tf.fill([1, 20, 30, 2], -1000.0)
    with tf.GradientTape() as tape:
        tape.watch(image)
        outputs = warp(image, flow)
    gradient = tape.gradient(outputs, image)
    assert gradient[0, 0, 0, 0] == 600
    assert tf.math.count_nonzero(gradient) == 1


def test_bfloat16_keeps_float32_coordinates():
    # At column 259.5, which bfloat16 does not have.
    image = np.tile(np.arange(300.0) % 2, (1, 1, 1))[..., None]
    flow = np.zeros((1, 1, 300, 2), "float32") + [0.0, 0.5]
    outputs = warp(tf.cast(image, tf.bfloat16), flow)
    assert outputs.dtype == tf.bfloat16
    np.testing.assert_array_equal(outputs[0, 0, :-1, 0], 0.5)


def test_batch_may_be_unknown():
    image, flow = image_and_flow(SHAPES[0], 2.0)
    specs = [tf.TensorSpec([None, *a.shape[1:]]) for a in (image, flow)]
    outputs = tf.function(warp, input_signature=specs)(image, flow)
    np.testing.assert_allclose(outputs, warp(image, flow), rtol=1e-6)


def test_a_flow_that_is_not_finite_reads_no_memory_outside():
    image, flow = image_and_flow((1, 2, 3, 1), 0.0)
    flow[0, 0, 0], flow[0, 1, 2] = np.nan, np.inf
    outputs = warp(image, flow).numpy()
    assert np.isnan(outputs[0, 0, 0]).all()
    assert np.isfinite(outputs[0].reshape(-1)[1:]).all()
