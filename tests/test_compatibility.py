"""Runs and modules of earlier versions load, sample, and export.

compatibility/ holds what version 0.1.0 made of `gin/demo.gin` in tiny (CH 2,
z_dim 6, 2 steps of batches of 2, standing statistics over 2 batches): the
folder of a run, the module exported of it at truncation 1 and 0.5, with its
discriminators, and samples (seed 5, classes 3 and 8; first and last frame) of
the module at truncation 0.7 and of the run.
"""

import pathlib
import tarfile

import gin
import numpy as np
import pytest
import tensorflow as tf

import dvdgan_tf
from dvdgan_tf import config, export, stored_weights
from dvdgan_tf.run_folder import RunFolder
from dvdgan_tf.training.checkpoints import Checkpoints

FOLDER = pathlib.Path(__file__).parent / "compatibility"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(FOLDER / "run.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "run"


def assert_samples(model, name, **arguments):
    clips = model.sample(classes=[3, 8], count=2, seed=5, **arguments)
    with np.load(FOLDER / "samples.npz") as stored:
        expected = stored[name].astype(int)
    assert np.ptp(expected) > 200
    # Of 256; another order of the same sums is rounded to another value.
    np.testing.assert_allclose(clips[:, ::7], expected, atol=1)


def test_a_module_samples_as_it_did():
    model = dvdgan_tf.load(FOLDER / "module.tar.gz")
    assert_samples(model, "module_between", truncation=0.7)


def test_a_run_samples_as_it_did(run, caplog):
    gin.parse_config("Generator.ch = 5")
    assert_samples(dvdgan_tf.load(run), "run")
    # It does not know how many clips each class has.
    assert "all classes alike" in caplog.text
    assert gin.query_parameter("Generator.ch") == 5
    gin.clear_config()


def test_a_run_is_exported(run, tmp_path):
    output = str(tmp_path / "module")
    export.main(
        [f"--workdir={run}", f"--output={output}", "--standing_batches=2"]
        + ["--truncations=1.0,0.5", "--discriminators"]
    )
    assert_samples(dvdgan_tf.load(output), "module_between", truncation=0.7)
    new, old = (
        {n: tuple(s) for n, s in tf.train.list_variables(path)}
        for path in (
            f"{output}/variables/variables",
            unpacked_module(tmp_path) + "/variables/variables",
        )
    )
    assert new == old


def unpacked_module(tmp_path):
    folder = str(tmp_path / "old")
    with tarfile.open(FOLDER / "module.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def test_a_run_can_be_trained_on(run):
    """All state is there, and nothing else is in the checkpoint."""
    with config.of_run(run) as found:
        trainer = found.bindings["trainer"](num_classes=10)
    checkpoints = Checkpoints(trainer, RunFolder(run).checkpoints)
    assert checkpoints.restore() == str(run / "ckpt" / "step-2")
    assert int(trainer.step) == 2


@pytest.mark.parametrize("name", ["run", "module.tar.gz"])
def test_weights_of_both_start_a_run(run, name):
    source = run if name == "run" else FOLDER / name
    with stored_weights.opened(str(source)) as stored:
        assert stored.class_names == list("0123456789")
        weight = stored.read("ema_generator/16x16_block_up/conv1/bias")
        assert weight is not None
