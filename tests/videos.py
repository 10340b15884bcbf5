"""Small video files for tests of reading, good ones and bad ones."""

import fractions
import os

import av
import numpy as np
from PIL import Image


def moving_square(frames=12, height=48, width=64, side=16):
    """A bright square that moves right by 3 pixels a frame over a ramp."""
    video = np.zeros([frames, height, width, 3], np.uint8)
    video[..., 2] = np.linspace(40, 120, width).astype(np.uint8)
    for t in range(frames):
        video[t, 8 : 8 + side, 3 * t : 3 * t + side] = (230, 60, 20)
    return video


def numbered(frames, height=16, width=24):
    """Frame k is grey of level 8 k, up to 31 of them."""
    levels = 8 * np.arange(frames, dtype=np.uint8)
    return np.broadcast_to(
        levels[:, None, None, None], [frames, height, width, 3]
    ).copy()


def numbers(frames):
    """Which frames of `numbered` these are."""
    return [round(float(frame.mean()) / 8) for frame in frames]


def noise(frames, height=64, width=64):
    """Frames that hardly compress, so that a cut file ends among them."""
    shape = [frames, height, width, 3]
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def psnr(a, b):
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return 10 * np.log10(255**2 / max(error, 1e-9))


def write(
    path, video, codec="ffv1", pix_fmt="bgr0", fps=25, stamps=None, **options
):
    """Writes frames with a codec; `stamps` are their times in 1/1000 s."""
    container_options = options.pop("container_options", {})
    with av.open(str(path), "w", options=container_options) as container:
        stream = container.add_stream(codec, rate=fps, options=options)
        add(container, stream, video, pix_fmt, stamps)


def add(container, stream, video, pix_fmt, stamps=None):
    """Encodes frames into a stream of an open file."""
    if not stream.codec_context.is_open:
        stream.height, stream.width = video.shape[1:3]
        stream.pix_fmt = pix_fmt
    if stamps is not None:
        stream.codec_context.time_base = fractions.Fraction(1, 1000)
    for number, pixels in enumerate(video):
        frame = av.VideoFrame.from_ndarray(pixels)
        if stamps is not None:
            frame.pts = stamps[number]
            frame.time_base = fractions.Fraction(1, 1000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def write_pictures(folder, video, extension="png", first=1):
    """Writes frames as pictures that are numbered without leading zeros."""
    os.makedirs(folder, exist_ok=True)
    for number, pixels in enumerate(video, first):
        path = os.path.join(folder, f"{number}.{extension}")
        Image.fromarray(pixels).save(path)


def audio_with_cover(path):
    """An MP4 of silence whose only picture is its cover."""
    with av.open(str(path), "w", format="mp4") as container:
        picture = container.add_stream("mjpeg", rate=1)
        picture.disposition = av.stream.Disposition.attached_pic
        sound = container.add_stream("aac", rate=8000)
        cover = np.full([1, 64, 64, 3], 99, np.uint8)
        add(container, picture, cover, "yuvj420p")
        silence = av.AudioFrame.from_ndarray(
            np.zeros([1, 1024], np.float32), format="fltp", layout="mono"
        )
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))


def cut(path, share=0.6):
    """Cuts a file off."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def turn(path, matrix):
    """Gives an MP4 another display matrix: a, b, c, d of ISO 14496-12."""
    data = path.read_bytes()

    def fixed(a, b, c, d):
        rows = (a, b, 0, c, d, 0, 0, 0)
        words = [(v << 16).to_bytes(4, "big", signed=True) for v in rows]
        return b"".join(words) + (1 << 30).to_bytes(4, "big")

    # The second matrix of the file is the track's.
    at = data.index(fixed(1, 0, 0, 1), data.index(b"tkhd"))
    turned = fixed(*matrix)
    path.write_bytes(data[:at] + turned + data[at + len(turned) :])


def tree(folder, classes=("run", "walk"), clips=3, split=""):
    """Writes class_name/n.mp4 of 6 + n frames, each file of one gray level."""
    for label, name in enumerate(classes):
        os.makedirs(os.path.join(folder, split, name), exist_ok=True)
        for n in range(clips):
            level = 40 * label + 10 * n
            video = np.full([6 + n, 48, 64, 3], level, np.uint8)
            path = os.path.join(folder, split, name, f"{n}.mp4")
            write(path, video, "libx264", "yuv420p", fps=10)
    return str(folder)
