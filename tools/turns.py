"""Runs benchmarks by turns: a step of one, then a step of the next.

All processes are there all the time, and one of them runs: what else the
machine does, and its clock, meet all alike.
"""

import json
import pathlib
import subprocess
import sys

TOOLS = pathlib.Path(__file__).parent


def run(commands, steps):
    """What each benchmark reports in the last line that it prints.

    Args:
        commands: {name: arguments} of programs with --steps and --turns.
        steps: how many each one times.

    Returns:
        {name: result}.
    """
    processes = {
        name: subprocess.Popen(
            [*command, f"--steps={steps}", "--turns"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=TOOLS.parent,
        )
        for name, command in commands.items()
    }
    for process in processes.values():
        _wait(process)
    for _ in range(steps - 1):
        for process in processes.values():
            process.stdin.write("\n")
            process.stdin.flush()
            _wait(process)
    return {
        name: json.loads(process.communicate("\n")[0].splitlines()[-1])
        for name, process in processes.items()
    }


def _wait(process):
    """Until the process is about to begin a step."""
    for line in process.stdout:
        if line.strip() == "ready":
            return
    sys.exit(f"error: {process.args[1]} ended with code {process.wait()}.")
