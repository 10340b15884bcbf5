"""Records that a dataset should have and has not, and how they are told."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

# Shards that one sentence names; a long list would hide the way out.
_NAMED = 4


@dataclasses.dataclass(frozen=True)
class Lost:
    """What is lost of one shard.

    Attributes:
        path: path of the shard.
        expected: number of records that the shard has by the dataset's
            metadata.
        labels: classes of the lost records, integer [records lost]; -1 where no
            index tells what was there.
        absent: whether the file does not exist at all.
    """

    path: str
    expected: int
    labels: np.ndarray
    absent: bool

    def __str__(self) -> str:
        state = "no such file" if self.absent else "damaged or cut short"
        count = len(self.labels)
        return f"{count} of {self.expected} in {self.path!r} ({state})"


def describe(
    lost: Sequence[Lost], there: int, where: str, class_names: Sequence[str]
) -> str:
    """Says in one sentence what is lost of a dataset.

    Args:
        lost: what is lost of each damaged shard, at least one.
        there: number of records that can be read.
        where: name of the dataset and its split.
        class_names: names of the classes, in the order of the labels.
    """
    labels = np.concatenate([shard.labels for shard in lost])
    return (
        f"{len(labels)} of {len(labels) + there} records of {where}, are "
        f"missing: {by_shard(lost)}; by class: {by_class(labels, class_names)}."
    )


def by_shard(lost: Sequence[Lost]) -> str:
    """Names the first shards, and counts what is lost of the others."""
    parts = [str(shard) for shard in lost[:_NAMED]]
    others = lost[_NAMED:]
    if others:
        records = sum(len(shard.labels) for shard in others)
        parts.append(f"{records} in {len(others)} other shards")
    return ", ".join(parts)


def by_class(labels: np.ndarray, class_names: Sequence[str]) -> str:
    """Counts records by class, such as "jump 3, walk 1, of unknown class 2".

    Args:
        labels: integer [N]; those that no class has are unknown.
        class_names: names of the classes, in the order of the labels.
    """
    known = (labels >= 0) & (labels < len(class_names))
    counts = np.bincount(labels[known], minlength=len(class_names))
    parts = [
        f"{name} {count}"
        for name, count in zip(class_names, counts, strict=True)
        if count
    ]
    if not known.all():
        parts.append(f"of unknown class {np.sum(~known)}")
    return ", ".join(parts)
