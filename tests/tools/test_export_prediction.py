"""An exported step of frame prediction, run by JAX without TensorFlow."""

import json

import numpy as np
import pytest
import tensorflow as tf
from exported_steps import export, make_trainer, run_alone
from training import tiny
from training.test_prediction import GENERATOR

from dvdgan_tf.training.checkpoints import Checkpoints
from tools.jax import state_file

# Skips the file where JAX is not installed.
run_step = pytest.importorskip("tools.jax.run_step", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*")

STEPS = 2


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Folder, manifest, trainer and its initial values."""
    folder = tmp_path_factory.mktemp("export")
    trainer = make_trainer(generator=GENERATOR)
    manifest = export(trainer, folder, STEPS)
    return folder, manifest, trainer, tiny.values(trainer)


@pytest.fixture(scope="module")
def report(exported):
    """What run_step reports; its files are in the folder."""
    folder, _, _, _ = exported
    done = run_alone(
        f"--export_dir={folder}",
        f"--batches={folder / 'batches.npz'}",
        f"--steps={STEPS}",
        f"--save={folder / 'out.npz'}",
        f"--log={folder / 'metrics.jsonl'}",
        f"--samples={folder / 'samples.npz'}",
        JAX_COMPILATION_CACHE_DIR=str(folder / "cache"),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_losses_and_state_are_those_of_tensorflow(exported, report):
    folder, manifest, trainer, initial = exported
    tiny.assign(trainer, initial)
    tf.config.run_functions_eagerly(True)
    expected = trainer.run(tiny.batches(trainer), tf.constant(STEPS)).numpy()
    tf.config.run_functions_eagerly(False)
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    found = [
        [json.loads(line)[name] for name in manifest["metrics"]]
        for line in lines
    ]
    assert np.ptp(expected[:, 0]) > 0.01  # The losses move at all.
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    state = np.load(folder / "out.npz", allow_pickle=False)
    values = tiny.values(trainer)
    assert {*state} == values.keys()
    encoder = [n for n in values if "ema_generator/frame_encoder" in n]
    assert len(encoder) > 10
    for name in encoder:
        np.testing.assert_allclose(
            state[name], values[name], rtol=1e-2, atol=1e-3, err_msg=name
        )
    # Two updates of D and one of G, each with a real batch.
    rate = report["steps_per_second"]
    assert report["real_clips_per_second"] == pytest.approx(
        rate * 3 * tiny.BATCH
    )


def test_samples_continue_the_clips(exported, report):
    folder, _, trainer, _ = exported
    state = dict(np.load(folder / "out.npz", allow_pickle=False))
    tiny.assign(trainer, state)
    batches = np.load(folder / "batches.npz")
    clips, labels = batches["videos"][0, 0, :2], batches["labels"][0, 0, :2]
    samples = np.load(folder / "samples.npz")
    np.testing.assert_array_equal(samples["labels"], labels)
    np.testing.assert_array_equal(samples["videos"][:, :1], clips[:, :1])
    z = np.random.default_rng(0).standard_normal((2, 4)).astype("float32")
    expected = trainer.ema_generator(
        z, tf.constant(labels), frames=clips[:, :1] / np.float32(127.5) - 1
    )
    found = samples["videos"][:, 1:].astype("float32") / 127.5 - 1
    np.testing.assert_allclose(found, expected, atol=0.5 / 127.5 + 1e-3)
    assert np.ptp(found) > 0.01


def test_memory_without_running(exported, report, tmp_path):
    folder, _, _, _ = exported
    done = run_alone(
        f"--export_dir={folder}",
        "--memory",
        JAX_COMPILATION_CACHE_DIR=str(folder / "cache"),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for name in ("step_bytes", "donated_bytes"):
        assert found[name] == report[name] > 0
    assert "steps" not in found


def test_the_state_comes_back_as_a_checkpoint(exported, report, tmp_path):
    folder, _, trainer, initial = exported
    tiny.assign(trainer, initial)
    state_file.import_state(trainer, str(folder / "out.npz"), str(tmp_path))
    imported = np.load(folder / "out.npz", allow_pickle=False)
    tiny.assign(trainer, initial)
    Checkpoints(trainer, str(tmp_path / "ckpt")).restore()
    assert trainer.step == STEPS
    for name, value in tiny.values(trainer).items():
        np.testing.assert_array_equal(value, imported[name], name)


def test_clips_to_continue_are_asked_for(exported):
    _, manifest, _, _ = exported
    spec = manifest["sampler"]["inputs"][2]
    assert spec["name"] == "frames" and spec["shape"] == [2, 1, 8, 8, 3]
    with pytest.raises(ValueError, match=r"--batches\. Received: None"):
        run_step.conditions(None, {}, spec)
    batches = {
        "videos": np.zeros([1, 3, 4, 4, 16, 16, 3], np.uint8),
        "labels": np.zeros([1, 3, 4], np.int32),
    }
    with pytest.raises(ValueError, match=r"x.npz is .*\[2, 1, 16, 16, 3\]"):
        run_step.conditions("x.npz", batches, spec)
    batches["videos"] = batches["videos"][:0]
    with pytest.raises(ValueError, match=r"x.npz has no batches"):
        run_step.conditions("x.npz", batches, spec)
