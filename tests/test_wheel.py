"""The package as others get it: a wheel, run in an empty folder."""

import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

from dvdgan_tf.__main__ import COMMANDS

ROOT = pathlib.Path(__file__).parents[1]

# A configuration of one's own, that builds on a packaged one.
OWN = """
include "gin/demo.gin"
CH = 1
NUM_FRAMES = 4
BATCH_SIZE = 2
UNROLL = False
SpatialDiscriminator.k = 2
Trainer.d_steps = 1
Trainer.shards = 1
train.num_steps = 2
train.steps_per_loop = 2
train.final_report = None
train.standing_statistics_batches = 1
SampleGrid.num_classes = 2
SampleGrid.samples_per_class = 1
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder of the unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    # A copy, so that neither new nor stale files of a build are in the way.
    source.mkdir()
    for path in ("dvdgan_tf", "gin"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / path, source / path, ignore=ignore)
    for path in ("setup.py", "setup.cfg", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / path, source)
    shutil.copy(ROOT / "LICENSE", source)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "."]
        + [f"--wheel-dir={folder}"],
        cwd=source,
        check=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


@pytest.fixture
def run(installed, tmp_path):
    """Runs Python in an empty folder that sees the wheel; returns stdout.

    There is nothing on stderr but our own warning of a machine without a GPU.
    """

    environment = os.environ | {"PYTHONPATH": str(installed)}
    # Set by libraries that other tests import; a user's shell has none.
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)

    def run(*args):
        result = subprocess.run(
            [sys.executable, *args],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert result.returncode == 0, result.stderr[-3000:]
        lines = result.stderr.splitlines()
        assert all(line.startswith("warning: No GPU") for line in lines), lines
        return result.stdout

    return run


def test_what_is_in_it(installed):
    top = {path.name for path in installed.iterdir()}
    assert top == {"dvdgan_tf", f"dvdgan_tf-{version()}.dist-info"}
    packaged = {path.name for path in (installed / "dvdgan_tf/gin").iterdir()}
    assert packaged == {path.name for path in (ROOT / "gin").iterdir()}
    modules = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "dvdgan_tf").rglob("*.py")
    }
    found = {str(p.relative_to(installed)) for p in installed.rglob("*.py")}
    assert found == modules
    (text,) = installed.glob("*.dist-info/entry_points.txt")
    assert "dvdgan = dvdgan_tf.__main__:main" in text.read_text()


def version():
    import dvdgan_tf

    return dvdgan_tf.__version__


def test_the_packaged_demo_trains(run, tmp_path):
    (tmp_path / "own.gin").write_text(OWN)
    lines = run(
        "-m",
        "dvdgan_tf",
        "train",
        "--gin_file=gin/demo.gin",
        "--gin_file=own.gin",
        "--workdir=run",
    ).splitlines()
    assert lines[:2] == [
        "Configuration: gin/demo.gin (packaged with dvdgan_tf)",
        "Configuration: own.gin",
    ]
    assert lines[2].startswith("Devices: ")
    assert lines[-1] == "Checkpoint:       run/ckpt/step-2"
    assert (tmp_path / "run" / "ckpt" / "step-2.index").is_file()


def test_every_command_has_help(run):
    listed = run("-m", "dvdgan_tf")
    assert run("-m", "dvdgan_tf", "--help") == listed
    for name in COMMANDS:
        assert f"\n  {name} " in listed
        text = run("-m", f"dvdgan_tf.{name}", "--help")
        assert text == run("-m", "dvdgan_tf", name, "--help")
        assert "\nFlags:\n" in text and "--help" in text
