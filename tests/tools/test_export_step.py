"""Exported steps, run by JAX in a process without TensorFlow."""

import argparse
import json

import numpy as np
import pytest
import tensorflow as tf
from exported_steps import export, make_trainer, run_alone
from training import tiny

from dvdgan_tf.layers import resampling
from tools.jax import npz_file, stablehlo_export, state_file

# Skips the file where JAX is not installed.
run_step = pytest.importorskip("tools.jax.run_step", exc_type=ImportError)
jax_module = pytest.importorskip("tools.jax.jax_module", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*")

STEPS = 4


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Folder, manifest, trainer and its initial values."""
    folder = tmp_path_factory.mktemp("export")
    trainer = make_trainer()
    manifest = export(trainer, folder, STEPS)
    return folder, manifest, trainer, tiny.values(trainer)


@pytest.fixture(scope="module")
def expected(exported):
    """TensorFlow's own steps: losses, and final values."""
    _, _, trainer, initial = exported
    tiny.assign(trainer, initial)
    tf.config.run_functions_eagerly(True)
    history = trainer.run(tiny.batches(trainer), tf.constant(STEPS))
    tf.config.run_functions_eagerly(False)
    return history.numpy(), tiny.values(trainer)


@pytest.fixture(scope="module")
def found(exported):
    """JAX's: report, metrics, state, samples."""
    folder, manifest, _, _ = exported
    done = run_alone(
        f"--export_dir={folder}",
        f"--batches={folder / 'batches.npz'}",
        f"--steps={STEPS}",
        f"--save={folder / 'out.npz'}",
        f"--log={folder / 'metrics.jsonl'}",
        f"--samples={folder / 'samples.npz'}",
        "--measure_matmul=64",
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    lines = [json.loads(line) for line in lines]
    assert [line["step"] for line in lines] == [*range(1, STEPS + 1)]
    metrics = [[line[name] for name in manifest["metrics"]] for line in lines]
    state = dict(np.load(folder / "out.npz", allow_pickle=False))
    return report, np.array(metrics), state, np.load(folder / "samples.npz")


def test_losses_are_those_of_tensorflow(expected, found):
    history, _ = expected
    assert np.ptp(history[:, 0]) > 0.01  # The losses move at all.
    np.testing.assert_allclose(found[1], history, rtol=1e-3, atol=1e-3)


def test_state_is_that_of_tensorflow(exported, expected, found):
    _, values = expected
    _, _, state, _ = found
    initial = exported[3]
    assert state.keys() == values.keys()
    moved = 0
    for name, value in values.items():
        assert state[name].dtype == value.dtype, name
        np.testing.assert_allclose(
            state[name], value, rtol=1e-2, atol=1e-3, err_msg=name
        )
        moved += not np.array_equal(value, initial[name])
    assert moved > 250
    assert state["step"] == STEPS


def test_manifest_names_what_is_updated(exported):
    _, manifest, trainer, _ = exported
    step, sampler = manifest["step"], manifest["sampler"]
    assert [x["name"] for x in step["inputs"][:2]] == ["videos", "labels"]
    state = [x["name"] for x in step["inputs"] if x["role"] == "state"]
    assert sorted(state) == sorted(trainer.variables())
    constants = [x for x in step["inputs"] if x["role"] == "constant"]
    assert sorted(x["value"] for x in constants) == pytest.approx([1e-3, 5e-3])
    # All but the momentum of G's batch norms, which the average copies.
    updated = [x["name"] for x in step["outputs"][1:]]
    assert set(state) - set(updated) == {
        name
        for name in state
        if name.startswith("generator/") and name.endswith("/momentum")
    }
    assert len(sampler["outputs"]) == 1
    names = [x["name"] for x in sampler["inputs"][2:]]
    assert names and all(name.startswith("ema_generator/") for name in names)


def test_buffers_are_donated(exported, found):
    _, manifest, _, _ = exported
    updated = manifest["step"]["outputs"][1:]
    size = sum(
        np.dtype(x["dtype"]).itemsize * np.prod(x["shape"], dtype=int)
        for x in updated
    )
    assert found[0]["donated_bytes"] == size


def test_report(exported, found):
    report, manifest = found[0], exported[1]
    assert report["platform"] == "cpu" and report["steps"] == STEPS
    rate = report["steps_per_second"]
    assert report["tflops"] == pytest.approx(
        rate * manifest["flop_per_step"] / 1e12
    )
    assert report["real_clips_per_second"] == pytest.approx(
        rate * 2 * tiny.BATCH
    )
    assert report["sampler_videos"] == 2
    assert report["matmul"].keys() == {
        "bfloat16",
        "float32",
        "float32_highest",
    }
    for name in ("compile_seconds", "first_step_seconds", "sampler_seconds"):
        assert report[name] > 0


def test_samples_are_those_of_the_averaged_generator(exported, found):
    _, _, trainer, _ = exported
    _, _, state, samples = found
    tiny.assign(trainer, state)
    z = np.random.default_rng(0).standard_normal((2, 4)).astype("float32")
    videos = trainer.ema_generator(z, tf.constant([0, 1]), training=False)
    found = samples["videos"].astype("float32") / 127.5 - 1.0
    np.testing.assert_allclose(found, videos, atol=0.5 / 127.5 + 1e-3)
    assert np.ptp(found) > 0.01


def test_training_resumes_from_the_imported_state(exported, found, tmp_path):
    folder, _, trainer, initial = exported
    tiny.assign(trainer, initial)
    path = state_file.import_state(
        trainer, str(folder / "out.npz"), str(tmp_path)
    )
    assert path == str(tmp_path / "ckpt" / f"step-{STEPS}")
    tiny.assign(trainer, initial)
    assert tiny.train(tmp_path, trainer, STEPS) == STEPS
    for name, variable in trainer.variables().items():
        np.testing.assert_array_equal(variable.numpy(), found[2][name], name)
    with pytest.raises(ValueError, match=f"has step {STEPS} already; choose"):
        state_file.import_state(trainer, str(folder / "out.npz"), str(tmp_path))


def arguments(folder, **changes):
    flags = dict(export_dir=str(folder), state=None, fresh=None)
    return argparse.Namespace(**{**flags, **changes})


def changed(folder, path, **changes):
    """Writes the exported state with changes; None drops an array."""
    state = dict(np.load(folder / "state.npz")) | changes
    np.savez(path, **{k: v for k, v in state.items() if v is not None})
    return str(path)


BIAS = "generator/seed/bias"
MISTAKES = {
    "missing": ({BIAS: None}, f"{BIAS}"),
    "unknown": ({"other": np.zeros(3)}, "other"),
    "shape": ({BIAS: np.zeros(3, "float32")}, r"float32 \[3\]"),
    "dtype": ({BIAS: np.zeros(64)}, r"float64 \[64\]"),
    "pickled": ({BIAS: np.array([None])}, "no NPZ file of plain arrays"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_wrong_state_is_named(exported, tmp_path, kind):
    folder, manifest, trainer, initial = exported
    change, words = MISTAKES[kind]
    path = changed(folder, tmp_path / "state.npz", **change)
    with pytest.raises(ValueError, match=words) as by_jax:
        run_step.load_state(arguments(folder, state=path), manifest)
    tiny.assign(trainer, initial)
    with pytest.raises(ValueError, match=words) as by_import:
        state_file.import_state(trainer, path, str(tmp_path))
    for error in (by_jax, by_import):
        assert path in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "ckpt").exists()


def test_a_state_that_is_not_finite_is_refused(exported, tmp_path):
    folder, _, trainer, initial = exported
    bad = initial[BIAS].copy()
    bad[7] = np.nan
    path = changed(folder, tmp_path / "state.npz", **{BIAS: bad})
    with pytest.raises(ValueError, match=f"{BIAS} in .* not finite"):
        state_file.import_state(trainer, path, str(tmp_path))


def test_wrong_files_are_named(exported, tmp_path):
    folder, manifest, _, _ = exported
    (tmp_path / "text.npz").write_text("text")
    for name, words in (("text.npz", "no NPZ file"), ("none.npz", "no file")):
        with pytest.raises(ValueError, match=words):
            npz_file.read_npz(str(tmp_path / name))
    with pytest.raises(ValueError, match=r"There is no .*manifest.json"):
        jax_module.read_manifest(str(tmp_path))
    (tmp_path / "step.mlir").write_bytes(b"cut")
    with pytest.raises(ValueError, match=r"step.mlir is not the one"):
        jax_module.Module(manifest, "step", str(tmp_path))
    videos, labels = manifest["step"]["inputs"][:2]
    batches = np.load(folder / "batches.npz")
    assert len(run_step.clips("x", batches, videos)) == STEPS
    for name, array, words in (
        ("videos", batches["videos"][:, :1], r"uint8 \[1, 4, 4, 8, 8, 3\]"),
        ("videos", batches["videos"][:0], "no batches"),
        ("labels", batches["labels"].astype("int64"), "int64"),
        ("label", batches["labels"], "no labels"),
    ):
        spec = videos if name == "videos" else labels
        with pytest.raises(ValueError, match=words):
            run_step.clips("x", {name: array}, spec)


def test_a_fresh_state_is_drawn_as_keras_does(exported):
    _, manifest, _, initial = exported
    kinds = {x["name"]: x["fresh"] for x in manifest["state"]}
    state = run_step.draw_fresh(manifest["state"], seed=3)
    assert state.keys() == initial.keys()
    for name, value in initial.items():
        drawn, (kind,) = state[name], kinds[name]
        assert drawn.dtype == value.dtype and drawn.shape == value.shape
        if kind == "constant":
            np.testing.assert_array_equal(drawn, value, err_msg=name)
        elif kind == "normal":
            # The power iteration's vectors, and nothing else.
            assert name.endswith("_u")
        elif kind == "copy":
            np.testing.assert_array_equal(
                drawn, state[name.removeprefix("ema_")], err_msg=name
            )
        else:
            matrix = drawn.reshape(-1, drawn.shape[-1]).astype("float64")
            gram = min(matrix @ matrix.T, matrix.T @ matrix, key=len)
            np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-5)
            assert not np.array_equal(drawn, value)
    assert {kind for x in kinds.values() for kind in x} == {
        "constant",
        "copy",
        "normal",
        "orthogonal",
    }


def test_gradients_of_resizing_are_valid_in_bfloat16(tmp_path):
    """XLA's own gradient of resizing bfloat16 is float32 by mistake."""

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(resampling.upsample(tf.nn.relu(x)))
        return tape.gradient(loss, x)

    spec = {"x": tf.TensorSpec([1, 2, 4, 4, 3], tf.bfloat16)}
    module = stablehlo_export.export_module(
        gradient, spec, "gradient", {}, str(tmp_path / "module")
    )
    assert module["outputs"][0]["dtype"] == "bfloat16"
