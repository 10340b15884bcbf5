import functools
import json
import os

import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.data import pipeline
from dvdgan_tf.evaluation import measures
from dvdgan_tf.evaluation.evaluator import Evaluator
from dvdgan_tf.evaluation.protocol import Protocol
from dvdgan_tf.evaluation.results import Results
from dvdgan_tf.named_variables import checkpoint_of
from dvdgan_tf.run_folder import RunFolder
from tests.evaluation.tiny import MeanColors, Source, make_generator


def protocol(**kwargs):
    defaults = {
        "name": "tiny",
        "network": MeanColors,
        "measures": (measures.frechet_distance,),
        "num_clips": 6,
        "batch_size": 3,
        "standing_statistics_batch_size": 4,
        "standing_statistics_batches": 2,
    }
    return lambda: Protocol(**defaults | kwargs)


def evaluator(cache_dir, source=Source, generator=make_generator, **kwargs):
    return Evaluator(
        tf.distribute.OneDeviceStrategy("CPU:0"),
        pipeline.example,
        dataset=source,
        generator=generator,
        protocol=protocol(**kwargs),
        cache_dir=str(cache_dir),
    )


def results(evaluator, found, step):
    levels = evaluator.evaluate_checkpoint(found[step], step)
    return [row for rows in levels for row in rows]


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """A run's folder with the checkpoints of steps 3 and 20."""
    folder = tmp_path_factory.mktemp("run")
    generator = make_generator(2, name="ema_generator")
    generator.build()
    variables = {v.path: v for v in generator.variables}
    for step in (20, 3):
        checkpoint_of(variables).write(str(folder / "ckpt" / f"step-{step}"))
        for variable in generator.trainable_variables:
            variable.assign(1.5 * variable)
    return str(folder)


def test_checkpoints_are_in_order_of_their_steps(workdir, tmp_path):
    assert list(RunFolder(workdir).steps()) == [3, 20]
    assert RunFolder(tmp_path).steps() == {}


def test_a_result_says_how_it_was_made(workdir, tmp_path):
    found = RunFolder(workdir).steps()
    one = evaluator(tmp_path, truncations=(1.0, 0.5), repeats=2, seed=7)
    rows = results(one, found, 20)
    assert [row["truncation"] for row in rows] == [1.0, 0.5]
    row = json.loads(json.dumps(rows[0]))
    assert row["metric"] == "tiny/frechet_distance"
    assert row["value"] > 0 and row["standard_error"] > 0
    expected = {
        "checkpoint": found[20],
        "step": 20,
        "repeats": 2,
        "clips": 6,
        "real_clips": 12,
        "frames": 4,
        "resolution": 32,
        "seed": 7,
        "dataset": "grey",
        "split": "train",
        "network": "mean_colors",
        "network_checksum": MeanColors.checksum,
        "preprocessing": "none",
        "quantized": True,
    }
    assert expected.items() <= row.items()
    assert rows[0]["value"] != rows[1]["value"]
    # Another checkpoint in between changes nothing.
    other = results(one, found, 3)
    again = results(one, found, 20)
    assert [row["value"] for row in again] == [row["value"] for row in rows]
    assert other[0]["value"] != again[0]["value"]


def test_the_reference_is_computed_once_for_the_same_facts(tmp_path):
    loads = []

    class Counted(Source):
        def load(self, index, seed):
            loads.append(index)
            return super().load(index, seed)

    first = evaluator(tmp_path, Counted).reference()
    assert loads and len(os.listdir(tmp_path)) == 1
    loads.clear()
    again = evaluator(tmp_path, Counted).reference()
    assert not loads
    np.testing.assert_array_equal(
        again.features["logits"], first.features["logits"]
    )
    evaluator(tmp_path, Counted, num_frames=3).reference()
    evaluator(tmp_path, Counted, seed=1).reference()
    evaluator(tmp_path, Counted, num_real_clips=5).reference()
    assert loads and len(os.listdir(tmp_path)) == 4


def test_a_damaged_reference_is_named(tmp_path):
    evaluator(tmp_path).reference()
    (name,) = os.listdir(tmp_path)
    (tmp_path / name).write_bytes(b"no archive")
    with pytest.raises(ValueError, match=f"{name}.*delete"):
        evaluator(tmp_path).reference()


def test_a_reference_that_cannot_be_written_leaves_nothing(
    tmp_path, monkeypatch
):
    def full(*args, **kwargs):
        raise tf.errors.ResourceExhaustedError(None, None, "no space left")

    monkeypatch.setattr(tf.io.gfile, "rename", full)
    with pytest.raises(OSError, match=r"no space left.*REFERENCE_DIR="):
        evaluator(tmp_path).reference()
    assert not os.listdir(tmp_path)


def test_real_clips_of_a_file_are_at_no_distance(tmp_path):
    greys = 10 * np.arange(12, dtype=np.uint8)
    clips = np.broadcast_to(
        greys[:, None, None, None, None], [12, 4, 32, 32, 3]
    )
    np.save(tmp_path / "clips.npy", clips)
    found = evaluator(tmp_path / "cache", num_clips=12)
    (row,) = found.evaluate_folder(str(tmp_path / "clips.npy"))
    assert row["value"] == pytest.approx(0.0, abs=1e-6)
    assert row["step"] is None and row["clips"] == 12


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"num_clips": 0}, "num_clips must be at least 1"),
        ({"num_real_clips": 0}, "num_real_clips must be at least 1"),
        ({"truncations": ()}, "truncations must be one or more"),
        ({"truncations": (0.0,)}, "truncations must be .* above 0"),
        ({"truncations": (5.0,)}, "truncations must be .* above 0"),
        ({"num_frames": 16}, "measures 16 frames, and NUM_FRAMES is 4"),
        ({"num_frames": 1}, "takes 2 frames or more"),
    ],
)
def test_protocols_that_cannot_be(tmp_path, kwargs, words):
    with pytest.raises(ValueError, match=words):
        evaluator(tmp_path, **kwargs)


def test_a_checkpoint_of_another_model_is_refused(workdir, tmp_path):
    found = evaluator(tmp_path)
    found._num_classes = 3
    with pytest.raises(ValueError, match="another model"):
        found.load_checkpoint(RunFolder(workdir).steps()[20])


def test_a_measure_that_fails_loses_no_other(tmp_path, caplog):
    clips = np.zeros([12, 4, 32, 32, 3], np.uint8)
    np.save(tmp_path / "clips.npy", clips)
    found = evaluator(
        tmp_path / "cache",
        num_clips=12,
        measures=(
            measures.kernel_distance_of_features,
            measures.frechet_distance,
        ),
    )
    rows = found.evaluate_folder(str(tmp_path / "clips.npy"))
    assert [row["metric"] for row in rows] == ["tiny/frechet_distance"]
    assert "is left out" in caplog.text


def test_square_clips_of_another_size_are_refused(tmp_path):
    np.save(tmp_path / "clips.npy", np.zeros([12, 4, 16, 16, 3], np.uint8))
    with pytest.raises(ValueError, match=r"16x16 pixels.*32x32"):
        evaluator(tmp_path).evaluate_folder(str(tmp_path / "clips.npy"))


def test_oblong_clips_are_measured_and_named(tmp_path, caplog):
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 256, [6, 4, 32, 48, 3], np.uint8)
    np.save(tmp_path / "clips.npy", clips)
    found = evaluator(tmp_path / "cache")
    (row,) = found.evaluate_folder(str(tmp_path / "clips.npy"))
    assert row["clip_size"] == [32, 48] and row["value"] > 0
    assert "squashes them to a square" in caplog.text


class Wide(Source):
    resolution = (32, 56)

    def describe(self):
        return super().describe() | {"resolution": [32, 56]}

    def load(self, index, seed):
        video, label = super().load(index, seed)
        return tf.repeat(video[:, :, :28], 2, 2), label  # As grey.


def test_wide_clips_are_measured_against_a_reference_of_their_own(tmp_path):
    make = functools.partial(make_generator, resolution=(32, 56))
    generator = make(2, name="ema_generator")
    generator.build()
    variables = {v.path: v for v in generator.variables}
    path = checkpoint_of(variables).write(str(tmp_path / "step-5"))
    found = evaluator(tmp_path / "cache", Wide, make)
    (rows,) = found.evaluate_checkpoint(path, 5)
    assert rows[0]["value"] > 0 and rows[0]["resolution"] == [32, 56]
    clips = np.full([12, 4, 32, 56, 3], 90, np.uint8)
    np.save(tmp_path / "clips.npy", clips)
    rows = found.evaluate_folder(str(tmp_path / "clips.npy"))
    assert rows[0]["clips"] == 6 and rows[0]["value"] > 0
    np.save(tmp_path / "clips.npy", clips.swapaxes(2, 3))
    with pytest.raises(ValueError, match=r"56x32 pixels.*32x56"):
        found.evaluate_folder(str(tmp_path / "clips.npy"))
    evaluator(tmp_path / "cache").reference()
    assert len(os.listdir(tmp_path / "cache")) == 2


def test_a_protocol_of_predictions_takes_no_generator_of_whole_clips(
    workdir, tmp_path
):
    found = evaluator(tmp_path, conditioning_frames=2)
    with pytest.raises(ValueError, match="the generator takes 0"):
        found.load_checkpoint(RunFolder(workdir).steps()[20])


def test_a_checkpoint_that_is_gone_leaves_the_best_as_it_is(workdir, tmp_path):
    results = Results(str(tmp_path))
    results.add([row(20, 2.0, RunFolder(workdir).steps()[20])])
    folder = results.keep_if_best("tiny/frechet_distance")
    results.add([row(30, 1.0, str(tmp_path / "ckpt" / "step-30"))])
    assert results.keep_if_best("tiny/frechet_distance") is None
    latest = tf.train.latest_checkpoint(folder)
    assert os.path.basename(latest) == "step-20"
    with pytest.raises(ValueError, match="tiny/frechet_distance"):
        results.keep_if_best("fvd/kernel")


def row(step, value, checkpoint="", truncation=1.0):
    return {
        "metric": "tiny/frechet_distance",
        "value": value,
        "step": step,
        "truncation": truncation,
        "checkpoint": checkpoint,
    }


@pytest.mark.parametrize(
    "stray", [b"5\n", b'{"step": 1}\n', b"\xff\n", b"[" * 100_000, b'{"st']
)
def test_a_line_that_is_no_result_spoils_no_other(tmp_path, stray):
    results = Results(str(tmp_path))
    results.add([row(3, 2.0)])
    with open(tmp_path / "evaluations.jsonl", "ab") as file:
        file.write(stray)
    results.add([row(20, 1.0)])
    assert results.rows() == [row(3, 2.0), row(20, 1.0)]


def test_results_are_lines_scalars_and_the_best_checkpoint(workdir, tmp_path):
    results = Results(str(tmp_path))
    found = RunFolder(workdir).steps()
    kept = []
    for step, value in ((3, 2.0), (20, 1.0), (3, 1.5)):
        results.add([row(step, value, found[step]), row(step, 0.1, "", 0.5)])
        kept.append(results.keep_if_best("tiny/frechet_distance"))
    folder = str(tmp_path / "best" / "tiny_frechet_distance")
    assert kept == [folder, folder, None]
    latest = tf.train.latest_checkpoint(folder)
    assert os.path.basename(latest) == "step-20"
    assert tf.train.list_variables(latest) == tf.train.list_variables(found[20])
    with open(tmp_path / "metrics.jsonl") as file:
        lines = [json.loads(line) for line in file]
    assert lines[1] == {"step": 20, "tiny/frechet_distance": 1.0}
    assert list(tmp_path.glob("evaluation/events.out.*"))
    with open(results.path, "a") as file:
        file.write('{"metric": "cut')
    assert len(results.rows()) == 6
