"""The command line of evaluation, and the gin files that say how to measure."""

import pathlib
import types

import gin
import pytest
import tensorflow as tf
from absl import logging

from dvdgan_tf import command_line, config, evaluate
from dvdgan_tf.evaluation import measures
from dvdgan_tf.evaluation.results import Results
from tests.test_gin_files import PROTOCOLS

ROOT = pathlib.Path(__file__).parents[1]
GIN = ROOT / "gin"
FVD = f"--gin_file={GIN / 'fvd.gin'}"

# Protocol: with which configuration, frames, generated clips, real clips.
GOLDEN = {
    "prediction_fvd": ("demo_prediction", None, 256, 256),
    "fvd": ("folder_64", None, 256, 256),
    "fvd2048_16f": ("bair_64", 16, 2048, 2048),
    "k600_synthesis_fid_is": ("k600_128x48", None, 50_000, None),
    "k600_prediction_fvd": ("k600_prediction_64", 16, 50_000, None),
    "bair_prediction_fvd": ("bair_64", 16, 25_600, 256),
    "ucf101_is": ("ucf101_128", 16, 10_000, 2),
}

# Frames given and samples for each clip.
PREDICTION = {
    "prediction_fvd": (4, 1),
    "k600_prediction_fvd": (5, 1),
    "bair_prediction_fvd": (1, 100),
}


@pytest.fixture(autouse=True)
def _clean():
    verbosity = logging.get_verbosity()
    gin.clear_config()
    yield
    gin.clear_config()
    logging.set_verbosity(verbosity)


@pytest.fixture
def run(capsys, tmp_path):
    """Runs the command; returns the exit code and the one sentence."""

    def run(*args, workdir=tmp_path):
        with pytest.raises(SystemExit) as ended:
            evaluate.main([f"--workdir={workdir}", *args])
        err = capsys.readouterr().err
        lines = [line for line in err.splitlines() if "error: " in line]
        assert len(lines) == 1 and "Traceback" not in err
        return ended.value.code, lines[0]

    return run


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "Name the --gin_file, such as --gin_file=gin/fvd.gin"),
        ([FVD, "extra"], "Unknown argument 'extra'"),
        ([FVD], "is no folder of a run"),
        ([FVD, "--strategy=multi_worker"], "runs on one host"),
        ([FVD, "--chekpoints=all"], "chekpoints"),
        # Before I3D is looked for.
        ([FVD, "--clips=/nowhere"], "There are no clips at '/nowhere'"),
        ([FVD, f"--clips={GIN}"], "There is no clip in"),
        # The configuration of a dataset is missing.
        ([FVD, f"--clips={ROOT / 'tests'}"], "DATASET"),
    ],
)
def test_mistakes_are_one_sentence(run, args, words):
    code, sentence = run(*args)
    assert code == 2
    assert words in sentence


def test_a_network_that_cannot_be_had_is_one_sentence(run, tmp_path):
    code, sentence = run(
        f"--gin_file={GIN / 'demo.gin'}",
        FVD,
        "--gin_param=NUM_FRAMES=9",
        f"--gin_param=I3D_HANDLE='{tmp_path / 'nowhere'}'",
        f"--clips={__file__}",
    )
    assert code == 2
    assert "dvdgan_tf.install_i3d" in sentence and "handle" in sentence


def test_a_protocol_of_more_frames_than_there_are(run):
    code, sentence = run(
        f"--gin_file={GIN / 'demo.gin'}",
        f"--gin_file={GIN / 'fvd2048_16f.gin'}",
        f"--clips={__file__}",
    )
    assert code == 2
    assert "measures 16 frames, and NUM_FRAMES is 8" in sentence


class Levels:
    """An evaluator that measures nothing, and is stopped at a level."""

    protocol = types.SimpleNamespace(name="tiny", truncations=(1.0, 0.5))

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.measured = []

    def load_checkpoint(self, path):
        pass

    def evaluate_checkpoint(self, path, step, truncations=None):
        for level in truncations or self.protocol.truncations:
            if level == self.stop_at:
                raise KeyboardInterrupt
            self.measured.append((step, level))
            yield [
                {
                    "metric": "tiny/frechet_distance",
                    "value": 1.0,
                    "step": step,
                    "truncation": level,
                    "checkpoint": path,
                }
            ]

    def evaluate_baselines(self):
        return ()


@pytest.fixture
def results(tmp_path):
    """Of a run with the checkpoint of step 3."""
    command_line.parse(evaluate.FLAGS, "", ["--poll_seconds=0.01"])
    tf.train.Checkpoint().write(str(tmp_path / "ckpt" / "step-3"))
    return Results(str(tmp_path))


def test_watching_goes_on_at_the_level_where_it_was_stopped(results):
    with pytest.raises(KeyboardInterrupt):
        evaluate.watch(Levels(stop_at=0.5), results, last_step=3)
    again = Levels()
    evaluate.watch(again, results, last_step=3)
    assert again.measured == [(3, 0.5)]
    finished = Levels()
    evaluate.watch(finished, results, last_step=3)
    assert not finished.measured


def test_the_best_is_kept_wherever_its_level_comes(results):
    evaluate.FLAGS.best = "tiny/frechet_distance"
    truncated = types.SimpleNamespace(name="tiny", truncations=(0.5, 1.0))
    levels = Levels()
    levels.protocol = truncated
    evaluate.watch(levels, results, last_step=3)
    assert levels.measured == [(3, 0.5), (3, 1.0)]


@pytest.mark.parametrize("name", sorted(PROTOCOLS - {"evaluation"}))
def test_a_misspelt_metric_is_named_before_anything_is_measured(name):
    from dvdgan_tf.evaluation.protocol_checks import check_best

    files = [str(GIN / f"{GOLDEN[name][0]}.gin"), str(GIN / f"{name}.gin")]
    config.parse(files, [])
    protocol = gin.query_parameter("Evaluator.protocol")
    protocol = protocol.scoped_configurable_fn()
    metric = "inception_score" if name == "ucf101_is" else "frechet_distance"
    check_best(f"{protocol.name}/{metric}", protocol)
    with pytest.raises(ValueError, match=f"it has.*{protocol.name}/{metric}"):
        check_best(f"{protocol.name}/{metric}s", protocol)


def test_the_best_needs_the_level_without_truncation():
    from dvdgan_tf.evaluation.protocol_checks import check_best

    protocol = types.SimpleNamespace(
        name="tiny", truncations=(0.5,), measures=()
    )
    protocol.measures = (measures.frechet_distance,)
    with pytest.raises(ValueError, match=r"truncation 1\.0"):
        check_best("tiny/frechet_distance", protocol)


def test_every_protocol_is_checked():
    assert set(GOLDEN) == PROTOCOLS - {"evaluation"}


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_protocols_are_what_they_say(name):
    from dvdgan_tf.evaluation.protocol import Protocol

    task, frames, fake, real = GOLDEN[name]
    files = [str(GIN / f"{task}.gin"), str(GIN / f"{name}.gin")]
    config.parse(files, [])
    make = gin.query_parameter("Evaluator.protocol")
    protocol = make.scoped_configurable_fn()
    assert isinstance(protocol, Protocol)
    assert (protocol.num_frames, protocol.num_clips) == (frames, fake)
    assert protocol.num_real_clips == real
    assert protocol.quantize and protocol.measures
    assert PREDICTION.get(name, (0, 1)) == (
        protocol.conditioning_frames,
        protocol.samples_per_condition,
    )
    assert protocol.keep_features >= protocol.num_clips or (
        name not in PREDICTION
    )
    assert gin.query_parameter("NativeI3D.resize") == "official"
    assert gin.query_parameter("NativeI3D.precision") == "float32"
