"""Which records come from the same video file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from dvdgan_tf.data import records

# No file is named so: names do not hold this byte.
_UNKNOWN = b"\0"


def number_files(
    paths: Sequence[str],
    shards: np.ndarray,
    offsets: np.ndarray,
    labels: np.ndarray,
) -> np.ndarray:
    """Numbers the files of records that have their files' names.

    The records of one file follow each other in one shard and have one label.
    So only a record whose neighbour has its shard and label is read; the index
    tells the rest. A record that cannot be read counts as of the same file as
    its neighbours: no file may be torn apart because one record is damaged.

    Args:
        paths: the shards.
        shards: integer [N], positions in `paths`, in order.
        offsets: int64 [N], where each record's payload starts, bytes.
        labels: integer [N], their classes.

    Returns:
        int64 [N], from 0 upwards; records of one file have the same number.
    """
    alike = (np.diff(shards) == 0) & (np.diff(labels) == 0)
    before = np.flatnonzero(alike)
    read = np.union1d(before, before + 1)
    names = np.full(len(shards), None, object)
    names[read] = list(_names([paths[i] for i in shards[read]], offsets[read]))
    unknown = np.array([name == _UNKNOWN for name in names], bool)
    goes_on = alike & ((names[1:] == names[:-1]) | unknown[1:] | unknown[:-1])
    return np.cumsum(np.concatenate([[False], ~goes_on]))


def _names(paths: list[str], offsets: np.ndarray) -> Iterator[bytes]:
    """Yields the names; `_UNKNOWN` of records that cannot be read."""
    spec = {"name": tf.io.FixedLenFeature([], tf.string)}

    def name(path, offset):
        def read():
            payload = records.read(path, offset)
            return tf.io.parse_single_example(payload, spec)["name"]

        return records.attempt(read, _UNKNOWN)

    places = np.array(paths, str), np.array(offsets, np.int64)
    return (
        tf.data.Dataset.from_tensor_slices(places)
        .map(name, tf.data.AUTOTUNE)
        .as_numpy_iterator()
    )
