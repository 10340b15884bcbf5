import os
import pathlib
import shutil

import i3d_weights_made as made
import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.features import i3d_weights
from dvdgan_tf.features.hub import HubI3D
from dvdgan_tf.features.native import NativeI3D


@pytest.fixture(scope="module")
def networks(saved_model):
    return HubI3D(saved_model), NativeI3D(saved_model)


def test_saved_model_equals_native_network(networks):
    videos = tf.constant(made.videos(frames=10))
    hub, native = (network(videos) for network in networks)
    assert hub["logits"].shape == (1, 5)
    scale = np.abs(hub["logits"]).max()
    assert scale > 0.1
    np.testing.assert_allclose(
        hub["logits"], native["logits"], atol=1e-4 * scale
    )
    assert native["average_pool"].shape == (1, 1024)


def test_a_saved_model_is_said_to_be_a_program(saved_model, caplog):
    NativeI3D(saved_model)
    assert not caplog.records
    HubI3D(saved_model)
    assert "is a program and can do what you can" in caplog.text


def test_what_networks_say_of_themselves(networks):
    checksum = i3d_weights.checksum(made.tf_weights())
    for network in networks:
        assert network.checksum == checksum
        assert (network.input_size, network.min_frames) == (224, 9)
    assert [n.name for n in networks] == ["hub_i3d", "native_i3d_float32"]
    assert [n.outputs for n in networks] == [
        ("logits",),
        ("logits", "average_pool"),
    ]


@pytest.mark.parametrize("kind", [HubI3D, NativeI3D])
def test_variables_that_are_cut_short_are_one_sentence(
    saved_model, tmp_path, kind
):
    folder = pathlib.Path(shutil.copytree(saved_model, tmp_path / "i3d"))
    (data,) = folder.glob("variables/variables.data-*")
    os.truncate(data, data.stat().st_size // 2)
    with pytest.raises(ValueError, match=r"is no (SavedModel|checkpoint).*: "):
        kind(str(folder))


@pytest.mark.parametrize("kind", [HubI3D, NativeI3D])
def test_under_two_replicas_and_in_a_function(saved_model, networks, kind):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        network = kind(saved_model)
    videos = made.videos(batch=2)

    @tf.function
    def evaluate(videos):
        outputs = strategy.run(network, args=(videos,))
        return strategy.experimental_local_results(outputs["logits"])

    data = tf.data.Dataset.from_tensors(videos).unbatch().batch(2)
    batch = next(iter(strategy.experimental_distribute_dataset(data)))
    expected = networks[1](tf.constant(videos))["logits"]
    np.testing.assert_allclose(
        tf.concat(evaluate(batch), 0),
        expected,
        atol=1e-4 * np.abs(expected).max(),
    )


def test_weights_of_a_module_of_tensorflow_1_run_natively(tmp_path):
    weights = made.tf_weights(num_classes=6, seed=1)
    made.write_tf1(tmp_path, {f"module/{k}": v for k, v in weights.items()})
    native = NativeI3D(str(tmp_path))
    assert native.checksum == i3d_weights.checksum(weights)
    assert native(made.videos())["logits"].shape == (1, 6)


def write_hub_module(folder, output="default"):
    """A TF-Hub module of TensorFlow 1: means of the pixels times a weight."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        shape = [None, None, 224, 224, 3]
        videos = tf.compat.v1.placeholder(tf.float32, shape)
        weight = tf.compat.v1.get_variable("weight", initializer=[[2.0] * 4])
        means = tf.reduce_mean(videos, [1, 2, 3, 4])[:, None]
        session.run(tf.compat.v1.global_variables_initializer())
        signature = tf.compat.v1.saved_model.predict_signature_def(
            {"rgb_input": videos}, {output: means * weight}
        )
        builder = tf.compat.v1.saved_model.Builder(folder)
        builder.add_meta_graph_and_variables(
            session, [], {"default": signature}
        )
        builder.save()
    # Its presence is what tells the format.
    with open(os.path.join(folder, "tfhub_module.pb"), "wb") as file:
        file.write(b"\x08\x03")


def test_hub_module_of_tensorflow_1(tmp_path):
    folder = str(tmp_path / "module")
    write_hub_module(folder)
    network = HubI3D(folder)
    assert len(network.checksum) == 64
    assert network.checksum == HubI3D(folder).checksum
    outputs = network(tf.fill([2, 9, 224, 224, 3], 0.25))
    assert list(outputs) == ["logits"]
    np.testing.assert_allclose(outputs["logits"], np.full((2, 4), 0.5))


def test_other_modules_are_refused(tmp_path):
    folder = str(tmp_path / "module")
    write_hub_module(folder, output="scores")
    with pytest.raises(ValueError, match=r"is not I3D.*'scores'"):
        HubI3D(folder)


def test_folders_without_saved_model_are_refused(tmp_path):
    with pytest.raises(ValueError, match="is no SavedModel"):
        HubI3D(str(tmp_path))
    with pytest.raises(ValueError, match="no checkpoint that can be read"):
        NativeI3D(str(tmp_path))


@pytest.mark.parametrize("kind", [HubI3D, NativeI3D])
@pytest.mark.parametrize(
    "handle", ["missing", "https://i3d.invalid/module/1", "gone.tar.gz"]
)
def test_what_cannot_be_reached_says_what_to_run(tmp_path, kind, handle):
    if "://" not in handle:
        handle = str(tmp_path / handle)
    binding = f"{kind.__name__}.handle = "
    with pytest.raises(OSError, match=f"install_i3d .*{binding}") as error:
        kind(handle)
    assert repr(handle) in str(error.value)
    assert "\n" not in str(error.value)


def test_unknown_precision_is_refused(saved_model):
    with pytest.raises(ValueError, match="received 'float16'"):
        NativeI3D(saved_model, precision="float16")


def test_short_videos_are_refused(networks):
    for network in networks:
        with pytest.raises(ValueError, match="9 frames or more"):
            network(tf.zeros([1, 8, 224, 224, 3]))


def test_bfloat16_is_a_network_of_another_name(saved_model, networks):
    network = NativeI3D(saved_model, precision="bfloat16")
    assert network.name == "native_i3d_bfloat16"
    assert network.checksum == networks[0].checksum


def test_compiled_network_equals_the_other(saved_model, networks):
    videos = tf.constant(made.videos())
    compiled = NativeI3D(saved_model, jit_compile=True)(videos)
    for name, expected in networks[1](videos).items():
        scale = np.abs(expected).max()
        np.testing.assert_allclose(compiled[name], expected, atol=1e-4 * scale)


def test_hub_layer_of_keras_2_runs_it(saved_model, networks):
    hub = pytest.importorskip("tensorflow_hub")
    layer = hub.KerasLayer(
        saved_model, signature="default", output_key="default"
    )
    videos = tf.constant(made.videos())
    logits = layer(videos)
    expected = networks[0](videos)["logits"]
    np.testing.assert_allclose(logits, expected, rtol=1e-5)
