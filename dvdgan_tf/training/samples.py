"""Sample grids of a run: fixed z per class, written as PNG, GIF and MP4."""

import os

import gin
import numpy as np
import tensorflow as tf

from dvdgan_tf.generation import latents
from dvdgan_tf.video import writing


@gin.register
class SampleGrid:
    """Draws the same (z, y) at every call: a row of samples per class.

    Args:
        trainer: a `Trainer`.
        num_classes: classes shown, spread evenly over all of them.
        samples_per_class: samples of each.
        fps: frames per second of GIF and MP4.
        seed: of the fixed z.

    Raises:
        ValueError: the generator takes conditioning frames.
    """

    def __init__(
        self,
        trainer,
        num_classes=10,
        samples_per_class=4,
        fps=12,
        seed=0,
    ):
        self.trainer = trainer
        self.fps = fps
        generator = trainer.generator
        if generator.conditioning_frames:
            raise ValueError(
                "SampleGrid has no frames to give, but CONDITIONING_FRAMES is "
                f"{generator.conditioning_frames}; set train.sample_grid = "
                "@PredictionGrid."
            )
        num_classes = min(num_classes, generator.num_classes)
        self.classes = np.linspace(
            0, generator.num_classes - 1, num_classes
        ).astype(np.int32)
        shape = (num_classes, samples_per_class, generator.z_dim)
        self.z = latents.together(seed, shape)

    def draw(self, ema):
        """Samples of all shown classes.

        Args:
            ema: whether the averaged or the live generator samples.

        Returns:
            uint8 [classes, samples, T, H, W, 3]
        """
        rows = [
            self.trainer.sample(
                tf.constant(z), tf.fill([len(z)], int(label)), ema
            )
            for z, label in zip(self.z, self.classes, strict=True)
        ]
        return writing.to_uint8(np.stack(rows))

    def write(self, directory, step, ema):
        """Draws and writes a step's files into a folder.

        Returns:
            The still grid, uint8 [H, W, 3] (a row of frames per class, of
            its first sample), and the paths of PNG, GIF and MP4.
        """
        videos = self.draw(ema)
        still = still_grid(videos)
        clip = writing.tile(
            videos.reshape(-1, *videos.shape[2:]), columns=videos.shape[1]
        )
        stem = os.path.join(directory, file_stem(step, ema))
        return still, write_files(stem, still, clip, self.fps)


def file_stem(step, ema):
    """What the names of a step's files begin with; they sort by step."""
    return f"step_{step:08d}_{'ema' if ema else 'live'}"


def write_files(stem, still, clip, fps):
    """Writes PNG, GIF and MP4.

    Args:
        stem: path without ending; its folder is created.
        still: uint8 [H, W, 3], for the PNG.
        clip: uint8 [T, H, W, 3].
        fps: frames per second.

    Returns:
        Their paths, in that order.
    """
    paths = [f"{stem}.{ending}" for ending in ("png", "gif", "mp4")]
    writing.write_png(paths[0], still)
    writing.write_gif(paths[1], clip, fps)
    writing.write_mp4(paths[2], clip, fps)
    return paths


def still_grid(videos, max_frames=12):
    """Rows of frames: the first sample of each class over time.

    Args:
        videos: uint8 [classes, samples, T, H, W, 3].
        max_frames: columns at most, spread evenly over T.

    Returns:
        uint8 [height, width, 3]
    """
    columns = min(max_frames, videos.shape[2])
    frames = np.linspace(0, videos.shape[2] - 1, columns).astype(int)
    rows = videos[:, 0, frames]
    return writing.tile(rows.reshape(-1, *rows.shape[2:]), columns=columns)
