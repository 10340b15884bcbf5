"""A short torture, and whether the tool would see a fault."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf

from tools.torture import comparing
from tools.torture.lives import Death, FaultError

ROOT = pathlib.Path(__file__).parents[2]

# A command that loses what it has if it is killed between two operations.
CARELESS = """
import os, sys
from tools.torture import file_operations, lives, rounds, scene

class Careless(scene.Scene):
    def call(self, folder):
        def call():
            for name in ("a", "b"):
                path = os.path.join(folder, name)
                with open(path, "w") as file:
                    file.write("whole")
        return call

    def look(self, folder, before, death):
        for name in os.listdir(folder):
            with open(os.path.join(folder, name)) as file:
                if file.read() != "whole":
                    raise lives.FaultError(f"Half of {name}.")
        return {}

kind = rounds.Kind("careless", Careless(), ("operations",))
torture = rounds.Rounds(kind, sys.argv[1], 0, True, print)
if not file_operations.available():
    sys.exit(3)
torture.measure()
# Before each of: open a, write, open b, write.
for number in (1, 2, 3, 4):
    folder = os.path.join(sys.argv[1], str(number))
    os.makedirs(folder)
    moment = lives.Moment(operation=number)
    death = lives.live(kind.scene.call(folder), moment, folder, folder + ".log",
                       True)
    try:
        kind.scene.look(folder, {}, death)
        print(death.when, "fine")
    except lives.FaultError as fault:
        print(death.when, fault)
try:
    for number in range(9):
        torture.round(number, 9, float("inf"))
except lives.FaultError as fault:
    print("found:", fault)
"""


def python(*arguments):
    """Runs Python in a process that has no TensorFlow yet."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )


def test_nothing_is_lost_by_a_few_kills(tmp_path):
    results = tmp_path / "results.jsonl"
    result = python(
        *("-m", "tools.torture", "--kills=2", "--minutes=60", "--seed=2"),
        "--what=saving,preparation,evaluation,export",
        *(f"--results={results}", f"--folder={tmp_path}"),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    killed = [row["what"] for row in rows if row["killed"]]
    assert set(killed) == {"saving", "preparation", "evaluation", "export"}
    # Of each round the last life was left alone, and compared.
    assert {row["verdict"] for row in rows} <= {"undisturbed", "ok", "done"}
    assert os.listdir(tmp_path) == ["results.jsonl"]


def test_a_command_that_loses_something_is_found_out(tmp_path):
    result = python("-c", CARELESS, tmp_path)
    if result.returncode == 3:
        pytest.skip("This kernel does not halt file operations.")
    assert result.returncode == 0, result.stderr
    *_, a, b, c, d, end = [
        line for line in result.stdout.splitlines() if line[0] != "{"
    ]
    assert a == "operation 1, openat a fine"
    assert b == "operation 2, write a Half of a."
    assert c == "operation 3, openat b fine"
    assert d == "operation 4, write b Half of b."
    assert end.startswith("found: Half of ")


def test_checkpoints_differ_by_one_bit(tmp_path):
    paths = [str(tmp_path / name) for name in "abc"]
    for path, value in zip(paths, (1.0, 1.0, 1.0 + 2**-23), strict=True):
        tf.train.Checkpoint(v=tf.Variable(value)).write(path)
    comparing.same_tensors(*paths[:2])
    with pytest.raises(FaultError, match=r"1 of \d variables"):
        comparing.same_tensors(*paths[1:])


def test_rows_of_which_the_last_may_be_cut_off(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": 2')
    assert comparing.rows(path) == [{"a": 1}]
    path.write_text('{"a": 1}\n{"a"\n{"a": 2}\n')
    with pytest.raises(FaultError, match="no row"):
        comparing.rows(path)


@pytest.mark.parametrize(
    ("logged", "before", "printed", "words"),
    [
        ([1, 2], 3, "", "The newest checkpoint was of step 3; now it is None"),
        ([1, 1], None, "", r"of steps \[1, 1\]"),
        ([1, 2], None, "", "Metrics reach step 2, checkpoints step None"),
        ([], 3, "Parameters: 5.", "it began otherwise"),
    ],
)
def test_what_training_must_not_lose(tmp_path, logged, before, printed, words):
    from tools.torture.training import Training

    (tmp_path / "run").mkdir()
    lines = [json.dumps({"step": step}) + "\n" for step in logged]
    (tmp_path / "run" / "metrics.jsonl").write_text("".join(lines))
    death = Death(None, "", "SIGKILL", 1.0, 0, printed)
    scene = Training(str(tmp_path))
    with pytest.raises(FaultError, match=words):
        scene.look(str(tmp_path), {"checkpoint": before}, death)
