"""Height and width of frames, as `RESOLUTION` gives them.

A resolution is one number of pixels for square frames, such as 64, or the
pair (height, width), such as (64, 112).
"""

import numbers
from collections.abc import Sequence
from typing import Any

Resolution = int | Sequence[int]


def sides(resolution: Resolution, name: str = "resolution") -> tuple[int, int]:
    """Returns the height and the width that a resolution means, in pixels.

    Args:
        resolution: one number of pixels, or (height, width).
        name: what an error calls it.

    Raises:
        ValueError: it is neither a whole number from 1 on nor two of them.
    """
    found: Any = resolution
    if isinstance(resolution, numbers.Integral):
        found = (resolution, resolution)
    if (
        not isinstance(found, Sequence)
        or isinstance(found, str)
        or len(found) != 2
        or not all(
            isinstance(n, numbers.Integral) and int(n) >= 1 for n in found
        )
    ):
        raise ValueError(
            f"{name} must be one number of pixels, such as 64, or (height, "
            f"width), such as (64, 112). Received: {resolution!r}."
        )
    height, width = found
    return int(height), int(width)


def compact(resolution: Resolution) -> int | list[int]:
    """Returns one number for square frames, else [height, width], for JSON."""
    height, width = sides(resolution)
    return height if height == width else [height, width]


def text(resolution: Resolution) -> str:
    """Returns the size as code writes it, such as "64x112": height first."""
    height, width = sides(resolution)
    return f"{height}x{width}"


def of_video(resolution: Resolution, times: str = "x") -> str:
    """Returns the size as people say it, such as "112x64": width first."""
    height, width = sides(resolution)
    return f"{width}{times}{height}"
