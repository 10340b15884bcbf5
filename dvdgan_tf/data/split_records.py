"""The records of a split: where those are that are there, what is lost."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from dvdgan_tf.data.index import FILE_ERRORS, Index, index_name, misfit
from dvdgan_tf.data.lost import Lost
from dvdgan_tf.data.records import FOOTER_BYTES
from dvdgan_tf.data.scan import places, scan, size


def find(
    builder: tfds.core.DatasetBuilder,
    split: str,
    video_key: str,
    label_key: str | None,
    cache_dir: str,
) -> tuple[Index, list[Lost]]:
    """Finds the records of a split by its index, which is made if needed.

    How many records a shard should have is what the dataset's metadata says.
    The index is made beside the shards or, if nothing can be written there,
    in the cache folder. That of a damaged dataset is made only there, by a
    name that holds for the files as they are now: once they are restored,
    nothing remembers the damage.

    Args:
        builder: a dataset on disk.
        split: name of the split.
        video_key: feature that is a list of encoded frames.
        label_key: feature that is an integer; None if there is no label.
        cache_dir: the cache folder; created if needed.

    Returns:
        The index of the records that are there, and what is lost of each
        damaged shard.

    Raises:
        ValueError: an index does not fit the dataset, or a shard has more
            records than the dataset's metadata says.
        OSError: a shard cannot be read, or no index be written.
    """
    info = builder.info.splits[split]
    beside = os.path.join(
        os.fspath(builder.data_dir), index_name(split, video_key)
    )
    if tf.io.gfile.exists(beside):
        index = Index.load(beside, info)
        if np.array_equal(_counts(index, info), info.shard_lengths):
            return _compare(index, info, beside)
    cached = os.path.join(cache_dir, index_name(_fingerprint(info), video_key))
    if tf.io.gfile.exists(cached):
        index = Index.load(cached, info)
    else:
        index = scan(info, video_key, label_key)
        _check_counts(index, info)
        _save(index, info, beside, cached)
    missing = info.shard_lengths - _counts(index, info)
    return index, [
        Lost(path, expected, np.full(count, -1), size(path) < 0)
        for path, expected, count in zip(
            _paths(info), info.shard_lengths, missing, strict=True
        )
        if count
    ]


def _compare(index, info, path):
    """Compares an index that has all records with the shards on disk."""
    kept, lost = np.ones(len(index.shard), bool), []
    ends = index.offset + index.length + FOOTER_BYTES
    # The records are in the order of the shards.
    firsts = np.searchsorted(index.shard, range(len(info.shard_lengths) + 1))
    for shard, file in enumerate(_paths(info)):
        entries = np.arange(*firsts[shard : shard + 2])
        there = size(file)
        if there == ends[entries].max(initial=0):
            continue
        found = places(file, len(entries))
        wanted = zip(index.offset[entries], index.length[entries], strict=True)
        known = {*found}
        present = np.array([place in known for place in wanted], bool)
        if len(found) == len(entries) and not present.all():
            raise misfit(path, f"{file!r} has other records")
        kept[entries] = present
        gone = entries[~present]
        if len(gone):
            labels = index.label[gone]
            lost.append(Lost(file, len(entries), labels, there < 0))
    return index.take(kept), lost


def _check_counts(index, info):
    for path, count, expected in zip(
        _paths(info), _counts(index, info), info.shard_lengths, strict=True
    ):
        if count > expected:
            raise ValueError(
                f"The shard {path!r} has {count} records, but {expected} by "
                "the dataset's dataset_info.json: they are not of one "
                "dataset. Make the dataset again."
            )


def _save(index, info, beside, cached):
    if np.array_equal(_counts(index, info), info.shard_lengths):
        try:
            index.save(beside)
            return
        except FILE_ERRORS:
            pass
    try:
        tf.io.gfile.makedirs(os.path.dirname(cached))
        index.save(cached)
    except FILE_ERRORS as error:
        raise OSError(
            f"Cannot write the index {beside!r} nor into the cache "
            f"{os.path.dirname(cached)!r}; choose another folder with "
            "--gin_param=\"CACHE_DIR='/path'\"."
        ) from error


def _counts(index, info):
    return index.counts(len(info.shard_lengths))


def _paths(info):
    return [os.fspath(path) for path in info.filepaths]


def _fingerprint(info):
    # All that tells one version of the files from another.
    facts = []
    for path in _paths(info):
        there = size(path) >= 0
        status = tf.io.gfile.stat(path) if there else None
        facts.append(
            (path, status.length, status.mtime_nsec) if there else (path,)
        )
    return hashlib.sha256(repr(facts).encode()).hexdigest()
