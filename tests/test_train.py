"""The command line: each mistake is one sentence, and no traceback."""

import builtins
import os
import pathlib
import re
import subprocess
import sys

import gin
import pytest
import tensorflow as tf
from absl import logging

from dvdgan_tf import train
from dvdgan_tf.data import digits
from dvdgan_tf.training import loop
from dvdgan_tf.training.watch import NonFiniteError

ROOT = pathlib.Path(__file__).parents[1]
DEMO = f"--gin_file={ROOT / 'gin' / 'demo.gin'}"


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    verbosity = logging.get_verbosity()
    gin.clear_config()
    yield
    gin.clear_config()
    logging.set_verbosity(verbosity)


@pytest.fixture
def run(capsys, tmp_path):
    """Runs the command; returns the exit code and the one sentence."""

    def run(*args, workdir=True):
        if workdir:
            args = (f"--workdir={tmp_path / 'run'}", *args)
        with pytest.raises(SystemExit) as ended:
            train.main(list(args))
        printed = capsys.readouterr()
        words = ("Configuration: ", "Devices: ")
        assert all(line.startswith(words) for line in printed.out.splitlines())
        err = re.sub("^warning: No GPU.*\n", "", printed.err)
        assert err.count("\n") == 1
        assert err.startswith("error: ") and "Traceback" not in err
        assert not (tmp_path / "run").exists()
        return ended.value.code, err

    return run


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "Name the --gin_file"),
        ([DEMO, "extra"], "Unknown argument 'extra'"),
        ([DEMO, "--strategy=everything"], "--strategy=everything"),
        ([DEMO, "--wrokdir=x"], "wrokdir"),
        (["--gin_file=gin/none.gin"], "There is no gin file 'gin/none.gin'"),
        (["--gin_file=gin/dema.gin"], "did you mean gin/demo.gin?"),
        (
            [DEMO, "--gin_param=DATA_DIR=data/clips"],
            "write --gin_param=\"DATA_DIR='data/clips'\"",
        ),
        (
            [DEMO, "--gin_param=RESOLUTION=(64, 100)"],
            "the nearest are (64, 96) and (64, 112)",
        ),
        ([DEMO, "--gin_fil=x"], "gin_fil"),
        ([DEMO, "--gin_param=Trainer.d_stepz=1"], "d_stepz"),
        ([DEMO, "--gin_param=CH=%gin.REQUIRED"], "CH"),
        ([DEMO, "--gin_param=RESOLUTION=100"], "resolution=100"),
        ([DEMO, "--gin_param=NUM_FRAMES=0"], "num_frames must be at least 1"),
        ([DEMO, "--gin_param=CH=0"], "ch=0"),
        ([DEMO, "--gin_param=SpatialDiscriminator.k=9"], "k=9"),
        (
            [
                DEMO,
                "--gin_param=NUM_FRAMES=3",
                "--gin_param=SpatialDiscriminator.k=2",
            ],
            "num_frames=3",
        ),
        ([DEMO, "--gin_param=NUM_CLASSES=3"], "num_classes=3"),
        (
            [DEMO, "--gin_param=BATCH_SIZE=7", "--strategy=mirrored"],
            "batch_size=7",
        ),
        ([DEMO, "--strategy=multi_worker"], "TF_CONFIG"),
        (
            [DEMO, "--gin_param=CH=1", "--init_from=/nowhere"],
            "There is no '/nowhere'",
        ),
        (
            [DEMO, "--gin_param=CH=1", "--init_from=demo"],
            "No weight fits this run's generator in the module of the demo",
        ),
        (
            [f"--gin_file={ROOT / 'gin' / 'k600_128.gin'}"],
            "DATA_DIR='/path'",
        ),
    ],
)
def test_mistakes(run, args, words):
    code, sentence = run(*args)
    assert code == 2 and words in sentence


def test_workdir_is_needed(run):
    code, sentence = run(DEMO, workdir=False)
    assert code == 2 and "--workdir=" in sentence
    code, sentence = run(DEMO, "--workdir=gs://bucket/run", workdir=False)
    assert code == 2 and "must be a folder of a mounted file" in sentence


def test_missing_scikit_learn(run, monkeypatch):
    real = builtins.__import__

    def without(name, *args):
        if name.startswith("sklearn"):
            raise ImportError("No module named 'sklearn'")
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    code, sentence = run(DEMO)
    assert code == 2 and "pip install scikit-learn" in sentence


def test_divergence(run, monkeypatch):
    def diverge(*_):
        raise NonFiniteError("loss/g is nan at step 3.", 3)

    diverge = gin.external_configurable(diverge, "diverge")
    monkeypatch.setattr(loop, "train", diverge)
    assert run(DEMO) == (1, "error: loss/g is nan at step 3.\n")


def test_the_home_folder_is_expanded(run, monkeypatch, tmp_path):
    def says_where(workdir, *_):
        raise NonFiniteError(f"In {workdir}.", 0)

    says_where = gin.external_configurable(says_where, "says_where")
    monkeypatch.setattr(loop, "train", says_where)
    monkeypatch.setenv("HOME", str(tmp_path))
    sentence = run(DEMO, "--workdir=~/here", workdir=False)
    assert sentence == (1, f"error: In {tmp_path}/here.\n")


def test_weights_to_start_from(run, monkeypatch):
    def says_what(workdir, strategy, batches, init_from, step):
        with init_from() as stored:
            shape = stored.shape("generator/class_embedding")
            raise NonFiniteError(f"{stored.origin}: {shape}.", 0)

    says_what = gin.external_configurable(says_what, "says_what")
    monkeypatch.setattr(loop, "train", says_what)
    sentence = run(DEMO, "--init_from=demo")
    assert sentence == (1, "error: the module of the demo: (10, 120).\n")


def unreadable(_):
    raise OSError("The cached clip is gone.")


def test_errors_inside_the_data_pipeline(run, monkeypatch):
    def load(self, index, seed):
        return tf.numpy_function(unreadable, [index], tf.uint8), 0

    def read(workdir, strategy, batches, *_):
        source = digits.MovingDigits(32, 4)
        next(iter(batches(source, 2, seed=0)))

    monkeypatch.setattr(digits.MovingDigits, "load", load)
    monkeypatch.setattr(loop, "train", gin.external_configurable(read, "read"))
    assert run(DEMO) == (1, "error: The cached clip is gone.\n")


def test_as_a_program(tmp_path):
    """One of them with the interpreter, absl and TensorFlow around it."""
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "dvdgan_tf.train",
            f"--gin_file={ROOT / 'gin' / 'k600_128.gin'}",
            "--gin_param=DATA_DIR='/nowhere'",
            f"--workdir={tmp_path}",
        ],
        cwd=ROOT,
        # Set by libraries that tests import; a user's shell has none.
        env={k: v for k, v in os.environ.items() if "TF_CPP" not in k},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 2
    *warnings, line = result.stderr.splitlines()
    # Nothing of TensorFlow's own, which is printed when it is imported.
    assert all(text.startswith("warning: No GPU") for text in warnings)
    assert line.startswith("error: ") and "in the folder '/nowhere'" in line
    first, second = result.stdout.splitlines()
    assert first == f"Configuration: {ROOT / 'gin' / 'k600_128.gin'}"
    assert second.startswith("Devices: ")


# XLA reads its flags once, so in a process of its own.
COMPILES = """
import sys
from dvdgan_tf import train
train.FLAGS(["", f"--compilation_cache={sys.argv[1]}"])
assert "tensorflow" not in sys.modules
train.keep_compiled()
import tensorflow as tf
square = tf.function(lambda x: x * x, jit_compile=True)
print(float(square(tf.constant(3.0))))
"""


def test_compiled_programs_are_kept_for_the_next_start(tmp_path):
    for _ in range(2):
        result = subprocess.run(
            [sys.executable, "-c", COMPILES, str(tmp_path / "cache")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert result.stdout.strip() == "9.0", result.stderr[-2000:]
        (program,) = (tmp_path / "cache").iterdir()
        assert program.stat().st_size > 1000
