import hashlib

import i3d_weights_made as made
import numpy as np
import pytest

from dvdgan_tf.features import i3d_weights

SCOPE = "RGB/inception_i3d"
BIAS = f"{SCOPE}/Logits/Conv3d_0c_1x1/conv_3d/b"


@pytest.fixture(scope="module")
def weights():
    return made.tf_weights()


def test_names_and_size_of_the_published_network():
    names = i3d_weights.weight_names()
    weights = made.tf_weights(num_classes=400)
    assert sorted(names) == sorted(weights)
    assert len(names) == len(set(names)) == 230
    assert sum(w.size for w in weights.values()) == 12_704_544
    unit = f"{SCOPE}/Mixed_5b/Branch_2/Conv3d_0a_3x3"
    assert f"{unit}/conv_3d/w" in names
    assert f"{SCOPE}/Mixed_5c/Branch_2/Conv3d_0b_3x3/conv_3d/w" in names


def test_folded_equals_batch_norm_after_the_convolution():
    unit = "Conv3d_2b_1x1"
    rng = np.random.default_rng(0)
    kernel, beta, mean = (rng.normal(size=s) for s in ((3, 4), 4, 4))
    variance = rng.uniform(1e-4, 2, 4)
    values = (kernel, beta, mean, variance)
    names = [
        f"{SCOPE}/{unit}/{name}"
        for name in (
            "conv_3d/w",
            "batch_norm/beta",
            "batch_norm/moving_mean",
            "batch_norm/moving_variance",
        )
    ]
    x = rng.normal(size=(20, 3))
    expected = (x @ kernel - mean) / np.sqrt(variance + 1e-3) + beta
    weights = dict(zip(names, values, strict=True))
    folded_kernel, folded_bias = i3d_weights.folded(weights, unit)
    np.testing.assert_allclose(x @ folded_kernel + folded_bias, expected)


def test_each_unit_gets_its_weights(weights):
    network = i3d_weights.make_network(weights)
    assert len(network.variables) == 2 * len(network.units) == 116
    for name, unit in network.units.items():
        kernel, bias = i3d_weights.folded(weights, name)
        np.testing.assert_array_equal(unit.kernel, kernel)
        np.testing.assert_array_equal(unit.bias, bias)
    assert (
        network.units["Mixed_4c/Branch_1/Conv3d_0b_3x3"]
        is (network.blocks["Mixed_4c"].branches[1][1])
    )


def test_checksum_is_of_the_tensors_in_order_of_their_names():
    weights = {
        "b": np.array([3.0], "float32"),
        "a": np.array([[1.0, 2.0]], "float32"),
    }
    data = np.array([1, 2, 3], "<f4").tobytes()
    expected = hashlib.sha256(data).hexdigest()
    assert i3d_weights.checksum(weights) == expected


@pytest.mark.parametrize("prefix", ["", "module/"])
def test_reads_variables_of_tensorflow_1(tmp_path, prefix):
    weights = made.tf_weights(num_classes=6)
    stored = {"global_step": np.int64(3)}
    for name, value in weights.items():
        is_statistic = "moving" in name
        shape = (1, 1, 1, 1, -1) if is_statistic else value.shape
        stored[prefix + name] = value.reshape(shape)
    made.write_tf1(tmp_path, stored)
    read = i3d_weights.read_weights(str(tmp_path))
    assert read.keys() == weights.keys()
    for name, value in weights.items():
        np.testing.assert_array_equal(read[name], value, strict=True)
    assert i3d_weights.make_network(read).head.num_classes == 6


def small():
    """All variables, with one element each."""
    names = i3d_weights.weight_names()
    return {name: np.zeros(1, "float32") for name in names}


def test_a_missing_variable_is_named(tmp_path):
    weights = small()
    name = f"{SCOPE}/Conv3d_2c_3x3/batch_norm/beta"
    del weights[name]
    made.write_tf1(tmp_path, weights)
    with pytest.raises(ValueError, match=f"{name} is missing"):
        i3d_weights.read_weights(str(tmp_path))


def test_other_types_are_refused(tmp_path):
    made.write_tf1(tmp_path, small() | {BIAS: np.zeros(3, "float64")})
    with pytest.raises(ValueError, match=f"{BIAS} .* float64, not float32"):
        i3d_weights.read_weights(str(tmp_path))


@pytest.mark.parametrize("names", [["dense/w"], [f"a/{BIAS}", f"b/{BIAS}"]])
def test_variables_of_something_else_are_refused(tmp_path, names):
    made.write_tf1(tmp_path, {name: np.zeros(3, "float32") for name in names})
    with pytest.raises(ValueError, match="does not hold the weights of I3D"):
        i3d_weights.read_weights(str(tmp_path))


@pytest.mark.parametrize("content", [None, b"", b"no table" * 100])
def test_no_checkpoint_is_one_sentence(tmp_path, content):
    if content is not None:
        (tmp_path / "variables").mkdir()
        for end in ("index", "data-00000-of-00001"):
            path = tmp_path / "variables" / f"variables.{end}"
            path.write_bytes(content)
    with pytest.raises(ValueError, match="no checkpoint that can be read"):
        i3d_weights.read_weights(str(tmp_path))


def test_other_shapes_are_refused(weights):
    name = f"{SCOPE}/Mixed_3b/Branch_0/Conv3d_0a_1x1/batch_norm/moving_mean"
    wrong = weights | {name: np.zeros(1, "float32")}
    with pytest.raises(ValueError, match=rf"{name} has the shape \(1,\)"):
        i3d_weights.make_network(wrong)
