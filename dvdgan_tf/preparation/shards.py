"""One shard of a dataset: the files it is made of, and what became of them."""

import dataclasses
import hashlib
import io
import json
import os
import stat
import time
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf

from dvdgan_tf.data.index import DTYPES, Index
from dvdgan_tf.data.records import FOOTER_BYTES, HEADER_BYTES
from dvdgan_tf.files import replacing, write_text
from dvdgan_tf.preparation.listing import Clip
from dvdgan_tf.video.isolated import CannotReadError, IsolatedDecoder


class CannotWriteError(OSError):
    """A shard cannot be made here and now, for reasons outside of its videos.

    There is no room, or no right to write, a video has changed, or the drive
    that it is on fails.
    """


@dataclasses.dataclass(frozen=True)
class Shard:
    """A shard to be made, or made.

    Its file is named by a hash of all that its content depends on. So a file
    that is there is finished and right.

    Attributes:
        stem: path of the file without extension.
        clips: tuple of `Clip`.
        files: tuple of (bytes, time of change in ns) of their files as they
            were when listed; None for what is not there.
        class_names: tuple of str, in the order of the labels.
        preparation: a `Preparation`.
    """

    stem: str
    clips: tuple
    files: tuple
    class_names: tuple
    preparation: object

    @classmethod
    def of(
        cls,
        work_dir: str,
        split: str,
        clips: Sequence[Clip],
        class_names: Sequence[str],
        preparation: Any,
    ) -> "Shard":
        """Names the shard; looks at its files for that."""
        how = dataclasses.asdict(preparation)
        # Where the files are, and how they are dealt, does not matter.
        for name in (
            *("sources", "label_pattern", "split_list", "clips_per_shard"),
        ):
            del how[name]
        files = [_size_and_time(clip.path) for clip in clips]
        # Not with all classes: one more changes the labels of others, which
        # are put right when the shards are collected.
        what = [
            [clip.name, clip.label, *file]
            for clip, file in zip(clips, files, strict=True)
        ]
        content = json.dumps([what, how])
        digest = hashlib.sha256(content.encode()).hexdigest()[:20]
        return cls(
            os.path.join(work_dir, f"{split}-{digest}"),
            tuple(clips),
            tuple(files),
            tuple(class_names),
            preparation,
        )

    @property
    def path(self) -> str:
        """Path of the TFRecord file."""
        return f"{self.stem}.tfrecord"

    @property
    def report_path(self) -> str:
        """Path of the report, which is written when the shard is finished."""
        return f"{self.stem}.json"

    def done(self) -> bool:
        """Whether the shard is finished, and as long as it was then."""
        if not tf.io.gfile.exists(self.report_path):
            return False
        size = sum(
            HEADER_BYTES + length + FOOTER_BYTES
            for *_, length in self.report()["records"]
        )
        try:
            return tf.io.gfile.stat(self.path).length == size
        except tf.errors.NotFoundError:
            return False

    def report(self) -> dict:
        """What became of the clips, a dict.

        `records`: list of [label, frames, payload bytes]; `classes`: list of
        [label, name of the class], as they were when the shard was made;
        `written`: number of clips with records; `skipped` and `shortened`:
        lists of [name, reason]; `seconds`.
        """
        with tf.io.gfile.GFile(self.report_path) as file:
            return json.load(file)


class WriteShard(beam.DoFn):
    """Decodes the clips of a `Shard` and writes its file, then its report.

    Args:
        features: a `tfds.features.FeaturesDict`.
    """

    def __init__(self, features: Any) -> None:
        self._features = features

    def process(self, shard: Shard) -> None:
        """Makes the shard unless it is there.

        Raises:
            CannotWriteError: see there.
            ChildProcessError: the decoding process cannot be started.
        """
        if shard.done():
            return
        try:
            self._write(shard)
        except (ChildProcessError, CannotWriteError):
            raise
        except CannotReadError as error:
            raise CannotWriteError(str(error)) from error
        except (OSError, tf.errors.OpError) as error:
            folder = os.path.dirname(shard.stem)
            raise _cannot_write(folder, error) from error

    def _write(self, shard):
        start = time.time()
        report = {"records": [], "written": 0, "skipped": [], "shortened": []}
        with (
            replacing(shard.path, tf.io.gfile) as partial,
            tf.io.TFRecordWriter(partial) as writer,
            _decoder(shard.preparation) as decoder,
        ):
            for clip, file in zip(shard.clips, shard.files, strict=True):
                _check_unchanged(clip, file)
                self._add(clip, shard, decoder, writer, report)
                _check_unchanged(clip, file)
        report["bytes"] = sum(n for *_, n in report["records"])
        labels = sorted({label for label, *_ in report["records"]})
        report["classes"] = [[n, shard.class_names[n]] for n in labels]
        report["seconds"] = time.time() - start
        text = json.dumps(report)
        write_text(shard.report_path, text, tf.io.gfile)

    def _add(self, clip, shard, decoder, writer, report):
        records = len(report["records"])
        label = shard.class_names.index(clip.label)
        for piece in decoder.pieces(clip.path, clip.part):
            frames = len(piece.frames)
            payload = self._features.serialize_example(
                {
                    "video": [io.BytesIO(frame) for frame in piece.frames],
                    "label": label,
                    "name": _utf8(clip.name),
                    "fps": piece.fps,
                    "duration": frames / piece.fps,
                    "start": piece.start,
                }
            )
            # Equal clips are equal bytes: Protocol Buffers' maps have no order.
            example = tf.train.Example.FromString(payload)
            payload = example.SerializeToString(deterministic=True)
            writer.write(payload)
            report["records"].append([label, frames, len(payload)])
        written = len(report["records"]) > records
        report["written"] += written
        if decoder.reason:
            outcome = "shortened" if written else "skipped"
            report[outcome].append([_utf8(clip.name), decoder.reason])


def _check_unchanged(clip, file):
    """Raises an error if a file has changed or gone since it was listed."""
    if _size_and_time(clip.path) != file:
        raise CannotWriteError(
            f"The file {_utf8(clip.path)!r} has changed or gone since the "
            "files were listed; start again when it is complete."
        )


def index_of(records: Sequence[Sequence]) -> Index:
    """The `Index` of a split.

    Args:
        records: the list `records` of each shard's report.
    """
    columns = [[], [], [], [], []]
    for shard, entries in enumerate(records):
        offset = 0
        for label, frames, length in entries:
            row = (shard, offset + HEADER_BYTES, length, label, frames)
            for column, value in zip(columns, row, strict=True):
                column.append(value)
            offset += HEADER_BYTES + length + FOOTER_BYTES
    return Index(
        **{
            name: np.array(column, dtype)
            for (name, dtype), column in zip(
                DTYPES.items(), columns, strict=True
            )
        }
    )


def make_folder(path: str) -> None:
    """Creates a folder for shards.

    Raises:
        CannotWriteError: there is no room, or no right to write.
    """
    try:
        tf.io.gfile.makedirs(path)
    except (OSError, tf.errors.OpError) as error:
        raise _cannot_write(path, error) from error


def link_or_copy(source: str, target: str) -> None:
    """A second name for a file where the file system has that, or a copy."""
    try:
        os.link(source, target)
    except OSError:
        tf.io.gfile.copy(source, target, overwrite=True)


def copy_with_labels(shard: Shard, target: str, labels: dict) -> list:
    """Copies a finished shard's records under other labels.

    Args:
        shard: the `Shard`.
        target: path of the new TFRecord file.
        labels: {label in the shard: label in the copy}.

    Returns:
        List of [label, frames, payload bytes], one for each record.
    """
    entries = []
    frames = [frames for _, frames, _ in shard.report()["records"]]
    payloads = tf.data.TFRecordDataset(shard.path).as_numpy_iterator()
    with tf.io.TFRecordWriter(target) as writer:
        for count, payload in zip(frames, payloads, strict=True):
            example = tf.train.Example.FromString(payload)
            value = example.features.feature["label"].int64_list.value
            value[:] = [labels[value[0]]]
            payload = example.SerializeToString(deterministic=True)
            writer.write(payload)
            entries.append([value[0], count, len(payload)])
    return entries


def _cannot_write(folder, error):
    reason = getattr(error, "strerror", None) or getattr(
        error, "message", error
    )
    return CannotWriteError(f"Cannot write to {folder!r} ({reason}).")


def _decoder(how):
    return IsolatedDecoder(
        short_side=how.short_side,
        fps=how.fps,
        quality=how.quality,
        damaged=how.damaged,
        min_frames=how.min_frames,
        max_frames_per_piece=how.max_frames,
        time_limit_s=how.time_limit_s,
    )


def _size_and_time(path):
    try:
        status = os.stat(path)
        if not stat.S_ISDIR(status.st_mode):
            return status.st_size, status.st_mtime_ns
        with os.scandir(path) as entries:
            frames = [entry.stat() for entry in entries]
    except OSError:
        return None, None
    # A frame may be written again in place, which its folder does not show.
    times = [frame.st_mtime_ns for frame in (status, *frames)]
    return sum(frame.st_size for frame in frames), max(times)


def _utf8(name):
    """Names of files need not be UTF-8; records and JSON do."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
