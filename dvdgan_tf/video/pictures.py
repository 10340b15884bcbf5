"""Several clips or images in one picture: strips, tiles, grids with names.

All arrays are uint8. A video is [T, H, W, 3] and an image [H, W, 3]; what is
said of "pictures" holds for both.
"""

from collections.abc import Sequence

import numpy as np

from dvdgan_tf.video.lettering import Colour, Label, labels_beside

# Nearly white: it leaves the clips alone and stays quiet in light pages.
BACKGROUND: Colour = (250, 250, 248)

# Pixels: between neighbours, around all, and between names and pictures.
_GAP = 2
_MARGIN = 8

# The shorter side that small frames are enlarged to, at least, so that they
# can be seen on a screen of today and names stay legible beside them.
_SHOWN = 64


def tile(
    pictures: np.ndarray,
    columns: int,
    gap: int = 0,
    background: Colour = (0, 0, 0),
) -> np.ndarray:
    """Lays pictures out in rows.

    Args:
        pictures: uint8 [N, ..., H, W, 3].
        columns: number of pictures in a row, at least 1.
        gap: pixels between neighbours.
        background: RGB colour of the gaps, and where there is no picture.

    Returns:
        uint8 [..., rows * H, columns * W, 3], larger by the gaps.

    Raises:
        ValueError: `columns` is less than 1 or there is no picture.
    """
    pictures = np.asarray(pictures)
    if columns < 1 or len(pictures) < 1:
        raise ValueError(
            "tile needs at least one picture and one column. Received: "
            f"columns={columns}, pictures of shape {pictures.shape}."
        )
    height, width = pictures.shape[-3:-1]
    rows = -(-len(pictures) // columns)
    tiled = np.empty(
        [
            *pictures.shape[1:-3],
            rows * (height + gap) - gap,
            columns * (width + gap) - gap,
            3,
        ],
        np.uint8,
    )
    tiled[:] = background
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        top, left = row * (height + gap), column * (width + gap)
        tiled[..., top : top + height, left : left + width, :] = picture
    return tiled


def strip(video: np.ndarray) -> np.ndarray:
    """Lays the frames of a video out from left to right.

    Args:
        video: uint8 [T, H, W, 3].

    Returns:
        uint8 [H, T * W, 3]
    """
    return tile(video, columns=len(video))


def grid(
    pictures: np.ndarray,
    columns: int,
    labels: Sequence[Label] | None = None,
) -> np.ndarray:
    """Makes a picture for people: rows with small gaps, names on the left.

    Small pictures are enlarged by a whole number, each pixel to a square.

    Args:
        pictures: uint8 [N, ..., H, W, 3].
        columns: number of pictures in a row, at least 1.
        labels: one label for each row; None for a grid without labels.

    Returns:
        uint8 [..., height, width, 3]

    Raises:
        ValueError: `columns` is less than 1 or there is no picture.
    """
    pictures = enlarged(pictures)
    tiled = tile(pictures, columns, _GAP, BACKGROUND)
    height = pictures.shape[-3]
    tops = range(0, tiled.shape[-3], height + _GAP)
    return with_labels(tiled, labels, tops, height)


def with_labels(
    picture: np.ndarray,
    labels: Sequence[Label] | None,
    tops: Sequence[int],
    row_height: int,
) -> np.ndarray:
    """Puts a margin around a picture of rows, and names on its left.

    Args:
        picture: uint8 [..., H, W, 3] of rows.
        labels: one label for each row; None for none.
        tops: y of each row's upper edge in the picture, in pixels.
        row_height: height of a row in pixels, at least 16.

    Returns:
        uint8 [..., height, width, 3]
    """
    height, width = picture.shape[-3:-1]
    left = _MARGIN
    if labels is not None:
        column = labels_beside(labels, tops, row_height, BACKGROUND)
        left += column.shape[1] + _MARGIN
    framed = np.empty(
        [
            *picture.shape[:-3],
            height + 2 * _MARGIN,
            left + width + _MARGIN,
            3,
        ],
        np.uint8,
    )
    framed[:] = BACKGROUND
    framed[..., _MARGIN : _MARGIN + height, left : left + width, :] = picture
    if labels is not None:
        right, bottom = left - _MARGIN, _MARGIN + len(column)
        framed[..., _MARGIN:bottom, _MARGIN:right, :] = column
    return framed


def enlarged(pictures: np.ndarray) -> np.ndarray:
    """Repeats the pixels of small pictures, so that people can see them.

    Args:
        pictures: uint8 [..., H, W, 3].

    Returns:
        uint8 [..., n * H, n * W, 3] with the least n that makes the shorter
        side 64 pixels or more.
    """
    pictures = np.asarray(pictures)
    times = -(-_SHOWN // min(pictures.shape[-3:-1]))
    return pictures.repeat(times, -3).repeat(times, -2)
