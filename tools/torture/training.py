"""Kills of training, compared with a run that nobody disturbed."""

import os
from collections.abc import Callable

from dvdgan_tf import run_folder, train
from dvdgan_tf.run_folder import RunFolder
from tools.torture import comparing, stage
from tools.torture.lives import Death, FaultError
from tools.torture.scene import Scene

# Every start has events of its own; what an unfinished save has left and a
# damaged one alike is set aside, not deleted.
_OWN = r"events\.out\..*|set_aside/.*|metrics\.jsonl|ckpt/step-.*"


class Training(Scene):
    """A run of a few steps with a checkpoint after each.

    Args:
        place: folder for what all rounds share; not needed here.
        traced: whether the steps are compiled, as users have it.
    """

    def __init__(self, place: str, traced: bool = False):
        del place
        self._call = stage.traced if traced else stage.untraced

    def call(self, folder: str) -> Callable[[], None]:
        run = os.path.join(folder, "run")
        return self._call(train.main, stage.training_flags(run))

    def look(self, folder: str, before: dict, death: Death) -> dict:
        run = RunFolder(os.path.join(folder, "run"))
        _check_start(death.printed, before.get("checkpoint"))
        newest = run_folder.newest_in(run.checkpoints)
        step = newest[0] if newest else None
        if before.get("checkpoint") is not None and (
            step is None or step < before["checkpoint"]
        ):
            raise FaultError(
                f"The newest checkpoint was of step {before['checkpoint']}; "
                f"now it is {step}."
            )
        for path in run.steps().values():
            comparing.tensors(path)
        logged = [row["step"] for row in comparing.rows(run.metrics)]
        _check_metrics(logged, step)
        if "Stopped by SIGTERM at" in death.printed and step != len(logged):
            raise FaultError(f"It stopped at step {len(logged)}, saved {step}.")
        aside = comparing.files_in(os.path.join(run.path, "set_aside"))
        return {
            "checkpoint": step,
            "metrics": len(logged),
            "unfinished": comparing.unfinished(folder),
            "set_aside": sorted(aside),
        }

    def left(self, held: dict) -> tuple[float, float]:
        share = 1 - (held.get("checkpoint") or 0) / stage.STEPS
        return 0.5 + 0.5 * share, 0.2 + 0.8 * share

    def compare(self, folder: str, undisturbed: str) -> None:
        one, other = (
            RunFolder(os.path.join(f, "run")) for f in (folder, undisturbed)
        )
        if list(one.steps()) != list(other.steps()):
            raise FaultError(
                f"There are checkpoints of {list(one.steps())}, and without "
                f"kills of {list(other.steps())}."
            )
        for a, b in zip(
            one.steps().values(), other.steps().values(), strict=True
        ):
            comparing.same_tensors(a, b)
        if _timeless(one.metrics) != _timeless(other.metrics):
            raise FaultError(
                f"{one.metrics} has other rows than without kills."
            )
        comparing.same_files(one.path, other.path, _OWN)
        files = set(os.listdir(one.checkpoints))
        if files != set(os.listdir(other.checkpoints)):
            raise FaultError(f"{one.checkpoints} has {sorted(files)}.")


def _check_start(printed: str, step: int | None) -> None:
    """Whether a life has gone on where the one before had saved."""
    if "Parameters:" not in printed:
        return
    resumed = f"at step {step}." in printed and "Resumed from" in printed
    if resumed != (step is not None):
        raise FaultError(
            f"The checkpoint was of step {step}; it began otherwise."
        )


def _check_metrics(logged: list[int], step: int | None) -> None:
    if logged != list(range(1, len(logged) + 1)):
        raise FaultError(f"The rows of metrics are of steps {logged}.")
    saved = step or 0
    if not saved <= len(logged) <= saved + stage.CHECKPOINT_EVERY:
        raise FaultError(
            f"Metrics reach step {len(logged)}, checkpoints step {step}."
        )


def _timeless(path: str) -> list[dict]:
    """The rows of metrics without the speeds."""
    return [
        {k: v for k, v in row.items() if not k.startswith("speed/")}
        for row in comparing.rows(path)
    ]
