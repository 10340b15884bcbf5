"""Clips that others have made: arrays, video files, folders of frames."""

import contextlib
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from dvdgan_tf.evaluation import clip_files
from dvdgan_tf.evaluation.clip_files import ARRAYS
from dvdgan_tf.video.first_frames import FirstFrames
from dvdgan_tf.video.pixels import to_uint8


class FolderClips:
    """The clips in a folder, or in one file, in the form of `measured_clips`.

    A folder holds, at any depth, video files, folders of numbered PNG or JPEG
    frames, files `.npy` or `.npz` of one clip [T, H, W, 3], and all that
    `sample` writes: of a clip in several formats the most exact is taken, and
    its grids are left out. Clips are taken in an order drawn by their paths,
    so that the first of them are of all classes. Anyone may have made them:
    they are decoded in a process of its own (`video.first_frames`). Most video
    files are lossy, which moves every metric.

    A file is a video, or an array: `.npy`, or `.npz` with one array in it,
    [N, T, H, W, 3], uint8 or float in [-1, 1].

    A clip's class is the name of the folder that it is in, or what `sample`
    has written into its name or its `.npz`; 0 where that is no class.

    Args:
        path: the folder, or the file.
        num_frames: number of frames taken of each clip, from its first.
        num_clips: number of clips taken at most; if there are fewer, a
            warning says so.
        class_names: names of the classes in the order of their ids.

    Attributes:
        num_clips: number of clips taken.
        num_frames: number of frames of each clip.
        size: (height, width) of the clips in pixels.
        skipped: {name: reason} for what is no such clip.

    Raises:
        FileNotFoundError: there is no such path.
        ValueError: there is no clip in it, or not all are of one size.
    """

    samples_per_condition = 1
    similarity = None

    def __init__(
        self,
        path: str,
        num_frames: int,
        num_clips: int,
        class_names: Sequence[str],
    ) -> None:
        clip_files.check(path)
        self.num_frames = num_frames
        self.skipped: dict[str, str] = {}
        self._array = _array(path, num_frames) if path_is_array(path) else None
        if self._array is not None:
            self._items = _shuffled(range(len(self._array)))[:num_clips]
            _check_range(self._array, self._items, path)
            self._labels = np.zeros(len(self._items), np.int32)
            shape = self._array.shape[2:]
        else:
            self._items, shape = self._usable(path, num_clips)
            self._labels = np.array(
                [clip_files.label(item, class_names) for item in self._items],
                np.int32,
            )
        self.num_clips = len(self._items)
        if not self._items:
            reasons = "; ".join(f"{k}: {v}" for k, v in self.skipped.items())
            raise ValueError(
                f"There is no clip of {num_frames} frames in {path!r}"
                f"{' (' + reasons[:300] + ')' if reasons else ''}."
            )
        self._shape = (num_frames, *shape)
        self.size = shape[:2]
        if self.skipped or self.num_clips < num_clips:
            logging.warning(
                "%r has %d clips of the %d that the protocol takes; %d were "
                "left out.",
                path,
                self.num_clips,
                num_clips,
                len(self.skipped),
            )

    def inputs(self) -> tf.data.Dataset:
        """Returns the clips and labels; see `clips`."""

        def clips():
            with self._reader() as read:
                for item, label in zip(self._items, self._labels, strict=True):
                    yield read(item), label

        return tf.data.Dataset.from_generator(
            clips,
            output_signature=(
                tf.TensorSpec(self._shape, tf.uint8),
                tf.TensorSpec([], tf.int32),
            ),
        )

    def videos(self, inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Returns the clips as they are; see `clips`."""
        del labels
        return inputs

    def _usable(self, path, num_clips):
        """The files and folders that hold a clip, and [H, W, 3] of all."""
        usable, first = [], None
        found, self.skipped = clip_files.items(path)
        with self._reader() as read:
            for item in _shuffled(found):
                if len(usable) == num_clips:
                    break
                try:
                    shape = read(item).shape[1:]
                except (OSError, ValueError) as error:
                    reason = getattr(error, "reason", None) or str(error)
                    name = os.path.relpath(item, path)
                    if name == ".":  # The path itself.
                        name = os.path.basename(item)
                    self.skipped[name] = reason
                    continue
                first = first or shape
                if shape != first:
                    raise ValueError(
                        f"The clips in {path!r} must be of one size; {item!r} "
                        f"is {list(shape[:2])} and the first is "
                        f"{list(first[:2])}."
                    )
                usable.append(item)
        return usable, first

    @contextlib.contextmanager
    def _reader(self):
        """A function from an item to its clip, uint8 [T, H, W, 3]."""
        if self._array is not None:
            yield self._of_array
            return
        with FirstFrames(self.num_frames) as decoder:

            def read(item):
                if path_is_array(item):
                    clip = clip_files.read_array(item, self.num_frames)
                else:
                    clip = decoder.read(item)
                if len(clip) < self.num_frames:
                    count = len(clip)
                    raise ValueError(
                        f"only {count} frame{'s' if count > 1 else ''}"
                    )
                return clip

            yield read

    def _of_array(self, item):
        clip = self._array[item][: self.num_frames]
        return clip if clip.dtype == np.uint8 else to_uint8(clip)


def path_is_array(path: str) -> bool:
    """Whether a path is that of an array."""
    return os.path.isfile(path) and path.endswith(ARRAYS)


def _array(path, num_frames):
    try:
        array = clip_files.open_array(path)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path!r} cannot be read as one array of clips: {error}"
        ) from error
    if array.ndim == 4 and path.endswith(".npz"):  # A clip of `sample`.
        array = array[None]
    good = array.dtype == np.uint8 or np.issubdtype(array.dtype, np.floating)
    good = good and array.ndim == 5 and 0 not in array.shape[1:]
    if not good or array.shape[-1] != 3:
        raise ValueError(
            f"{path!r} must hold uint8 or float [N, T, H, W, 3]. Received: "
            f"{array.dtype} {list(array.shape)}."
        )
    if array.shape[1] < num_frames:
        raise ValueError(
            f"The clips in {path!r} have {array.shape[1]} frames; the protocol "
            f"takes {num_frames}."
        )
    if len(array):
        clip_files.check_size(array[0], repr(path))
    return array


def _check_range(array, items, path):
    """Raises ValueError unless float clips are in [-1, 1]."""
    if array.dtype == np.uint8 or not items:
        return
    extremes = np.array([(array[i].min(), array[i].max()) for i in items])
    clip_files.check_range(extremes[:, 0].min(), extremes[:, 1].max(), path)


def _shuffled(items):
    items = list(items)
    order = np.random.default_rng(0).permutation(len(items))
    return [items[i] for i in order]
