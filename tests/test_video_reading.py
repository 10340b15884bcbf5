"""Reading of videos: what is in real files, and in files made to harm."""

import pathlib
import wave

import av
import numpy as np
import pytest
import videos

from dvdgan_tf import video_io
from dvdgan_tf.video_reading import read_frames

ROOT = pathlib.Path(__file__).parents[1]
REAL = ROOT.parent / "shared" / "data"


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


def test_size_is_a_value_or_a_function_of_the_source(tmp_path):
    path = tmp_path / "a.mp4"
    video_io.write_mp4(path, videos.moving_square(3), fps=25)
    by_value = np.stack(list(read_frames(path, (24, 20))))
    assert by_value.shape == (3, 24, 20, 3)
    seen = []

    def half(height, width):
        seen.append((height, width))
        return height // 2, width // 2

    halved = np.stack(list(read_frames(path, half)))
    assert halved.shape == (3, 24, 32, 3) and set(seen) == {(48, 64)}
    means = videos.moving_square(3).reshape(3, 24, 2, 32, 2, 3).mean((2, 4))
    assert videos.psnr(halved, means) > 28


def test_resizing_keeps_white_white_and_black_black(tmp_path):
    path = tmp_path / "a.mp4"
    video = np.zeros([2, 64, 64, 3], np.uint8)
    video[1] = 255
    video_io.write_mp4(path, video, fps=25)
    black, white = read_frames(path, (32, 32))
    assert black.max() <= 1 and white.min() >= 254


def test_display_rotation_is_applied(tmp_path):
    path = tmp_path / "a.mp4"
    video = videos.moving_square(2)
    video_io.write_mp4(path, video, fps=25)
    # x' = a x + c y, y' = b x + d y, y downwards, so this turns clockwise.
    videos.turn(path, (0, 1, -1, 0))
    frames = np.stack(list(read_frames(path)))
    clockwise = video.transpose(0, 2, 1, 3)[:, :, ::-1]
    assert frames.shape == clockwise.shape == (2, 64, 48, 3)
    assert videos.psnr(frames, clockwise) > 28
    asked = []
    small = next(read_frames(path, lambda *hw: asked.append(hw) or (32, 24)))
    assert asked == [(64, 48)] and small.shape == (32, 24, 3)


def test_cover_art_is_no_video(tmp_path):
    path = tmp_path / "song.mp4"
    videos.audio_with_cover(path)
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1  # the trap is set
    with pytest.raises(ValueError) as error:
        list(read_frames(path))
    assert "song.mp4" in one_line(error) and "audio" in one_line(error)


def test_sound_alone_is_no_video(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1600))
    with pytest.raises(ValueError, match=r"a\.wav.*audio"):
        list(read_frames(tmp_path / "a.wav"))


@pytest.mark.parametrize("content", [b"", b"this is text\n" * 40])
def test_what_is_no_video_is_named(tmp_path, content):
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    with pytest.raises(ValueError) as error:
        list(read_frames(path))
    assert "broken.mp4" in one_line(error)


def test_absent_file():
    with pytest.raises(FileNotFoundError) as error:
        list(read_frames("/nowhere/a.mp4"))
    assert "/nowhere/a.mp4" in one_line(error)


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

    frames = read_frames(path, shorter_32)
    first = [frame for frame, _ in zip(frames, range(8), strict=False)]
    frames.close()
    assert len(first) == 8
    assert min(first[0].shape[:2]) == 32
    assert all(frame.shape == first[0].shape for frame in first)
    assert all(frame.dtype == np.uint8 for frame in first)
