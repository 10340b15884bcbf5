"""What becomes of records of which no clip can be made."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from dvdgan_tf.data import records

# Records that a report names; the others are counted.
_NAMED = 4

_WAYS_OUT = (
    "; make the dataset again, or let other clips take the place of damaged "
    "ones with TfdsVideos.skip_damaged = True."
)


class Damage:
    """The damaged records that a source meets.

    They are counted by the input pipeline itself, on the host, so that Python
    need only look when it reports.

    Args:
        path: returns a record's shard, TensorFlow ops of its number.
        describe: returns the `sentence` of a record, likewise.
        num_records: number of records.
        skips: whether to count them; the first one is an error otherwise.
    """

    def __init__(
        self,
        path: Callable[[tf.Tensor], tf.Tensor],
        describe: Callable[[tf.Tensor], tf.Tensor],
        num_records: int,
        skips: bool,
    ):
        self._path = path
        self._describe = describe
        self._counts = None
        if skips:
            with tf.device("CPU:0"):
                self._counts = tf.Variable(
                    tf.zeros([num_records], tf.int32), trainable=False
                )
        self._told = np.zeros(num_records, bool)

    def meet(self, index: tf.Tensor) -> tf.Tensor:
        """Counts a damaged record; TensorFlow ops only.

        Args:
            index: int64 scalar, its number.

        Returns:
            int32 scalar, the label -1 of no clip.

        Raises:
            tf.errors.InvalidArgumentError: records are not skipped, or the
                shard is no longer there, which is no damage.
        """
        path = self._path(index)
        there = records.exists(path)
        with tf.control_dependencies(
            [tf.debugging.Assert(there, [_gone(path)])]
        ):
            index = tf.identity(index)
        if self._counts is None:
            message = tf.strings.join([self._describe(index), _WAYS_OUT])
            with tf.control_dependencies(
                [tf.debugging.Assert(False, [message])]
            ):
                return tf.constant(-1)
        self._counts.scatter_add(tf.IndexedSlices(1, index))
        return tf.constant(-1)

    def report(self) -> tuple[int, list[str]]:
        """Tells of what was met.

        Returns:
            How many clips were replaced so far, and lines about the records
            that no earlier report has told of.
        """
        if self._counts is None:
            return 0, []
        counts = self._counts.numpy()
        new = np.flatnonzero((counts > 0) & ~self._told)
        self._told[new] = True
        lines = [
            self._describe(tf.constant(index))
            .numpy()
            .decode("utf-8", "replace")
            for index in new[:_NAMED]
        ]
        if len(new) > _NAMED:
            lines.append(f"{len(new) - _NAMED} more records are damaged")
        ending = "; other clips take the place of its clips."
        return int(counts.sum()), [line + ending for line in lines]


def sentence(
    path: tf.Tensor,
    offset: tf.Tensor,
    count: tf.Tensor,
    class_name: tf.Tensor,
    video_key: str,
    name_key: str | None,
) -> tf.Tensor:
    """Names a record and what is wrong with it; TensorFlow ops only.

    Args:
        path: string scalar, its shard.
        offset: int64 scalar, where its payload starts, bytes.
        count: integer scalar, frames that it has by the index.
        class_name: string scalar, its class by the index.
        video_key: feature that is a list of encoded frames.
        name_key: feature that is the name of the record's file, if any.

    Returns:
        string scalar, without a full stop.
    """
    spec = {video_key: tf.io.VarLenFeature(tf.string)}
    if name_key:
        spec[name_key] = tf.io.FixedLenFeature([], tf.string, "")

    def parse():
        payload = records.read(path, offset)
        example = tf.io.parse_single_example(payload, spec)
        size = tf.size(example[video_key].values)
        return size, example[name_key] if name_key else ""

    frames, name = records.attempt(parse, (tf.constant(-1), ""))
    wrong = tf.case(
        [
            (frames < 0, lambda: "it cannot be read"),
            (
                frames != tf.cast(count, tf.int32),
                lambda: (
                    "it has other frames than its index says, which is made "
                    "again once you delete it"
                ),
            ),
        ],
        default=lambda: (
            "its frames cannot be decoded, or are not of one size "
            "that fits into memory"
        ),
    )
    # Names are data, and so is what a terminal would make of them.
    name = tf.strings.regex_replace(name, "[[:cntrl:]]", "?")
    name = tf.cond(
        tf.strings.length(name) > 0,
        lambda: tf.strings.join([name, ", "]),
        lambda: "",
    )
    return tf.strings.join(
        [
            "The record at byte ",
            tf.strings.as_string(offset),
            " of ",
            path,
            " (",
            name,
            "class ",
            class_name,
            ") is damaged: ",
            wrong,
        ]
    )


def _gone(path):
    return tf.strings.join(
        [
            "The shard ",
            path,
            " no longer exists: was the dataset moved or deleted, or its drive "
            "unmounted? Put it back, or set DATA_DIR to where it is now.",
        ]
    )
