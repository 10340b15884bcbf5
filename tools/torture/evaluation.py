"""Kills of an evaluation of a run's checkpoints."""

import os
import shutil
from collections.abc import Callable

import numpy as np

from dvdgan_tf import evaluate
from dvdgan_tf.run_folder import RunFolder
from tools.torture import comparing, stage
from tools.torture.lives import Death, FaultError
from tools.torture.scene import Scene

_METRIC = "torture/frechet_distance"
_BINDINGS = (
    "I3D = @MeanColors",
    "Protocol.name = 'torture'",
    "Protocol.measures = (@frechet_distance,)",
    "Protocol.num_clips = 8",
    "Protocol.num_real_clips = 6",
    "Protocol.batch_size = 4",
    "Protocol.standing_statistics_batches = 1",
)


class Evaluation(Scene):
    """All checkpoints of a run are measured, and the best is kept.

    Args:
        place: folder with a finished `run`.
    """

    def __init__(self, place: str):
        self.run = os.path.join(place, "run")

    def start(self, folder: str) -> None:
        shutil.copytree(self.run, os.path.join(folder, "run"))

    def call(self, folder: str) -> Callable[[], None]:
        references = f"REFERENCE_DIR = '{folder}/references'"
        flags = [
            "--gin_file=gin/evaluation.gin",
            *stage.bound((*_BINDINGS, references)),
            *(f"--workdir={folder}/run", "--checkpoints=all"),
            f"--best={_METRIC}",
        ]
        return stage.untraced(evaluate.main, flags)

    def look(self, folder: str, before: dict, death: Death) -> dict:
        run = RunFolder(os.path.join(folder, "run"))
        rows = comparing.rows(run.evaluations)
        if len(rows) < before.get("rows", 0):
            raise FaultError(f"{run.evaluations} had more rows before.")
        comparing.rows(run.metrics)
        _check_references(os.path.join(folder, "references"))
        best = run.best(_METRIC)
        if os.path.isdir(best):
            _values_of_best(best)
        return {
            "rows": len(rows),
            "best": os.path.isdir(best),
            "unfinished": comparing.unfinished(folder),
        }

    def compare(self, folder: str, undisturbed: str) -> None:
        one, other = (
            RunFolder(os.path.join(f, "run")) for f in (folder, undisturbed)
        )
        for a, b in (
            (one.evaluations, other.evaluations),
            (one.metrics, other.metrics),
        ):
            if _results(a) != _results(b):
                raise FaultError(f"{a} has other results than without kills.")
        values = (_values_of_best(run.best(_METRIC)) for run in (one, other))
        if next(values) != next(values):
            raise FaultError(
                "Another checkpoint is the best than without kills."
            )
        left = comparing.unfinished(folder)
        if left:
            raise FaultError(f"{folder} has {left}.")


def _check_references(folder: str) -> None:
    """Reads every array, whose checksums NumPy compares."""
    for path in comparing.files_in(folder, comparing.HIDDEN).values():
        with np.load(path, allow_pickle=False) as arrays:
            for name in arrays:
                _ = arrays[name]


def _results(path: str) -> set[str]:
    """Results without the paths; a killed evaluation has some twice."""
    return {
        str({k: v for k, v in row.items() if k not in ("gin", "checkpoint")})
        for row in comparing.rows(path)
    }


def _values_of_best(folder: str) -> dict[str, bytes]:
    """The values of the only checkpoint in a folder."""
    names = [n for n in os.listdir(folder) if n.endswith(".index")]
    if len(names) != 1 or "result.json" not in os.listdir(folder):
        raise FaultError(f"{folder} has {sorted(os.listdir(folder))}.")
    path = os.path.join(folder, names[0].removesuffix(".index"))
    return comparing.tensors(path)
