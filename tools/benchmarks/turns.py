"""Runs benchmarks by turns: a step of one, then a step of the next.

All processes are there all the time, and one of them runs: what else the
machine does, and its clock, meet all alike.
"""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]


def run(commands, steps):
    """What each benchmark reports in the last line that it prints.

    Args:
        commands: {name: arguments} of programs with --steps and --turns.
        steps: number of steps that each one times.

    Returns:
        {name: result}.
    """
    processes = {
        name: subprocess.Popen(
            [*command, f"--steps={steps}", "--turns"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for name, command in commands.items()
    }
    for name, process in processes.items():
        _wait(name, process)
    for _ in range(steps - 1):
        for name, process in processes.items():
            process.stdin.write("\n")
            process.stdin.flush()
            _wait(name, process)
    return {
        name: json.loads(process.communicate("\n")[0].splitlines()[-1])
        for name, process in processes.items()
    }


def _wait(name, process):
    """Until the process is about to begin a step."""
    for line in process.stdout:
        if line.strip() == "ready":
            return
    sys.exit(f"error: {name} ended with code {process.wait()}.")
