"""Sample grids of a run: fixed z per class, written as PNG, GIF and MP4."""

import os
from collections.abc import Sequence

import gin
import numpy as np
import tensorflow as tf

from dvdgan_tf.generation import latents
from dvdgan_tf.video import pictures, writing
from dvdgan_tf.video.lettering import Label, drawable
from dvdgan_tf.video.pixels import to_uint8


@gin.register
class SampleGrid:
    """Draws the same (z, y) at every call: a row of samples per class.

    Args:
        trainer: a `Trainer`.
        num_classes: number of classes shown, spread evenly over all of them.
        samples_per_class: number of samples of each.
        fps: frames per second of GIF and MP4.
        seed: seed of the fixed z.
        class_names: names of the classes in the order of their ids, which
            stand beside the rows; None for none.

    Attributes:
        spread: spread of the last samples written, the mean standard deviation
            among them (see `spread`).

    Raises:
        ValueError: the generator takes conditioning frames.
    """

    def __init__(
        self,
        trainer,
        num_classes: int = 10,
        samples_per_class: int = 4,
        fps: float = 12,
        seed: int = 0,
        class_names: Sequence[str] | None = None,
    ) -> None:
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
        self.labels = class_labels(
            class_names, self.classes, generator.num_classes
        )
        shape = (num_classes, samples_per_class, generator.z_dim)
        self.z = latents.together(seed, shape)

    def draw(self, ema: bool) -> np.ndarray:
        """Samples all shown classes.

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
        return to_uint8(np.stack(rows))

    def write(
        self, directory: str, step: int, ema: bool
    ) -> tuple[np.ndarray, list[str]]:
        """Draws and writes a step's files into a folder.

        Args:
            directory: folder; it is created.
            step: number of the step, for the files' names.
            ema: whether the averaged or the live generator samples.

        Returns:
            The still grid, uint8 [H, W, 3] (a row of frames per class, of
            its first sample), and the paths of PNG, GIF and MP4.
        """
        videos = self.draw(ema)
        self.spread = spread(videos)
        still = still_grid(videos, self.labels)
        clip = pictures.grid(
            videos.reshape(-1, *videos.shape[2:]),
            columns=videos.shape[1],
            labels=self.labels,
        )
        stem = os.path.join(directory, file_stem(step, ema))
        return still, write_files(stem, still, clip, self.fps)


def class_labels(
    names: Sequence[str] | None,
    ids: Sequence[int] | np.ndarray,
    num_classes: int,
) -> list[Label] | None:
    """Makes the labels of rows that show a class each.

    Args:
        names: names of the classes in the order of their ids, or None.
        ids: class of each row.
        num_classes: number of classes that the generator knows.

    Returns:
        A label for each row, "class 7" where a class has no name that can be
        drawn; None where there are no names, or all rows are of one class.
    """
    if names is None or num_classes == 1:
        return None
    known = {i: drawable(names[i]) for i in ids if i < len(names)}
    return [Label(known.get(i) or f"class {i}") for i in ids]


def spread(videos: np.ndarray) -> float:
    """How much the samples of a row differ, in grey levels.

    Args:
        videos: uint8 [rows, samples, ...].

    Returns:
        The standard deviation over the samples of a row, averaged over rows
        and pixels; over all rows if there is one sample in each. NaN for a
        single sample.
    """
    if videos.shape[1] == 1:
        videos = videos.swapaxes(0, 1)
    if videos.shape[1] == 1:
        return float("nan")
    # A row at a time: a grid in float32 would need four times its memory.
    return float(
        np.mean([row.std(0, dtype=np.float32).mean() for row in videos])
    )


def file_stem(step: int, ema: bool) -> str:
    """Returns how the names of a step's files begin; they sort by step."""
    return f"step_{step:08d}_{'ema' if ema else 'live'}"


def write_files(
    stem: str, still: np.ndarray, clip: np.ndarray, fps: float
) -> list[str]:
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


def still_grid(
    videos: np.ndarray,
    labels: Sequence[Label] | None = None,
    max_frames: int = 12,
) -> np.ndarray:
    """Lays out rows of frames: the first sample of each class over time.

    Args:
        videos: uint8 [classes, samples, T, H, W, 3].
        labels: one label for each class, beside its row; None for none.
        max_frames: number of columns at most, spread evenly over T.

    Returns:
        uint8 [height, width, 3]
    """
    columns = min(max_frames, videos.shape[2])
    frames = np.linspace(0, videos.shape[2] - 1, columns).astype(int)
    rows = videos[:, 0, frames]
    return pictures.grid(
        rows.reshape(-1, *rows.shape[2:]), columns=columns, labels=labels
    )
