"""Videos in (`video_reading`) and out (PNG, GIF, MP4); no TensorFlow here."""

import fractions
import io

import av
import numpy as np
from PIL import Image

from dvdgan_tf import files

# Enough frames for one palette to hold the colours of a whole clip.
_PALETTE_FRAMES = 16


def to_uint8(video):
    """From the networks' range to pixels.

    Args:
        video: float, any shape, in [-1, 1]; what is outside is clipped.

    Returns:
        uint8 array of the same shape, rounded to nearest.
    """
    scaled = (np.asarray(video).astype(np.float32) + 1.0) * 127.5
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def tile(videos, columns, gap=0):
    """Lays videos, or images, out in rows of `columns`, black where none.

    Args:
        videos: uint8 [N, ..., H, W, 3].
        columns: how many in a row, at least 1.
        gap: black pixels between neighbours.

    Returns:
        uint8 [..., rows * H, columns * W, 3], plus the gaps.

    Raises:
        ValueError: `columns` is less than 1 or there is no video.
    """
    videos = np.asarray(videos)
    if columns < 1 or len(videos) < 1:
        raise ValueError(
            "tile needs at least one video and one column. Received: "
            f"columns={columns}, videos of shape {videos.shape}."
        )
    rows = -(-len(videos) // columns)
    padding = [(0, 0)] * videos.ndim
    padding[0] = (0, rows * columns - len(videos))
    padding[-3] = padding[-2] = (0, gap)
    cells = np.pad(videos, padding)
    cells = cells.reshape(rows, columns, *cells.shape[1:])
    # [rows, columns, ..., H, W, 3] -> [..., rows, H, columns, W, 3]
    cells = np.moveaxis(np.moveaxis(cells, 0, -4), 0, -3)
    *batch, _, height, _, width, channels = cells.shape
    tiled = cells.reshape(*batch, rows * height, columns * width, channels)
    return tiled[..., : rows * height - gap, : columns * width - gap, :]


def write_png(path, image):
    """Writes one image, losslessly.

    Args:
        path: file to write; its folder is created, an old file replaced.
        image: uint8 [H, W, 3].

    Raises:
        ValueError: `image` is not such an array.
    """
    image = _checked(image, "image", "[H, W, 3]", 3)
    with files.replacing(path) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")


def write_gif(path, video, fps):
    """Writes a GIF that loops for ever, with one palette for the clip.

    Runs of equal frames are stored as one frame shown for longer.

    Args:
        path: file to write; its folder is created, an old file replaced.
        video: uint8 [T, H, W, 3].
        fps: frames per second; GIF rounds times to 1/100 s.

    Raises:
        ValueError: `video` is not such an array.
    """
    video = _checked(video, "video", "[T, H, W, 3]", 4)
    chosen = np.linspace(0, len(video) - 1, _PALETTE_FRAMES).round()
    sample = np.concatenate(video[np.unique(chosen.astype(int))])
    palette = Image.fromarray(sample).quantize(256)
    # Dithering would flicker from frame to frame.
    first, *rest = (
        Image.fromarray(frame).quantize(
            palette=palette, dither=Image.Dither.NONE
        )
        for frame in video
    )
    with files.replacing(path) as temporary:
        first.save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=rest,
            duration=1000 / fps,
            loop=0,
            optimize=False,
        )


def webp(video, fps):
    """A lossless animated WebP that loops for ever.

    Args:
        video: uint8 [T, H, W, 3].
        fps: frames per second; times are rounded to 1/1000 s.

    Returns:
        Its bytes.

    Raises:
        ValueError: `video` is not such an array.
    """
    video = _checked(video, "video", "[T, H, W, 3]", 4)
    first, *rest = (Image.fromarray(frame) for frame in video)
    file = io.BytesIO()
    first.save(
        file,
        format="WEBP",
        save_all=True,
        append_images=rest,
        duration=round(1000 / fps),
        loop=0,
        lossless=True,
    )
    return file.getvalue()


def write_webp(path, video, fps):
    """Writes what `webp` returns.

    Args:
        path: file to write; its folder is created, an old file replaced.
        video: uint8 [T, H, W, 3].
        fps: frames per second.
    """
    content = webp(video, fps)
    files.write_bytes(path, content)


def write_mp4(path, video, fps):
    """Writes an MP4 that browsers play: H.264 where PyAV has it.

    Odd sizes are made even, as the codec demands, by repeating the last row
    or column.

    Args:
        path: file to write; its folder is created, an old file replaced.
        video: uint8 [T, H, W, 3].
        fps: frames per second.

    Raises:
        ValueError: `video` is not such an array.
    """
    video = _checked(video, "video", "[T, H, W, 3]", 4)
    height, width = video.shape[1:3]
    video = np.pad(
        video, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge"
    )
    with (
        files.replacing(path) as temporary,
        av.open(temporary, "w", format="mp4") as container,
    ):
        _encode(container, video, fps)


def _encode(container, video, fps):
    rate = fractions.Fraction(fps).limit_denominator(1001)
    if "libx264" in av.codecs_available:
        codec, options = "libx264", {"crf": "16"}
    else:
        codec, options = "mpeg4", {"qmin": "2", "qmax": "3"}
    stream = container.add_stream(codec, rate=rate, options=options)
    stream.height, stream.width = video.shape[1:3]
    stream.pix_fmt = "yuv420p"
    for frame in video:
        container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
    container.mux(stream.encode(None))


def _checked(array, name, form, rank):
    array = np.asarray(array)
    if (
        array.dtype != np.uint8
        or array.ndim != rank
        or array.shape[-1] != 3
        or 0 in array.shape
    ):
        raise ValueError(
            f"{name} must be uint8 {form}. Received: {array.dtype} "
            f"{list(array.shape)}; `to_uint8` converts from [-1, 1]."
        )
    return np.ascontiguousarray(array)
