"""What is where in a run's folder, and reading it back."""

import contextlib
import json
import math
import os
import re
from typing import Any, NamedTuple

# Names of checkpoints are this, a hyphen and the step.
CHECKPOINT_NAME = "step"

_FILE = re.compile(rf"({CHECKPOINT_NAME}-(\d+))\.(index|data-\d+-of-\d+)")


class RunFolder:
    """The folder of a run, which need not exist yet.

    Args:
        path: path of the folder, in a mounted file system.

    Attributes:
        path: path of the folder.
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
        rollbacks: JSON file, a list of where the run has gone back by itself;
            most runs have none.
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
        self.rollbacks = os.path.join(self.path, "rollbacks.json")

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
            step: step of the checkpoint; None for the newest.

        Returns:
            Its step and its path.

        Raises:
            FileNotFoundError: there is none, or none of that step.
        """
        return find_checkpoint(self.checkpoints, step)

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
        way_out = "delete it, and all classes count alike"
        counts = _read_list(self.label_counts, "numbers of clips", way_out)
        if counts is None:
            return None
        numbers = all(type(n) is int and n >= 0 for n in counts)
        if not (numbers and sum(counts)):
            raise ValueError(
                f"{self.label_counts} must be a list of numbers of clips, not "
                f"all of them 0; {way_out}."
            )
        return counts


class RunConfig(NamedTuple):
    """A run's checkpoint and what of its configuration a generator needs.

    Attributes:
        folder: the run's `RunFolder`.
        step: the step of the checkpoint.
        checkpoint: the path of the checkpoint.
        class_names: names of the generator's classes.
        label_counts: number of training clips with each of the first labels;
            None where the run has not kept it.
        fps: frames per second at which the run shows its samples.
        fit: the way in which clips are made square, "crop" or "squash".
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
    return {
        step: path
        for step, path in started_in(folder).items()
        if damage_of(path) is None
    }


def find_checkpoint(folder: str, step: int | None = None) -> tuple[int, str]:
    """Finds a whole checkpoint in a folder; see `RunFolder.checkpoint`."""
    found = newest_in(folder)
    if step is None and found:
        return found
    started = started_in(folder)
    if not started:
        raise FileNotFoundError(f"There is no checkpoint in {folder} yet.")
    step = max(started) if step is None else step
    whole = checkpoints_in(folder)
    if step in whole:
        return step, whole[step]
    there_are = ", ".join(map(str, whole)) or "none that is whole"
    if step in started:
        raise FileNotFoundError(
            f"The checkpoint {started[step]} is not whole "
            f"({damage_of(started[step])}); there are {there_are}."
        )
    raise FileNotFoundError(
        f"There is no checkpoint of step {step} in {folder}; "
        f"there are {there_are}."
    )


def newest_in(folder: str) -> tuple[int, str] | None:
    """The step and the path of the newest whole checkpoint, or None."""
    for step, path in reversed(started_in(folder).items()):
        if damage_of(path) is None:
            return step, path
    return None


def started_in(folder: str) -> dict[int, str]:
    """The checkpoints that have a file in a folder, whole or not.

    TensorFlow's own list, the file `checkpoint`, is not read: it may be lost
    or older than the files.

    Returns:
        {step: path without an ending}, oldest first.
    """
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found = filter(None, map(_FILE.fullmatch, names))
    steps = {int(m[2]): os.path.join(folder, m[1]) for m in found}
    return dict(sorted(steps.items()))


def files_of(path: str) -> list[str]:
    """The files of a checkpoint, its index first.

    Args:
        path: path of the checkpoint, without an ending.
    """
    folder, prefix = os.path.split(path)
    found = filter(None, map(_FILE.fullmatch, os.listdir(folder or ".")))
    names = sorted((m[0] for m in found if m[1] == prefix), reverse=True)
    return [os.path.join(folder, name) for name in names]


def delete_checkpoint(path: str) -> None:
    """Deletes a checkpoint, its index first: without one it is not whole.

    Args:
        path: path of the checkpoint, without an ending.
    """
    for file in files_of(path):
        with contextlib.suppress(FileNotFoundError):
            os.remove(file)


def damage_of(path: str) -> str | None:
    """Says what a checkpoint lacks, from its index and its files' sizes.

    Args:
        path: path of the checkpoint, without an ending.

    Returns:
        None for a checkpoint that is whole. The values of its variables are
        not read; TensorFlow compares their checksums where it restores them.
    """
    if not os.path.isfile(f"{path}.index"):
        return "its index is missing"
    shards = [f for f in files_of(path) if not f.endswith(".index")]
    counts = {int(name.rpartition("-of-")[2]) for name in shards}
    if counts != {len(shards)}:
        return "files of its data are missing"
    # Only here, since to import this module costs nothing.
    import tensorflow as tf

    try:
        needed = _size_of_values(tf.train.load_checkpoint(path))
        size = sum(map(os.path.getsize, shards))
    # Data that are too short raise an IndexError.
    except (
        tf.errors.OpError,
        IndexError,
        ValueError,
        RuntimeError,
        OSError,
    ) as error:
        return (str(error).splitlines() or ["it cannot be read"])[0]
    if size < needed:
        return f"its data have {size:,} of {needed:,} bytes"
    return None


def _size_of_values(reader: Any) -> int:
    """How many bytes the data files of a checkpoint have.

    Args:
        reader: what `tf.train.load_checkpoint` returned.
    """
    types = reader.get_variable_to_dtype_map()
    size = 0
    for name, shape in reader.get_variable_to_shape_map().items():
        if types[name].name == "string":
            # A text, how the objects are nested: its length as 7 bits a byte,
            # a checksum of 4 bytes, and the text.
            length = len(reader.get_tensor(name))
            size += max(1, -(-length.bit_length() // 7)) + 4 + length
        else:
            size += math.prod(shape) * types[name].size
    return size


def read_class_names(path: str) -> list[str] | None:
    """Reads the names of classes from a file; None if there is no such file.

    Args:
        path: path of the JSON file, which holds a list.

    Raises:
        ValueError: the file is damaged.
    """
    way_out = "write the dataset's class names there, in their order"
    names = _read_list(path, "names of the classes", way_out)
    if names is None:
        return None
    if any(isinstance(name, list | dict) or name is None for name in names):
        raise ValueError(
            f"{path} must be a list of names of classes; {way_out}."
        )
    return [str(name) for name in names]


def _read_list(path: str, what: str, way_out: str) -> list | None:
    """The list in a JSON file; None if there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error)
    else:
        if isinstance(values, list) and values:
            return values
        reason = "it is no list of at least one"
    raise ValueError(
        f"The {what} cannot be read from {path} ({reason}); {way_out}."
    )
