"""Predictions of a run for fixed clips, written as PNG, GIF and MP4."""

import os
from collections.abc import Sequence
from typing import Any

import gin
import numpy as np
import tensorflow as tf

from dvdgan_tf.generation import latents
from dvdgan_tf.training.samples import (
    class_labels,
    file_stem,
    spread,
    write_files,
)
from dvdgan_tf.video import prediction_views
from dvdgan_tf.video.pixels import to_float, to_uint8


@gin.register
class PredictionGrid:
    """Continues the same clips with the same z at every call.

    Args:
        trainer: a `Trainer` whose generator takes conditioning frames.
        num_clips: clips continued.
        samples_per_clip: continuations of each.
        fps: frames per second of GIF and MP4.
        seed: seed of the fixed z.
        class_names: names of the classes in the order of their ids, which
            stand beside the clips; None for none.

    Raises:
        ValueError: the generator takes no conditioning frames, or there is
            nothing to show.
    """

    def __init__(
        self,
        trainer: Any,
        num_clips: int = 4,
        samples_per_clip: int = 3,
        fps: float = 12,
        seed: int = 0,
        class_names: Sequence[str] | None = None,
    ) -> None:
        generator = trainer.generator
        if not generator.conditioning_frames:
            raise ValueError(
                "PredictionGrid shows how given frames go on, but "
                "CONDITIONING_FRAMES is 0; set it, or set "
                "train.sample_grid = @SampleGrid."
            )
        if num_clips < 1 or samples_per_clip < 1:
            raise ValueError(
                "PredictionGrid needs at least one clip and one sample. "
                f"Received: num_clips={num_clips}, "
                f"samples_per_clip={samples_per_clip}"
            )
        self.trainer = trainer
        self.num_clips = num_clips
        self.fps = fps
        self.class_names = class_names
        shape = (num_clips, samples_per_clip, generator.z_dim)
        self.z = latents.together(seed, shape)

    def condition_on(self, videos: np.ndarray, labels: np.ndarray) -> None:
        """Sets the clips; to be called once, before the first `draw`.

        Args:
            videos: uint8 [num_clips, T, H, W, 3], whole real clips.
            labels: integer [num_clips], their classes.

        Raises:
            ValueError: there are not `num_clips` of them.
        """
        videos, labels = np.asarray(videos), np.asarray(labels)
        if len(videos) != self.num_clips or labels.shape != (self.num_clips,):
            raise ValueError(
                f"PredictionGrid continues {self.num_clips} clips, each with "
                f"a label. Received: videos of shape {list(videos.shape)}, "
                f"labels of shape {list(labels.shape)}"
            )
        if self.trainer.generator.num_classes == 1:
            labels = np.zeros_like(labels)
        self.videos, self.labels = videos, labels.astype(np.int32)

    def draw(self, ema: bool) -> np.ndarray:
        """Samples continuations of all clips.

        Args:
            ema: whether the averaged or the live generator samples.

        Returns:
            uint8 [num_clips, samples_per_clip, T - C, H, W, 3]
        """
        given = self.videos[:, : self.trainer.generator.conditioning_frames]
        rows = []
        for z, frames, label in zip(self.z, given, self.labels, strict=True):
            frames = to_float(frames)
            rows.append(
                self.trainer.sample(
                    tf.constant(z),
                    tf.fill([len(z)], label),
                    ema,
                    tf.repeat(frames[None], len(z), 0),
                )
            )
        return to_uint8(np.stack(rows))

    def write(
        self, directory: str, step: int, ema: bool
    ) -> tuple[np.ndarray, list[str]]:
        """Draws and writes a step's files into a folder.

        Returns:
            The still image, uint8 [H, W, 3] (`prediction_views.strip`), and
            the paths of PNG, GIF and MP4 (`prediction_views.side_by_side`).
        """
        predictions = self.draw(ema)
        # Over all clips: how each of them goes on may be without doubt.
        self.spread = spread(predictions.reshape(1, -1, *predictions.shape[2:]))
        labels = class_labels(
            self.class_names, self.labels, self.trainer.generator.num_classes
        )
        names = [label.name for label in labels] if labels else None
        still = prediction_views.strip(self.videos, predictions, names=names)
        clip = prediction_views.side_by_side(self.videos, predictions, names)
        stem = os.path.join(directory, file_stem(step, ema))
        return still, write_files(stem, still, clip, self.fps)
