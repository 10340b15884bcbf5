"""Clips that others have made: arrays, video files, folders of frames."""

import contextlib
import os
import zipfile
import zlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from dvdgan_tf.video.first_frames import FirstFrames
from dvdgan_tf.video.pixels import to_uint8
from dvdgan_tf.video.stills import PICTURES

_ARRAYS = (".npy", ".npz")

# Files that lie beside clips and are none.
_OTHERS = (".json", ".txt", ".csv")


class FolderClips:
    """The clips in a folder, or in one array; see `clips` for what it is.

    A folder holds video files, folders of numbered PNG or JPEG frames, or
    both, at any depth. They are taken in an order drawn by their paths, so
    that the first of them are of all classes. Anyone may have made them: they
    are decoded in a process of its own (`video.first_frames`). Video files
    are lossy, which moves every metric.

    An array is a file `.npy`, or `.npz` with one array in it, [N, T, H, W, 3],
    uint8 or float in [-1, 1].

    Clips are labelled by the name of the folder that they are in where that
    is a class, else 0.

    Args:
        path: the folder, or the file of the array.
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
        if not os.path.exists(path):
            raise FileNotFoundError(f"There are no clips at {path!r}.")
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
                [_label(item, class_names) for item in self._items], np.int32
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
        with self._reader() as read:
            for item in _shuffled(_items(path)):
                if len(usable) == num_clips:
                    break
                try:
                    shape = read(item).shape[1:]
                except (OSError, ValueError) as error:
                    reason = getattr(error, "reason", None) or str(error)
                    self.skipped[os.path.relpath(item, path)] = reason
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
    return os.path.isfile(path) and path.endswith(_ARRAYS)


def _array(path, num_frames):
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if path.endswith(".npz"):
            with array as arrays:
                (name,) = arrays.files
                array = arrays[name]
    except (
        OSError,
        EOFError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(
            f"{path!r} cannot be read as one array of clips: {error}"
        ) from error
    good = array.dtype == np.uint8 or np.issubdtype(array.dtype, np.floating)
    if array.ndim != 5 or array.shape[-1] != 3 or not good:
        raise ValueError(
            f"{path!r} must hold uint8 or float [N, T, H, W, 3]. Received: "
            f"{array.dtype} {list(array.shape)}."
        )
    if array.shape[1] < num_frames:
        raise ValueError(
            f"The clips in {path!r} have {array.shape[1]} frames; the protocol "
            f"takes {num_frames}."
        )
    return array


def _check_range(array, items, path):
    """Raises ValueError unless float clips are in [-1, 1]."""
    if array.dtype == np.uint8 or not items:
        return
    extremes = np.array([(array[i].min(), array[i].max()) for i in items])
    low, high = extremes[:, 0].min(), extremes[:, 1].max()
    # Written so that NaN is refused, too; and so is the range [0, 1].
    if not (-1.01 <= low < 0.0 and high <= 1.01):
        raise ValueError(
            f"Float clips must be in [-1, 1]. Received: {path!r} with values "
            f"from {low:g} to {high:g}."
        )


def _shuffled(items):
    items = list(items)
    order = np.random.default_rng(0).permutation(len(items))
    return [items[i] for i in order]


def _items(path):
    """Video files and folders of frames, in order of their paths."""
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        names = [name for name in names if not name.startswith(".")]
        if any(name.lower().endswith(PICTURES) for name in names):
            found.append(folder)
        found += [
            os.path.join(folder, name)
            for name in names
            if not name.lower().endswith(PICTURES + _OTHERS)
        ]
    return sorted(found)


def _label(item, class_names):
    folder = os.path.basename(os.path.dirname(item))
    return class_names.index(folder) if folder in class_names else 0
