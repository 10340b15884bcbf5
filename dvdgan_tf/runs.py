"""Lists runs: how far they are, how fast, their losses and newest FVD.

    python -m dvdgan_tf.runs runs

It reads folders only, and may be used while the runs go on. A run is named by
its path below the folder named. Exit codes: 0 when finished; 2 for what the
user can mend.
"""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

from dvdgan_tf import command_line
from dvdgan_tf.command_line import sentences
from dvdgan_tf.run_folder import RunFolder

FLAGS = command_line.new_flags()

HEAD = ("run", "step", "steps/s", "D_S", "D_T", "G", "FVD", "samples")
# A run that goes on gives a sign of life more often.
_SILENCE = 180
_DEPTH = 3
# Enough for the newest line of each kind.
_TAIL = 200_000


def main(arguments: list[str] | None = None) -> None:
    """Prints the table."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    folders = [word for word in arguments if not word.startswith("-")]
    others = [word for word in arguments if word.startswith("-")]
    command_line.parse(FLAGS, __doc__, others)
    with sentences("nothing was changed"):
        rows = [row for folder in folders or ["."] for row in listed(folder)]
    print("\n".join(table([HEAD, *rows])))


def listed(folder: str) -> list[tuple[str, ...]]:
    """Rows of all runs in a folder, by name.

    Args:
        folder: a run's folder, or one of runs.

    Raises:
        FileNotFoundError: there is no folder, or no run in it.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"There is no folder {folder}.")
    runs = sorted(_runs_below(folder, _DEPTH))
    if not runs:
        raise FileNotFoundError(
            f"There is no run in {folder}, that is no folder with an "
            "operative_config.gin."
        )
    return [row(RunFolder(path), _name(path, folder)) for path in runs]


def _runs_below(folder: str, depth: int) -> Iterator[str]:
    """Yields the folders of runs; a run's own folders are not looked into."""
    if RunFolder(folder).is_run():
        yield folder
    elif depth:
        for entry in os.scandir(folder):
            if entry.is_dir() and not entry.name.startswith("."):
                yield from _runs_below(entry.path, depth - 1)


def _name(path: str, folder: str) -> str:
    name = os.path.relpath(path, folder)
    return os.path.basename(os.path.abspath(path)) if name == "." else name


def row(run: RunFolder, name: str) -> tuple[str, ...]:
    """What the table says of a run, in the order of `HEAD`."""
    steps = [line for line in _lines(run.metrics) if "loss/g" in line]
    newest = steps[-1] if steps else {}
    losses = [
        _number(newest.get(f"loss/{key}"))
        for key in ("d_spatial", "d_temporal", "g")
    ]
    return (
        name + (" (goes on)" if _goes_on(run) else ""),
        _step_of(run, newest),
        _number(newest.get("speed/steps_per_second")),
        *losses,
        _fvd(_lines(run.evaluations)),
        _picture(run),
    )


def _step_of(run: RunFolder, newest: dict) -> str:
    """The newest step and the last one of the configuration."""
    with open(run.config, encoding="utf-8", errors="replace") as file:
        last = re.search(r"^train\.num_steps = (\d+)", file.read(), re.M)
    return f"{newest.get('step', 0)}/{last[1] if last else '?'}"


def _goes_on(run: RunFolder) -> bool:
    """Whether a process trains it, as far as its lock's file shows."""
    try:
        lock = os.stat(os.path.join(run.path, "run.lock"))
    except OSError:
        return False
    return time.time() - lock.st_mtime < _SILENCE


def _fvd(results: list[dict]) -> str:
    """The newest Frechet distance, and its step."""
    found = [
        line
        for line in results
        if str(line.get("metric")).endswith("/frechet_distance")
        and isinstance(line.get("step"), int)
    ]
    if not found:
        return "-"
    line = max(found, key=lambda line: line["step"])
    return f"{_number(line.get('value'))} ({line['step']})"


def _picture(run: RunFolder) -> str:
    """The newest sample grid, of the averaged generator where there is one."""
    try:
        names = os.listdir(run.samples)
    except OSError:
        return "-"
    grids = [name for name in names if re.fullmatch(r"step_\d+_.*\.png", name)]
    # "ema" before "live" within a step.
    order = sorted(grids, key=lambda name: (name[:13], "_ema" in name))
    return os.path.join(run.samples, order[-1]) if order else "-"


def _lines(path: str) -> list[dict[str, Any]]:
    """The newest lines of a file of JSON lines; damaged ones are left out."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - _TAIL))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else "-"


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Lines of a table whose columns are aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            word.ljust(width) for word, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


if __name__ == "__main__":
    main()
