"""The processes of the command are killed, as where memory is short."""

import os
import pathlib
import signal
import time

import forked
import pytest
import tensorflow as tf
import videos

LIMIT_S = 240


def start(source, data_dir):
    return forked.Process(
        *(forked.module, "dvdgan_tf.prepare", f"--source={source}"),
        *(f"--data_dir={data_dir}", "--short_side=16", "--num_workers=2"),
    )


def workers(process):
    """Process ids of the processes that make shards."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == process.pid and b"spawn_main" in command:
            found.append(int(folder.name))
    return found


def kill_workers(process, count):
    """Kills the first `count` processes that appear; all if None."""
    killed, deadline = set(), time.monotonic() + LIMIT_S
    while process.poll() is None and (count is None or len(killed) < count):
        assert time.monotonic() < deadline
        for worker in workers(process):
            if worker not in killed and (count is None or len(killed) < count):
                os.kill(worker, signal.SIGKILL)
                killed.add(worker)
        time.sleep(0.05)
    return len(killed)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return videos.tree(tmp_path_factory.mktemp("clips"), clips=3)


def test_one_killed_process_costs_nothing(source, tmp_path):
    process = start(source, tmp_path)
    assert kill_workers(process, 1) == 1
    assert process.wait(LIMIT_S) == 0, process.stderr
    assert "Dataset:" in process.stdout
    shards = tmp_path.glob("video_folder/1.0.0/*.tfrecord-*")
    assert sum(1 for p in shards for _ in tf.data.TFRecordDataset(str(p))) == 6


def test_killed_again_and_again_is_one_sentence(source, tmp_path):
    process = start(source, tmp_path)
    assert kill_workers(process, None) >= 2
    assert process.wait(LIMIT_S) == 2
    err = process.stderr
    (line,) = [n for n in err.splitlines() if n.startswith("error:")]
    assert "SIGKILL" in line and "memory" in line
    assert "What is finished is kept" in line
    assert "Traceback" not in err


def test_stopped_it_leaves_no_process(source, tmp_path):
    process = start(source, tmp_path)
    deadline = time.monotonic() + LIMIT_S
    while not (left := workers(process)):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.terminate()
    assert process.wait(60) == 130
    assert "goes on where it stopped" in process.stderr
    assert not any(os.path.exists(f"/proc/{worker}") for worker in left)
