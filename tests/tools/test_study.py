"""The study's runner, with a stand-in for training, and once with training."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import runs
import tensorflow as tf

from tools.studies import study, study_process
from tools.studies.study_table import table

ROOT = pathlib.Path(__file__).parents[2]

# Burns processor time in steps of 0.05 s, saves when asked to stop, resumes,
# and reports at its last step, as training does.
STAND_IN = """
import json, os, pathlib, shutil, signal, sys, time
def argument(name):
    (found,) = (a for a in sys.argv if name in a)
    return found.rpartition("=")[2]


last, work = int(argument("num_steps")), pathlib.Path(argument("--workdir"))
(work / "ckpt").mkdir(exist_ok=True)
done = [int(p.stem[5:]) for p in (work / "ckpt").glob("step-*.index")]
step, asked = max(done, default=0), []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
while step < last and not asked:
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    step += 1
for file in pathlib.Path(__file__).parent.glob("whole.*"):
    shutil.copy(file, work / "ckpt" / f"step-{step}{file.suffix}")
lines = [{"step": step, "loss/g": 1.0, "class_accuracy": 0.0}]
if step >= last:
    lines += [{"step": step, "class_accuracy": 0.75, "right/3": 1.0}]
with open(work / "metrics.jsonl", "a") as file:
    file.writelines(json.dumps(line) + "\\n" for line in lines)
print("Threads:", os.environ["TF_NUM_INTRAOP_THREADS"], os.nice(0))
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A Python that runs the stand-in whatever module it is told to run."""
    # A checkpoint without variables; one without its files would not count.
    tf.train.Checkpoint().write(str(tmp_path / "whole"))
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nshift 2\nexec {sys.executable} {script} "$@"'
    )
    python.chmod(0o755)
    monkeypatch.setattr(study.sys, "executable", str(python))


@pytest.fixture
def command(tmp_path, stand_in, capsys):
    """Runs a row of the study; returns what is printed."""

    def command(*options):
        study.main(
            [
                f"--results={tmp_path / 'results.jsonl'}",
                f"--folder={tmp_path / 'runs'}",
                *options,
            ]
        )
        return capsys.readouterr().out

    return command


ROW = ("--name=base", "--gin_file=a.gin", "--gin_param=CH = 2", "--seed=3")


def test_a_row_of_steps(command, tmp_path):
    result = json.loads(command(*ROW, "--num_steps=10", "--threads=1"))
    assert study.read(tmp_path / "results.jsonl") == [result]
    assert result["steps"] == 10 and result["seed"] == 3
    assert result["bindings"] == ["CH = 2"] and result["gin_files"] == ["a.gin"]
    assert result["values"] == {"class_accuracy": 0.75, "right/3": 1.0}
    # 10 steps of 0.05 s, and a start of Python.
    assert 0.4 < result["cpu_seconds"] < 2.0
    rate = 10 / result["cpu_seconds"]
    assert result["steps_per_cpu_second"] == pytest.approx(rate, rel=0.1)
    (log,) = (tmp_path / "runs").glob("base_s3_*/log.txt")
    assert log.read_text() == "Threads: 1 19\n"

    # What is done is not done again; another seed is another row.
    assert "done already" in command(*ROW, "--num_steps=10")
    command(*ROW, "--num_steps=10", "--seed=4")
    assert len(study.read(tmp_path / "results.jsonl")) == 2
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_a_budget_stops_training_and_what_there_is_is_measured(command):
    result = json.loads(command(*ROW, "--budget=1.5"))
    assert 1.5 <= result["cpu_seconds"] < 3.5
    assert 20 < result["steps"] < 70
    assert result["values"]["class_accuracy"] == 0.75


def test_an_interrupted_row_goes_on_and_has_its_seconds(
    command, tmp_path, monkeypatch
):
    real = study_process.run

    def interrupted(arguments, log, threads, budget, cwd):
        real(arguments, log, threads, 1.0, cwd)
        raise KeyboardInterrupt

    monkeypatch.setattr(study_process, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command(*ROW, "--num_steps=40")
    assert not (tmp_path / "results.jsonl").exists()
    monkeypatch.setattr(study_process, "run", real)
    result = json.loads(command(*ROW, "--num_steps=40"))
    assert result["steps"] == 40 and result["cpu_seconds"] > 2.0


def test_sigterm_lets_training_save(tmp_path, stand_in):
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r});"
        "from tools.studies import study;"
        f"study.sys.executable = {study.sys.executable!r}; study.main()"
    )
    options = [
        f"--results={tmp_path / 'results.jsonl'}",
        f"--folder={tmp_path / 'runs'}",
        "--num_steps=100000",
    ]
    # `sys.executable` is the stand-in here.
    python = os.path.realpath("/proc/self/exe")
    process = subprocess.Popen([python, "-c", code, *ROW, *options])
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("runs/*/ckpt")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) != 0
    (workdir,) = (tmp_path / "runs").iterdir()
    assert study.newest_step(workdir) > 0
    assert json.loads((workdir / "cpu_seconds.json").read_text()) > 0


def test_a_failure_names_its_log(command, tmp_path, monkeypatch):
    monkeypatch.setattr(study.sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match=r"code 1; see .*log\.txt"):
        command(*ROW, "--num_steps=10")
    assert not (tmp_path / "results.jsonl").exists()


@pytest.mark.parametrize(
    "options", [ROW, (*ROW, "--num_steps=1", "--budget=1"), ("--num_steps=1",)]
)
def test_impossible_rows(command, options, capsys):
    with pytest.raises(SystemExit):
        command(*options)
    assert "a row needs" in capsys.readouterr().err


def test_table():
    def row(name, seed, accuracy, cpu=100.2, **changes):
        return {
            "name": name,
            "gin_files": ["a.gin"],
            "bindings": ["CH = 2", "T = 1"],
            "seed": seed,
            "num_steps": None,
            "budget": 100.0,
            "threads": 1,
            "steps": 10 + 990 * seed,
            "cpu_seconds": cpu,
            "values": {"accuracy": accuracy},
        } | changes

    rows = [
        row("wide", 1, 0.5, cpu=99.6),
        row("base", 0, 0.125, values={}),
        row("wide", 0, 0.25),
        row("wide", 0, 0.75, budget=200.0),
    ]
    assert table(rows, ["accuracy"]) == [
        "| name | bindings | seeds | steps | CPU s | accuracy |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        "| wide | `CH = 2`; `T = 1` | 0, 1 | 10 to 1,000 | 100 | "
        "0.375 (0.25, 0.5) |",
        "| base | `CH = 2`; `T = 1` | 0 | 10 | 100 |  |",
        "| wide | `CH = 2`; `T = 1` | 0 | 10 | 100 | 0.75 |",
    ]


def test_with_training_itself(tmp_path):
    """A step of the smallest demo, and its class accuracy.

    That training obeys a budget's SIGTERM: training/test_processes.py.
    """
    bindings = [
        *runs.TINY,
        "NUM_FRAMES = 4",
        "SpatialDiscriminator.k = 1",
        "UNROLL = False",
        "Trainer.d_steps = 1",
        "Trainer.shards = 1",
        "train.standing_statistics_batches = 1",
        "train.steps_per_loop = 1",
        "train.sample_every = 100000",
        "ClassAccuracy.classifier_steps = 2",
        "ClassAccuracy.num_samples = 50",
        "ClassAccuracy.num_held_out = 50",
        "ClassAccuracy.least = 0.0",
    ]
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "tools.studies.study",
            f"--results={tmp_path / 'results.jsonl'}",
            f"--folder={tmp_path}",
            "--name=tiny",
            "--gin_file=gin/demo.gin",
            *(f"--gin_param={binding}" for binding in bindings),
            "--num_steps=1",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert result.returncode == 0, result.stderr
    row = json.loads(result.stdout)
    assert row["cpu_seconds"] > 5 and row["steps"] == 1
    assert set(row["values"]) == {"class_accuracy", "class_accuracy/held_out"}
