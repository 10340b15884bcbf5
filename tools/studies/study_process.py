"""Runs a command on few threads, and counts its processor seconds.

Wall time says little on a machine that others use as well; processor seconds
of the command and its children hardly depend on them.
"""

import os
import resource
import subprocess
import time

_POLL_SECONDS = 0.5
_TICKS = os.sysconf("SC_CLK_TCK")


def run(command, log, threads=1, budget=None, cwd=None):
    """Runs a command at the lowest priority.

    Args:
        command: list of str.
        log: path of the file to which its output is appended.
        threads: number of threads of TensorFlow and of OpenMP.
        budget: processor seconds after which the command gets a SIGTERM;
            None for no limit.
        cwd: working directory of the command.

    Returns:
        The exit code.
    """
    count = str(threads)
    environment = os.environ | {
        "TF_NUM_INTRAOP_THREADS": count,
        "TF_NUM_INTEROP_THREADS": count,
        "OMP_NUM_THREADS": count,
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    with open(log, "ab") as file:
        process = subprocess.Popen(
            ["nice", "-n", "19", *command],
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=environment,
            # Ctrl-C reaches the command through this process alone: a second
            # signal would end training without saving.
            start_new_session=True,
        )
    try:
        while budget is not None and process.poll() is None:
            if _processor_seconds(process.pid) > budget:
                process.terminate()
                break
            time.sleep(_POLL_SECONDS)
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise


def children_seconds():
    """Processor seconds of all commands that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _processor_seconds(pid):
    """Processor seconds of all threads of a process so far (Linux)."""
    with open(f"/proc/{pid}/stat") as file:
        # The name, in parentheses, may hold spaces.
        fields = file.read().rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    return (user + system) / _TICKS
