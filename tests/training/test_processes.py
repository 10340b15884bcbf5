"""What only real processes show: two workers of a cluster, and SIGTERM."""

import json
import signal
import socket
import time

import forked
import numpy as np
import pytest
import tensorflow as tf
from training import worker

TIMEOUT = 500  # Seconds; about 30 on two idle cores.


@pytest.fixture
def start(tmp_path):
    """Starts processes, and ends those that outlive the test."""
    processes = []

    def start(name, function, *args, **variables):
        (tmp_path / name).mkdir()
        environment = {"CUDA_VISIBLE_DEVICES": "-1"} | variables
        processes.append(
            forked.Process(
                function, *args, folder=tmp_path / name, env=environment
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("localhost", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def test_two_workers_end_with_equal_variables(start, tmp_path):
    hosts = [f"localhost:{port}" for port in free_ports(2)]
    workdirs = [tmp_path / f"run{i}" for i in range(2)]
    results = [str(tmp_path / f"values{i}.npz") for i in range(2)]
    processes = []
    for i in range(2):
        task = {
            "cluster": {"worker": hosts},
            "task": {"type": "worker", "index": i},
        }
        processes.append(
            start(
                f"worker{i}",
                worker.worker,
                str(workdirs[i]),
                results[i],
                TF_CONFIG=json.dumps(task),
            )
        )
    for process in processes:
        assert process.wait(TIMEOUT) == 0, process.stderr[-3000:]
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
    assert "step 3/3" in processes[0].stdout
    assert "Worker" not in processes[0].stdout
    # The other says where it is and how it ended.
    lines = processes[1].stdout.splitlines()
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
    while words not in process.stdout:
        assert process.poll() is None, process.stderr[-3000:]
        assert time.monotonic() < until
        time.sleep(0.2)


def test_runs_that_are_refused_killed_and_asked_to_stop(start, tmp_path):
    """A second one beside the first, the first, and a third that resumes."""
    (tmp_path / "tiny.gin").write_text(GIN)
    args = [
        f"--gin_file={tmp_path / 'tiny.gin'}",
        f"--workdir={tmp_path / 'run'}",
        "--strategy=one_device",
        "--gin_param=train.checkpoint_every=1",
    ]
    first = start("first", worker.train_tiny, *args)
    wait_for("step 1/1000000", first)
    second = start("second", worker.train_tiny, *args)
    assert second.wait(TIMEOUT) == 2
    sentence = second.stderr.splitlines()[-1]
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
    third = start("third", worker.train_tiny, *args)
    wait_for("/1000000", third)
    third.send_signal(signal.SIGTERM)
    assert third.wait(TIMEOUT) == 0, third.stderr[-3000:]
    assert "SIGTERM: will save and stop after this loop." in third.stdout
    newest = tf.train.latest_checkpoint(tmp_path / "run" / "ckpt")
    step = int(newest.split("-")[-1])
    words = f"Stopped by SIGTERM at step {step}; the same command res"
    assert words in third.stdout
    assert "Traceback" not in third.stderr and "\nerror:" not in third.stderr
    step = int(third.stdout.split("Resumed from ")[1].split()[3].strip("."))
    assert step >= 4 and f"/step-{step} at step {step}." in third.stdout
    assert not (tmp_path / "run" / "ckpt" / "step-9_temp").exists()
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert lines[:step] == before[:step] and len(lines) > step
    assert "deprecat" not in third.stderr.lower()
    assert [json.loads(line)["step"] for line in lines] == list(
        range(1, len(lines) + 1)
    )
