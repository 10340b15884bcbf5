"""Videos in (PyAV) and out (PNG, GIF, MP4); no TensorFlow here."""

import contextlib
import fractions
import os
import uuid

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from PIL import Image

# Bilinear, whose kernel swscale widens when it shrinks a frame, so nothing
# aliases. Without the other flags its fast path turns white into 253.
_BILINEAR = (
    Interpolation.BILINEAR
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.ACCURATE_RND
)

# Enough frames for one palette to hold the colours of a whole clip.
_PALETTE_FRAMES = 16


def read_frames(path, size=None):
    """Decodes the first video stream of a file, frame by frame.

    Cover art is not a video stream. Frames are turned as the file asks its
    players to turn them, in steps of 90 degrees. Headers are not believed:
    the frames are those that decode. Some damaged files end early without
    an error, others raise after the frames that were readable; the caller
    decides what those are worth.

    Args:
        path: any file that PyAV decodes.
        size: target (height, width) in pixels, or a function from the first
            frame's (height, width), after turning, to the target; None keeps
            the first frame's.

    Yields:
        Frames, uint8 RGB [height, width, 3], all of one size.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no video, or damaged from here on.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"There is no video file {str(path)!r}; check its name."
        )
    try:
        # Some real files carry metadata that is not UTF-8.
        with av.open(
            os.path.abspath(path), metadata_errors="ignore"
        ) as container:
            yield from _resized(_decoded(container), size)
    except (av.FFmpegError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(
            f"Cannot decode {str(path)!r} ({reason}); is it a whole video?"
        ) from error


def _decoded(container):
    streams = [
        stream
        for stream in container.streams.video
        if stream.codec_context  # None where there is no decoder for it
        and not stream.disposition & av.stream.Disposition.attached_pic
    ]
    if not streams:
        raise ValueError(
            f"No video stream in {container.name!r} can be decoded; is it "
            "audio?"
        )
    # Many files are decoded at once, so one thread for each.
    streams[0].codec_context.thread_count = 1
    return container.decode(streams[0])


def _resized(frames, size):
    reformatter = VideoReformatter()
    target = None
    for frame in frames:
        turns = round(frame.rotation / 90) % 4  # counterclockwise
        if target is None:
            shape = (frame.height, frame.width)[:: -1 if turns % 2 else 1]
            target = size(*shape) if callable(size) else size or shape
        # Turned after resizing, when the frame is small.
        height, width = target[:: -1 if turns % 2 else 1]
        resized = reformatter.reformat(
            frame, width, height, "rgb24", interpolation=_BILINEAR, threads=1
        )
        yield np.rot90(resized.to_ndarray(), turns)


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
    with _replacing(path) as temporary:
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
    with _replacing(path) as temporary:
        first.save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=rest,
            duration=1000 / fps,
            loop=0,
            optimize=False,
        )


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
        _replacing(path) as temporary,
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


@contextlib.contextmanager
def _replacing(path):
    # A reader, or a run that is killed, never sees half a file.
    folder, name = os.path.split(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".{uuid.uuid4().hex}-{name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
