"""What only real processes show: two workers of a cluster, and SIGTERM."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

TESTS = pathlib.Path(__file__).parents[1]
TIMEOUT = 500  # Seconds; about 30 on two idle cores.


@pytest.fixture
def start(tmp_path):
    """Starts processes, and ends those that outlive the test."""
    processes = []
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]),
        "CUDA_VISIBLE_DEVICES": "-1",
        # As `dvdgan_tf.train` sets it where it is imported first.
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }

    def start(name, *args, **variables):
        files = [tmp_path / f"{name}.{kind}" for kind in ("out", "err")]
        with open(files[0], "w") as out, open(files[1], "w") as err:
            process = subprocess.Popen(
                [sys.executable, str(TESTS / "training" / "worker.py"), *args],
                stdout=out,
                stderr=err,
                env=environment | variables,
            )
        process.files = files
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def text(process):
    """What a process wrote to stdout and stderr until now."""
    return [file.read_text() for file in process.files]


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("localhost", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def start_two(start, arguments):
    """Starts two workers of a cluster.

    Args:
        start: the fixture.
        arguments: of each worker, a list of texts.
    """
    hosts = [f"localhost:{port}" for port in free_ports(2)]
    cluster = {"worker": hosts}
    processes = []
    for i in range(2):
        task = {"cluster": cluster, "task": {"type": "worker", "index": i}}
        config = json.dumps(task)
        processes.append(start(f"worker{i}", *arguments[i], TF_CONFIG=config))
    return processes


def check_quiet(process):
    """A worker that has ended as it should has no error to tell of."""
    assert process.wait(TIMEOUT) == 0, text(process)[1][-3000:]
    errors = text(process)[1]
    for word in ("Abort", "UNAVAILABLE", "crashed", "Traceback", "error:"):
        assert word not in errors, errors[-3000:]


def test_two_workers_end_with_equal_variables(start, tmp_path):
    workdirs = [tmp_path / f"run{i}" for i in range(2)]
    results = [str(tmp_path / f"values{i}.npz") for i in range(2)]
    processes = start_two(
        start, [[str(workdirs[i]), results[i]] for i in range(2)]
    )
    for process in processes:
        check_quiet(process)
    chief, other = (dict(np.load(path)) for path in results)
    assert chief["reached"] == 3 and chief["step"] == 3
    assert chief.keys() == other.keys()
    for name, value in chief.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)
    # Only the chief writes, and what it saves is what it has.
    assert not workdirs[1].exists()
    lines = (workdirs[0] / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 3]
    path = tf.train.latest_checkpoint(workdirs[0] / "ckpt")
    stored = tf.train.load_checkpoint(path)
    name = "generator|head|kernel/.ATTRIBUTES/VARIABLE_VALUE"
    np.testing.assert_array_equal(
        stored.get_tensor(name), chief["generator/head/kernel"]
    )
    assert "step 3/3" in text(processes[0])[0]
    assert "Worker" not in text(processes[0])[0]
    # The other says where it is and how it ended.
    waits, *lines = text(processes[1])[0].splitlines()
    assert waits == "Waiting until all workers of TF_CONFIG have started ..."
    assert lines[0].startswith("Worker 1: begins at step 0")
    assert "step 3/3" in lines[-2]
    assert lines[-1] == "Worker 1: finished at step 3."
    assert all(line.startswith("Worker 1: ") for line in lines)


GIN = """
include "gin/dvdgan.gin"
RESOLUTION = 8
NUM_FRAMES = 4
CH = 2
DATASET = @TinySource
BATCH_SIZE = 4
Generator.z_dim = 4
SpatialDiscriminator.k = 2
TemporalDiscriminator.num_3d_blocks = 1
train.num_steps = 1000000
train.steps_per_loop = 1
train.standing_statistics_batches = 1
SampleGrid.num_classes = 1
SampleGrid.samples_per_class = 1
"""


def wait_for(words, process):
    """Until a process has written words to stdout."""
    until = time.monotonic() + TIMEOUT
    while words not in text(process)[0]:
        assert process.poll() is None, text(process)[1][-3000:]
        assert time.monotonic() < until
        time.sleep(0.2)


def test_two_workers_stop_as_one_and_notice_a_kill(start, tmp_path):
    """Stopped, resumed, one killed, resumed from before, the other killed."""
    (tmp_path / "tiny.gin").write_text(GIN)
    workdir = tmp_path / "run"
    checkpoints = workdir / "ckpt"
    arguments = [
        f"--gin_file={tmp_path / 'tiny.gin'}",
        f"--workdir={workdir}",
        "--gin_param=train.trainer=@CheapTrainer",
        "--gin_param=train.checkpoint_every=1",
        "--gin_param=train.keep_checkpoints=None",
    ]

    def run_until(step, *more):
        before = time.time()
        processes = start_two(start, [[*arguments, *more]] * 2)
        until = time.monotonic() + TIMEOUT
        # One of that step may be there already, and is then set aside.
        while not any(
            path.stat().st_mtime > before
            for path in checkpoints.glob(f"step-{step}.index")
        ):
            for process in processes:
                assert process.poll() is None, text(process)[1][-3000:]
            assert time.monotonic() < until
            time.sleep(0.1)
        return processes

    def check_lost(process, number):
        # Far less than the time after which a test is given up.
        assert process.wait(60) == 75
        errors = text(process)[1]
        sentence = errors.splitlines()[-1]
        assert sentence.startswith(f"error: Worker {number} (localhost:")
        step = max(steps_in(checkpoints))
        assert "was lost: it has ended, or its machine cannot be" in sentence
        assert sentence.endswith(f"the run goes on at step {step}.")
        for word in ("Abort", "UNAVAILABLE", "Traceback", "Collective"):
            assert word not in errors

    chief, other = run_until(2)
    other.send_signal(signal.SIGTERM)
    for process in (chief, other):
        check_quiet(process)
    (stopped,) = {max(steps_in(checkpoints))}
    assert (
        f"Stopped by another worker at step {stopped}; the same command on "
        "all workers resumes."
    ) in text(chief)[0]
    line = f"Worker 1: stopped by SIGTERM at step {stopped}."
    assert text(other)[0].splitlines()[-1] == line

    chief, other = run_until(stopped + 3)
    other.kill()
    check_lost(chief, 1)
    assert f"/step-{stopped} at step {stopped}." in text(chief)[0]
    assert not (workdir / "run.lock").exists()

    # Without a stop in between the steps are the same, bit for bit.
    assert not (workdir / "set_aside").exists()
    chief, other = run_until(stopped + 3, "--step=1")
    chief.kill()
    chief.wait()
    check_lost(other, 0)
    reader, before = (
        tf.train.load_checkpoint(str(folder / f"step-{stopped + 2}"))
        for folder in (checkpoints, workdir / "set_aside" / "after-step-1")
    )
    names = reader.get_variable_to_shape_map()
    assert names == before.get_variable_to_shape_map()
    for name in names:
        if name.endswith("VARIABLE_VALUE") and "save_counter" not in name:
            np.testing.assert_array_equal(
                reader.get_tensor(name), before.get_tensor(name), err_msg=name
            )


def steps_in(folder):
    return [int(path.stem[5:]) for path in folder.glob("step-*.index")]


def test_a_second_run_is_refused_until_the_first_is_killed(start, tmp_path):
    (tmp_path / "tiny.gin").write_text(GIN)
    args = [
        f"--gin_file={tmp_path / 'tiny.gin'}",
        f"--workdir={tmp_path / 'run'}",
        "--strategy=one_device",
        "--gin_param=train.checkpoint_every=1",
    ]
    first = start("first", *args)
    wait_for("step 1/1000000", first)
    second = start("second", *args)
    assert second.wait(TIMEOUT) == 2
    sentence = text(second)[1].splitlines()[-1]
    assert sentence.startswith(f"error: Process {first.pid} on host ")
    assert first.poll() is None
    # The progress is shown rarely, since it is no terminal.
    until = time.monotonic() + TIMEOUT
    while not (tmp_path / "run" / "ckpt" / "step-4.index").exists():
        assert first.poll() is None and time.monotonic() < until
        time.sleep(0.2)
    first.kill()
    first.wait()
    # As if it had been killed in a save.
    (tmp_path / "run" / "ckpt" / "step-9_temp").mkdir()
    (tmp_path / "run" / "ckpt" / "checkpoint").write_text("")
    before = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    third = start("third", *args)
    wait_for("/1000000", third)
    third.send_signal(signal.SIGTERM)
    assert third.wait(TIMEOUT) == 0, text(third)[1][-3000:]
    step = int(text(third)[0].split("Resumed from ")[1].split()[3].strip("."))
    assert step >= 4 and f"/step-{step} at step {step}." in text(third)[0]
    assert not (tmp_path / "run" / "ckpt" / "step-9_temp").exists()
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert lines[:step] == before[:step] and len(lines) > step
    assert "deprecat" not in text(third)[1].lower()
    assert [json.loads(line)["step"] for line in lines] == list(
        range(1, len(lines) + 1)
    )


def test_sigterm_saves_and_exits_with_success(start, tmp_path):
    (tmp_path / "tiny.gin").write_text(GIN)
    workdir = tmp_path / "run"
    process = start(
        "train",
        f"--gin_file={tmp_path / 'tiny.gin'}",
        f"--workdir={workdir}",
        "--strategy=one_device",
    )
    wait_for("step 1/1000000", process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(TIMEOUT) == 0, text(process)[1][-3000:]
    out, err = text(process)
    assert "SIGTERM: will save and stop after this loop." in out
    step = int(tf.train.latest_checkpoint(workdir / "ckpt").split("-")[-1])
    assert step >= 1
    assert f"Stopped by SIGTERM at step {step}; the same command res" in out
    assert "Traceback" not in err and "\nerror:" not in err
