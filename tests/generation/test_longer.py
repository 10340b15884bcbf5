"""Clips longer than trained: the recurrence runs on, nothing else changes."""

import numpy as np
import pytest
import runs
from fake_modules import Module

import dvdgan_tf
from dvdgan_tf import config, export
from dvdgan_tf.generation.from_run import generator_module
from dvdgan_tf.sampling.model import Model

# The run has 4.
LONGER = 7


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    runs.make_run(folder, label_counts=runs.COUNTS)
    return str(folder)


@pytest.fixture(scope="module")
def modules(run_folder):
    with config.of_run(run_folder) as run:
        return [
            generator_module(run, standing_batches=3, num_frames=n)
            for n in (None, LONGER)
        ]


def test_the_first_frames_are_those_of_a_shorter_clip(modules):
    """No time step depends on a later one: neither states nor statistics."""
    clips = [Model(module).sample(["3", "9"], count=3) for module in modules]
    assert clips[1].shape == (3, LONGER, 32, 32, 3)
    difference = clips[0].astype(int) - clips[1][:, :4]
    assert np.abs(difference).max() <= 1
    assert np.ptp(clips[0]) > 20


def test_each_time_step_has_statistics_of_its_own(modules):
    short, longer = (
        {
            name: values[0]
            for name, values in zip(s._names, s._sets, strict=True)
        }
        for s in (module.statistics for module in modules)
    )
    for name, values in short.items():
        values, more = values.numpy(), longer[name].numpy()
        assert more.shape == (LONGER, values.shape[1])
        np.testing.assert_allclose(more[:4], values, rtol=1e-4, atol=1e-5)
    first_unit_moves = next(v for n, v in longer.items() if "mean" in n)
    steps = first_unit_moves.numpy()[4:]
    assert (np.abs(np.diff(steps, axis=0)).max(1) > 1e-5).all()


def test_a_run_is_sampled_at_any_length(run_folder):
    model = dvdgan_tf.load(run_folder)
    longer = model.sample(count=2, num_frames=LONGER)
    assert longer.shape[1] == LONGER
    shorter = model.sample(count=2, num_frames=3)
    np.testing.assert_array_equal(shorter, model.sample(count=2)[:, :3])


def test_a_module_is_exported_at_any_length(run_folder, tmp_path, capfd):
    output = str(tmp_path / "module")
    flags = [f"--workdir={run_folder}", f"--output={output}"]
    flags += ["--truncations=1.0", "--standing_batches=1"]
    export.main([*flags, f"--num_frames={LONGER}"])
    assert f"{LONGER} frames of 32x32 pixels" in capfd.readouterr().out
    model = dvdgan_tf.load(output)
    assert model.facts["num_frames"] == LONGER
    assert model.sample(count=1).shape[1] == LONGER
    with pytest.raises(ValueError, match="--num_frames=9"):
        model.sample(num_frames=9)


def test_impossible_lengths(run_folder):
    with pytest.raises(ValueError, match="at least 1"):
        Model(Module()).sample(num_frames=0)
    with (
        config.of_run(run_folder) as run,
        pytest.raises(ValueError, match="need standing statistics"),
    ):
        generator_module(run, standing_batches=0, num_frames=LONGER)


def test_predictions_are_rolled_out_instead(tmp_path):
    runs.make_run(tmp_path, "demo_prediction", bindings=())
    with (
        config.of_run(tmp_path) as run,
        pytest.raises(ValueError, match="continues its own predictions"),
    ):
        generator_module(run, num_frames=LONGER)
