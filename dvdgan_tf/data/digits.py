"""Moving handwritten digits: data that need no download.

One 8x8 digit of scikit-learn's `load_digits` for each clip, enlarged, on a
straight path that reflects at the borders.
"""

import math
from typing import Any

import gin
import numpy as np
import tensorflow as tf

from dvdgan_tf.frame_size import Resolution, compact, sides

_SAMPLES = 8  # scikit-learn's images are 8x8, with values from 0 to 16
_BRIGHTEST = 16

# Speeds in fractions of the shorter side per frame: at 32x32 from 1 to 2.67
# pixels, so that every digit crosses a good part of the frame in a clip.
_SLOWEST, _FASTEST = 1 / 32, 1 / 12

# How many images scikit-learn has, and which of them a split has.
_IMAGES = 1797
_SPLITS = {
    "train": slice(1500),
    "test": slice(1500, None),
    "all": slice(None),
}


@gin.register
class MovingDigits:
    """Clips of one moving digit, white on black; the class is the digit.

    The seed of a clip draws its first position, direction and speed, each
    uniformly; the speed is constant, from 1/32 to 1/12 of the shorter side per
    frame. Positions are not rounded to pixels: rendering is bilinear.

    A source for `pipeline.batches`.

    Args:
        resolution: height and width of a clip in pixels, at least 32: one
            number for a square, or both.
        num_frames: frames in a clip.
        num_examples: clips in an epoch; scikit-learn has 1797 images.
        split: "train", the first 1,500 of the images; "test", the other 297;
            or "all".
        digit_size: side in pixels of the square that the digit stays in and
            fades to black within; half of the shorter side if None.

    Attributes:
        num_examples: number of clips in an epoch.
        num_frames: number of frames in a clip.
        resolution: height and width of a clip in pixels.
        class_names: "0" to "9".
        label_counts: int64 [10], clips of each class.
        labels: int32 [num_examples], the class of each clip.

    Raises:
        ImportError: scikit-learn is not installed.
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        resolution: Resolution,
        num_frames: int,
        num_examples: int = 1797,
        split: str = "all",
        digit_size: int | None = None,
    ) -> None:
        self._size = sides(resolution, "MovingDigits.resolution")
        self._shorter = min(self._size)
        if digit_size is None:
            digit_size = self._shorter // 2
        _check_arguments(self._shorter, num_frames, num_examples, digit_size)
        self.resolution = resolution
        self.num_frames = num_frames
        self.num_examples = num_examples
        self._split = split
        self.class_names = [str(digit) for digit in range(10)]
        images, labels = _load_digits(split)
        self.labels = labels[np.arange(num_examples) % len(labels)]
        self.label_counts = np.bincount(self.labels, minlength=10)
        self._images = images
        self._digit_size = digit_size

    def other_split(self, split: str) -> "MovingDigits":
        """Makes a source of the images of another split, each once an epoch.

        Args:
            split: name of the split, as `MovingDigits` takes it.

        Returns:
            A `MovingDigits`.

        Raises:
            ValueError: there is no such split, or it shares images with that
                of this source.
        """
        own, others = (
            range(_IMAGES)[_SPLITS.get(name, slice(0))]
            for name in (self._split, split)
        )
        if not others or set(own) & set(others):
            raise ValueError(
                "HELD_OUT must be 'train' or 'test', whichever "
                f"MovingDigits.split = {self._split!r} does not contain; "
                "MovingDigits.split = 'train' makes 'test' free. "
                f"Received: {split!r}."
            )
        return MovingDigits(
            self.resolution,
            self.num_frames,
            len(others),
            split,
            self._digit_size,
        )

    def files(self) -> np.ndarray:
        """Numbers the images that the clips show, int64 [num_examples]."""
        return np.arange(self.num_examples) % len(self._images)

    def describe(self) -> dict[str, Any]:
        """All that its clips depend on, but for the seed; a JSON-able dict."""
        return {
            "dataset": "moving_digits",
            "split": self._split,
            "records": self.num_examples,
            "digit_size": self._digit_size,
            "resolution": compact(self.resolution),
            "num_frames": self.num_frames,
        }

    def prepare(self) -> None:
        """Nothing to do: clips are rendered when they are read."""

    def load(
        self, index: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Renders one clip.

        Args:
            index: int64 scalar, in [0, num_examples): which digit.
            seed: int32 [2]: which motion.

        Returns:
            uint8 [num_frames, height, width, 3], int32 label.
        """
        image = tf.gather(self._images, index % len(self._images))
        tops, lefts = tf.unstack(self._path(seed))
        frames = tf.einsum(
            "thi,ij,twj->thw",
            self._weights(tops, self._size[0]),
            image,
            self._weights(lefts, self._size[1]),
        )
        video = tf.cast(tf.round(frames * 255.0), tf.uint8)
        video = tf.repeat(video[..., tf.newaxis], 3, axis=-1)
        label = tf.gather(self.labels, index)
        return video, label

    def _path(self, seed):
        # [2, T]: top and left of the digit's square, in pixels.
        seeds = tf.random.split(seed, 3)
        # How far the square can move down, and to the right.
        span = np.subtract(self._size, self._digit_size).astype(np.float32)
        first = span * tf.random.stateless_uniform([2], seeds[0])
        speed = self._shorter * tf.random.stateless_uniform(
            [], seeds[1], _SLOWEST, _FASTEST
        )
        angle = tf.random.stateless_uniform([], seeds[2], 0.0, 2 * math.pi)
        velocity = speed * tf.stack([tf.sin(angle), tf.cos(angle)])
        times = tf.range(self.num_frames, dtype=tf.float32)
        unfolded = first[:, tf.newaxis] + velocity[:, tf.newaxis] * times
        span = span[:, np.newaxis]
        # A triangle wave of period 2 span: rises to span and comes back.
        return span - tf.abs(tf.math.floormod(unfolded, 2 * span) - span)

    def _weights(self, starts, side):
        """Bilinear interpolation along one axis, [T, side, 8].

        Sample i of the digit lies i + 1 of 9 parts into the square, so its
        edges fade to black inside. Pixel h is centred at h + 0.5.
        """
        scale = self._digit_size / (_SAMPLES + 1)
        centres = tf.range(side, dtype=tf.float32) + 0.5
        position = (centres - starts[:, tf.newaxis]) / scale - 1.0
        samples = tf.range(_SAMPLES, dtype=tf.float32)
        distance = tf.abs(position[:, :, tf.newaxis] - samples)
        return tf.maximum(0.0, 1.0 - distance)


def _check_arguments(shorter, num_frames, num_examples, digit_size):
    if shorter < 32:
        raise ValueError(
            f"MovingDigits.resolution must be at least 32. Received: {shorter}."
        )
    if not 8 <= digit_size < shorter:
        raise ValueError(
            f"MovingDigits.digit_size must be from 8 to {shorter - 1}, "
            f"below the shorter side. Received: {digit_size}."
        )
    for name, value in (
        ("num_frames", num_frames),
        ("num_examples", num_examples),
    ):
        if value < 1:
            raise ValueError(
                f"MovingDigits.{name} must be at least 1. Received: {value}."
            )


def _load_digits(split):
    if split not in _SPLITS:
        raise ValueError(
            f"MovingDigits.split must be one of {', '.join(_SPLITS)}. "
            f"Received: {split!r}."
        )
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            "MovingDigits takes its digits from scikit-learn, which is not "
            "installed; run `pip install scikit-learn`."
        ) from error
    digits = datasets.load_digits()
    images = (digits.images / _BRIGHTEST).astype(np.float32)
    labels = digits.target.astype(np.int32)
    return images[_SPLITS[split]], labels[_SPLITS[split]]
