"""Pictures and videos as files: PNG, GIF, WebP, MP4."""

import fractions
import io
import os

import av
import numpy as np
from PIL import Image, PngImagePlugin

from dvdgan_tf import files
from dvdgan_tf.video.stills import STRIP_FRAMES

# Enough frames for one palette to hold the colours of a whole clip.
_PALETTE_FRAMES = 16


def write_png(
    path: str | os.PathLike, image: np.ndarray, strip_frames: int | None = None
) -> None:
    """Writes one image, losslessly.

    Args:
        path: file to write; its folder is created, an old file replaced.
        image: uint8 [H, W, 3].
        strip_frames: number of frames in the image, if it is a strip of them
            from left to right: the file says so, and can be read as a clip.

    Raises:
        ValueError: `image` is not such an array.
    """
    image = _checked(image, "image", "[H, W, 3]", 3)
    text = PngImagePlugin.PngInfo()
    if strip_frames is not None:
        text.add_text(STRIP_FRAMES, str(strip_frames))
    with files.replacing(path) as temporary:
        Image.fromarray(image).save(temporary, format="PNG", pnginfo=text)


def gif(video: np.ndarray, fps: float) -> bytes:
    """Encodes a GIF that loops for ever, with one palette for the clip.

    Runs of equal frames are stored as one frame shown for longer.

    Args:
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
    file = io.BytesIO()
    first.save(
        file,
        format="GIF",
        save_all=True,
        append_images=rest,
        duration=1000 / fps,
        loop=0,
        optimize=False,
    )
    return file.getvalue()


def write_gif(path: str | os.PathLike, video: np.ndarray, fps: float) -> None:
    """Writes what `gif` returns.

    Args:
        path: file to write; its folder is created, an old file replaced.
        video: uint8 [T, H, W, 3].
        fps: frames per second.
    """
    files.write_bytes(path, gif(video, fps))


def webp(video: np.ndarray, fps: float) -> bytes:
    """Encodes a lossless animated WebP that loops for ever.

    Args:
        video: uint8 [T, H, W, 3].
        fps: frames per second; times are rounded to 1/1000 s.

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


def write_webp(path: str | os.PathLike, video: np.ndarray, fps: float) -> None:
    """Writes what `webp` returns.

    Args:
        path: file to write; its folder is created, an old file replaced.
        video: uint8 [T, H, W, 3].
        fps: frames per second.
    """
    files.write_bytes(path, webp(video, fps))


def write_mp4(path: str | os.PathLike, video: np.ndarray, fps: float) -> None:
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
            f"{list(array.shape)}; `pixels.to_uint8` converts from [-1, 1]."
        )
    return np.ascontiguousarray(array)
