"""Each file in gin/ parses, builds, and is as the paper and its head say."""

import pathlib

import gin
import keras
import numpy as np
import pytest

from dvdgan_tf import config

FOLDER = pathlib.Path(__file__).parents[1] / "gin"
# Those that say how to measure; see tests/test_evaluate.py.
PROTOCOLS = {
    path.stem for path in FOLDER.glob("*.gin") if "Protocol" in path.read_text()
}
FILES = sorted({p.stem for p in FOLDER.glob("*.gin")} - {"dvdgan"} - PROTOCOLS)

# Classes of the data sets whose files leave that to the data.
CLASSES = {"demo": 10, "folder_64": 7}
SMALL = ("demo", "demo_prediction", "folder_64", "folder_prediction_64")

# Trainable parameters of G, D_S and D_T, spelt out.
GOLDEN = {
    "bair_64": (492_727_163, 153_185_025, 161_456_385),
    "demo": (541_059, 95_601, 128_721),
    "demo_prediction": (931_859, 95_169, 128_289),
    "folder_64": (620_443, 150_809, 159_305),
    "folder_prediction_64": (937_171, 150_425, 158_921),
    "k600_128": (177_009_027, 87_356_449, 88_522_849),
    "k600_128x48": (177_009_027, 87_356_449, 88_522_849),
    "k600_256": (232_163_715, 98_565_409, 99_731_809),
    "k600_64": (305_404_739, 154_411_777, 162_683_137),
    "k600_64_trivd": (305_404_739, 154_411_777, 162_683_137),
    "k600_64x48": (305_404_739, 154_411_777, 162_683_137),
    "k600_prediction_64": (629_566_331, 153_185_025, 161_456_385),
    "seed_summary": (305_404_739, 154_493_698, 162_765_058),
    "ucf101_128": (176_949_147, 86_589_985, 87_756_385),
}
# Resolution, frames, ch and classes.
TASKS = {
    "bair_64": (64, 16, 128, 1),
    "demo": (32, 8, 8, None),
    "demo_prediction": (32, 12, 8, None),
    "folder_64": (64, 12, 4, None),
    "folder_prediction_64": (64, 16, 4, None),
    "k600_128": (128, 12, 96, 600),
    "k600_128x48": (128, 48, 96, 600),
    "k600_256": (256, 12, 96, 600),
    "k600_64": (64, 12, 128, 600),
    "k600_64_trivd": (64, 12, 128, 600),
    "k600_64x48": (64, 48, 128, 600),
    "k600_prediction_64": (64, 16, 128, 600),
    "seed_summary": (64, 48, 128, 600),
    "ucf101_128": (128, 16, 96, 101),
}
PAPER = {
    "Generator.z_dim": 120,
    "Generator.embedding_dim": 120,
    "Generator.upsampling": "bilinear",
    "Generator.attention_resolutions": (),
    "Generator.batch_norm_epsilon": 1e-4,
    "SpectralNorm.power_iterations": 1,
    "SpectralNorm.epsilon": 1e-4,
    "SpatialDiscriminator.k": 8,
    "SpatialDiscriminator.downsampling": 1,
    "SpatialDiscriminator.attention_resolutions": (),
    "TemporalDiscriminator.phi": 2,
    "TemporalDiscriminator.crop": 1,
    "TemporalDiscriminator.num_3d_blocks": 2,
    "TemporalDiscriminator.time_pool": 2,
    "TemporalDiscriminator.attention_resolutions": (),
    "BATCH_SIZE/macro.value": 512,
    "Trainer.d_steps": 2,
    "Trainer.learning_rate_g": 1e-4,
    "Trainer.learning_rate_d": 5e-4,
    "Trainer.beta_1": 0.0,
    "Trainer.beta_2": 0.999,
    "Trainer.ema_decay": 0.9999,
    "Trainer.ema_start_step": 20_000,
    "Trainer.orthogonal_regularization": 0.0,
    "train.num_steps": 300_000,
}
# Frame prediction: frames given, and up to 1,000,000 steps.
PREDICTION = {
    "bair_64": 1,
    "demo_prediction": 4,
    "folder_prediction_64": 5,
    "k600_prediction_64": 5,
}
# What the widely copied summary says instead.
SUMMARY = {
    "BATCH_SIZE/macro.value": 64,
    "Trainer.d_steps": 5,
    "Trainer.learning_rate_g": 2e-4,
    "Trainer.learning_rate_d": 2e-4,
    "Trainer.orthogonal_regularization": 1e-4,
    "SpatialDiscriminator.attention_resolutions": (32,),
    "TemporalDiscriminator.attention_resolutions": (16,),
    "train.num_steps": 1_000_000,
}
# TrIVD-GAN's discriminators.
TRIVD = {
    "SpatialDiscriminator.downsampling": 2,
    "TemporalDiscriminator.phi": 1,
    "TemporalDiscriminator.crop": 2,
}
CHANGES = {"seed_summary": SUMMARY, "k600_64_trivd": TRIVD}


@pytest.fixture(autouse=True)
def _clean():
    gin.clear_config()
    yield
    gin.clear_config()


def parse(name):
    config.parse([str(FOLDER / f"{name}.gin")], [])


def build_counts(num_classes):
    """Trainable parameters; weights get shapes but no values."""
    counts = []
    for name in (
        "generator",
        "spatial_discriminator",
        "temporal_discriminator",
    ):
        factory = gin.query_parameter(f"Trainer.{name}").scoped_configurable_fn
        with keras.StatelessScope(initialize_variables=False):
            net = factory(num_classes=num_classes, dtype="float32")
            net.build()
        variables = net.trainable_variables
        counts.append(sum(int(np.prod(v.shape)) for v in variables))
    return tuple(counts)


def macro(name):
    return gin.query_parameter(f"{name}/macro.value")


@pytest.mark.parametrize("name", FILES)
def test_golden_parameter_counts(name):
    parse(name)
    classes = macro("NUM_CLASSES")
    assert TASKS[name] == (
        macro("RESOLUTION"),
        macro("NUM_FRAMES"),
        macro("CH"),
        classes,
    )
    assert macro("CONDITIONING_FRAMES") == PREDICTION.get(name, 0)
    if not macro("CLASS_CONDITIONAL"):
        classes = 1
    assert build_counts(classes or CLASSES[name]) == GOLDEN[name]
    # Keras would go on to give the variables their values.
    keras.utils.clear_session()


@pytest.mark.parametrize("name", ["TSRUc", "TSRUp", "TSRUs"])
def test_one_binding_swaps_the_recurrent_units(name):
    swap = [f"Generator.recurrent_unit = @{name}", "UNROLL = False"]
    config.parse([str(FOLDER / "demo.gin")], swap)
    with keras.StatelessScope(initialize_variables=False):
        generator = gin.get_configurable("Generator")(num_classes=10)
    units = [group[0] for group in generator.groups]
    assert [type(unit).__name__ for unit in units] == [name] * 3
    assert not any(unit.unroll for unit in units)


def test_there_are_golden_numbers_of_exactly_the_files():
    assert sorted(GOLDEN) == sorted(TASKS) == FILES


@pytest.mark.parametrize("name", [f for f in FILES if f not in SMALL])
def test_hyperparameters_are_the_papers(name):
    parse(name)
    expected = PAPER | CHANGES.get(name, {})
    if name in PREDICTION:
        expected["train.num_steps"] = 1_000_000
    found = {key: gin.query_parameter(key) for key in expected}
    assert found == expected
    stride = gin.query_parameter("FRAME_STRIDE/macro.value")
    every_second = name[:4] in ("k600", "seed") and name not in PREDICTION
    assert stride == (2 if every_second else 1)
    assert gin.query_parameter("TfdsVideos.flip") == (name == "ucf101_128")


@pytest.mark.parametrize("name", FILES)
def test_head_names_the_hardware(name):
    head = (FOLDER / f"{name}.gin").read_text().partition("include")[0]
    assert head.startswith("# ")
    assert "# Hardware it has run on: " in head


def test_all_constants_of_the_paper_are_bound_in_the_shared_file():
    text = (FOLDER / "dvdgan.gin").read_text()
    keys = [key.removesuffix("/macro.value") for key in PAPER]
    assert all(f"\n{key} = " in text for key in keys)
    required = ("RESOLUTION", "NUM_FRAMES", "CH", "DATASET")
    assert all(f"\n{name} = %gin.REQUIRED" in text for name in required)


def test_the_folder_holds_gin_files_only():
    # A Python file there would hide the package gin.
    kinds = {path.suffix for path in FOLDER.iterdir()}
    assert kinds == {".gin"}
