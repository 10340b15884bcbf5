"""Clips from a dataset of videos in the format of TensorFlow Datasets."""

import copy
import hashlib
import os
from typing import Any

import gin
import numpy as np
import tensorflow as tf
from absl import logging

from dvdgan_tf.data import (
    clips,
    damage,
    frames,
    lost,
    records,
    split_records,
    stored_dataset,
)
from dvdgan_tf.data.file_numbers import number_files
from dvdgan_tf.frame_size import Resolution, compact, sides


@gin.register
class TfdsVideos:
    """Random windows of the videos of a dataset that TFDS has prepared.

    Nothing is downloaded. A clip costs what its own frames cost: its record
    is read where the split's index says it is, and no frame outside of the
    window is decoded. Records that are too short for one window, or have no
    label where the others do, are counted and left out.

    A source for `pipeline.batches`; `load` is TensorFlow ops, but for a look
    at the record's header (`records.read`).

    Args:
        data_dir: TFDS's root folder of all datasets; `~` is expanded.
        name: name of the dataset in that folder, such as "video_folder" or
            "ucf101/ucf101_1" (dataset/config). The newest version is taken
            unless one follows: "video_folder:1.0.0".
        cache_dir: folder for the index of a dataset whose own folder cannot
            be written; `~` is expanded.
        resolution: height and width of a clip in pixels: one number for a
            square, or both.
        num_frames: frames in a clip.
        split: name of the split, or of several: "train+test".
        frame_stride: distance between frames of a clip in frames as stored.
        fit: "crop", the paper's: frames are resized to the least that covers
            a clip (its shorter side, for a square) and cropped at random; or
            "squash": both sides are resized. Frames stored at their size are
            not resized.
        flip: whether half of the clips are mirrored.
        video_feature: the feature to read where there are several; "video"
            or "image_main" if None.
        allow_missing: whether to train without the records that damaged or
            missing shards have lost, and say which; otherwise they are an
            error.
        skip_damaged: whether a record that turns out to be damaged when it is
            read is replaced by the next clip of the epoch, with a message;
            otherwise it is an error.

    Attributes:
        num_frames: number of frames in a clip.
        resolution: height and width of a clip in pixels.
        skips_damaged: whether damaged records are replaced, as `skip_damaged`
            says.
        class_names: list of str; ["all"] where the records have no label.
        num_examples: number of usable records; this attribute and those below
            exist once the source is prepared.
        label_counts: int64 [classes], usable records of each class.
        labels: int32 [num_examples], the class of each record.

    Raises:
        FileNotFoundError: the dataset is not there.
        ValueError: an argument is out of range, or not of this dataset.
    """

    def __init__(
        self,
        data_dir: str,
        name: str,
        cache_dir: str,
        resolution: Resolution,
        num_frames: int,
        split: str = "train",
        frame_stride: int = 1,
        fit: str = "crop",
        flip: bool = False,
        video_feature: str | None = None,
        allow_missing: bool = False,
        skip_damaged: bool = False,
    ) -> None:
        _check_arguments(fit, num_frames=num_frames, frame_stride=frame_stride)
        self._size = sides(resolution, "TfdsVideos.resolution")
        self.resolution = resolution
        self.num_frames = num_frames
        self._stride = frame_stride
        self._fit = fit
        self._flip = flip
        self._allow_missing = allow_missing
        self.skips_damaged = skip_damaged
        self._cache_dir = os.path.expanduser(cache_dir)
        data_dir = os.path.expanduser(data_dir)
        self._builder = stored_dataset.open_dataset(name, data_dir)
        self._remedy = stored_dataset.remedy(
            name, data_dir, os.fspath(self._builder.data_dir)
        )
        self._splits = stored_dataset.split_names(
            self._builder, split, "TfdsVideos.split"
        )
        features = self._builder.info.features
        self._video_key, image = stored_dataset.video_feature(
            features, video_feature
        )
        self._jpeg = image.encoding_format == "jpeg"
        self._label_key = stored_dataset.label_feature(features)
        self._has_names = stored_dataset.has_names(features)
        self.class_names = (
            list(features[self._label_key].names)
            if self._label_key
            else ["all"]
        )

    def other_split(self, split: str) -> "TfdsVideos":
        """Makes a source of another split, read in the same way.

        Args:
            split: name of the split, or of several: "validation+test".

        Returns:
            A `TfdsVideos`, not yet prepared.

        Raises:
            ValueError: there is no such split, or this source reads it.
        """
        names = stored_dataset.split_names(self._builder, split, "HELD_OUT")
        for name in names:
            if name in self._splits:
                raise ValueError(
                    f"HELD_OUT must name other splits than those trained on, "
                    f"TfdsVideos.split = {'+'.join(self._splits)!r}. "
                    f"Received: {split!r}."
                )
        other = copy.copy(self)
        other._splits = names
        return other

    def files(self) -> np.ndarray:
        """Numbers the files that the records come from.

        A file that is longer than `--max_frames` of the preparation became
        several records, one after the other, all with its name. Datasets
        whose records have no `name` are taken to have one record a file.

        Returns:
            int64 [num_examples]; records of one file have the same number.
        """
        if self._misses_records:
            logging.warning(
                "Records are missing, so HELD_OUT as a fraction draws other "
                "clips than from the whole dataset: a run that began with all "
                "of them has trained on some that are held out now."
            )
        if not self._has_names:
            return np.arange(self.num_examples)
        return number_files(
            self._paths, self._shards, self._offsets, self.labels
        )

    def describe(self) -> dict[str, Any]:
        """All that its clips depend on, but for the seed; a JSON-able dict.

        It is known once the source is prepared.
        """
        files = hashlib.sha256()
        for column in (
            self._shards,
            self._offsets,
            self._frame_counts,
            self.labels,
        ):
            files.update(np.ascontiguousarray(column).tobytes())
        return {
            "dataset": self._builder.info.full_name,
            "split": "+".join(self._splits),
            "records": self.num_examples,
            "records_digest": files.hexdigest()[:16],
            "video_feature": self._video_key,
            "resolution": compact(self.resolution),
            "num_frames": self.num_frames,
            "stride": self._stride,
            "fit": self._fit,
            "flip": self._flip,
        }

    def prepare(self) -> None:
        """Reads the index, or makes it, and counts the clips.

        Raises:
            ValueError: no record is usable, or records are missing and that
                is not allowed, or the index does not fit.
            OSError: the shards cannot be read, or the index not be written.
        """
        paths, shards, entries, missing = [], [], [], []
        for split in self._splits:
            index, damaged = split_records.find(
                self._builder,
                split,
                self._video_key,
                self._label_key,
                self._cache_dir,
            )
            missing += damaged
            shards.append(index.shard + len(paths))
            entries.append(index)
            files = self._builder.info.splits[split].filepaths
            paths += [os.fspath(path) for path in files]
        self._misses_records = bool(missing)
        if missing:
            self._report_missing(missing, len(np.concatenate(shards)))
        offsets, labels, counts = (
            np.concatenate([getattr(entry, column) for entry in entries])
            for column in ("offset", "label", "frames")
        )
        used = self._usable(labels, counts)
        self._paths = paths
        self._shards = np.concatenate(shards)[used]
        self._offsets = offsets[used]
        self.labels = labels[used]
        self._frame_counts = counts[used]
        self.num_examples = len(self.labels)
        self.label_counts = np.bincount(
            self.labels, minlength=len(self.class_names)
        )
        self._damage = damage.Damage(
            lambda index: self._place(index)[0],
            self._describe_damage,
            self.num_examples,
            self.skips_damaged,
        )

    def _report_missing(self, missing, there):
        """Says which records are missing, and refuses unless it is allowed."""
        text = lost.describe(missing, there, self._where(), self.class_names)
        if self._allow_missing:
            logging.warning("Goes on without lost records: %s", text)
            return
        raise ValueError(
            f"{text} {self._remedy}, or do without "
            'the records with --gin_param="TfdsVideos.allow_missing = True".'
        )

    def _where(self):
        return f"{self._builder.info.full_name}, {'+'.join(self._splits)}"

    def _usable(self, labels, counts):
        """Which records to take; says how many of what class it leaves out."""
        needed = clips.window_length(self.num_frames, self._stride)
        labelled = (labels >= 0) & (labels < len(self.class_names))
        short = labelled & (counts < needed)
        used = labelled & ~short
        where = self._where()
        if not used.any():
            raise ValueError(
                f"No record of {where}, has a label and the {needed} frames "
                "that NUM_FRAMES and FRAME_STRIDE need; the longest of "
                f"{len(labels)} has {counts.max(initial=0)}."
            )
        by_class = np.bincount(labels[short], minlength=len(self.class_names))
        missed = [
            f"{name} {count}"
            for name, count in zip(self.class_names, by_class, strict=True)
            if count
        ]
        if not labelled.all():
            missed.append(f"without a label {np.sum(~labelled)}")
        if missed:
            logging.warning(
                "Left out %d of %d records of %s, of less than %d frames: %s.",
                np.sum(~used),
                len(used),
                where,
                needed,
                ", ".join(missed),
            )
        return used

    def load(self, index: tf.Tensor, seed: tf.Tensor) -> tuple:
        """Loads one clip: a random window, crop and, if so set, flip.

        Args:
            index: int64 scalar, in [0, num_examples).
            seed: int32 [2].

        Returns:
            uint8 [num_frames, height, width, 3], int32 label; -1 if the
            record is damaged and such ones are skipped.

        Raises:
            tf.errors.InvalidArgumentError: the record is damaged, or the
                shard is no longer there.
        """
        shape = [self.num_frames, *self._size, 3]
        nothing = tf.zeros([0, *shape[1:]], tf.uint8)
        video = records.attempt(lambda: self._clip(index, seed), nothing)
        video, label = tf.cond(
            tf.size(video) > 0,
            lambda: (video, tf.gather(self.labels, index)),
            lambda: (tf.zeros(shape, tf.uint8), self._damage.meet(index)),
        )
        return tf.ensure_shape(video, shape), label

    def _clip(self, index, seed):
        """The pixels of a clip; an op fails if its record is damaged."""
        seeds = tf.random.split(seed, 3)
        encoded = frames.check(self.encoded(index, seeds[0]))
        if self._fit == "squash":
            video = frames.decode_squash(encoded, self._size)
        else:
            video = frames.decode_crop(
                encoded, self._jpeg, self._size, seeds[1]
            )
        return clips.random_flip(video, seeds[2]) if self._flip else video

    def encoded(self, index: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Reads the frames of a random window, and leaves them encoded.

        Args:
            index: int64 scalar, in [0, num_examples).
            seed: int32 [2], of the window.

        Returns:
            string [num_frames], images if the record is not damaged.

        Raises:
            tf.errors.OpError: the record cannot be read.
        """
        path, offset, count = self._place(index)
        # All frames of the record: no op of TensorFlow reads a part of a file.
        payload = records.read(path, offset)
        spec = {self._video_key: tf.io.VarLenFeature(tf.string)}
        stored = tf.io.parse_single_example(payload, spec)
        stored = tf.ensure_shape(stored[self._video_key].values, [None])
        as_indexed = tf.debugging.Assert(tf.size(stored) == count, [count])
        start = clips.random_window_start(
            count, self.num_frames, self._stride, seed
        )
        window = start + self._stride * tf.range(self.num_frames)
        with tf.control_dependencies([as_indexed]):
            return tf.gather(stored, window)

    def replaced(self) -> tuple[int, list[str]]:
        """Reports the damaged clips that were replaced, see `pipeline`."""
        return self._damage.report()

    def _place(self, index):
        """Returns shard, byte offset and number of frames of a record."""
        path = tf.gather(self._paths, tf.gather(self._shards, index))
        offset = tf.gather(self._offsets, index)
        return path, offset, tf.gather(self._frame_counts, index)

    def _describe_damage(self, index):
        return damage.sentence(
            *self._place(index),
            tf.gather(self.class_names, tf.gather(self.labels, index)),
            self._video_key,
            "name" if self._has_names else None,
        )


def _check_arguments(fit, **positive):
    if fit not in ("crop", "squash"):
        raise ValueError(
            f"TfdsVideos.fit must be 'crop' or 'squash'. Received: {fit!r}."
        )
    for name, value in positive.items():
        if value < 1:
            raise ValueError(
                f"TfdsVideos.{name} must be at least 1. Received: {value}."
            )
