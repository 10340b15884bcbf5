"""Which records come from the same video file."""

import numpy as np
import tensorflow as tf

from dvdgan_tf.data import records


def number_files(paths, shards, offsets, labels):
    """Numbers the files of records that have their files' names.

    The records of one file follow each other in one shard and have one label.
    So only a record whose neighbour has its shard and label is read; the index
    tells the rest.

    Args:
        paths: list of str, the shards.
        shards: integer [N], positions in `paths`, in order.
        offsets: int64 [N], where each record's payload starts, bytes.
        labels: integer [N], their classes.

    Returns:
        int64 [N], from 0 upwards; records of one file have the same number.

    Raises:
        tf.errors.OpError: a record cannot be read.
    """
    alike = (np.diff(shards) == 0) & (np.diff(labels) == 0)
    before = np.flatnonzero(alike)
    read = np.union1d(before, before + 1)
    names = np.full(len(shards), None, object)
    names[read] = list(_names([paths[i] for i in shards[read]], offsets[read]))
    goes_on = alike & (names[1:] == names[:-1])
    return np.cumsum(np.concatenate([[False], ~goes_on]))


def _names(paths, offsets):
    """Yields the names, bytes."""
    spec = {"name": tf.io.FixedLenFeature([], tf.string)}

    def name(path, offset):
        payload = records.read(path, offset)
        return tf.io.parse_single_example(payload, spec)["name"]

    places = np.array(paths, str), np.array(offsets, np.int64)
    return (
        tf.data.Dataset.from_tensor_slices(places)
        .map(name, tf.data.AUTOTUNE)
        .as_numpy_iterator()
    )
