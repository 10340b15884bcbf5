"""Damages of video clips, by level, and clips that are so damaged.

A damage takes (video, level, rng): uint8 [T, H, W, 3], a float and a
`numpy.random.Generator`; it returns a new video of the same shape. At level 0
nothing changes, and with the same random numbers a higher level changes more.
"""

from typing import NamedTuple

import numpy as np
import scipy.ndimage
import tensorflow as tf


def add_noise(video, level, rng):
    """Adds Gaussian noise, of its own in each value.

    Args:
        video: uint8 [T, H, W, 3].
        level: standard deviation, in units of the 256 values.
        rng: `numpy.random.Generator`.
    """
    return _to_uint8(video + level * rng.standard_normal(video.shape))


def blur(video, level, rng):
    """Blurs each frame with a Gaussian.

    Args:
        video: uint8 [T, H, W, 3].
        level: standard deviation in pixels.
        rng: not used.
    """
    del rng
    sigma = (0, level, level, 0)
    return _to_uint8(scipy.ndimage.gaussian_filter(video.astype(float), sigma))


def shuffle(video, level, rng):
    """Moves some frames, each to another's place; two at least or none.

    Args:
        video: uint8 [T, H, W, 3].
        level: the share of frames that move, in [0, 1].
        rng: `numpy.random.Generator`.
    """
    moved = rng.permutation(len(video))[: round(level * len(video))]
    shuffled = video.copy()
    # In a circle, so that no frame stays where it was.
    shuffled[moved] = video[np.roll(moved, 1)]
    return shuffled


def freeze(video, level, rng):
    """Drops some frames and shows the frame before for longer.

    Args:
        video: uint8 [T, H, W, 3].
        level: the share of frames, all but the first, that drop, in [0, 1].
        rng: `numpy.random.Generator`.
    """
    frames = np.arange(len(video))
    dropped = 1 + rng.permutation(len(video) - 1)
    frames[dropped[: round(level * len(dropped))]] = 0
    return video[np.maximum.accumulate(frames)]


def _to_uint8(values):
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


class Damage(NamedTuple):
    """A damage and up to which level it is usually looked at."""

    function: object
    highest: float
    unit: str


DAMAGES = {
    "noise": Damage(add_noise, 60.0, "standard deviation, of 255"),
    "blur": Damage(blur, 3.0, "standard deviation, pixels"),
    "shuffle": Damage(shuffle, 1.0, "share of frames moved"),
    "freeze": Damage(freeze, 1.0, "share of frames dropped"),
}


class DamagedClips:
    """Clips of others, damaged; see `evaluation.measured_clips` for clips.

    Args:
        clips: clips whose `inputs` are uint8 videos, such as `RealClips`.
        damage: function that damages a video (see the top of this file).
        level: level of the damage.
        num_frames: number of frames of each clip that are taken, from the
            first, before they are damaged.
        seed: seed of all random numbers, an integer; the clips' numbers go in,
            too.
    """

    samples_per_condition = 1
    similarity = None

    def __init__(self, clips, damage, level, num_frames, seed=0):
        self.num_clips = clips.num_clips
        self.num_frames = num_frames
        self._clips = clips
        self._damage = damage
        self._level = level
        self._seed = seed

    def inputs(self):
        """See `evaluation.measured_clips`."""

        def damage(number, video):
            rng = np.random.default_rng((self._seed, number))
            return self._damage(video, self._level, rng)

        def damage_element(number, element):
            video, label = element
            video = video[: self.num_frames]
            damaged = tf.numpy_function(damage, [number, video], tf.uint8)
            return tf.ensure_shape(damaged, video.shape), label

        return (
            self._clips.inputs()
            .enumerate()
            .map(damage_element, tf.data.AUTOTUNE, deterministic=True)
        )

    def videos(self, inputs, labels):
        """See `evaluation.measured_clips`."""
        return self._clips.videos(inputs, labels)
