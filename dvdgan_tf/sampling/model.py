"""Samples from a module: labels, latents, batches."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from dvdgan_tf.frame_size import sides
from dvdgan_tf.generation import latents
from dvdgan_tf.generation.rollout import num_passes, roll_out
from dvdgan_tf.sampling.classes import Classes, class_ids
from dvdgan_tf.sampling.videos import Videos, videos
from dvdgan_tf.video.pixels import to_float, to_uint8


class Model:
    """A generator to sample from; made by `dvdgan_tf.load`.

    Clip i of a seed is the same however many are asked for; batches are of
    one size, filled up where needed.

    Args:
        module: `GeneratorModule`, or what was loaded of its SavedModel.
        remake: function of a number of frames that makes the module for clips
            of that length; None where that cannot be done.

    Attributes:
        facts: dict, what the module says of itself: resolution (one number for
            square frames, else [height, width]), num_frames,
            conditioning_frames, z_dim, num_classes, truncation_levels, step,
            fps, fit, frame_stride.
        class_names: names of the classes, in the order of their ids.

    Raises:
        ValueError: it is no such module.
    """

    # Small enough for a small machine; each clip costs the same in any batch.
    batch_size = 8

    def __init__(self, module: Any, remake: Callable | None = None) -> None:
        try:
            facts = json.loads(module.metadata().numpy())
            self.class_names = json.loads(module.class_names().numpy())
        except (AttributeError, ValueError) as error:
            raise ValueError(
                "This SavedModel is no module of dvdgan_tf: it has no "
                "metadata() and class_names()."
            ) from error
        # What older modules do not say.
        self.facts = {"fit": "crop", "frame_stride": 1, **facts}
        self._module = module
        self._remake = remake
        self._longer: dict[int, Any] = {}

    def sample(
        self,
        classes: Classes = None,
        count: int = 1,
        seed: int = 0,
        truncation: float | None = None,
        num_frames: int | None = None,
    ) -> Videos:
        """Samples clips, of one class after the other.

        Args:
            classes: names or ids; all classes by default.
            count: clips in all.
            seed: int, at least 0, of z.
            truncation: z is standard normal times this; the highest level
                by default.
            num_frames: length of the clips, T; that of training by default. A
                run's generator makes longer clips too: its recurrence runs on,
                and standing statistics of that many time steps are taken the
                first time (docs/sampling.md).

        Returns:
            `Videos`, uint8 [count, T, H, W, 3].

        Raises:
            ValueError: an argument is impossible, the model continues frames,
                or it is an exported module and makes shorter clips only.
        """
        batches = self.batches(classes, count, seed, truncation, num_frames)
        return videos(np.concatenate(list(batches)), self.facts["fps"])

    def batches(
        self,
        classes: Classes = None,
        count: int = 1,
        seed: int = 0,
        truncation: float | None = None,
        num_frames: int | None = None,
    ) -> Iterator[np.ndarray]:
        """As `sample`, some clips at a time: yields uint8 [b, T, H, W, 3]."""
        self._check_synthesis()
        module = self._of_length(num_frames)
        ids = class_ids(classes, self.class_names)
        truncation = self._truncation(truncation)
        _check_count(count, seed)
        for first in range(0, count, self.batch_size):
            # Beyond `count` as well: all batches are of one size.
            numbers = range(first, first + self.batch_size)
            z = latents.of_clips(seed, numbers, [self.facts["z_dim"]])
            y = self._one_hot([ids[n % len(ids)] for n in numbers])
            result = self._call(z * truncation, y, truncation, module=module)
            yield to_uint8(result[:, :num_frames])[: count - first]

    def interpolate(
        self,
        classes: Classes = None,
        count: int = 8,
        seed: int = 0,
        truncation: float | None = None,
        latent: bool = True,
    ) -> Videos:
        """Clips on the way from one sample to another.

        z is cos(t) z_0 + sin(t) z_1 with t from 0 to pi / 2, which is as
        normal as the two; labels are mixed linearly.

        Args:
            classes: one class, or two to go from the first to the second.
            count: clips in all, at least 2.
            seed: seed of both z.
            truncation: factor of z, as in `sample`.
            latent: whether z changes as well.

        Returns:
            `Videos`, uint8 [count, T, H, W, 3].

        Raises:
            ValueError: as in `sample`.
        """
        self._check_synthesis()
        ids = class_ids(classes, self.class_names)
        if count < 2 or (classes is not None and len(ids) > 2):
            raise ValueError(
                "An interpolation has one class or two, and at least 2 clips. "
                f"Received: {len(ids)} classes, count={count}"
            )
        _check_count(count, seed)
        truncation = self._truncation(truncation)
        first, last = latents.of_clips(seed, range(2), [self.facts["z_dim"]])
        share = np.linspace(0.0, 1.0, count, dtype=np.float32)[:, None]
        angle = share * np.float32(np.pi / 2) * latent
        z = np.cos(angle) * first + np.sin(angle) * last
        ends = self._one_hot([ids[0], ids[1 if len(ids) > 1 else 0]])
        y = (1.0 - share) * ends[0] + share * ends[1]
        result = self._in_batches(z * truncation, y, truncation)
        return videos(result, self.facts["fps"])

    def predict(
        self,
        frames: np.ndarray,
        num_frames: int | None = None,
        classes: Classes = None,
        seed: int = 0,
        truncation: float | None = None,
        first: int = 0,
    ) -> Videos:
        """Continues frames.

        Args:
            frames: [B, C, H, W, 3], uint8, or float in [-1, 1]; C is the
                module's `conditioning_frames`.
            num_frames: frames of the whole clips; by default as many as in
                training. More are predicted from frames that were predicted
                themselves.
            classes: one class for each clip, or one for all; the first by
                default.
            seed: int, at least 0, of z.
            truncation: factor of z, as in `sample`.
            first: number of the first clip, which says which z it has; to
                continue the same frames again, otherwise.

        Returns:
            `Videos`, uint8 [B, num_frames, H, W, 3]: the frames given, then
            the others.

        Raises:
            ValueError: an argument is impossible, or the model takes no
                frames.
        """
        frames = self._frames(frames)
        given, total = frames.shape[1], self.facts["num_frames"]
        num_frames = total if num_frames is None else num_frames
        if num_frames <= given:
            raise ValueError(
                f"num_frames must be above {given}, the frames given. "
                f"Received: num_frames={num_frames}"
            )
        _check_count(len(frames), seed)
        truncation = self._truncation(truncation)
        ids = class_ids(0 if classes is None else classes, self.class_names)
        if len(ids) not in (1, len(frames)):
            raise ValueError(
                "Name one class, or one for each clip. Received: "
                f"{len(ids)} classes for {len(frames)} clips"
            )
        y = self._one_hot([ids[i % len(ids)] for i in range(len(frames))])
        passes = num_passes(num_frames, given, total - given)
        shape = [passes, self.facts["z_dim"]]
        numbers = range(first, first + len(frames))
        z = truncation * latents.of_clips(seed, numbers, shape)
        clips = roll_out(
            lambda z, y, frames: self._in_batches(
                np.asarray(z), np.asarray(y), truncation, frames.numpy()
            ),
            z,
            y,
            tf.constant(frames),
            num_frames,
        )
        return videos(to_uint8(clips), self.facts["fps"])

    def _in_batches(self, z, y, truncation, frames=None):
        """The module on any number of inputs: uint8, or float for frames."""
        results = []
        for first in range(0, len(z), self.batch_size):
            parts = [
                _filled(x[first : first + self.batch_size], self.batch_size)
                for x in (z, y, *(() if frames is None else (frames,)))
            ]
            result = self._call(parts[0], parts[1], truncation, *parts[2:])
            results.append(result[: len(z) - first])
        result = np.concatenate(results)
        return to_uint8(result) if frames is None else result

    def _of_length(self, num_frames):
        """The module that makes clips of at least so many frames."""
        trained = self.facts["num_frames"]
        if num_frames is None or 1 <= num_frames <= trained:
            return self._module
        if num_frames < 1:
            raise ValueError(
                f"num_frames must be at least 1. Received: {num_frames}"
            )
        if self._remake is None:
            raise ValueError(
                f"This exported module makes clips of up to {trained} frames. "
                f"For clips of {num_frames}, sample the run that it is of "
                f"(--workdir), or export it again with "
                f"--num_frames={num_frames}."
            )
        if num_frames not in self._longer:
            self._longer[num_frames] = self._remake(num_frames)
        return self._longer[num_frames]

    def _call(self, z, y, truncation, *frames, module=None):
        inputs = {
            "z": tf.constant(z, tf.float32),
            "y": tf.constant(y, tf.float32),
            "truncation": tf.constant(truncation, tf.float32),
        }
        if frames:
            inputs["frames"] = tf.constant(frames[0], tf.float32)
        return (module or self._module)(inputs).numpy()

    def _one_hot(self, ids):
        return np.eye(self.facts["num_classes"], dtype=np.float32)[ids]

    def _truncation(self, truncation):
        """The level, or the highest one where none is given."""
        low, *_, high = (
            *self.facts["truncation_levels"][:1],
            *self.facts["truncation_levels"],
        )
        truncation = high if truncation is None else truncation
        if not low - 1e-6 <= truncation <= high + 1e-6:
            allowed = f"{low:g}" if low == high else f"from {low:g} to {high:g}"
            raise ValueError(
                f"truncation must be {allowed}, for which this model has "
                f"statistics. Received: truncation={truncation:g}"
            )
        return np.float32(truncation)

    def _check_synthesis(self):
        given = self.facts["conditioning_frames"]
        if given:
            raise ValueError(
                f"This model continues {given} frames; use `predict`, or "
                "--frames on the command line."
            )

    def _frames(self, frames):
        """[B, C, H, W, 3], float32 in [-1, 1]."""
        frames = np.asarray(frames)
        given = self.facts["conditioning_frames"]
        height, width = sides(self.facts["resolution"])
        if not given:
            raise ValueError("This model takes no frames; use `sample`.")
        if frames.ndim != 5 or frames.shape[1:] != (given, height, width, 3):
            raise ValueError(
                f"frames must be [B, {given}, {height}, {width}, 3]. "
                f"Received: {list(frames.shape)}"
            )
        if frames.dtype == np.uint8:
            return to_float(frames)
        if not np.abs(frames).max(initial=0.0) <= 1.0:
            raise ValueError("frames must be uint8, or float in [-1, 1].")
        return frames.astype(np.float32)


def _filled(array, size):
    """Repeats the last entry up to the size of a batch."""
    return np.concatenate(
        [array, np.repeat(array[-1:], size - len(array), axis=0)]
    )


def _check_count(count, seed):
    if count < 1 or seed < 0:
        raise ValueError(
            "count must be at least 1 and seed at least 0. Received: "
            f"count={count}, seed={seed}"
        )
