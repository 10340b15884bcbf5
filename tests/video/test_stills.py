import os

import numpy as np
import pytest
import videos
from PIL import Image

from dvdgan_tf.video import reading, stills
from dvdgan_tf.video.isolated import IsolatedDecoder
from dvdgan_tf.video.opening import UnreadableVideoError


def frames(path, part=None, size=None, fps=None):
    return list(stills.read_timed_frames(str(path), part, size, fps))


@pytest.mark.parametrize("extension", ["png", "PNG", "jpg"])
def test_pictures_in_their_natural_order(tmp_path, extension):
    video = videos.numbered(12)
    videos.write_pictures(tmp_path, video, extension)
    (tmp_path / "notes.txt").write_text("no frame")
    (tmp_path / "._1.png").write_bytes(b"no frame")
    found = frames(tmp_path)
    assert videos.numbers([f.pixels for f in found]) == list(range(12))
    if extension != "jpg":
        np.testing.assert_array_equal([f.pixels for f in found], video)
    np.testing.assert_allclose([f.time for f in found], np.arange(12) / 25)
    assert {f.nominal_fps for f in found} == {25.0}


def test_the_rate_says_how_fast_they_are_shown(tmp_path):
    videos.write_pictures(tmp_path, videos.numbered(4))
    found = frames(tmp_path, fps=5)
    np.testing.assert_allclose([f.time for f in found], [0, 0.2, 0.4, 0.6])
    assert {f.nominal_fps for f in found} == {5.0}


def test_pictures_take_the_size_of_the_first(tmp_path):
    videos.write_pictures(tmp_path, videos.numbered(2, 20, 30))
    videos.write_pictures(tmp_path, videos.numbered(2, 40, 40), first=3)
    found = frames(tmp_path, size=lambda height, width: (height // 2, 10))
    assert {f.pixels.shape for f in found} == {(10, 10, 3)}
    with pytest.raises(UnreadableVideoError, match="40 x 40 pixels, the first"):
        list(frames(tmp_path))


def test_pictures_of_other_modes_become_rgb(tmp_path):
    level = 100
    grey = np.full([8, 8], level, np.uint8)
    Image.fromarray(grey).save(tmp_path / "1.png")
    Image.fromarray(grey).convert("P").save(tmp_path / "2.png")
    Image.fromarray(grey).convert("RGBA").save(tmp_path / "3.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "4.png")
    Image.fromarray(grey).convert("CMYK").save(tmp_path / "5.jpg")
    found = [f.pixels for f in frames(tmp_path)]
    assert [f.shape for f in found] == [(8, 8, 3)] * 5
    np.testing.assert_allclose(found, level, atol=2)


def damage(path):
    path.write_bytes(path.read_bytes()[:60])


def empty(path):
    path.write_bytes(b"")


def other_format(path):
    Image.new("RGB", (8, 8)).save(path, "BMP")


def pipe(path):
    os.remove(path)
    os.mkfifo(path)


def bomb(path):
    # What it is depends on the header alone; nothing may be unpacked.
    Image.new("1", (9000, 9000)).save(path, "PNG")


@pytest.mark.parametrize("harm", [damage, empty, other_format, pipe, bomb])
def test_a_damaged_picture_ends_the_clip(tmp_path, harm):
    videos.write_pictures(tmp_path, videos.noise(4, 16, 16))
    harm(tmp_path / "3.png")
    found = stills.read_timed_frames(str(tmp_path))
    assert len([next(found), next(found)]) == 2
    with pytest.raises(UnreadableVideoError):
        next(found)
    checked = stills.check_frames(str(tmp_path))
    assert [next(checked), next(checked)] == [1, 2]
    with pytest.raises(UnreadableVideoError):
        next(checked)


def test_a_clip_of_an_array(tmp_path):
    rng = np.random.default_rng(0)
    array = rng.integers(0, 256, [5, 3, 8, 10], np.uint8)
    np.save(tmp_path / "x.npy", array)
    for part in range(3):
        found = frames(tmp_path / "x.npy", part)
        expected = np.repeat(array[:, part, :, :, None], 3, axis=-1)
        np.testing.assert_array_equal([f.pixels for f in found], expected)
    with pytest.raises(UnreadableVideoError):
        frames(tmp_path / "x.npy", 3)


@pytest.mark.parametrize("damaged", ["keep_readable", "drop"])
def test_in_a_process_of_its_own(tmp_path, damaged):
    videos.write_pictures(tmp_path / "v", videos.numbered(12))
    array = videos.numbered(6)[:, None, :, :, 0]
    np.save(tmp_path / "x.npy", np.repeat(array, 2, axis=1))
    with IsolatedDecoder(32, fps=8, damaged=damaged) as decoder:
        for path, part, count in (("v", None, 12), ("x.npy", 1, 6)):
            (piece,) = decoder.pieces(tmp_path / path, part)
            assert decoder.reason is None
            assert (len(piece.frames), piece.fps) == (count, 8.0)
            assert (piece.height, piece.width) == (32, 48)
        videos.write_pictures(tmp_path / "v", videos.noise(1, 16, 16))
        damage(tmp_path / "v" / "5.png")
        pieces = list(decoder.pieces(tmp_path / "v"))
        kept = [len(piece.frames) for piece in pieces]
        assert kept == ([4] if damaged == "keep_readable" else [])
        assert "5.png" in decoder.reason or "truncated" in decoder.reason


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "AVIF", "PNG", "WEBP", "JPEG"])
def test_a_picture_is_no_video_whatever_its_name(tmp_path, kind):
    path = tmp_path / "x.mp4"
    try:
        Image.new("RGB", (64, 64)).save(path, kind)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow cannot write {kind}")
    with pytest.raises(UnreadableVideoError):
        list(reading.read_frames(path))
