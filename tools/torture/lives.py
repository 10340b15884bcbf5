"""A life: a forked process that runs a command, and is killed at a moment.

TensorFlow is imported once, in this process, which never makes its runtime:
no eager context, no threads of its own. So a fork of it is as good as a new
process, and costs milliseconds instead of seconds. All that needs TensorFlow,
also looking at what a kill has left, runs in forks.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from tools.torture.file_operations import Listener, Operation, begin

# Seconds that a life may take on a busy machine, and that its own processes
# may live on when it has died.
LONGEST_LIFE = 900
LONGEST_REST = 60

_ENDED_BY_ERROR = 70
_SET_CHILD_SUBREAPER = 36


class FaultError(Exception):
    """What should not have happened, in a sentence."""


class Moment(NamedTuple):
    """When a life is ended; without limits it is never.

    Attributes:
        seconds: processor seconds since its start.
        operation: the number of a file operation, from 1, before which.
        signal: with which signal.
    """

    seconds: float | None = None
    operation: int | None = None
    signal: int = signal.SIGKILL


class Death(NamedTuple):
    """How a life has ended.

    Attributes:
        code: the exit code; None where a signal of ours has ended it.
        when: the moment of the signal, in words; "" where none was sent.
        signal: name of the signal.
        seconds: its processor seconds, with its processes'.
        operations: file operations that it asked for.
        printed: what it has printed.
    """

    code: int | None
    when: str
    signal: str
    seconds: float
    operations: int
    printed: str


def prepare() -> None:
    """Makes this process ready to fork.

    Raises:
        RuntimeError: TensorFlow's runtime has been made already.
    """
    from tensorflow.python.eager import context

    if context.context_safe() is not None:
        raise RuntimeError("TensorFlow's runtime is made; forks would hang.")
    # Python 3.12 warns of threads of libraries, OpenBLAS's and jemalloc's,
    # which take care of forks themselves.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded")
    # What a life leaves running becomes our child, so that we see it.
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def live(
    call: Callable[[], None],
    moment: Moment,
    folder: str,
    log: str,
    ask: bool = False,
) -> Death:
    """Runs a command until it ends, or is ended.

    Args:
        call: runs the command.
        moment: when it is ended.
        folder: changes of files in it are counted.
        log: the file to which all that it prints is added.
        ask: whether file operations are counted; they are if `moment` needs
            it.

    Raises:
        FaultError: it hangs, or it has left a process.
    """
    printed_before = os.path.getsize(log) if os.path.exists(log) else 0
    ask = ask or moment.operation is not None
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _be_born(call, log, theirs if ask else None)
    theirs.close()
    with ours:
        listener = _listener(ours) if ask else None
    watch = _Watch(pid, moment, folder, listener)
    try:
        status = watch.until_death()
        watch.until_nothing_is_left()
    finally:
        watch.close()
    with open(log, "rb") as file:
        file.seek(printed_before)
        printed = file.read().decode(errors="replace")
    code = os.waitstatus_to_exitcode(status)
    if code < 0 and not (watch.when and code == -moment.signal):
        name = signal.Signals(-code).name
        raise FaultError(f"The process died of {name}, which was not sent.")
    return Death(
        None if code < 0 else code,
        watch.when,
        signal.Signals(moment.signal).name,
        watch.seconds,
        watch.operations,
        printed,
    )


def in_fork(function: Callable, *arguments: Any) -> Any:
    """Calls a function in a process of its own.

    Args:
        function: returns what JSON can hold; may raise `FaultError`.
        *arguments: its arguments.

    Raises:
        FaultError: the function's, or it ended otherwise.
    """
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = {"result": function(*arguments)}
        except FaultError as fault:
            answer = {"fault": str(fault)}
        except BaseException:
            answer = {"fault": traceback.format_exc()}
        with open(theirs, "w") as file:
            json.dump(answer, file)
        os._exit(0)
    os.close(theirs)
    with open(ours) as file:
        text = file.read()
    os.waitpid(pid, 0)
    answer = json.loads(text or '{"fault": "The judge has died."}')
    if "fault" in answer:
        raise FaultError(answer["fault"])
    return answer["result"]


def _be_born(
    call: Callable[[], None], log: str, asking: socket.socket | None
) -> None:
    """What a life is; it does not return."""
    code = 0
    try:
        with open(log, "ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        if asking:
            begin(asking)
        call()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
        code = _ENDED_BY_ERROR
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _listener(connection: socket.socket) -> Listener:
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
    if not descriptors:
        raise FaultError("The kernel does not ask before file operations.")
    return Listener(descriptors[0])


class _Watch:
    """Looks after a life from outside, and ends it at its moment."""

    def __init__(
        self, pid: int, moment: Moment, folder: str, listener: Listener | None
    ):
        self.pid = pid
        self.moment = moment
        self.folder = os.path.join(os.path.realpath(folder), "")
        self.listener = listener
        self.when = ""
        self.seconds = 0.0
        self.operations = 0
        self._end = os.pidfd_open(pid)
        self._poll = select.poll()
        self._poll.register(self._end, select.POLLIN)
        if listener:
            self._poll.register(listener, select.POLLIN)

    def until_death(self) -> int:
        """Returns the life's status, as `os.waitpid` does."""
        deadline = time.monotonic() + LONGEST_LIFE
        while True:
            if self._wait(self._pause()):
                _, status, used = os.wait4(self.pid, 0)
                self.seconds += used.ru_utime + used.ru_stime
                return status
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                raise FaultError(f"It did not end within {LONGEST_LIFE} s.")

    def until_nothing_is_left(self) -> None:
        """Waits for processes that the life has started."""
        deadline = time.monotonic() + LONGEST_REST
        while True:
            try:
                pid, _, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            self.seconds += used.ru_utime + used.ru_stime
            if not pid:
                self._wait(0.02)
            if time.monotonic() > deadline:
                raise FaultError(
                    f"A process lives on {LONGEST_REST} s after the command "
                    "was killed."
                )

    def close(self) -> None:
        os.close(self._end)
        if self.listener:
            self.listener.close()

    def _pause(self) -> float:
        """Seconds until the next look."""
        if self.moment.seconds is None or self.when:
            return 1.0
        left = self.moment.seconds - _seconds_of(self.pid)
        if left <= 0:
            self._kill(f"{self.moment.seconds:.3f} processor seconds")
            return 1.0
        # It may use several processors.
        return max(0.001, left / (2 * os.cpu_count()))

    def _wait(self, seconds: float) -> bool:
        """Answers questions for a while; returns whether the life has ended."""
        for descriptor, event in self._poll.poll(1000 * seconds):
            if self.listener and descriptor == self.listener.fileno():
                if event & select.POLLIN:
                    self._answer()
                else:  # Nobody is left who could ask.
                    self._poll.unregister(descriptor)
            else:
                return True
        return False

    def _answer(self) -> None:
        operation = self.listener.next()
        if operation is None:
            return
        if operation.path.startswith(self.folder):
            self.operations += 1
            if self.operations == self.moment.operation:
                self._kill(self._told(operation))
                if self.moment.signal == signal.SIGKILL:
                    return  # With an answer, it might still be done.
        self.listener.allow(operation)

    def _told(self, operation: Operation) -> str:
        path = operation.path.removeprefix(self.folder)
        return f"operation {self.operations}, {operation.name} {path}"

    def _kill(self, when: str) -> None:
        self.when = when
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, self.moment.signal)


def _seconds_of(pid: int) -> float:
    """Processor seconds of a process; the clock's number is the kernel's."""
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)
    return 0.0
