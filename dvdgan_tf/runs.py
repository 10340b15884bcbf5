"""What is where in a run's folder, and reading it back."""

import json
import os
import re
from typing import Any, NamedTuple

# Names of checkpoints are this, a hyphen and the step.
CHECKPOINT_NAME = "step"

# The index of a checkpoint is written last and deleted first: one that has its
# index is whole.
_INDEX = re.compile(rf"({CHECKPOINT_NAME}-(\d+))\.index")


class RunFolder:
    """The folder of a run, which need not exist yet.

    Args:
        path: of the folder, in a mounted file system.

    Attributes:
        path: as given.
        config: file of the gin configuration that the run uses.
        classes: JSON file, a list of the dataset's class names in the order
            of the labels.
        label_counts: JSON file, a list of how many training clips have each
            label; runs of version 0.1.0 and earlier may have none.
        checkpoints: folder of the checkpoints.
        metrics: file of scalars over the steps, a JSON object per line.
        evaluations: file of results, a JSON object per line.
        evaluation_events: folder of TensorBoard events of the results.
        samples: folder of the sample grids.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = os.fspath(path)
        self.config = os.path.join(self.path, "operative_config.gin")
        self.classes = os.path.join(self.path, "classes.json")
        self.label_counts = os.path.join(self.path, "label_counts.json")
        self.checkpoints = os.path.join(self.path, "ckpt")
        self.metrics = os.path.join(self.path, "metrics.jsonl")
        self.evaluations = os.path.join(self.path, "evaluations.jsonl")
        self.evaluation_events = os.path.join(self.path, "evaluation")
        self.samples = os.path.join(self.path, "samples")

    def best(self, metric: str) -> str:
        """The folder of the best checkpoint by a metric."""
        return os.path.join(self.path, "best", metric.replace("/", "_"))

    def is_run(self) -> bool:
        """Whether a run has been started in the folder."""
        return os.path.isfile(self.config)

    def check_is_run(self) -> None:
        """Raises FileNotFoundError unless a run has been started here."""
        if not self.is_run():
            raise FileNotFoundError(
                f"{self.path!r} is no folder of a run: there is no "
                f"{self.config}."
            )

    def steps(self) -> dict[int, str]:
        """The whole checkpoints, oldest first: {step: path}."""
        return checkpoints_in(self.checkpoints)

    def checkpoint(self, step: int | None = None) -> tuple[int, str]:
        """Finds a whole checkpoint.

        Args:
            step: its step; None for the newest.

        Returns:
            Its step and its path.

        Raises:
            FileNotFoundError: there is none, or none of that step.
        """
        found = self.steps()
        if not found:
            raise FileNotFoundError(
                f"There is no checkpoint in {self.checkpoints} yet."
            )
        step = max(found) if step is None else step
        if step not in found:
            raise FileNotFoundError(
                f"There is no checkpoint of step {step} in {self.checkpoints}; "
                f"there are {', '.join(map(str, found))}."
            )
        return step, found[step]

    def class_names(self) -> list[str] | None:
        """The dataset's class names; None where the run has not kept them.

        Raises:
            ValueError: the file is damaged.
        """
        return read_class_names(self.classes)

    def read_label_counts(self) -> list[int] | None:
        """How many clips have each label; None where that was not kept.

        Raises:
            ValueError: the file is damaged.
        """
        counts = _read_list(self.label_counts, "numbers of clips")
        numbers = all(isinstance(n, int) and n >= 0 for n in counts or ())
        if counts and not (numbers and sum(counts)):
            raise ValueError(
                f"{self.label_counts} must be a list of numbers of clips, not "
                "all of them 0; delete it, and all classes count alike."
            )
        return counts


class RunConfig(NamedTuple):
    """A run's checkpoint and what of its configuration a generator needs.

    Attributes:
        folder: the run's `RunFolder`.
        step: the step of the checkpoint.
        checkpoint: the path of the checkpoint.
        class_names: names of the generator's classes.
        label_counts: how many training clips have each of the first labels;
            None where the run has not kept that.
        fps: frames per second at which the run shows its samples.
        fit: how its clips are made square, "crop" or "squash".
        frame_stride: n, where it takes every n-th frame of a video.
        bindings: {parameter of `Trainer` or `train`: value}.
    """

    folder: RunFolder
    step: int
    checkpoint: str
    class_names: list[str]
    label_counts: list[int] | None
    fps: float
    fit: str
    frame_stride: int
    bindings: dict[str, Any]


def checkpoints_in(folder: str) -> dict[int, str]:
    """The whole checkpoints in a folder, oldest first: {step: path}."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found = [match for name in names if (match := _INDEX.fullmatch(name))]
    found.sort(key=lambda match: int(match[2]))
    return {int(m[2]): os.path.join(folder, m[1]) for m in found}


def read_class_names(path: str) -> list[str] | None:
    """Reads the names of classes from a file; None if there is no such file.

    Args:
        path: of the JSON file, a list.

    Raises:
        ValueError: the file is damaged.
    """
    names = _read_list(path, "names of the classes")
    return names and [str(name) for name in names]


def _read_list(path: str, what: str) -> list | None:
    """The list in a JSON file; None if there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = str(error)
    else:
        if isinstance(values, list) and values:
            return values
        reason = "it is no list."
    raise ValueError(f"The {what} cannot be read from {path}: {reason}")
