"""The lock of a run's folder: one run at a time writes to it."""

import contextlib
import datetime
import json
import os
import socket
import threading
import time
import uuid
from types import TracebackType

import tensorflow as tf

from dvdgan_tf.training.strategies import is_multi_worker

# Seconds between two signs of life, and without one until a lock of another
# machine is free. A shared file system may show a file's time a minute late.
BEAT = 15
STALE = 180


class FolderLock:
    """While entered, keeps other runs out of a folder.

    The lock is a file that names the machine, the process and the time. The
    lock of a process of this machine that has ended is free at once. Whether
    a process of another machine, or of another container, has ended cannot be
    seen: its lock is free after `STALE` seconds without a sign of life, which
    a thread gives by setting the file's time.

    Of a run on several hosts, the chief holds the lock, and the others check
    that no run of other hosts holds it.

    Args:
        folder: the run's folder; created if missing, and if it is empty at
            the end, deleted again.
        is_chief: whether this process is the one that writes.
        hosts: the addresses of all workers of this run, the same on each;
            empty for a run of one process.
    """

    def __init__(
        self, folder: str, is_chief: bool = True, hosts: tuple[str, ...] = ()
    ) -> None:
        self.folder = folder
        self.path = os.path.join(folder, "run.lock")
        self.is_chief = is_chief
        self.content = _this_process() | {
            "hosts": list(hosts),
            "time": datetime.datetime.now().isoformat(" ", "seconds"),
            "token": uuid.uuid4().hex,
        }
        self._made_folder = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "FolderLock":
        """Takes the lock.

        Raises:
            BlockingIOError: another run holds it.
        """
        if not self.is_chief:
            held = _read(self.path)
            # The chief of this run may have been first.
            if held and held.get("hosts") != self.content["hosts"]:
                self._check_free(held)
            return self
        self._made_folder = not os.path.isdir(self.folder)
        os.makedirs(self.folder, exist_ok=True)
        try:
            while not self._create():
                self._remove_abandoned()
        except BaseException:
            self._remove_folder()
            raise
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._thread is None:
            return
        self._stop.set()
        self._thread.join()
        self._thread = None
        if self._is_own():
            os.remove(self.path)
        self._remove_folder()

    def check(self) -> None:
        """Checks that this run still holds the lock, before it writes.

        Raises:
            BlockingIOError: another run has taken it, since this process gave
                no sign of life for a while.
        """
        if self._thread is None or self._is_own():
            return
        time.sleep(1)  # For an instant, a process that gives way holds it.
        if not self._is_own():
            raise BlockingIOError(
                f"{self.path} is no longer this run's: {_holder(self.path)} "
                f"has taken {self.folder} while this process was stopped or "
                "the lock was deleted. Nothing more was written; end one of "
                "them."
            )

    def _create(self) -> bool:
        """Makes the lock's file, unless there is one."""
        try:
            file = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        with open(file, "w", encoding="utf-8") as opened:
            json.dump(self.content, opened)
        return True

    def _remove_abandoned(self) -> None:
        """Removes the lock of a run that has ended.

        Raises:
            BlockingIOError: it has not ended.
        """
        held = _read(self.path)
        if held == {}:
            time.sleep(0.5)  # It may be about to be written.
            held = _read(self.path)
        if held is None:
            return  # Released just now.
        self._check_free(held)
        aside = f"{self.path}.{self.content['token']}"
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return  # Another process was faster.
        if _read(aside) != held and not os.path.exists(self.path):
            # It has removed the abandoned lock, too, and this one is its own.
            os.rename(aside, self.path)
        else:
            os.remove(aside)

    def _check_free(self, held: dict) -> None:
        """Raises BlockingIOError if the run of a lock may still go on."""
        mine = {name: self.content[name] for name in _MACHINE}
        here = {name: held.get(name) for name in _MACHINE} == mine
        if here:
            if not _is_running(held):
                return
            way_out = "stop it, or choose another --workdir"
        else:
            silent = self._seconds_without_sign()
            if silent >= STALE:
                return
            way_out = (
                "stop it, or choose another --workdir. If that run has ended, "
                f"its lock {self.path} is free in "
                f"{max(1, round(STALE - silent))} seconds"
            )
        raise BlockingIOError(
            f"{_holder(self.path)} trains in {self.folder}; {way_out}."
        )

    def _seconds_without_sign(self) -> float:
        """The age of the lock's file, by the clock of its file system."""
        probe = f"{self.path}.{self.content['token']}"
        with contextlib.suppress(FileNotFoundError):
            try:
                with open(probe, "w") as file:
                    now = os.fstat(file.fileno()).st_mtime
                return now - os.stat(self.path).st_mtime
            finally:
                os.remove(probe)
        return STALE  # Released just now.

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            try:
                if self._is_own():
                    os.utime(self.path)
            except OSError:
                continue  # `check` tells, before anything is written.

    def _is_own(self) -> bool:
        held = _read(self.path)
        return held is not None and held.get("token") == self.content["token"]

    def _remove_folder(self) -> None:
        """Deletes the folder if this start has made it and left it empty."""
        if self._made_folder:
            with contextlib.suppress(OSError):
                os.rmdir(self.folder)


def folder_lock(workdir: str, strategy: tf.distribute.Strategy) -> FolderLock:
    """The lock of a run's folder, for one of the processes of a strategy."""
    hosts: tuple[str, ...] = ()
    if is_multi_worker(strategy):
        cluster = strategy.cluster_resolver.cluster_spec().as_dict()
        hosts = tuple(
            f"{job}/{address}"
            for job, addresses in sorted(cluster.items())
            for address in addresses
        )
    return FolderLock(workdir, strategy.extended.should_checkpoint, hosts)


# What says whether the number of a process means anything here.
_MACHINE = ("host", "boot", "namespace")


def _this_process() -> dict:
    return {
        "host": socket.gethostname(),
        "boot": _boot(),
        "namespace": _namespace(),
        "pid": os.getpid(),
        "started": _start_of(os.getpid()),
    }


def _boot() -> str | None:
    """What is another after each start of the machine, where it is known."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return None


def _namespace() -> str | None:
    """The container's numbering of processes, where it is known."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return None


def _start_of(pid: int) -> int | None:
    """When a process was started, in ticks, where it is known."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            # The name, in parentheses, may have any character.
            state, *rest = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else int(rest[18])


def _is_running(held: dict) -> bool:
    """Whether the process of a lock of this machine is there."""
    pid = held.get("pid")
    if type(pid) is not int or pid < 1:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # Another user's.
    return _start_of(pid) == held.get("started")


def _read(path: str) -> dict | None:
    """The content of a lock: {} if it cannot be read, None if it is gone."""
    try:
        with open(path, encoding="utf-8") as file:
            held = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}


def _holder(path: str) -> str:
    """Says whose a lock is."""
    held = _read(path) or {}
    return (
        f"Process {held.get('pid', 'unknown')} on host "
        f"{held.get('host', 'unknown')} (since {held.get('time', 'unknown')})"
    )
