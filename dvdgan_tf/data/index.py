"""Where each record of a split is, so that it can be read by its number.

TFRecord files can only be read in order. The index of a split is a file
beside the shards, see `index_name`.
"""

import dataclasses
import hashlib
import io
import os
import struct
import uuid
import zipfile

import numpy as np
import tensorflow as tf
from absl import logging

from dvdgan_tf.data import records
from dvdgan_tf.progress_bar import progress_bar

_DTYPES = {
    "shard": np.int32,
    "offset": np.int64,
    "length": np.int64,
    "label": np.int32,
    "frames": np.int32,
}
# What reading and writing files raises, of Python and of TensorFlow.
_FILE_ERRORS = (OSError, tf.errors.OpError)


@dataclasses.dataclass
class Index:
    """The records of a split in the order of its shards, one entry for each.

    Attributes:
        shard: int32 [N], position in `builder.info.splits[...].filepaths`.
        offset: int64 [N], where the payload starts in its file, bytes.
        length: int64 [N], of the payload, bytes.
        label: int32 [N]; 0 where the records have none.
        frames: int32 [N], frames in the record.
    """

    shard: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    label: np.ndarray
    frames: np.ndarray

    def save(self, path):
        """Writes the index; the file appears when it is whole.

        Args:
            path: of the file; its folder exists.

        Raises:
            OSError, tf.errors.OpError: it cannot be written.
        """
        arrays = {
            name: np.asarray(getattr(self, name), dtype)
            for name, dtype in _DTYPES.items()
        }
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        temporary = f"{path}.{uuid.uuid4().hex}.tmp"
        try:
            with tf.io.gfile.GFile(temporary, "wb") as file:
                file.write(buffer.getvalue())
            tf.io.gfile.rename(temporary, path, overwrite=True)
        except _FILE_ERRORS:
            if tf.io.gfile.exists(temporary):
                tf.io.gfile.remove(temporary)
            raise

    @classmethod
    def load(cls, path, split):
        """Reads an index and checks it against the files that it is of.

        Args:
            path: of the index.
            split: `tfds.core.SplitInfo`.

        Returns:
            An `Index`.

        Raises:
            ValueError: it is damaged, or of other files.
        """
        try:
            with tf.io.gfile.GFile(path, "rb") as file:
                data = io.BytesIO(file.read())
            with np.load(data, allow_pickle=False) as arrays:
                index = cls(**{name: arrays[name] for name in _DTYPES})
            wrong = index._wrong(split)
        except (
            *_FILE_ERRORS,
            EOFError,
            KeyError,
            ValueError,
            zipfile.BadZipFile,
        ) as error:
            wrong = f"it cannot be read: {' '.join(str(error).split())}"
        if wrong:
            raise ValueError(
                f"The index {path!r} does not fit its dataset ({wrong}); "
                "delete it, and it is made again."
            )
        return index

    def _wrong(self, split):
        """Says what does not fit the split's files; None if all does."""
        for name, dtype in _DTYPES.items():
            array = getattr(self, name)
            if array.dtype != dtype or array.shape != (len(self.shard),):
                return f"{name!r} is {array.dtype} {list(array.shape)}"
        shards = len(split.shard_lengths)
        if np.any((self.shard < 0) | (self.shard >= shards)):
            return f"it names other shards than the {shards} there are"
        counts = np.bincount(self.shard, minlength=shards)
        if np.any(counts > split.shard_lengths):
            return "it has more records than the shards"
        if np.any(self.frames < 0) or np.any(self.length < 0):
            return "a number of frames or bytes is negative"
        ends = self.offset + self.length + records.FOOTER_BYTES
        first = np.diff(self.shard, prepend=-1) > 0
        before = np.where(first, 0, np.roll(ends, 1))
        if np.any(np.diff(self.shard) < 0) or np.any(
            self.offset < before + records.HEADER_BYTES
        ):
            return "the records are not in the order of the shards"
        sizes = np.array([_size(path) for path in split.filepaths])
        if np.any(ends > sizes[self.shard]):
            return "a record lies beyond the end of its shard"
        return None


def index_name(split, video_key):
    """Name of the index's file.

    Args:
        split: name of the split.
        video_key: feature whose frames the index counts.
    """
    return f"{split}.{video_key}.index.npz"


def load_or_scan(builder, split, video_key, label_key, cache_dir):
    """The index of a split, made if there is none.

    It is made where the dataset is or, if that cannot be written, in the
    cache folder.

    Args:
        builder: `tfds.core.DatasetBuilder` of a dataset on disk.
        split: name of the split.
        video_key: see `scan`.
        label_key: see `scan`.
        cache_dir: the cache folder; created if needed.

    Returns:
        An `Index`.

    Raises:
        ValueError: the index there is does not fit the dataset.
        OSError: a shard cannot be read, or no place written.
    """
    info = builder.info.splits[split]
    beside = os.path.join(
        os.fspath(builder.data_dir), index_name(split, video_key)
    )
    cached = os.path.join(cache_dir, index_name(_fingerprint(info), video_key))
    for path in (beside, cached):
        if tf.io.gfile.exists(path):
            return Index.load(path, info)
    index, damaged = scan(builder, split, video_key, label_key)
    if damaged:
        logging.warning(
            "Left out %d damaged records of %d:",
            len(damaged),
            len(damaged) + len(index.shard),
        )
    for path, offset in damaged:
        logging.warning("  %r at byte %d", path, offset)
    try:
        index.save(beside)
    except _FILE_ERRORS:
        try:
            tf.io.gfile.makedirs(cache_dir)
            index.save(cached)
        except _FILE_ERRORS as error:
            raise OSError(
                f"Cannot write the index {beside!r} nor into the cache "
                f"{cache_dir!r}; choose another folder with "
                "--gin_param=\"CACHE_DIR='/path'\"."
            ) from error
    return index


def scan(builder, split, video_key, label_key):
    """Reads through the shards of a split.

    Args:
        builder: `tfds.core.DatasetBuilder` of a dataset on disk.
        split: name of the split.
        video_key: feature that is a list of encoded frames.
        label_key: feature that is an integer; None if there is no label.

    Returns:
        The `Index` of all records that can be read, and a list of (path,
        byte offset) of those that cannot, or after which nothing can.

    Raises:
        OSError: a shard cannot be read at all.
    """
    paths = [os.fspath(path) for path in builder.info.splits[split].filepaths]
    columns = {name: [] for name in _DTYPES}
    damaged = []
    total = sum(_size(path) for path in paths)
    with progress_bar(
        total=total, desc="index", unit="B", unit_scale=True
    ) as bar:
        for shard, path in enumerate(paths):
            places, lost = _places(path)
            facts = _facts(path, places, video_key, label_key)
            for (offset, length), (label, frames) in zip(
                places, facts, strict=True
            ):
                bar.update(length)
                if frames < 0:
                    damaged.append((path, offset))
                    continue
                entry = (shard, offset, length, label, frames)
                for column, value in zip(columns.values(), entry, strict=True):
                    column.append(value)
            damaged += [(path, offset) for offset in lost]
    return Index(
        **{name: np.array(columns[name], _DTYPES[name]) for name in _DTYPES}
    ), damaged


def _places(path):
    """Walks the framing: [(offset, length)], and where it breaks off, if so."""
    places, position, size = [], 0, _size(path)
    with tf.io.gfile.GFile(path, "rb") as file:
        while position < size:
            file.seek(position)
            header = file.read(records.HEADER_BYTES)
            offset = position + records.HEADER_BYTES
            # A length that is wrong but short enough leads to places where no
            # record is: these count as damaged.
            length = struct.unpack("<Q4x", header.ljust(12, b"\xff"))[0]
            position = offset + length + records.FOOTER_BYTES
            if position > size:
                return places, [offset]
            places.append((offset, length))
    return places, []


def _facts(path, places, video_key, label_key):
    """Yields the label and the number of frames of each, -1 if damaged."""
    spec = {video_key: tf.io.VarLenFeature(tf.string)}
    if label_key is not None:
        spec[label_key] = tf.io.FixedLenFeature([], tf.int64)

    def facts(offset):
        payload = records.read(path, offset)
        example = tf.io.parse_single_example(payload, spec)
        label = example.get(label_key, tf.constant(0, tf.int64))
        return label, tf.size(example[video_key].values, tf.int64)

    damaged = (tf.constant(-1, tf.int64),) * 2
    return (
        tf.data.Dataset.from_tensor_slices(
            np.array([offset for offset, _ in places], np.int64)
        )
        .map(
            lambda offset: records.attempt(lambda: facts(offset), damaged),
            tf.data.AUTOTUNE,
        )
        .as_numpy_iterator()
    )


def _size(path):
    try:
        return tf.io.gfile.stat(os.fspath(path)).length
    except tf.errors.OpError as error:
        raise OSError(
            f"Cannot read the shard {os.fspath(path)!r}; make the dataset "
            "again."
        ) from error


def _fingerprint(split):
    # All that tells one version of the files from another.
    facts = []
    for path in split.filepaths:
        status = tf.io.gfile.stat(os.fspath(path))
        facts.append((os.fspath(path), status.length, status.mtime_nsec))
    return hashlib.sha256(repr(facts).encode()).hexdigest()
