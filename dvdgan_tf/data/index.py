"""Where each record of a split is, so that it can be read by its number.

TFRecord files can only be read in order. The index of a split is a file
beside the shards, see `index_name`.
"""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from dvdgan_tf import files
from dvdgan_tf.arrays import read_npz
from dvdgan_tf.data import records

DTYPES = {
    "shard": np.int32,
    "offset": np.int64,
    "length": np.int64,
    "label": np.int32,
    "frames": np.int32,
}
# What reading and writing files raises, of Python and of TensorFlow.
FILE_ERRORS = (OSError, tf.errors.OpError)


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

    def save(self, path: str) -> None:
        """Writes the index; the file appears when it is whole.

        Args:
            path: path of the file to write, in a folder that exists.

        Raises:
            OSError, tf.errors.OpError: it cannot be written.
        """
        arrays: dict[str, Any] = {
            name: np.asarray(getattr(self, name), dtype)
            for name, dtype in DTYPES.items()
        }
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        files.write_bytes(path, buffer.getvalue(), tf.io.gfile)

    @classmethod
    def load(cls, path: str, split: tfds.core.SplitInfo) -> Index:
        """Reads an index and checks it against the dataset's metadata.

        The shards themselves are not looked at.

        Args:
            path: path of the index.
            split: the split that the index should describe.

        Raises:
            ValueError: it is damaged, or describes other files.
        """
        try:
            with tf.io.gfile.GFile(path, "rb") as file:
                # It is not compressed.
                most = file.size()
                data = io.BytesIO(file.read(most))
            arrays = read_npz(data, most, list(DTYPES))
            index = cls(**{name: arrays[name] for name in DTYPES})
            wrong = index._wrong(split)
        except (*FILE_ERRORS, KeyError, ValueError) as error:
            wrong = f"it cannot be read: {' '.join(str(error).split())}"
        if wrong:
            raise misfit(path, wrong)
        return index

    def counts(self, num_shards: int) -> np.ndarray:
        """Counts the records of each shard, int64 [num_shards]."""
        return np.bincount(self.shard, minlength=num_shards)

    def take(self, chosen: np.ndarray) -> Index:
        """Returns the index of some records.

        Args:
            chosen: bool [N], which records.
        """
        return Index(**{name: getattr(self, name)[chosen] for name in DTYPES})

    def _wrong(self, split):
        """Says what does not fit the split's metadata; None if all does."""
        for name, dtype in DTYPES.items():
            array = getattr(self, name)
            if array.dtype != dtype or array.shape != (self.shard.size,):
                return f"{name!r} is {array.dtype} {list(array.shape)}"
        shards = len(split.shard_lengths)
        if np.any((self.shard < 0) | (self.shard >= shards)):
            return f"it names other shards than the {shards} there are"
        if np.any(self.counts(shards) > split.shard_lengths):
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
        return None


def misfit(path: str, wrong: str) -> ValueError:
    """Makes the error that blames an index.

    Args:
        path: path of the index.
        wrong: what does not fit, as a part of the sentence.
    """
    return ValueError(
        f"The index {path!r} does not fit its dataset ({wrong}); "
        "delete it, and it is made again."
    )


def index_name(split: str, video_key: str) -> str:
    """Returns the name of the index's file.

    Args:
        split: name of the split.
        video_key: feature whose frames the index counts.
    """
    return f"{split}.{video_key}.index.npz"
