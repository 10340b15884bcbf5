"""Work in several processes, any of which may be killed."""

import collections
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterable
from typing import Any

# fork() of a process with TensorFlow's threads may hang.
_CONTEXT = multiprocessing.get_context("spawn")

_TRIES = 2


def run(function: Callable, tasks: Iterable, count: int) -> None:
    """Calls a function with each task, in `count` processes at a time.

    A task whose process was killed is tried once more, with one process
    fewer, since the usual reason is too little memory.

    Args:
        function: what is called with a task, by itself in a process; can be
            pickled.
        tasks: arguments, which can be pickled.
        count: number of processes; with 1 it is this one.

    Raises:
        ChildProcessError: a task's process was killed at each try.
        Exception: what `function` raises first.
    """
    if count == 1:
        for task in tasks:
            function(task)
        return
    waiting = collections.deque((task, 1) for task in tasks)
    workers = []
    try:
        while waiting or workers:
            while waiting and len(workers) < count:
                workers.append(_Worker(function, *waiting.popleft()))
            ready = multiprocessing.connection.wait(
                [worker.connection for worker in workers]
            )
            for worker in [w for w in workers if w.connection in ready]:
                if worker.has_finished():
                    if waiting:
                        worker.give(*waiting.popleft())
                        continue
                else:
                    waiting.appendleft(_next_try(worker))
                    count = max(1, len(workers) - 1)
                worker.end()
                workers.remove(worker)
    finally:
        for worker in workers:
            worker.end()


def _next_try(worker):
    if worker.number_of_try == _TRIES:
        raise ChildProcessError(
            f"A process that makes shards {worker.death()}, {_TRIES} times "
            "with the same files; give it more memory, or take fewer "
            "processes."
        )
    return worker.task, worker.number_of_try + 1


class _Worker:
    """A process and the task that it is at."""

    def __init__(
        self, function: Callable, task: Any, number_of_try: int
    ) -> None:
        self.connection, other = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(
            target=_serve, args=(other, function), daemon=True
        )
        self._process.start()
        # The end of the process is the end of the connection only if nobody
        # else holds it.
        other.close()
        self.give(task, number_of_try)

    def give(self, task: Any, number_of_try: int) -> None:
        self.task, self.number_of_try = task, number_of_try
        with contextlib.suppress(BrokenPipeError):  # `has_finished` sees it.
            self.connection.send(task)

    def has_finished(self) -> bool:
        """Takes the answer; False if the process is dead."""
        try:
            error = self.connection.recv()
        except (EOFError, OSError):
            return False
        if error is not None:
            raise error
        return True

    def death(self) -> str:
        """What became of the process, in words."""
        self._process.join(5)
        status = self._process.exitcode
        if status is None or status >= 0:
            return f"ended with status {status}"
        name = signal.Signals(-status).name
        hint = ", perhaps out of memory" if name == "SIGKILL" else ""
        return f"died of {name}{hint}"

    def end(self) -> None:
        self._process.kill()
        self._process.join(5)
        self.connection.close()


def _serve(connection, function):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's business
    os.dup2(2, 1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        try:
            function(task)
            error = None
        except Exception as raised:
            error = raised
        try:
            connection.send(error)
        except BrokenPipeError:
            return
        except Exception:  # Not everything that is raised can be pickled.
            words = f"{type(error).__name__}: {error}"
            connection.send(RuntimeError(words))


def _end_with_parent():
    sentinel = multiprocessing.parent_process().sentinel
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
