"""Processes that begin with TensorFlow imported, which takes seconds.

They are copies of one that has imported it and nothing more, so that a test
may run a command in a process of its own, kill it, and look at what it wrote.
"""

import multiprocessing
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tensorflow"])


class Process(CONTEXT.Process):
    """A process that runs a function, and whose output goes to files.

    It is like `subprocess.Popen` as far as tests need that.

    Args:
        function: function of a module, called with `args`.
        args: its arguments, which can be pickled.
        folder: where `out` and `err` are written; a new one by default.
        cwd: working folder; that of the tests by default.
        env: changes of the environment; None unsets a variable.
    """

    def __init__(self, function, *args, folder=None, cwd=None, env=None):
        folder = pathlib.Path(folder or tempfile.mkdtemp())
        self.out, self.err = folder / "out", folder / "err"
        paths = str(self.out), str(self.err)
        cwd = str(cwd or os.getcwd())
        super().__init__(
            target=_called, args=(function, args, paths, cwd, env or {})
        )
        self.start()

    @property
    def returncode(self):
        return self.exitcode

    def poll(self):
        return self.exitcode

    def wait(self, timeout=None):
        self.join(timeout)
        if self.exitcode is None:
            raise TimeoutError(f"{self} has not ended within {timeout} s.")
        return self.exitcode

    def send_signal(self, number):
        os.kill(self.pid, number)

    @property
    def stdout(self):
        return self.out.read_text() if self.out.exists() else ""

    @property
    def stderr(self):
        return self.err.read_text() if self.err.exists() else ""


def _called(function, args, paths, cwd, env):
    for number, path in enumerate(paths, 1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(file, number)
    # multiprocessing has made it a file without buffer of its own.
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.chdir(cwd)
    for name, value in env.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    function(*args)


def module(name, *args):
    """Does `python -m name args`, in this process."""
    sys.argv[1:] = map(str, args)
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def script(code, *args):
    """Does `python -c code args`, in this process."""
    sys.argv[1:] = map(str, args)
    exec(code, {"__name__": "__main__"})


def run(function, *args, timeout=600, **how):
    """Runs a function in a `Process` until its end, like `subprocess.run`."""
    process = Process(function, *args, **how)
    process.wait(timeout)
    return subprocess.CompletedProcess(
        args, process.returncode, process.stdout, process.stderr
    )
