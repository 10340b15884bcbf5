import gin
import keras
import numpy as np
import pytest
import tensorflow as tf
from features import c3d_npz
from scipy import signal

from dvdgan_tf.features.c3d import C3D


@pytest.fixture(scope="module")
def arrays():
    return c3d_npz.random_arrays()


@pytest.fixture(scope="module")
def mean():
    return c3d_npz.random_mean()


@pytest.fixture(scope="module")
def paths(tmp_path_factory, arrays, mean):
    return c3d_npz.save(tmp_path_factory.mktemp("c3d"), arrays, mean)


@pytest.fixture(scope="module")
def network(paths):
    return C3D(*paths)


def clips(height, width, count=2):
    shape = (count, 16, height, width, 3)
    return np.random.default_rng(2).integers(0, 256, shape, np.uint8)


def network_inputs(count=2):
    shape = (count, 16, 112, 112, 3)
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def conv_oracle(x, kernel, bias):
    """[C, T, H, W] to [C', T, H, W], zeros around, ReLU."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (1, 1)))
    outputs = [signal.correlate(padded, k, mode="valid")[0] for k in kernel]
    return np.maximum(np.stack(outputs) + bias[:, None, None, None], 0)


def pool_oracle(x, window):
    """Max over windows that begin at multiples, cut off at the end."""
    for axis, size in enumerate(window, start=1):
        starts = np.arange(0, x.shape[axis], size)
        x = np.maximum.reduceat(x, starts, axis=axis)
    return x


def logits_oracle(clip, arrays):
    """From Chainer's layout, [16, 112, 112, 3] to [101], float64."""
    arrays = {key: a.astype(np.float64) for key, a in arrays.items()}
    x = clip.astype(np.float64).transpose(3, 0, 1, 2)
    sizes = []
    for stage in ("1a", "2a", "3a 3b", "4a 4b", "5a 5b"):
        for name in stage.split():
            kernel = arrays[f"conv{name}/W"]
            x = conv_oracle(x, kernel, arrays[f"conv{name}/b"])
        x = pool_oracle(x, (1 if stage == "1a" else 2, 2, 2))
        sizes.append(x.shape[1:])
    assert sizes == [(16, 56, 56), (8, 28, 28), (4, 14, 14), (2, 7, 7)] + [
        (1, 4, 4)
    ]
    x = x.reshape(-1)  # channels first
    for name in ("fc6", "fc7", "fc8"):
        x = arrays[f"{name}/W"] @ x + arrays[f"{name}/b"]
        x = x if name == "fc8" else np.maximum(x, 0)
    return x


def bilinear_oracle(lines, size):
    """Resizes the last axis; the first and last pixels stay in place."""
    n = lines.shape[-1]
    at = np.arange(size) * (n - 1) / (size - 1)
    flat = [np.interp(at, np.arange(n), v) for v in lines.reshape(-1, n)]
    return np.stack(flat).reshape(*lines.shape[:-1], size)


def keys_kernel(x, a):
    x = abs(x)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def bicubic_oracle(lines, size):
    """Keys' convolution over the repeated edge, pixels being areas."""
    n = lines.shape[-1]
    matrix = np.zeros((size, n))
    for out in range(size):
        at = (out + 0.5) * n / size - 0.5
        for pixel in range(-3, n + 3):
            weight = keys_kernel(at - pixel, a=-0.75)
            matrix[out, min(max(pixel, 0), n - 1)] += weight
    return lines @ matrix.T


def preprocess_oracle(frames, mean, preprocessing):
    """[B, 16, H, W, 3] to [B, 3, 16, 112, 112], float64."""
    resize, size, left = {
        "tgan2": (bilinear_oracle, 112, 8),
        "tgan": (bicubic_oracle, 128, 29),
    }[preprocessing]
    x = frames.astype(np.float64).transpose(0, 4, 1, 2, 3)[:, [2, 1, 0]]
    x = resize(x, size)
    x = resize(x.swapaxes(-1, -2), size).swapaxes(-1, -2)
    edge = (size - 112) // 2
    x = x[..., edge : edge + 112, edge : edge + 112]
    return x - mean[:, :, 8:120, left : left + 112]


def test_logits(network, arrays):
    inputs = network_inputs()
    outputs = network(inputs)
    assert set(outputs) == set(network.outputs)
    logits = outputs["logits"].numpy()
    expected = np.stack([logits_oracle(clip, arrays) for clip in inputs])
    assert logits.dtype == np.float32
    assert expected.std() > 0.1
    assert np.abs(expected[0] - expected[1]).max() > 1e-3
    np.testing.assert_allclose(logits, expected, atol=1e-5)


@pytest.mark.parametrize("preprocessing", ["tgan2", "tgan"])
@pytest.mark.parametrize("size", [(64, 64), (45, 150), (128, 112)])
def test_preprocessing(paths, mean, preprocessing, size):
    frames = clips(*size, count=1)
    found = C3D(*paths, preprocessing).preprocess(frames)
    expected = preprocess_oracle(frames, mean, preprocessing)
    assert found.dtype == tf.float32
    assert found.shape == (1, 16, 112, 112, 3)
    found = found.numpy().transpose(0, 4, 1, 2, 3)
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_bicubic_is_that_of_opencv(tmp_path):
    # cv2.resize(line, (128, 1), interpolation=cv2.INTER_CUBIC) of 64 pixels,
    # all 0 but for 1 in the 25th, OpenCV 4.8.
    weights = [-9, -27, 67, 225, 225, 67, -27, -9]  # / 256
    frames = np.zeros((1, 16, 64, 64, 3), np.float32)
    frames[:, :, :, 24] = 1
    paths = c3d_npz.save(tmp_path, mean=np.zeros((3, 16, 128, 171), "f4"))
    found = C3D(*paths, "tgan").preprocess(frames).numpy()
    # Columns 45 to 52 of 128, of which the crop leaves out 8.
    np.testing.assert_allclose(
        found[0, 3, 50, 36:46, 1] * 256, [0, *weights, 0]
    )


def test_frames_as_float(network):
    frames = clips(30, 40)
    np.testing.assert_array_equal(
        network.preprocess(frames),
        network.preprocess(tf.constant(frames, tf.float64)),
    )


@pytest.mark.parametrize(
    ("shape", "dtype", "words"),
    [
        ((2, 15, 8, 8, 3), np.uint8, "16 frames"),
        ((2, 16, 8, 8, 1), np.uint8, "RGB"),
        ((16, 8, 8, 3), np.uint8, r"\(16, 8, 8, 3\)"),
        ((2, 16, 8, 8, 3), np.int32, "int32"),
    ],
)
def test_frames_that_do_not_fit(network, shape, dtype, words):
    with pytest.raises(ValueError, match=words):
        network.preprocess(np.zeros(shape, dtype))


def test_frames_of_unknown_size(network):
    function = tf.function(network.preprocess, autograph=False)
    with pytest.raises(ValueError, match="height and width"):
        function.get_concrete_function(
            tf.TensorSpec((None, 16, None, 64, 3), tf.uint8)
        )


def test_in_functions_and_replicas(network, paths):
    frames = clips(20, 30, count=4)
    expected = network(network.preprocess(frames))["logits"]
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        replicated = C3D(*paths)
    assert replicated.checksum == network.checksum

    @tf.function
    def step(batch):
        return replicated(replicated.preprocess(batch))["logits"]

    values = strategy.experimental_distribute_values_from_function(
        lambda c: frames[2 * c.replica_id_in_sync_group :][:2]
    )
    results = strategy.experimental_local_results(
        strategy.run(step, args=(values,))
    )
    np.testing.assert_allclose(
        tf.concat(results, 0), expected, rtol=1e-4, atol=1e-3
    )


def test_unaffected_by_the_policy(network, paths):
    inputs = network_inputs(count=1)
    expected = network(inputs)["logits"]
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        found = C3D(*paths)(inputs)["logits"]
    finally:
        keras.config.set_dtype_policy(policy)
    np.testing.assert_array_equal(found, expected)


def test_built_by_gin(paths):
    weights, mean = paths
    gin.parse_config(
        f"C3D.weights = {weights!r}\nC3D.mean = {mean!r}\n"
        "C3D.preprocessing = 'tgan'"
    )
    try:
        network = gin.get_configurable("C3D")()
    finally:
        gin.clear_config()
    assert network.preprocessing == "tgan"
    assert network.name == "c3d-ucf101"
    assert not network.trainable_variables


def test_unknown_preprocessing(paths):
    with pytest.raises(ValueError, match=r"\"tgan2\" or .*'c3d'"):
        C3D(*paths, "c3d")
