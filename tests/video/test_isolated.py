"""Decoding in a process of its own: what comes out of which file."""

import io
import os
import pathlib
import wave

import av
import numpy as np
import pytest
import videos
from PIL import Image

from dvdgan_tf.video import isolated
from dvdgan_tf.video.isolated import IsolatedDecoder

ROOT = pathlib.Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data"


def pixels(piece):
    return [np.array(Image.open(io.BytesIO(jpeg))) for jpeg in piece.frames]


def read(path, **arguments):
    """The frames' numbers and what `reason` says."""
    with IsolatedDecoder(None, **arguments) as decoder:
        pieces = list(decoder.pieces(path))
        return pieces, decoder.reason


@pytest.fixture(scope="module")
def decoder():
    with IsolatedDecoder(16) as decoder:
        yield decoder


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "a.mkv"
    videos.write(path, videos.numbered(20), fps=20)
    return path


@pytest.fixture
def damaged(tmp_path):
    """An AVI of 30 frames that ends in the middle of one."""
    path = tmp_path / "cut.avi"
    videos.write(path, videos.noise(30), "mpeg4", "yuv420p")
    videos.cut(path)
    return path


def test_pieces(video):
    pieces, reason = read(video, max_frames_per_piece=8)
    assert reason is None
    assert [piece.start for piece in pieces] == [0, 8, 16]
    assert [len(piece.frames) for piece in pieces] == [8, 8, 4]
    assert [piece.fps for piece in pieces] == [20.0] * 3
    assert {(piece.height, piece.width) for piece in pieces} == {(16, 24)}
    frames = [frame for piece in pieces for frame in pixels(piece)]
    assert videos.numbers(frames) == list(range(20))
    assert frames[0].shape == (16, 24, 3)


def test_ten_seconds_at_sixty_frames_are_one_piece(tmp_path):
    path = tmp_path / "a.mkv"
    videos.write(path, videos.noise(600, 16, 16), fps=60)
    pieces, _ = read(path)
    assert [len(piece.frames) for piece in pieces] == [600]


def test_pieces_of_whole_length_have_no_empty_one_behind(video):
    pieces, _ = read(video, max_frames_per_piece=10)
    assert [len(piece.frames) for piece in pieces] == [10, 10]


def test_a_piece_ends_where_its_bytes_are_many(tmp_path, monkeypatch):
    path = tmp_path / "a.mkv"
    videos.write(path, videos.noise(60))
    (whole,), _ = read(path)
    size = max(map(len, whole.frames))
    monkeypatch.setattr(isolated, "_MAX_PIECE_BYTES", 5 * size)
    pieces, _ = read(path, min_frames=60)
    assert len(pieces) > 8
    assert [frame for p in pieces for frame in p.frames] == whole.frames
    counts = [len(piece.frames) for piece in pieces]
    assert [piece.start for piece in pieces] == [
        sum(counts[:i]) for i in range(len(counts))
    ]
    assert all(sum(map(len, p.frames)) < 6 * size for p in pieces)
    assert all(sum(map(len, p.frames)) >= 5 * size for p in pieces[:-1])
    assert read(path, min_frames=61)[0] == []


@pytest.mark.parametrize("height, width", [(36, 64), (65, 33), (8, 9)])
@pytest.mark.parametrize("short_side", [16, None])
def test_short_side(tmp_path, height, width, short_side):
    path = tmp_path / "a.mkv"
    source = videos.moving_square(3, height, width)
    videos.write(path, source)
    with IsolatedDecoder(short_side) as decoder:
        (piece,) = decoder.pieces(path)
    scale = short_side / min(height, width) if short_side else 1
    expected = round(height * scale), round(width * scale)
    assert (piece.height, piece.width) == expected
    frames = np.stack(pixels(piece))
    assert frames.shape == (3, *expected, 3)
    if scale == 1:
        assert videos.psnr(frames, source) > 20


def test_quality_is_that_of_the_jpeg_files(tmp_path):
    path = tmp_path / "a.mkv"
    videos.write(path, videos.noise(2))
    sizes = []
    for quality in (30, 95):
        (piece,), _ = read(path, quality=quality)
        sizes.append(len(piece.frames[0]))
        with Image.open(io.BytesIO(piece.frames[0])) as image:
            assert image.format == "JPEG" and image.mode == "RGB"
    assert sizes[1] > 2 * sizes[0]


def test_resampling(video):
    (piece,), _ = read(video, fps=10)
    assert piece.fps == 10.0
    assert videos.numbers(pixels(piece)) == list(range(0, 20, 2))
    (piece,), _ = read(video, fps=40)
    assert videos.numbers(pixels(piece)) == [k // 2 for k in range(40)]


def test_each_piece_has_its_own_rate(tmp_path):
    path = tmp_path / "a.mkv"
    stamps = [*range(0, 400, 40), *range(400, 1400, 100)]
    videos.write(path, videos.numbered(20), stamps=stamps)
    pieces, _ = read(path, max_frames_per_piece=10)
    fps = [piece.fps for piece in pieces]
    assert fps == [pytest.approx(25, rel=0.02), pytest.approx(10, rel=0.02)]


def test_rotation(tmp_path):
    path = tmp_path / "a.mp4"
    videos.write(path, videos.moving_square(2), "mpeg4", "yuv420p")
    videos.turn(path, (0, 1, -1, 0))
    (piece,), _ = read(path)
    assert (piece.height, piece.width) == (64, 48)


def audio(path):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1600))


def extreme(path):
    videos.write(path, videos.numbered(2), "gif", "rgb8")
    data = bytearray(path.read_bytes())
    data[6:10] = (2).to_bytes(2, "little") + (9000).to_bytes(2, "little")
    path.write_bytes(data)


BAD = {
    "empty": (lambda path: path.write_bytes(b""), "it is empty, 0 bytes"),
    "audio": (audio, "it holds no video, only audio"),
    "cover": (videos.audio_with_cover, "it holds no video, only audio and"),
    "text": (lambda path: path.write_text("text\n" * 99), "it is text"),
    "noise": (
        lambda path: path.write_bytes(videos.noise(1).tobytes()),
        "it is no video file",
    ),
    "gone": (lambda path: None, "there is no such file"),
    "folder": (lambda path: path.mkdir(), "Is a directory"),
    "pipe": (os.mkfifo, "it is not a regular file"),
    "extreme": (extreme, "become too large, 72000 x 16"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_have_reasons(tmp_path, decoder, video, kind):
    make, reason = BAD[kind]
    path = tmp_path / ("a.gif" if kind == "extreme" else "a.mp4")
    make(path)
    assert list(decoder.pieces(path)) == []
    assert reason in decoder.reason
    assert "\n" not in decoder.reason and str(path) not in decoder.reason
    child = decoder._child
    (piece,) = decoder.pieces(video)
    assert len(piece.frames) == 20 and decoder.reason is None
    assert decoder._child is child  # none was lost


def test_reasons_differ():
    assert len({reason for _, reason in BAD.values()}) == len(BAD)


@pytest.mark.parametrize(
    "name",
    [
        b"two words.mkv",
        b"-leading dash.mkv",
        "ünï 東京 \U0001f600.mkv".encode(),
        b"not utf-8 \xff\xfe.mkv",
        b'quote " and \\ and \n.mkv',
        b"http:%41.mkv",
    ],
)
def test_names(tmp_path, decoder, video, name):
    path = os.path.join(os.fsencode(tmp_path), name)
    os.rename(video, path)
    for form in (path, os.fsdecode(path)):
        (piece,) = decoder.pieces(form)
        assert len(piece.frames) == 20 and decoder.reason is None


def test_names_are_relative_to_where_the_program_runs(
    video, decoder, monkeypatch
):
    monkeypatch.chdir(video.parent)
    with IsolatedDecoder(16) as decoder:
        (piece,) = decoder.pieces("a.mkv")
    assert len(piece.frames) == 20


def test_a_damaged_file_is_kept_up_to_there(damaged):
    pieces, reason = read(damaged, max_frames_per_piece=5, min_frames=5)
    count = sum(len(piece.frames) for piece in pieces)
    assert 10 < count < 25 and len(pieces) == -(-count // 5)
    assert reason.startswith(f"cut short after {count} frames: ")
    for piece in pieces:
        assert all(frame.shape == (64, 64, 3) for frame in pixels(piece))


def test_a_damaged_file_of_too_few_frames_is_skipped(damaged):
    pieces, reason = read(damaged, min_frames=26)
    assert pieces == []
    assert reason.startswith("only ") and "min_frames=26" in reason


def test_a_damaged_file_is_dropped(damaged, video):
    with IsolatedDecoder(None, damaged="drop", min_frames=5) as decoder:
        assert list(decoder.pieces(damaged)) == []
        assert "damaged after" in decoder.reason
        (piece,) = decoder.pieces(video)
        assert videos.numbers(pixels(piece)) == list(range(20))
        assert decoder.reason is None


def test_a_short_file_is_skipped(video):
    pieces, reason = read(video, min_frames=21)
    assert pieces == []
    assert reason == "it has 20 frames, fewer than min_frames=21"


@pytest.mark.parametrize(
    "arguments",
    [
        {"short_side": 0},
        {"fps": 0},
        {"fps": float("inf")},
        {"quality": 0},
        {"quality": 101},
        {"damaged": "keep"},
        {"min_frames": 0},
        {"min_frames": 601},
        {"time_limit_s": 0},
    ],
)
def test_arguments_out_of_range(arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError) as error:
        IsolatedDecoder(**{"short_side": 16} | arguments)
    assert f"{name}={value!r}" in str(error.value)


def real_files():
    return sorted((REAL / "assorted").glob("*.*")) or [None]


@pytest.mark.parametrize(
    "path", real_files(), ids=lambda path: path.name if path else "absent"
)
def test_real_files(decoder, path):
    if path is None:
        pytest.skip(f"no real clips in {REAL}")
    pieces = list(decoder.pieces(path))
    if path.suffix == ".md":
        assert not pieces and decoder.reason == "it is text, no video"
        return
    assert decoder.reason is None
    assert {min(piece.height, piece.width) for piece in pieces} == {16}
    for piece in pieces:
        expected = (piece.height, piece.width, 3)
        assert {frame.shape for frame in pixels(piece)} == {expected}
    with av.open(str(path), metadata_errors="ignore") as container:
        stream = container.streams.video[0]
        claimed = float(stream.average_rate)
        # Each frame was decoded once and the headers counted well here.
        expected = stream.frames
    count = sum(len(piece.frames) for piece in pieces)
    assert abs(count - expected) <= 1 or not expected
    assert [p.fps for p in pieces] == pytest.approx(
        [claimed] * len(pieces), rel=0.05
    )
