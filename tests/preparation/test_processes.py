import os
import pathlib
import signal
import time

import pytest

from dvdgan_tf.preparation import processes


def touch(path):
    pathlib.Path(path).touch()


def die_once(path):
    """Is killed like a process that takes too much memory, at first."""
    if path.endswith("bad") and not os.path.exists(path + ".tried"):
        touch(path + ".tried")
        os.kill(os.getpid(), signal.SIGKILL)
    touch(path)


def die_always(path):
    if path.endswith("bad"):
        os.kill(os.getpid(), signal.SIGKILL)
    touch(path)


def leave(path):
    os._exit(3)


def fail(path):
    if path.endswith("bad"):
        raise OSError(f"no room for {path}")
    time.sleep(60)


def strange(path):
    class LocalError(Exception):
        """It cannot be pickled."""

    raise LocalError("odd")


def paths(tmp_path, count=6):
    return [str(tmp_path / f"{n}") for n in range(count)] + [
        str(tmp_path / "bad")
    ]


@pytest.mark.parametrize("count", [1, 2])
def test_every_task_is_done(tmp_path, count):
    tasks = paths(tmp_path)
    processes.run(touch, tasks, count)
    assert all(map(os.path.exists, tasks))


@pytest.mark.parametrize("bad", [0, -1])
def test_a_killed_process_costs_nothing(tmp_path, bad):
    tasks = paths(tmp_path)
    tasks.insert(bad, tasks.pop())
    processes.run(die_once, tasks, 2)
    assert all(map(os.path.exists, tasks))


def test_killed_again_and_again_is_one_sentence(tmp_path):
    with pytest.raises(ChildProcessError, match=r"SIGKILL.*memory"):
        processes.run(die_always, paths(tmp_path), 2)
    with pytest.raises(ChildProcessError, match="status 3"):
        processes.run(leave, paths(tmp_path), 2)


def test_an_error_stops_all_at_once(tmp_path):
    tasks = paths(tmp_path, 1)
    start = time.monotonic()
    with pytest.raises(OSError, match=r"no room for .*bad"):
        processes.run(fail, tasks, 2)
    assert time.monotonic() - start < 50


def test_an_error_that_cannot_be_pickled(tmp_path):
    with pytest.raises(RuntimeError, match="LocalError: odd"):
        processes.run(strange, paths(tmp_path, 1), 2)
