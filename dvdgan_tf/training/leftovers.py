"""What earlier starts have left in a run's folder, and what becomes of it."""

import json
import os
import re
import shutil
from collections.abc import Iterator

from dvdgan_tf import files, run_folder
from dvdgan_tf.run_folder import RunFolder

# What a killed process leaves: TensorFlow's folder of a save, its unfinished
# files, and those of `files.replacing` and of `lock`.
_UNFINISHED = re.compile(
    rf"{run_folder.CHECKPOINT_NAME}-\d+_temp|.*\.tempstate\d+|checkpoint\.tmp\w+"
    r"|\.[0-9a-f]{32}-.*|run\.lock\.[0-9a-f]{32}"
)
_SAMPLES = re.compile(r"step_(\d+)_.*")


def check_new(folder: RunFolder) -> None:
    """Checks that a run can begin at step 0 here.

    Raises:
        FileExistsError: there are checkpoints, none of them whole, or metrics
            or samples, which a new run would mix with its own.
    """
    found = [
        f"{os.path.basename(path)} ({run_folder.damage_of(path)})"
        for path in run_folder.started_in(folder.checkpoints).values()
    ]
    if os.path.isfile(folder.metrics) and os.path.getsize(folder.metrics):
        found.append(os.path.basename(folder.metrics))
    if any(_samples(folder, after=-1)):
        found.append(os.path.basename(folder.samples))
    if os.path.lexists(folder.rollbacks):
        found.append(os.path.basename(folder.rollbacks))
    if found:
        raise FileExistsError(
            f"{folder.path} has no whole checkpoint, but it has "
            f"{', '.join(found)} of an earlier run; nothing was begun at step "
            f"0. Put its checkpoints back into {folder.checkpoints}, or choose "
            "another --workdir."
        )


def remove_unfinished(folder: RunFolder) -> None:
    """Deletes what a process that was killed had begun to write or delete.

    The folder is one that no other process writes to.
    """
    for place in (folder.checkpoints, folder.samples, folder.path):
        for name in _names(place):
            if _UNFINISHED.fullmatch(name):
                _delete(os.path.join(place, name))
    newest = run_folder.newest_in(folder.checkpoints)
    for step, path in run_folder.started_in(folder.checkpoints).items():
        # A deletion takes the index first; there is no way back from there.
        if newest and step < newest[0] and not os.path.exists(f"{path}.index"):
            run_folder.delete_checkpoint(path)


def set_aside(folder: RunFolder, step: int, always: bool = False) -> str | None:
    """Moves the checkpoints and samples beyond a step out of a run's way.

    The metrics as they are now are copied there. Without a checkpoint beyond
    that step, whole or not, samples are those of a run that was killed before
    it saved, and will make them again: nothing is moved.

    Args:
        folder: the run's folder.
        step: the step.
        always: whether samples are moved all the same.

    Returns:
        A sentence that says what was moved where, or None.
    """
    started = run_folder.started_in(folder.checkpoints)
    beyond = {n: path for n, path in started.items() if n > step}
    if not (beyond or always):
        return None
    place = _new_place(folder, f"after-step-{step}")
    if os.path.isfile(folder.metrics):
        shutil.copy2(folder.metrics, place)
    moved = []
    # The newest first: a kill between two leaves a folder without a gap.
    for path in reversed(beyond.values()):
        damage = run_folder.damage_of(path)
        name = os.path.basename(path)
        moved.append(f"{name} (not whole: {damage})" if damage else name)
        for file in run_folder.files_of(path):
            os.rename(file, os.path.join(place, os.path.basename(file)))
    for name in _samples(folder, after=step):
        target = os.path.join(place, os.path.basename(folder.samples), name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(os.path.join(folder.samples, name), target)
    return (
        f"What this run had beyond step {step} is now in {place}: "
        f"{', '.join(moved) or 'metrics and samples'}."
    )


def keep_copy(folder: RunFolder, path: str) -> str:
    """Copies a damaged file to where a run does not touch it.

    Returns:
        The path of the copy.
    """
    return shutil.copy2(path, _new_place(folder, "damaged"))


def cut_metrics(folder: RunFolder, step: int) -> str | None:
    """Drops the metrics after a step, which will be written again.

    A last line that was cut off when the run was killed is dropped, too. Any
    other line that is no row is dropped only once the file is copied.

    Returns:
        A sentence about lines that are no rows, or None.
    """
    try:
        with open(folder.metrics, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return None
    lines = content.split(b"\n")
    cut_off = lines.pop()
    steps = [_step_of(line) for line in lines]
    # Whole but for its newline.
    if _step_of(cut_off) is not None:
        lines.append(cut_off)
        steps.append(_step_of(cut_off))
    stray = [i for i, found in enumerate(steps, 1) if found is None]
    sentence = None
    if stray:
        copy = keep_copy(folder, folder.metrics)
        numbers = ", ".join(map(str, stray[:5])) + ", ..." * (len(stray) > 5)
        sentence = (
            f"{folder.metrics} had {len(stray)} lines that are no metrics "
            f"(numbers {numbers}), which were left out; the file as it was is "
            f"{copy}."
        )
    kept = [
        line + b"\n"
        for line, found in zip(lines, steps, strict=True)
        if found is not None and found <= step
    ]
    if b"".join(kept) != content:
        files.write_bytes(folder.metrics, b"".join(kept))
    return sentence


def metrics(folder: RunFolder, step: int) -> list[dict]:
    """The rows of metrics until a step, oldest first."""
    try:
        with open(folder.metrics, "rb") as file:
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return []
    steps = map(_step_of, lines)
    return [
        json.loads(line)
        for line, found in zip(lines, steps, strict=True)
        if found is not None and found <= step
    ]


def _step_of(line: bytes) -> float | None:
    """The step of a line of metrics; None for a line that is none."""
    try:
        step = json.loads(line)["step"]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return None
    number = isinstance(step, int | float) and not isinstance(step, bool)
    return step if number else None


def _samples(folder: RunFolder, after: int) -> Iterator[str]:
    """The names of the sample grids after a step."""
    for name in _names(folder.samples):
        found = _SAMPLES.fullmatch(name)
        if found and int(found[1]) > after:
            yield name


def _new_place(folder: RunFolder, name: str) -> str:
    """Makes a folder of a name that was not taken."""
    number = 1
    while True:
        ending = f"-{number}" if number > 1 else ""
        place = os.path.join(folder.path, "set_aside", f"{name}{ending}")
        try:
            os.makedirs(place)
        except FileExistsError:
            number += 1
        else:
            return place


def _names(folder: str) -> list[str]:
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def _delete(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.remove(path)
