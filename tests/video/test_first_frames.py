"""The door for videos of strangers: pixels, words, and what harms decoders."""

import os
import struct
import zlib

import numpy as np
import pytest
import videos
from PIL import Image
from video.decoders import fake_child

from dvdgan_tf.video import reading
from dvdgan_tf.video.first_frames import FirstFrames, first_frames
from dvdgan_tf.video.opening import UnreadableVideoError


@pytest.fixture(scope="module")
def reader():
    with FirstFrames(5) as reader:
        yield reader


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("videos") / "square.mkv"
    videos.write(path, videos.moving_square())
    return path


def test_pixels_are_those_of_this_process(reader, video):
    expected = np.stack(list(reading.read_frames(video)))
    found = reader.read(video)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected[:5])
    # Lossless coding, lossless door.
    np.testing.assert_array_equal(found, videos.moving_square()[:5])


def test_a_short_video_has_fewer_frames(video):
    assert first_frames(video, 99).shape == (12, 48, 64, 3)


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ({"size": (16, 20)}, (16, 20)),
        ({"cover": (24, 24)}, (24, 32)),
        ({"cover": (24, 40)}, (30, 40)),
        ({}, (48, 64)),
    ],
)
def test_sizes(video, arguments, size):
    expected = np.stack(list(reading.read_frames(video, size)))
    found = first_frames(video, 3, **arguments)
    np.testing.assert_array_equal(found, expected[:3])


def test_the_process_is_kept_from_file_to_file(video):
    with FirstFrames(1) as reader:
        reader.read(video)
        child = reader._decoder._child
        reader.read(video)
        assert reader._decoder._child is child
    assert child._process.poll() is not None


def cut(path):
    videos.write(path, videos.noise(6), "mpeg4", "yuv420p")
    videos.cut(path)


BAD = {
    "empty.mp4": (lambda path: path.write_bytes(b""), "it is empty, 0 bytes"),
    "text.mp4": (lambda path: path.write_text("text\n" * 99), "it is text"),
    "noise.mp4": (
        lambda path: path.write_bytes(videos.noise(1).tobytes()),
        "it is no video file",
    ),
    "cover.mp4": (videos.audio_with_cover, "it holds no video, only audio"),
    "folder.mp4": (lambda path: path.mkdir(), "Is a directory"),
    "pipe.mp4": (os.mkfifo, "it is not a regular file"),
    "cut.avi": (cut, "cut short after "),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_one_sentence(reader, video, tmp_path, name):
    make, reason = BAD[name]
    make(tmp_path / name)
    with pytest.raises(UnreadableVideoError) as error:
        reader.read(tmp_path / name)
    sentence = str(error.value)
    assert sentence.startswith(f"Cannot decode '{name}' (")
    assert reason in error.value.reason and error.value.reason in sentence
    assert "\n" not in sentence and str(tmp_path) not in sentence
    assert len(reader.read(video)) == 5


def test_damage_behind_the_frames_is_no_matter(tmp_path):
    path = tmp_path / "cut.avi"
    videos.write(path, videos.noise(30), "mpeg4", "yuv420p")
    videos.cut(path)
    assert len(first_frames(path, 5)) == 5


def test_a_file_that_is_not_there(reader, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no video file '.*gone\.mp4'"):
        reader.read(tmp_path / "gone.mp4")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGABRT)", "died of SIGABRT"),
        ("sys.exit(0)", "status 0"),
        ("time.sleep(60)", "it takes longer than 0.5 s"),
        (
            "while True:\n"
            "    send({'type': 'frame', 'bytes': 3}, b'abc')\n"
            "    time.sleep(0.1)",
            "it takes longer than 0.5 s",
        ),
    ],
)
def test_what_harms_the_decoder(video, monkeypatch, body, words):
    fake_child(monkeypatch, body)
    with (
        FirstFrames(5, file_limit_s=0.5) as reader,
        pytest.raises(ValueError, match=words) as error,
    ):
        reader.read(video)
    assert str(error.value).startswith("Cannot decode 'square.mkv' (")


def test_memory_has_a_limit(video, monkeypatch):
    fake_child(
        monkeypatch,
        """
        from dvdgan_tf.video import decode_worker
        decode_worker._limit_memory()
        try:
            bytearray(9 << 30)
        except MemoryError:
            send({"type": "end", "reason": "refused", "machine": False})
        time.sleep(60)
        """,
    )
    with pytest.raises(ValueError, match="refused"):
        first_frames(video, 5)


def save(folder, **frames):
    for name, pixels in frames.items():
        Image.fromarray(pixels).save(folder / f"{name}.png")


def test_pictures_are_frames(reader, tmp_path):
    frames = videos.moving_square(11)
    save(tmp_path, **{f"f{i}": frame for i, frame in enumerate(frames)})
    # In the order of their numbers, and no more than are asked for.
    np.testing.assert_array_equal(reader.read(tmp_path), frames[:5])
    for i in range(1, 9):
        (tmp_path / f"f{i}.png").unlink()
    found = reader.read(tmp_path)
    np.testing.assert_array_equal(found, frames[[0, 9, 10]])


def test_pictures_of_two_sizes(reader, tmp_path):
    frames = videos.moving_square(2)
    save(tmp_path, a=frames[0], b=frames[1, :40])
    with pytest.raises(ValueError, match=r"frame 1 has 40 x 64 pixels"):
        reader.read(tmp_path)


def huge_png(path):
    """A PNG of some bytes whose header promises 40,000 x 40,000 pixels."""

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + check.to_bytes(4)

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(99)))
        + chunk(b"IEND", b"")
    )


def half_png(path):
    Image.fromarray(videos.noise(1)[0]).save(path)
    videos.cut(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (huge_png, "'a.png' has too many pixels"),
        (half_png, "truncated"),
        (lambda path: path.write_bytes(b"GIF89a"), "'a.png' is no JPEG or PNG"),
        (lambda path: None, r"without \.jpg or \.png"),
    ],
)
def test_pictures_that_cannot_be_read(reader, video, tmp_path, make, words):
    folder = tmp_path / "clip"
    folder.mkdir()
    make(folder / "a.png")
    with pytest.raises(ValueError, match=words) as error:
        reader.read(folder)
    assert str(tmp_path) not in str(error.value)
    assert len(reader.read(video)) == 5
