"""Clips as files, in the formats that people look at or compute with."""

import math
import os
from collections.abc import Sequence

import numpy as np

from dvdgan_tf.plain_text import in_file_name, shown
from dvdgan_tf.video import pictures, writing
from dvdgan_tf.video.lettering import Label, drawable

FORMATS = ("mp4", "gif", "webp", "png", "npz", "frames")

# Clips that are seen at once, in grid.png and grid.gif.
GRID_CLIPS = 64


class ClipWriter:
    """Writes clips into a folder as they come, one file or folder a clip.

    A clip's name is its number and its class. mp4, gif, webp: animations;
    png: its frames from left to right; npz: the array `video`, uint8
    [T, H, W, 3], and `label`; frames: a folder of PNG files. `close` writes
    grid.png (a row of frames for each of the first clips, with its class
    beside it) and grid.gif; small frames are enlarged there.

    Args:
        folder: folder to make; it must be empty if it exists.
        formats: names of formats, from `FORMATS`.
        fps: frames per second.

    Raises:
        ValueError: a format, or fps, is impossible.
        FileExistsError: there is something in the folder.
    """

    def __init__(self, folder: str, formats: Sequence[str], fps: float) -> None:
        unknown = [name for name in formats if name not in FORMATS]
        if unknown or not formats:
            raise ValueError(
                f"Formats are {', '.join(FORMATS)}. "
                f"Received: {', '.join(unknown) or 'none'}"
            )
        if not 0.1 <= fps <= 240:
            raise ValueError(f"fps must be from 0.1 to 240. Received: {fps}")
        if os.path.exists(folder) and (
            not os.path.isdir(folder) or os.listdir(folder)
        ):
            raise FileExistsError(
                f"{folder} is there already and not empty; choose another "
                "folder, or delete it."
            )
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.count = 0
        self._formats = formats
        self._fps = fps
        self._first: list[np.ndarray] = []
        self._labels: list[Label] = []

    def write(self, video: np.ndarray, label: int, class_name: str) -> None:
        """Writes the next clip.

        Args:
            video: uint8 [T, H, W, 3].
            label: class id.
            class_name: name of the class, for the grid and for the file's
                name, in which what file systems do not like is replaced.
        """
        safe = in_file_name(class_name)
        stem = os.path.join(self.folder, f"{self.count:05d}_{safe}")
        video = np.asarray(video)
        for name in self._formats:
            self._write_as(name, stem, video, label)
        if self.count < GRID_CLIPS:
            self._first.append(video)
            name = drawable(shown(class_name)) or f"class {label}"
            self._labels.append(Label(name))
        self.count += 1

    def _write_as(self, name, stem, video, label):
        if name == "mp4":
            writing.write_mp4(f"{stem}.mp4", video, self._fps)
        elif name == "gif":
            writing.write_gif(f"{stem}.gif", video, self._fps)
        elif name == "webp":
            writing.write_webp(f"{stem}.webp", video, self._fps)
        elif name == "png":
            strip = pictures.strip(video)
            writing.write_png(f"{stem}.png", strip, len(video))
        elif name == "npz":
            np.savez_compressed(f"{stem}.npz", video=video, label=label)
        else:
            for number, frame in enumerate(video):
                path = os.path.join(stem, f"{number:04d}.png")
                writing.write_png(path, frame)

    def close(self) -> list[str]:
        """Writes the grids, and returns their paths, PNG and GIF."""
        clips = np.stack(self._first)
        paths = [os.path.join(self.folder, f"grid.{e}") for e in ("png", "gif")]
        rows = clips.reshape(-1, *clips.shape[2:])
        still = pictures.grid(rows, clips.shape[1], self._labels)
        writing.write_png(paths[0], still)
        columns = math.isqrt(len(clips) - 1) + 1
        writing.write_gif(paths[1], pictures.grid(clips, columns), self._fps)
        return paths
