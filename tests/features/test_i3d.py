import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.features.i3d import I3D, Head, InceptionBlock, Unit3D, max_pool


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def randomized(layer, shape):
    """The layer, built, with random weights."""
    layer(keras.Input(shape[1:]))
    for i, variable in enumerate(layer.variables):
        variable.assign(0.5 * normal(*variable.shape, seed=i + 1))
    return layer


def padded(x, size, stride, value):
    """Pads T, H, W as "same": ceil(n / s) results, the odd zero at the end."""
    widths = [(0, 0)]
    for n, k, s in zip(x.shape[1:4], size, stride, strict=True):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        widths.append((total // 2, total - total // 2))
    return np.pad(x, [*widths, (0, 0)], constant_values=value)


def taps(x, size, stride, value=0.0):
    """Yields (position in the window, what of the input lies there)."""
    counts = [-(-n // s) for n, s in zip(x.shape[1:4], stride, strict=True)]
    x = padded(x, size, stride, value)
    for offset in itertools.product(*map(range, size)):
        index = [
            slice(o, o + (n - 1) * s + 1, s)
            for o, n, s in zip(offset, counts, stride, strict=True)
        ]
        yield offset, x[(slice(None), *index)]


def oracle_unit(x, kernel, bias, stride=1):
    kernel, bias = (np.float64(v) for v in (kernel, bias))
    found = taps(np.float64(x), kernel.shape[:3], (stride,) * 3)
    outputs = sum(part @ kernel[offset] for offset, part in found)
    return np.maximum(outputs + bias, 0)


def oracle_pool(x, window, stride):
    found = taps(np.float64(x), window, stride, -np.inf)
    return np.max([part for _, part in found], 0)


@pytest.mark.parametrize("size", [(9, 14, 14), (8, 13, 16), (11, 15, 13)])
def test_stem(size):
    x = normal(2, *size, 3)
    unit = randomized(Unit3D(5, 7, strides=2), x.shape)
    expected = oracle_unit(x, unit.kernel, unit.bias, 2)
    np.testing.assert_allclose(unit(x), expected, rtol=1e-4, atol=1e-4)
    assert 0.1 < np.mean(expected == 0) < 0.9


@pytest.mark.parametrize(
    ("window", "stride"),
    [
        ((1, 3, 3), (1, 2, 2)),
        ((3, 3, 3), (2, 2, 2)),
        ((2, 2, 2), (2, 2, 2)),
        ((3, 3, 3), (1, 1, 1)),
    ],
)
@pytest.mark.parametrize("size", [(5, 8, 7), (4, 7, 10)])
def test_max_pool(window, stride, size):
    # Negative, so that padding with zeros would be seen.
    x = -np.abs(normal(2, *size, 3))
    np.testing.assert_array_equal(
        max_pool(x, window, stride), oracle_pool(x, window, stride)
    )


def oracle_block(x, variables):
    """Branch by branch; weights in order of the six convolutions."""
    pairs = list(zip(variables[::2], variables[1::2], strict=True))
    branches = [
        oracle_unit(x, *pairs[0]),
        oracle_unit(oracle_unit(x, *pairs[1]), *pairs[2]),
        oracle_unit(oracle_unit(x, *pairs[3]), *pairs[4]),
        oracle_unit(oracle_pool(x, (3, 3, 3), (1, 1, 1)), *pairs[5]),
    ]
    return np.concatenate(branches, -1)


def test_inception_block():
    x = normal(2, 3, 5, 6, 8)
    block = randomized(InceptionBlock((3, 4, 5, 2, 6, 7)), x.shape)
    weights = [
        variable
        for unit in block.units.values()
        for variable in (unit.kernel, unit.bias)
    ]
    expected = oracle_block(x, [w.numpy() for w in weights])
    assert expected.shape[-1] == 3 + 5 + 6 + 7
    np.testing.assert_allclose(block(x), expected, rtol=1e-4, atol=1e-3)


def test_bfloat16_block_is_near_float32():
    x = normal(2, 3, 5, 6, 8)
    block = randomized(InceptionBlock((3, 4, 5, 2, 6, 7)), x.shape)
    low = InceptionBlock((3, 4, 5, 2, 6, 7), dtype="bfloat16")
    low(keras.Input(x.shape[1:]))
    low.set_weights(block.get_weights())
    expected, outputs = block(x).numpy(), low(x)
    assert outputs.dtype == tf.bfloat16
    error = np.abs(tf.cast(outputs, tf.float32) - expected).max()
    assert 0 < error < 0.03 * expected.max()


@pytest.mark.parametrize("frames", [2, 4])
def test_head_averages_over_the_classifier_at_each_time(frames):
    x = normal(2, frames, 7, 7, 6)
    head = randomized(Head(5), x.shape)
    kernel = np.float64(head.kernel)[0, 0, 0]
    pooled = [
        np.float64(x)[:, t : t + 2].mean((1, 2, 3)) for t in range(frames - 1)
    ]
    logits = [p @ kernel + np.float64(head.bias) for p in pooled]
    outputs = head(x)
    for name, expected in (("average_pool", pooled), ("logits", logits)):
        np.testing.assert_allclose(
            outputs[name], np.mean(expected, 0), rtol=1e-5, atol=1e-6
        )


def test_outputs_are_float32_also_in_bfloat16():
    outputs = I3D(7, dtype="bfloat16")(keras.Input((None, 224, 224, 3)))
    assert {k: (v.shape, v.dtype) for k, v in outputs.items()} == {
        "logits": ((None, 7), "float32"),
        "average_pool": ((None, 1024), "float32"),
    }


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 8, 224, 224, 3), "9 frames or more.*received 8"),
        ((1, 16, 112, 224, 3), r"received the shape \(1, 16, 112, 224, 3\)"),
        ((1, 16, 224, 224, 1), "received the shape"),
        ((16, 224, 224, 3), "received the shape"),
    ],
)
def test_other_shapes_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        I3D(3)(tf.zeros(shape))


def test_too_few_frames_are_refused_where_a_graph_does_not_know_them():
    function = tf.function(
        I3D(3), input_signature=[tf.TensorSpec([None, None, 224, 224, 3])]
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="9 frames"):
        function(tf.zeros([1, 8, 224, 224, 3]))
