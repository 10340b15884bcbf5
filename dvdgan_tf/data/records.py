"""One record of a TFRecord file, read where it is."""

import os
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

# Around each record's payload: its length and that number's checksum before,
# the payload's checksum after.
HEADER_BYTES = 12
FOOTER_BYTES = 4


def read(path: str | tf.Tensor, offset: int | tf.Tensor) -> tf.Tensor:
    """Reads the payload of one record, in the input pipeline.

    Nothing but the record is read, and its checksums are verified. Its length
    is believed only if the file is that long: TensorFlow ends the process
    where there is no memory for a length of 2^40.

    Args:
        path: string scalar, a TFRecord file.
        offset: int64 scalar, where the record's payload starts, in bytes.

    Returns:
        string scalar, the payload.

    Raises:
        tf.errors.OpError: there is no such file, or no whole record there.
    """
    whole = tf.numpy_function(_is_whole, [path, offset], tf.bool)
    with tf.control_dependencies(
        [tf.debugging.Assert(whole, ["no whole record at", offset, path])]
    ):
        path = tf.identity(path)
    # The public TFRecordDataset has no offset, and FixedLengthRecordDataset
    # reads all that is before it.
    record = tf.raw_ops.TFRecordDatasetV2(
        filenames=[path],
        compression_type="",
        buffer_size=tf.constant(0, tf.int64),  # No more than the record.
        byte_offsets=[offset - HEADER_BYTES],
    )
    spec = tf.TensorSpec([], tf.string)
    dataset = tf.data.experimental.from_variant(record, spec)
    return dataset.take(1).get_single_element()


def _is_whole(path, offset):
    """Whether a file is as long as the header of a record says."""
    # Outside of a pipeline it is an array of text.
    path = os.fsencode(np.asarray(path).item())
    try:
        header, size = _header(path, int(offset) - HEADER_BYTES)
    except (OSError, ValueError, tf.errors.OpError):
        return np.False_
    if len(header) < HEADER_BYTES:
        return np.False_
    (length,) = struct.unpack("<Q4x", header)
    return np.bool_(int(offset) + length + FOOTER_BYTES <= size)


def _header(path, start):
    """Reads a record's header, and the bytes of the whole file."""
    if b"://" in path:
        with tf.io.gfile.GFile(path, "rb") as file:
            file.seek(start)
            return file.read(HEADER_BYTES), file.size()
    # TensorFlow's reader has a buffer, which would be filled each time.
    with open(path, "rb", 0) as file:
        file.seek(start)
        return file.read(HEADER_BYTES), os.fstat(file.fileno()).st_size


def exists(path: tf.Tensor) -> tf.Tensor:
    """Whether there is a file, as TensorFlow ops.

    Args:
        path: string scalar.

    Returns:
        bool scalar; False, too, where its folder cannot be listed.
    """
    # The only op that asks a file system takes a pattern.
    pattern = tf.strings.regex_replace(path, r"([*?\[\]\\])", r"\\\1")
    return tf.size(tf.io.matching_files(pattern)) > 0


def attempt(function: Callable[[], Any], otherwise: Any) -> Any:
    """Calls a function, and returns something else where it fails.

    The function is prepared at every call: what it costs grows with its ops.

    Args:
        function: function that takes no arguments, consists of TensorFlow ops,
            and returns nested tensors.
        otherwise: tensors nested like that result, of the same shapes and
            types.

    Returns:
        What `function` returns, or `otherwise` where one of its ops fails.
    """
    # A map over one element fails once. A reader would raise its error for
    # ever, and `ignore_errors` would ask it again for ever.
    return (
        tf.data.Dataset.range(1)
        .map(lambda _: function())
        .ignore_errors()
        .concatenate(tf.data.Dataset.from_tensors(otherwise))
        .take(1)
        .get_single_element()
    )
