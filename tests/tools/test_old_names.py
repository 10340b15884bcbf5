"""Programs that have moved still run, and say what to write instead."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


def run(name, *args):
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / f"{name}.py"), *args],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("prepare_videos", "prepare"),
        ("install_i3d", "install_i3d"),
        ("plot_evaluations", "plot"),
    ],
)
def test_forwarded(old, new):
    result = run(old, "--help")
    assert result.returncode == 0
    words = f"is now python -m dvdgan_tf.{new}; write that instead.\n"
    assert result.stderr.endswith(words)
    assert "\nFlags:\n" in result.stdout


def test_flags_that_have_changed():
    result = run("plot_runs", "--run=runs/a", "--output=a.png")
    assert result.returncode == 2
    assert "--workdir=label=folder for --run=label=folder" in result.stderr
