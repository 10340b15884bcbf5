"""Makes an index by reading through the shards."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from dvdgan_tf.data import records
from dvdgan_tf.data.index import DTYPES, Index
from dvdgan_tf.progress_bar import progress_bar

# Records beyond twice the expected ones, after which a shard is none.
_TOO_MANY = 1000


def scan(
    split: tfds.core.SplitInfo, video_key: str, label_key: str | None
) -> Index:
    """Reads through the shards of a split.

    Args:
        split: the split of a dataset on disk.
        video_key: feature that is a list of encoded frames.
        label_key: feature that is an integer; None if there is no label.

    Returns:
        The index of all records that can be read.

    Raises:
        OSError: a shard is there and cannot be opened.
    """
    paths = [os.fspath(path) for path in split.filepaths]
    columns = {name: [] for name in DTYPES}
    total = sum(max(size(path), 0) for path in paths)
    with progress_bar(
        total=total, desc="index", unit="B", unit_scale=True
    ) as bar:
        for shard, path in enumerate(paths):
            found = places(path, split.shard_lengths[shard])
            facts = _facts(path, found, video_key, label_key)
            for (offset, length), (label, frames) in zip(
                found, facts, strict=True
            ):
                bar.update(length)
                if frames < 0:
                    continue
                entry = (shard, offset, length, label, frames)
                for column, value in zip(columns.values(), entry, strict=True):
                    column.append(value)
    return Index(
        **{name: np.array(columns[name], DTYPES[name]) for name in DTYPES}
    )


def places(path: str, expected: int) -> list[tuple[int, int]]:
    """Walks the framing of a shard as far as it goes.

    Args:
        path: path that the shard should have.
        expected: number of records that it should have.

    Returns:
        Byte offset and length of each payload; none if there is no file. No
        more than some that are too many: bytes that are no records, such as
        zeros, look like very many.

    Raises:
        OSError: the shard is there and cannot be opened.
    """
    found, position, end = [], 0, size(path)
    if end <= 0:
        return found
    with tf.io.gfile.GFile(path, "rb") as file:
        while position < end and len(found) < 2 * expected + _TOO_MANY:
            file.seek(position)
            header = _read(file, path)
            offset = position + records.HEADER_BYTES
            # A length that is wrong but short enough leads to places where no
            # record is: these count as damaged.
            length = struct.unpack("<Q4x", header.ljust(12, b"\xff"))[0]
            position = offset + length + records.FOOTER_BYTES
            if position > end:
                break
            found.append((offset, length))
    return found


def size(path: str) -> int:
    """Returns the bytes of a shard, -1 if there is none.

    Raises:
        OSError: the file system does not tell.
    """
    try:
        return tf.io.gfile.stat(path).length
    except tf.errors.NotFoundError:
        return -1
    except tf.errors.OpError as error:
        raise _unreadable(path, error) from error


def _read(file, path):
    try:
        return file.read(records.HEADER_BYTES)
    except tf.errors.OpError as error:
        raise _unreadable(path, error) from error


def _unreadable(path, error):
    return OSError(f"Cannot read the shard {path!r}: {error.message}.")


def _facts(
    path: str,
    found: list[tuple[int, int]],
    video_key: str,
    label_key: str | None,
) -> Iterator[tuple[int, int]]:
    """Yields each record's label and number of frames, -1 if damaged."""
    spec = {video_key: tf.io.VarLenFeature(tf.string)}
    if label_key is not None:
        spec[label_key] = tf.io.FixedLenFeature([], tf.int64)

    def facts(offset):
        payload = records.read(path, offset)
        example = tf.io.parse_single_example(payload, spec)
        label = example.get(label_key, tf.constant(0, tf.int64))
        # No class has a number that int32 does not hold.
        held = tf.cast(tf.cast(label, tf.int32), tf.int64)
        label = tf.where(label == held, label, -1)
        return label, tf.size(example[video_key].values, tf.int64)

    damaged = (tf.constant(-1, tf.int64),) * 2
    return (
        tf.data.Dataset.from_tensor_slices(
            np.array([offset for offset, _ in found], np.int64)
        )
        .map(
            lambda offset: records.attempt(lambda: facts(offset), damaged),
            tf.data.AUTOTUNE,
        )
        .as_numpy_iterator()
    )
