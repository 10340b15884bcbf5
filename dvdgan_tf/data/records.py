"""One record of a TFRecord file, read where it is."""

import tensorflow as tf

# Around each record's payload: its length and that number's checksum before,
# the payload's checksum after.
HEADER_BYTES = 12
FOOTER_BYTES = 4


def read(path, offset):
    """Reads the payload of one record; TensorFlow ops only.

    Nothing but the record is read, and its checksums are verified.

    Args:
        path: string scalar, a TFRecord file.
        offset: int64 scalar, where the record's payload starts, in bytes.

    Returns:
        string scalar, the payload.

    Raises:
        tf.errors.OpError: there is no such file, or no whole record there.
    """
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


def attempt(function, otherwise):
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
    # A map over one element fails once. Errors of a reader come back for ever,
    # and `ignore_errors` would ask it for ever.
    return (
        tf.data.Dataset.range(1)
        .map(lambda _: function())
        .ignore_errors()
        .concatenate(tf.data.Dataset.from_tensors(otherwise))
        .take(1)
        .get_single_element()
    )
