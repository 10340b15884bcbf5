"""Clips from a folder of video files, one sub-folder for each class."""

import os

import gin
import numpy as np
import tensorflow as tf
from absl import logging

from dvdgan_tf.data import cache, clips

# Often left beside the videos, and never one.
_IGNORED = (".txt", ".md", ".json", ".csv")


@gin.register
class VideoFolder:
    """Random windows of the videos in DATA_DIR/class_name/any_name.ext.

    The classes are the folders' names in sorted order. Each video is decoded
    once, resized, and kept in the cache folder; a preparation that was
    interrupted goes on where it stopped. Files that cannot be read, or are
    too short for one window, are named in the log and left out.

    A source for `pipeline.batches`.

    Args:
        data_dir: folder of class folders; `~` is expanded. Hidden files and
            folders, and folders without files, do not count.
        cache_dir: folder for the decoded clips; created, `~` is expanded.
        resolution: height and width of a clip in pixels.
        num_frames: frames in a clip.
        frame_stride: distance between them in frames of the video.
        fit: "crop", the paper's: the shorter side is resized to `resolution`
            and a random square is cropped; or "squash": both sides are.
        flip: mirror half of the clips.
        num_workers: decoding processes; as many as there are CPUs if None.

    Attributes:
        num_frames: as given.
        resolution: as given.
        class_names: list of str.
        num_examples: usable videos; this and what follows once prepared.
        label_counts: int64 [classes], usable videos of each class.
        skipped: list of (path relative to `data_dir`, reason).

    Raises:
        FileNotFoundError: there is no `data_dir`, or no class folder in it.
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        data_dir,
        cache_dir,
        resolution,
        num_frames,
        frame_stride=1,
        fit="crop",
        flip=False,
        num_workers=None,
    ):
        if num_workers is None:
            num_workers = os.cpu_count()
        _check_arguments(
            fit,
            resolution=resolution,
            num_frames=num_frames,
            frame_stride=frame_stride,
            num_workers=num_workers,
        )
        self.resolution = resolution
        self.num_frames = num_frames
        self._stride = frame_stride
        self._fit = fit
        self._flip = flip
        self._num_workers = num_workers
        self._data_dir = os.path.abspath(os.path.expanduser(data_dir))
        self._cache_dir = os.path.abspath(os.path.expanduser(cache_dir))
        self.class_names, self._files = _list_files(
            self._data_dir, self._cache_dir
        )

    def prepare(self):
        """Decodes what the cache does not hold yet, and counts the clips.

        Raises:
            ValueError: no video is usable.
            OSError: the cache cannot be written.
            ChildProcessError: a decoding process died.
        """
        paths = [path for path, _ in self._files]
        entries, reasons = _prepare(
            paths,
            self._cache_dir,
            self.resolution,
            self._fit,
            self._num_workers,
        )
        self._keep(self._data_dir, self._files, entries, reasons)
        _report(self.skipped, len(self._files), self._data_dir)

    def _keep(self, data_dir, files, entries, reasons):
        needed = clips.window_length(self.num_frames, self._stride)
        self.skipped, self._entries, labels, frame_counts = [], [], [], []
        for (path, label), entry in zip(files, entries, strict=True):
            count = entry and cache.frame_count(entry)
            if not count:
                reason = reasons.get(path) or "no frame is readable"
            elif count < needed:
                reason = f"{count} frames, {needed} needed"
            else:
                self._entries.append(entry)
                labels.append(label)
                frame_counts.append(count)
                continue
            self.skipped.append((os.path.relpath(path, data_dir), reason))
        self.num_examples = len(self._entries)
        self._labels = np.array(labels, np.int32)
        self._frame_counts = np.array(frame_counts, np.int32)
        self.label_counts = np.bincount(
            np.array(labels, np.int64), minlength=len(self.class_names)
        )

    def load(self, index, seed):
        """Loads one clip: a random window, crop and, if so set, flip.

        Args:
            index: int64 scalar, in [0, num_examples).
            seed: int32 [2].

        Returns:
            uint8 [num_frames, resolution, resolution, 3], int32 label.
        """
        seeds = tf.random.split(seed, 3)
        start = clips.random_window_start(
            tf.gather(self._frame_counts, index),
            self.num_frames,
            self._stride,
            seeds[0],
        )
        video = tf.numpy_function(self._read, [index, start], tf.uint8)
        video = tf.ensure_shape(video, [self.num_frames, None, None, 3])
        video = clips.random_square_crop(video, self.resolution, seeds[1])
        if self._flip:
            video = clips.random_flip(video, seeds[2])
        return video, tf.gather(self._labels, index)

    def _read(self, index, start):
        return cache.read_window(
            self._entries[index], int(start), self.num_frames, self._stride
        )


def _check_arguments(fit, **positive):
    if fit not in ("crop", "squash"):
        raise ValueError(
            f"VideoFolder.fit must be 'crop' or 'squash'. Received: {fit!r}."
        )
    for name, value in positive.items():
        if value < 1:
            raise ValueError(
                f"VideoFolder.{name} must be at least 1. Received: {value}."
            )


def _list_files(data_dir, cache_dir):
    """Returns the class names and the list of (path, label)."""
    wanted = (
        "the videos are expected as DATA_DIR/class_name/any_name.ext; set "
        "the folder with --gin_param=\"DATA_DIR='/path'\"."
    )
    if not os.path.isdir(data_dir):
        raise FileNotFoundError(f"There is no folder {data_dir!r}; {wanted}")
    class_names, files = [], []
    for name in sorted(_visible(data_dir, os.path.isdir)):
        folder = os.path.join(data_dir, name)
        names = sorted(_visible(folder, os.path.isfile))
        if names and folder != cache_dir:
            label = len(class_names)
            class_names.append(name)
            files += [(os.path.join(folder, name), label) for name in names]
    if not files:
        raise FileNotFoundError(
            f"There is no class folder with files in {data_dir!r}; {wanted}"
        )
    return class_names, files


def _visible(folder, is_kind):
    return [
        name
        for name in os.listdir(folder)
        if not name.startswith(".")
        and not name.lower().endswith(_IGNORED)
        and is_kind(os.path.join(folder, name))
    ]


def _prepare(paths, cache_dir, resolution, fit, num_workers):
    """Decodes what is not in the cache.

    Returns:
        The cache file of each path, None where the video has gone, and what
        reading the videos brought up, by path.
    """
    entries, reasons, jobs = [], {}, []
    for path in paths:
        try:
            entry = cache.entry_path(cache_dir, path, resolution, fit)
        except OSError as error:
            entry, reasons[path] = None, error.strerror
        entries.append(entry)
        if entry and cache.frame_count(entry) is None:
            jobs.append((path, entry, resolution, fit))
    try:
        os.makedirs(cache_dir, exist_ok=True)
        results = cache.store_all(jobs, num_workers)
    except ChildProcessError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise OSError(
            f"Cannot write the clip cache {cache_dir!r} ({reason}); make room "
            "or choose another folder with --gin_param=\"CACHE_DIR='/path'\"."
        ) from error
    for (path, *_), (count, reason) in zip(jobs, results, strict=True):
        reasons[path] = reason
        if count and reason:
            logging.warning("Only the first %d frames: %s", count, reason)
    return entries, reasons


def _report(skipped, total, data_dir):
    if len(skipped) == total:
        path, reason = skipped[0]
        raise ValueError(
            f"None of the {total} files in {data_dir!r} is usable; the "
            f"first, {path!r}: {reason}."
        )
    if not skipped:
        return
    logging.warning("Skipped %d of %d files:", len(skipped), total)
    for path, reason in skipped:
        logging.warning("  %r: %s", path, reason)
