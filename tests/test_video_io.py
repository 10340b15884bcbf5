"""Reading and writing of videos."""

import pathlib
import wave

import av
import numpy as np
import pytest
from PIL import Image

from dvdgan_tf import video_io

ROOT = pathlib.Path(__file__).parents[1]
REAL = ROOT.parent / "shared" / "data"


def moving_square(frames=12, height=48, width=64, side=16):
    """A bright square that moves right by 3 pixels a frame over a ramp."""
    video = np.zeros([frames, height, width, 3], np.uint8)
    video[..., 2] = np.linspace(40, 120, width).astype(np.uint8)
    for t in range(frames):
        video[t, 8 : 8 + side, 3 * t : 3 * t + side] = (230, 60, 20)
    return video


def psnr(a, b):
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return 10 * np.log10(255**2 / max(error, 1e-9))


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


def audio_with_cover(path):
    """An MP4 of silence whose only picture is its cover."""
    with av.open(str(path), "w", format="mp4") as container:
        picture = container.add_stream("mjpeg", rate=1)
        picture.width = picture.height = 64
        picture.pix_fmt = "yuvj420p"
        picture.disposition = av.stream.Disposition.attached_pic
        sound = container.add_stream("aac", rate=8000)
        image = av.VideoFrame.from_ndarray(np.full([64, 64, 3], 99, np.uint8))
        container.mux(picture.encode(image))
        container.mux(picture.encode(None))
        silence = av.AudioFrame.from_ndarray(
            np.zeros([1, 1024], np.float32), format="fltp", layout="mono"
        )
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))


def test_mp4_round_trip(tmp_path):
    video = moving_square()
    path = tmp_path / "a b" / "-ünï.mp4"
    video_io.write_mp4(path, video, fps=12.5)
    decoded = np.stack(list(video_io.read_frames(path)))
    assert decoded.shape == video.shape and decoded.dtype == np.uint8
    # Chroma at half resolution costs most at the square's edges.
    assert psnr(decoded, video) > 28
    assert np.abs(decoded[5, 16, 23] - np.array([230.0, 60, 20])).max() < 8
    with av.open(str(path)) as container:
        assert float(container.streams.video[0].average_rate) == 12.5
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_mp4_of_odd_size_repeats_the_last_row_and_column(tmp_path):
    video = moving_square(4, 33, 35)
    path = tmp_path / "odd.mp4"
    video_io.write_mp4(path, video, fps=25)
    decoded = np.stack(list(video_io.read_frames(path)))
    assert decoded.shape == (4, 34, 36, 3)
    assert psnr(decoded[:, :33, :35], video) > 24
    assert psnr(decoded[:, 33], decoded[:, 32]) > 35
    assert psnr(decoded[:, :, 35], decoded[:, :, 34]) > 35


def test_mp4_without_x264(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    video_io.write_mp4(tmp_path / "a.mp4", moving_square(), fps=25)
    decoded = np.stack(list(video_io.read_frames(tmp_path / "a.mp4")))
    assert psnr(decoded, moving_square()) > 26


def test_gif_has_every_frame_loops_and_keeps_colours(tmp_path):
    video = moving_square(9)
    video_io.write_gif(tmp_path / "a.gif", video, fps=20)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 9
        assert gif.info["loop"] == 0
        assert gif.info["duration"] == 50
        gif.seek(8)
        last = np.array(gif.convert("RGB"))
    assert psnr(last, video[8]) > 30


def test_png_is_lossless(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, [7, 5, 3], np.uint8)
    video_io.write_png(tmp_path / "a.png", image)
    np.testing.assert_array_equal(Image.open(tmp_path / "a.png"), image)


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(video_io, "_encode", fail)
    with pytest.raises(OSError, match="no space"):
        video_io.write_mp4(path, moving_square(2), fps=25)
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "write, array",
    [
        (video_io.write_png, np.zeros([4, 4, 3], np.float32)),
        (video_io.write_gif, np.zeros([4, 4, 3], np.uint8)),
        (video_io.write_mp4, np.zeros([2, 4, 4, 1], np.uint8)),
        (video_io.write_mp4, np.zeros([0, 4, 4, 3], np.uint8)),
    ],
)
def test_writers_refuse_other_arrays(tmp_path, write, array):
    fps = () if write is video_io.write_png else (25,)
    with pytest.raises(ValueError) as error:
        write(tmp_path / "a", array, *fps)
    assert str(list(array.shape)) in one_line(error)


def test_to_uint8_rounds_and_clips():
    values = np.array([-2.0, -1.0, -1.0 + 0.9 / 255, 0.0, 1.0, 1.5])
    pixels = video_io.to_uint8(values)
    # 0 lies at 127.5, which rounds to even.
    np.testing.assert_array_equal(pixels, [0, 0, 0, 128, 255, 255])
    levels = np.arange(256)
    np.testing.assert_array_equal(
        video_io.to_uint8(levels / 127.5 - 1.0), levels
    )


def test_tile_places_each_video_by_row_and_column():
    videos = np.arange(1, 6, dtype=np.uint8).reshape(5, 1, 1, 1, 1)
    videos = np.broadcast_to(videos, [5, 2, 3, 4, 3])
    tiled = video_io.tile(videos, columns=3)
    assert tiled.shape == (2, 6, 12, 3)
    expected = np.kron([[1, 2, 3], [4, 5, 0]], np.ones([3, 4]))
    for t in range(2):
        np.testing.assert_array_equal(tiled[t, ..., 0], expected)


def test_tile_of_images_with_a_gap():
    images = np.full([2, 3, 4, 3], 9, np.uint8)
    tiled = video_io.tile(images, columns=2, gap=1)
    assert tiled.shape == (3, 9, 3)
    np.testing.assert_array_equal(tiled[0, :, 0], [9] * 4 + [0] + [9] * 4)


def test_tile_needs_a_column():
    with pytest.raises(ValueError) as error:
        video_io.tile(np.zeros([2, 3, 4, 3], np.uint8), 0)
    assert "columns=0" in one_line(error)


def test_size_is_a_value_or_a_function_of_the_source(tmp_path):
    path = tmp_path / "a.mp4"
    video_io.write_mp4(path, moving_square(3), fps=25)
    by_value = np.stack(list(video_io.read_frames(path, (24, 20))))
    assert by_value.shape == (3, 24, 20, 3)
    seen = []

    def half(height, width):
        seen.append((height, width))
        return height // 2, width // 2

    halved = np.stack(list(video_io.read_frames(path, half)))
    assert halved.shape == (3, 24, 32, 3) and set(seen) == {(48, 64)}
    means = moving_square(3).reshape(3, 24, 2, 32, 2, 3).mean((2, 4))
    assert psnr(halved, means) > 28


def test_resizing_keeps_white_white_and_black_black(tmp_path):
    path = tmp_path / "a.mp4"
    video = np.zeros([2, 64, 64, 3], np.uint8)
    video[1] = 255
    video_io.write_mp4(path, video, fps=25)
    black, white = video_io.read_frames(path, (32, 32))
    assert black.max() <= 1 and white.min() >= 254


def test_display_rotation_is_applied(tmp_path):
    path = tmp_path / "a.mp4"
    video = moving_square(2)
    video_io.write_mp4(path, video, fps=25)
    data = path.read_bytes()

    def matrix(a, b, c, d):
        rows = (a, b, 0, c, d, 0, 0, 0)
        fixed = b"".join(
            (value << 16).to_bytes(4, "big", signed=True) for value in rows
        )
        return fixed + (1 << 30).to_bytes(4, "big")

    # ISO/IEC 14496-12: x' = a x + c y, y' = b x + d y, y downwards, so this
    # one turns clockwise. The second matrix of the file is the track's.
    at = data.index(matrix(1, 0, 0, 1), data.index(b"tkhd"))
    turned = matrix(0, 1, -1, 0)
    path.write_bytes(data[:at] + turned + data[at + len(turned) :])
    frames = np.stack(list(video_io.read_frames(path)))
    clockwise = video.transpose(0, 2, 1, 3)[:, :, ::-1]
    assert frames.shape == clockwise.shape == (2, 64, 48, 3)
    assert psnr(frames, clockwise) > 28
    asked = []
    small = next(
        video_io.read_frames(path, lambda *hw: asked.append(hw) or (32, 24))
    )
    assert asked == [(64, 48)] and small.shape == (32, 24, 3)


def test_cover_art_is_no_video(tmp_path):
    path = tmp_path / "song.mp4"
    audio_with_cover(path)
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1  # the trap is set
    with pytest.raises(ValueError) as error:
        list(video_io.read_frames(path))
    assert "song.mp4" in one_line(error) and "audio" in one_line(error)


def test_sound_alone_is_no_video(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1600))
    with pytest.raises(ValueError, match=r"a\.wav.*audio"):
        list(video_io.read_frames(tmp_path / "a.wav"))


@pytest.mark.parametrize("content", [b"", b"this is text\n" * 40])
def test_what_is_no_video_is_named(tmp_path, content):
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    with pytest.raises(ValueError) as error:
        list(video_io.read_frames(path))
    assert "broken.mp4" in one_line(error)


def test_absent_file():
    with pytest.raises(FileNotFoundError) as error:
        list(video_io.read_frames("/nowhere/a.mp4"))
    assert "/nowhere/a.mp4" in one_line(error)


def test_damage_half_way_gives_the_frames_before_it(tmp_path):
    path = tmp_path / "a.mkv"
    noise = np.random.default_rng(0).integers(0, 256, [30, 64, 64, 3])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuvj420p"
        for frame in noise.astype(np.uint8):
            image = av.VideoFrame.from_ndarray(frame)
            container.mux(stream.encode(image))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    frames = []
    try:
        for frame in video_io.read_frames(path):
            frames.append(frame)
    except ValueError as error:  # whether it raises is up to the container
        assert "a.mkv" in str(error)
    assert 10 <= len(frames) < 20


def real_files():
    files = sorted((REAL / "assorted").glob("*.*"))
    files = [file for file in files if file.suffix != ".md"]
    return files or [None]


@pytest.mark.parametrize(
    "path", real_files(), ids=lambda path: path.name if path else "absent"
)
def test_real_files(path):
    if path is None:
        pytest.skip(f"no real clips in {REAL}")

    def shorter_32(height, width):
        scale = 32 / min(height, width)
        return round(height * scale), round(width * scale)

    frames = video_io.read_frames(path, shorter_32)
    first = [frame for frame, _ in zip(frames, range(8), strict=False)]
    frames.close()
    assert len(first) == 8
    assert min(first[0].shape[:2]) == 32
    assert all(frame.shape == first[0].shape for frame in first)
    assert all(frame.dtype == np.uint8 for frame in first)
