"""Benchmarks by turns: none begins a step while another one runs."""

import sys

import pytest

from tools.benchmarks import turns

# Writes when it begins and ends a step, with the file as the witness.
PROGRAM = """
import json, sys, time
name, log, steps = sys.argv[1], sys.argv[2], sys.argv[3]
assert sys.argv[4] == "--turns"
def write(what):
    with open(log, "a") as file:
        file.write(f"{name} {what}\\n")
print("noise")
for _ in range(int(steps.removeprefix("--steps="))):
    print("ready", flush=True)
    sys.stdin.readline()
    write("begins")
    time.sleep(0.05)
    write("ends")
print(json.dumps({"name": name}))
"""


def test_steps_alternate(tmp_path):
    log = tmp_path / "log"
    commands = {
        name: [sys.executable, "-c", PROGRAM, name, str(log)] for name in "ab"
    }
    results = turns.run(commands, 3)
    assert results == {"a": {"name": "a"}, "b": {"name": "b"}}
    step_of_each = ["a begins", "a ends", "b begins", "b ends"]
    assert log.read_text().splitlines() == 3 * step_of_each


def test_a_program_that_fails_is_named():
    with pytest.raises(SystemExit, match="error: a ended with code 3"):
        turns.run({"a": [sys.executable, "-c", "raise SystemExit(3)"]}, 1)
