"""One run at a time: who is refused, and when a lock is free."""

import concurrent.futures
import json
import os
import signal
import subprocess
import time

import forked
import pytest

from dvdgan_tf.training import lock as locks
from dvdgan_tf.training.lock import FolderLock


def hold(folder):
    with FolderLock(folder):
        print("held", flush=True)
        time.sleep(600)


@pytest.fixture
def holder(tmp_path, tmp_path_factory):
    """Another process, which holds the lock of `tmp_path`."""
    process = forked.Process(
        hold, str(tmp_path), folder=tmp_path_factory.mktemp("holder")
    )
    until = time.monotonic() + 300
    while process.stdout != "held\n":
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    yield process
    process.kill()
    process.wait()


def change(folder, age=0, **facts):
    """Makes the lock that of another machine or process, so many s old."""
    path = folder / "run.lock"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))
    os.utime(path, (time.time() - age,) * 2)


def refused(folder, **arguments):
    with (
        pytest.raises(BlockingIOError) as error,
        FolderLock(str(folder), **arguments),
    ):
        pass
    message = str(error.value)
    assert "\n" not in message and str(folder) in message
    return message


def test_a_second_run_is_refused(holder, tmp_path):
    message = refused(tmp_path)
    assert message.startswith(f"Process {holder.pid} on host {os.uname()[1]} ")
    assert "choose another --workdir" in message
    # However silent: that the process is there can be seen on its machine.
    change(tmp_path, age=10 * locks.STALE)
    refused(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["run.lock"]


def test_it_is_free_at_once_when_its_process_was_killed(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait(60)
    with FolderLock(str(tmp_path)) as lock:
        lock.check()
    assert os.listdir(tmp_path) == []


def test_a_process_that_is_not_waited_for_holds_nothing(tmp_path):
    with (
        subprocess.Popen(["sleep", "600"]) as process,
        FolderLock(str(tmp_path)),
    ):
        started = locks._start_of(process.pid)
        change(tmp_path, pid=process.pid, started=started)
        refused(tmp_path)
        process.kill()
        # It has ended, and stays a zombie.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with FolderLock(str(tmp_path)) as lock:
            lock.check()


def test_the_number_of_a_process_may_have_gone_to_another(holder, tmp_path):
    held = json.loads((tmp_path / "run.lock").read_text())
    change(tmp_path, started=held["started"] - 1)
    with FolderLock(str(tmp_path)):
        pass


@pytest.mark.parametrize("name", ["host", "boot", "namespace"])
def test_a_lock_of_another_machine_is_free_after_a_silence(tmp_path, name):
    with FolderLock(str(tmp_path)):
        # No process of this number is here, which means nothing there.
        change(tmp_path, age=locks.STALE - 60, pid=2**22 + 1, **{name: "far"})
        message = refused(tmp_path)
        seconds = int(message.split(" is free in ")[1].split()[0])
        assert 50 <= seconds <= 60
        change(tmp_path, age=locks.STALE + 1)
        with FolderLock(str(tmp_path)) as lock:
            lock.check()
            assert json.loads((tmp_path / "run.lock").read_text())["pid"] == (
                os.getpid()
            )
        assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", ["", "5", '{"host": "far', "[" * 100_000])
def test_a_damaged_lock_is_free_after_a_silence(tmp_path, content):
    (tmp_path / "run.lock").write_text(content)
    assert "host unknown" in refused(tmp_path)
    os.utime(tmp_path / "run.lock", (0, 0))
    with FolderLock(str(tmp_path)):
        pass


def test_a_sign_of_life_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "BEAT", 0.05)
    with FolderLock(str(tmp_path)):
        path = tmp_path / "run.lock"
        os.utime(path, (0, 0))
        until = time.monotonic() + 30
        while path.stat().st_mtime == 0:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert abs(path.stat().st_mtime - time.time()) < 60


def test_who_lost_the_lock_is_told_and_leaves_that_of_the_other(tmp_path):
    with FolderLock(str(tmp_path)) as first:
        change(tmp_path, age=locks.STALE + 1, host="far")
        with FolderLock(str(tmp_path)) as second:
            with pytest.raises(BlockingIOError, match="no longer this run's"):
                first.check()
            first.__exit__(None, None, None)
            second.check()


def test_of_many_that_find_an_abandoned_lock_one_wins(tmp_path):
    """In processes, since threads would wait for each other."""
    # Copies of a process without threads, unlike this one.
    barrier = forked.CONTEXT.Barrier(8)
    with concurrent.futures.ProcessPoolExecutor(
        8, forked.CONTEXT, barrier.wait
    ) as pool:
        for attempt in range(5):
            folder = tmp_path / str(attempt)
            with FolderLock(str(folder)):
                change(folder, host="far")
                abandoned = (folder / "run.lock").read_text()
            folder.mkdir(exist_ok=True)
            (folder / "run.lock").write_text(abandoned)
            change(folder, age=locks.STALE + 1)
            won = list(pool.map(try_to_take, [str(folder)] * 8))
            assert sum(won) == 1, won


def try_to_take(folder):
    """Takes a lock for good; says whether it did, and still has it."""
    lock = FolderLock(folder)
    try:
        lock.__enter__()
        time.sleep(1)
        lock.check()
    except BlockingIOError:
        return False
    return True


def test_hosts_of_one_run_share_it(tmp_path):
    hosts = ("a:1", "b:1")
    with FolderLock(str(tmp_path), hosts=hosts) as chief:
        with FolderLock(str(tmp_path), is_chief=False, hosts=hosts):
            pass
        chief.check()
        # Both workers of a second run see it.
        refused(tmp_path, hosts=("c:1", "d:1"))
        refused(tmp_path, hosts=("c:1", "d:1"), is_chief=False)


def test_a_worker_that_does_not_write_makes_no_file(tmp_path):
    with FolderLock(
        str(tmp_path / "a"), is_chief=False, hosts=("a:1",)
    ) as lock:
        lock.check()
    assert not (tmp_path / "a").exists()


def test_a_folder_that_stays_empty_is_removed(tmp_path):
    with FolderLock(str(tmp_path / "a")):
        pass
    with FolderLock(str(tmp_path / "b")):
        (tmp_path / "b" / "x").touch()
    (tmp_path / "c").mkdir()
    with FolderLock(str(tmp_path / "c")):
        pass
    assert sorted(os.listdir(tmp_path)) == ["b", "c"]
