import json
import os
import subprocess
import sys

import numpy as np
from PIL import Image

COMMAND = [sys.executable, "-m", "dvdgan_tf.plotting.plot_runs"]


def run(*flags):
    return subprocess.run([*COMMAND, *flags], capture_output=True, text=True)


def write(folder, values):
    os.makedirs(folder)
    with open(folder / "metrics.jsonl", "w") as file:
        for step, value in enumerate(values, 1):
            row = {"step": 10 * step, "loss/g": value, "speed/x": 1.0}
            file.write(json.dumps(row) + "\n")


def test_runs_are_drawn(tmp_path):
    write(tmp_path / "a", [3.0, 2.0, 1.0] * 4)
    write(tmp_path / "b", [1.0, 2.0, 3.0, 4.0] * 4)
    output = tmp_path / "runs.png"
    result = run(
        f"--run=first={tmp_path}/a", f"--run={tmp_path}/b", f"--output={output}"
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == str(output)
    with Image.open(output) as image:
        pixels = np.asarray(image.convert("RGB"))
    # One panel; matplotlib's first two colours, blue and orange, are in it.
    for colour in ((31, 119, 180), (255, 127, 14)):
        assert (np.abs(pixels.astype(int) - colour).sum(-1) < 9).any()


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "a", [3.0, 2.0])
    result = run("--run=first=~/a", "--output=~/runs.png")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "runs.png").is_file()


def test_errors(tmp_path):
    write(tmp_path / "a", [1.0])
    for flags, message in (
        ([f"--run={tmp_path}/nowhere"], "nowhere"),
        ([f"--run={tmp_path}/a", "--metric=fid"], "'fid'"),
        ([], "--run"),
    ):
        result = run(*flags, f"--output={tmp_path}/x.png")
        assert result.returncode == 1
        assert message in result.stderr
        assert "Traceback" not in result.stderr
