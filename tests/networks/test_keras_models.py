"""G, D_S and D_T as Keras models: configs, files, dicts, summaries, export."""

import functools

import gin
import keras
import numpy as np
import numpy_layers as oracle
import pytest
import tensorflow as tf

from dvdgan_tf.layers.conv_gru import ConvGRU
from dvdgan_tf.layers.recurrent import RecurrentUnit
from dvdgan_tf.layers.spectral_layers import SpectralConv
from dvdgan_tf.layers.spectral_norm import SpectralNorm
from dvdgan_tf.layers.tsru import TSRUs
from dvdgan_tf.networks.discriminators import (
    SpatialDiscriminator,
    TemporalDiscriminator,
)
from dvdgan_tf.networks.frame_encoder import FrameEncoder
from dvdgan_tf.networks.generator import Generator

G = dict(
    resolution=32,
    num_frames=3,
    num_classes=4,
    ch=2,
    channel_multipliers=(2, 2, 3, 2),
    z_dim=5,
    embedding_dim=3,
)
D = dict(resolution=32, num_classes=4, ch=2, channel_multipliers=(1, 2, 3, 3))
# Each with arguments that are not the defaults, since a config that left them
# out would give another function.
NETWORKS = {
    "synthesis": functools.partial(
        Generator,
        upsampling="nearest",
        batch_norm_epsilon=0.1,
        batch_norm_momentum=0.5,
        recurrent_unit=functools.partial(TSRUs, unroll=False),
        **G,
    ),
    "prediction": functools.partial(
        Generator,
        conditioning_frames=2,
        frame_encoder=functools.partial(
            FrameEncoder, ch=1, channel_multipliers=(1, 2, 2, 3)
        ),
        name="predictor",
        **G,
    ),
    "attention": functools.partial(
        Generator,
        attention_resolutions=(8,),
        spectral_norm=SpectralNorm(2, epsilon=0.5),
        **dict(G, ch=4),
    ),
    "d_spatial": functools.partial(
        SpatialDiscriminator, k=2, downsampling=2, recompute=True, **D
    ),
    "d_temporal": functools.partial(
        TemporalDiscriminator,
        phi=1,
        crop=2,
        num_3d_blocks=1,
        time_pool=1,
        **D,
    ),
}
each_network = pytest.mark.parametrize("name", NETWORKS)


@functools.cache
def build(name):
    """A network that is not changed, with values that no initialiser gives."""
    network = NETWORKS[name]()
    network.build()
    oracle.randomize(network, noise=0.3)
    return network


def inputs(network, batch=3):
    rng = np.random.default_rng(3)
    result = {}
    for name, spec in network.input_specs().items():
        shape = (batch, *(n or 4 for n in spec.shape[1:]))
        if name == "y":
            result[name] = rng.integers(0, 4, shape).astype("int32")
        else:
            result[name] = rng.uniform(-1, 1, shape).astype("float32")
    return result


def assert_same(network, other):
    """Equal paths, values and functions."""
    paths = [v.path for v in network.weights]
    assert [v.path for v in other.weights] == paths
    for a, b in zip(network.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=a.path)
    x = inputs(network)
    np.testing.assert_array_equal(network(x), other(x))


@each_network
def test_a_config_gives_the_same_function(name):
    network = build(name)
    config = network.get_config()
    other = type(network).from_config(config)
    other.build()
    for a, b in zip(network.weights, other.weights, strict=True):
        b.assign(a)
    assert_same(network, other)
    assert other.get_config() == config
    # In training too: momentum, iterations and epsilon are from the config.
    x = inputs(network)
    np.testing.assert_array_equal(
        network(x, training=True), other(x, training=True)
    )
    for a, b in zip(network.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=a.path)


@pytest.mark.parametrize("name", ["prediction", "attention", "d_temporal"])
def test_a_keras_file_holds_the_network(name, tmp_path):
    network = build(name)
    path = str(tmp_path / "network.keras")
    network.save(path)
    loaded = keras.saving.load_model(path)
    assert type(loaded) is type(network)
    assert_same(network, loaded)


def test_what_a_gin_file_made_can_be_saved(tmp_path):
    with gin.unlock_config():
        gin.clear_config()
        gin.parse_config(
            "Generator.recurrent_unit = @ConvGRU\n"
            "ConvGRU.unroll = False\n"
            "Generator.spectral_norm = @SpectralNorm()\n"
            "SpectralNorm.power_iterations = 3\n"
        )
    try:
        network = gin.get_configurable("Generator")(**G)
    finally:
        gin.clear_config()
    path = str(tmp_path / "network.keras")
    network.build()
    network.save(path)
    loaded = keras.saving.load_model(path)
    unit = loaded.groups[0][0]
    assert type(unit) is ConvGRU and not unit.unroll
    assert unit.spectral_norm.power_iterations == 3
    assert_same(network, loaded)


def test_an_unknown_unit_is_named():
    class Unknown(RecurrentUnit):
        build = ConvGRU.build

    network = Generator(recurrent_unit=Unknown, **G)
    with pytest.raises(ValueError, match=r"'Unknown'.*custom_objects"):
        Generator.from_config(network.get_config())
    other = Generator.from_config(network.get_config(), {"Unknown": Unknown})
    assert type(other.groups[0][0]) is Unknown


@pytest.mark.parametrize("name", ["synthesis", "prediction", "d_spatial"])
def test_a_dict_gives_what_arguments_give(name):
    network = build(name)
    x = inputs(network)
    first, y, *frames = x.values()
    given = {"frames": frames[0]} if frames else {}
    expected = network(first, y, **given)
    np.testing.assert_array_equal(network(x), expected)
    soft = {**x, "y": oracle.one_hot(y, 4).astype("float32")}
    np.testing.assert_allclose(network(soft), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["prediction", "d_temporal"])
def test_predict_takes_a_dict_in_batches(name):
    network = build(name)
    x = inputs(network, 5)
    predicted = network.predict(x, batch_size=2, verbose=0)
    np.testing.assert_allclose(predicted, network(x), rtol=1e-4, atol=1e-4)


def test_what_was_not_drawn_is_refused():
    spatial, temporal = build("d_spatial"), build("d_temporal")
    x = inputs(temporal)
    clips = np.repeat(np.repeat(x["videos"], 2, 2), 2, 3)
    with pytest.raises(ValueError, match=r"k = 2 .* 4 frames.*draw_frames"):
        spatial({"videos": clips, "y": x["y"]})
    with pytest.raises(ValueError, match=r"16x16 .* 32x32;.*draw_crop"):
        temporal({"videos": clips, "y": x["y"]})


SHAPES = {
    "prediction": {
        "frame_encoder": "(None, 4, 4, 4)",
        "4x4_recurrent": "(None, 1, 4, 4, 4)",
        "16x16_block_up": "(None, 1, 32, 32, 4)",
    },
    "d_temporal": {
        "16x16_block0": "(None, None, 8, 8, 2)",
        "linear": "(None, 1)",
    },
}


@pytest.mark.parametrize("name", SHAPES)
def test_summary_has_shapes_and_every_weight(name):
    network = NETWORKS[name]()
    lines = []
    network.summary(expand_nested=True, line_length=120, print_fn=lines.append)
    text = "\n".join(lines)
    assert "?" not in text
    rows = {line.split()[1]: line for line in text.splitlines() if " (" in line}
    for layer, shape in SHAPES[name].items():
        assert shape in rows[layer]
    for weight in network.weights:
        assert f"{weight.path}: {tuple(weight.shape)}" in text
    total = sum(int(np.prod(w.shape)) for w in network.weights)
    assert f"Total params: {total:,}" in text


def test_the_short_summary_names_what_no_row_counts():
    lines = []
    build("synthesis").summary(print_fn=lines.append)
    assert " generator/class_embedding: (4, 3), float32" in lines
    assert not any("seed/kernel" in line for line in lines)


@pytest.mark.parametrize("name", ["prediction", "d_spatial"])
def test_an_export_is_the_function_without_keras(name, tmp_path):
    network = build(name)
    network.export(str(tmp_path), verbose=False)
    module = tf.saved_model.load(str(tmp_path))
    x = inputs(network, 2)
    np.testing.assert_allclose(
        module.serve(x), network(x), rtol=1e-4, atol=1e-4
    )


def test_the_defaults_are_the_papers():
    with keras.StatelessScope(initialize_variables=False):
        generator, spatial, temporal = (
            cls()
            for cls in (Generator, SpatialDiscriminator, TemporalDiscriminator)
        )
    keras.utils.clear_session()
    config = generator.get_config()
    assert config["resolution"] == 128 and config["num_frames"] == 12
    assert config["num_classes"] == 600 and config["ch"] == 96
    assert config["z_dim"] == config["embedding_dim"] == 120
    assert config["conditioning_frames"] == 0
    assert "ConvGRU" in config["recurrent_unit"]["class_name"]
    assert spatial.k == 8 and temporal.phi == 2
    assert temporal.num_3d_blocks == 2


def test_a_layer_that_normalises_has_a_config():
    layer = SpectralConv(3, 1, 3, (2, 1, 2), False, SpectralNorm(4))
    config = keras.saving.serialize_keras_object(layer)
    other = keras.saving.deserialize_keras_object(config)
    assert other.get_config() == layer.get_config()
    assert other.spectral_norm.power_iterations == 4
    assert other.pool == (2, 1, 2) and other.rank == 3 and not other.use_bias
