"""Clips in memory, which notebooks show."""

import base64
import math
from typing import Any

import numpy as np

from dvdgan_tf.video import pictures, writing

# Clips that a notebook shows; more are in the array all the same.
_SHOWN = 64


class Videos(np.ndarray):
    """uint8 [B, T, H, W, 3]; an array that a notebook shows as animation.

    Attributes:
        fps: frames per second.
    """

    fps = 12.0

    def __array_finalize__(self, source: Any) -> None:
        self.fps = getattr(source, "fps", 12.0)

    def _repr_html_(self):
        if self.ndim != 5 or not len(self):
            return f"<pre>{np.ndarray.__repr__(self)}</pre>"
        shown = np.asarray(self[:_SHOWN])
        tiled = pictures.tile(shown, columns=math.isqrt(len(shown) - 1) + 1)
        data = base64.b64encode(writing.webp(tiled, self.fps)).decode()
        shape = list(self.shape)
        return (
            f'<img src="data:image/webp;base64,{data}" alt="{shape}" '
            f'style="image-rendering: pixelated; min-width: 256px">'
        )


def videos(array: np.ndarray, fps: float) -> Videos:
    """Makes `Videos` of an array, uint8 [B, T, H, W, 3]."""
    result = np.asarray(array).view(Videos)
    result.fps = fps
    return result
