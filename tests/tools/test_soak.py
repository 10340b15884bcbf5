"""The soak: what a command takes is recorded, and growth is seen."""

import json
import sys

import pytest

from tools import soak

# 60 MB and an open file more in each of ten steps.
LEAK = """
import json, os, sys, time
kept = []
for step in range(1, 11):
    kept.append((open(os.devnull), bytearray(b"x" * 60_000_000)))
    sum(range(300_000))
    with open(sys.argv[1].split("=")[1] + "/metrics.jsonl", "a") as file:
        file.write(json.dumps({"step": step}) + "\\n")
    time.sleep(0.4)
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("soak")
    code = soak.main(
        ["--every", "0.1", "--output", str(folder)]
        + ["--plot", str(folder / "soak.png"), "--"]
        + [sys.executable, "-c", LEAK, f"--workdir={folder}"]
    )
    assert code == 0
    assert (folder / "soak.png").stat().st_size > 10_000
    lines = (folder / "soak.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_growth_is_recorded(rows):
    # The newest record may be of a process that gives back all it has.
    first, last = rows[0], max(rows, key=lambda row: row["memory"])
    steps = last["step"] - (first["step"] or 0)
    assert steps >= 5
    assert last["memory"] - first["memory"] > 0.8 * 60e6 * (steps - 1)
    assert abs(last["files"] - first["files"] - steps) <= 3
    assert last["processes"] == 1


def test_the_command_ends_when_the_time_is_over(tmp_path):
    options = ["--hours", str(0.5 / 3600), "--every", "0.1"]
    options += ["--output", str(tmp_path), "--"]
    code = "import time; print(flush=True); time.sleep(600)"
    assert soak.main([*options, sys.executable, "-c", code]) == -15  # SIGTERM.
    rows = (tmp_path / "soak.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["seconds"] >= 0.5


def test_growth_is_said(rows):
    lines = soak.summary(rows)
    name, values = lines[2].split(": ")
    before, after = map(float, values.split(" -> "))
    assert name == "files" and after >= before + 5


def test_step_time_by_hand():
    rows = [
        {"step": step, "cpu_seconds": seconds}
        for step, seconds in [(None, 9), (10, 20), (10, 25), (20, 40), (25, 60)]
    ]
    assert list(soak.step_seconds(rows)) == [2, 4]
