"""Decoding in a process of its own: what it gives, and what it survives."""

import io
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time
import wave

import av
import numpy as np
import pytest
import videos
from PIL import Image

from dvdgan_tf.data import isolated
from dvdgan_tf.data.isolated import IsolatedDecoder

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


def child_pid(decoder):
    return decoder._child._process.pid


def is_running(pid):
    try:
        status = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(pid):
    deadline = time.monotonic() + 20
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} lives on"
        time.sleep(0.02)


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


def test_pieces_of_whole_length_have_no_empty_one_behind(video):
    pieces, _ = read(video, max_frames_per_piece=10)
    assert [len(piece.frames) for piece in pieces] == [10, 10]


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
    pid = child_pid(decoder)
    (piece,) = decoder.pieces(video)
    assert len(piece.frames) == 20 and decoder.reason is None
    assert child_pid(decoder) == pid


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


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_crash_costs_one_file(video, number):
    with IsolatedDecoder(None, max_frames_per_piece=2) as decoder:
        pieces = decoder.pieces(video)
        next(pieces)
        pid = child_pid(decoder)
        os.kill(pid, number)
        wait_until_gone(pid)
        rest = len(list(pieces))  # what was in the pipe by then
        # The small file may have been sent whole before.
        assert rest == 9 or number.name in decoder.reason
        assert len(list(decoder.pieces(video))) == 10
        assert decoder.reason is None and child_pid(decoder) != pid


def test_a_child_killed_between_files_is_replaced(video):
    with IsolatedDecoder(None) as decoder:
        for _ in range(2):
            assert len(list(decoder.pieces(video))) == 1
            pid = child_pid(decoder)
            os.kill(pid, signal.SIGKILL)
            wait_until_gone(pid)
        assert len(list(decoder.pieces(video))) == 1


def test_a_hang_costs_one_file(video):
    with IsolatedDecoder(None, time_limit_s=1) as decoder:
        assert len(list(decoder.pieces(video))) == 1
        pid = child_pid(decoder)
        os.kill(pid, signal.SIGSTOP)
        start = time.monotonic()
        assert list(decoder.pieces(video)) == []
        assert 0.9 < time.monotonic() - start < 10
        assert decoder.reason == "no frame within 1 s"
        assert not is_running(pid)
        assert len(list(decoder.pieces(video))) == 1


def fake_child(monkeypatch, body):
    """Starts a script instead, which behaves badly after saying "ready"."""
    script = textwrap.dedent("""
        import json, os, signal, sys, time
        def send(header, data=b""):
            header = json.dumps(header).encode()
            message = len(header).to_bytes(4, "big") + header + data
            os.write(1, message)
        send({"type": "ready"})
        sys.stdin.readline()
    """) + textwrap.dedent(body)
    monkeypatch.setattr(isolated, "_COMMAND", (sys.executable, "-c", script))


PIECE = {"start": 0, "frames": 2, "fps": 25.0, "height": 1, "width": 1}


@pytest.mark.parametrize(
    "body, reason",
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "died of SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "perhaps out of memory"),
        ("sys.exit(3)", "status 3"),
        ("time.sleep(99)", "no frame within 1 s"),
        ("os.write(1, b'\\0\\0'); time.sleep(99)", "no frame within 1 s"),
        ("os.write(1, b'\\xff' * 99); time.sleep(99)", "astray"),
        ("os.write(1, b'\\0\\0\\0\\2??'); time.sleep(99)", "astray"),
        ("send({'type': 'frame', 'bytes': 1 << 40})", "astray"),
        ("send({'type': 'frame', 'bytes': 9}, b'12')", "status 0"),
    ],
)
def test_children_that_misbehave(monkeypatch, body, reason):
    fake_child(
        monkeypatch,
        f"""
        for _ in range(2):
            send({{"type": "frame", "bytes": 3}}, b"abc")
        send({{"type": "piece", **{PIECE}}})
        send({{"type": "frame", "bytes": 3}}, b"abc")
        {body}
        """,
    )
    with IsolatedDecoder(None, time_limit_s=1) as decoder:
        (piece,) = decoder.pieces("a.mp4")
        assert piece.frames == [b"abc"] * 2
        assert decoder.reason.startswith("cut short after 2 frames: ")
        assert reason in decoder.reason


@pytest.mark.parametrize(
    "command", [("/nowhere/python",), (sys.executable, "-c", "raise OSError")]
)
def test_a_child_that_cannot_start(monkeypatch, command):
    monkeypatch.setattr(isolated, "_COMMAND", command)
    with (
        IsolatedDecoder(None) as decoder,
        pytest.raises(ChildProcessError, match="cannot be started"),
    ):
        list(decoder.pieces("a.mp4"))


def test_turning_away_in_the_middle(video):
    with IsolatedDecoder(None, max_frames_per_piece=2) as decoder:
        pieces = decoder.pieces(video)
        next(pieces)
        with pytest.raises(RuntimeError, match=r"a\.mkv"):
            next(decoder.pieces(video))
        pieces.close()
        assert len(list(decoder.pieces(video))) == 10


PARENT = """
import sys, time
from dvdgan_tf.data.isolated import IsolatedDecoder
decoder = IsolatedDecoder(None, fps=240, max_frames_per_piece=2)
pieces = decoder.pieces(sys.argv[1])
next(pieces)
if sys.argv[2] == "idle":
    list(pieces)
print(decoder._child._process.pid, flush=True)
time.sleep(99)
"""


@pytest.mark.parametrize("state", ["idle", "sending"])
def test_the_child_ends_when_its_parent_is_killed(tmp_path, state):
    # More than a pipe holds, so that the child waits for the parent.
    path = tmp_path / "a.mkv"
    videos.write(path, videos.noise(40))
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, path, state],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    parent.kill()
    wait_until_gone(pid)
    # The child shared it; it said nothing when it went.
    assert parent.communicate()[1] == ""


def test_close_ends_the_child(video):
    with IsolatedDecoder(None) as decoder:
        list(decoder.pieces(video))
        pid = child_pid(decoder)
        assert is_running(pid)
    assert not is_running(pid)


def test_the_child_imports_no_tensorflow():
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, dvdgan_tf.data.decode_worker, dvdgan_tf.data.isolated"
            "; print({m.split('.')[0] for m in sys.modules}"
            " & {'tensorflow', 'keras', 'gin', 'absl'} or 'none')",
        ],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert result.stdout.strip() == "none", result.stderr


def test_what_libraries_print_does_not_reach_the_parent(monkeypatch, video):
    noisy = (
        "import os\n"
        "from dvdgan_tf import video_reading\n"
        "from dvdgan_tf.data import decode_worker\n"
        "frames = video_reading.read_timed_frames\n"
        "def noisy(*arguments):\n"
        "    print('noise', flush=True); os.write(1, b'noise')\n"
        "    return frames(*arguments)\n"
        "video_reading.read_timed_frames = noisy\n"
        "decode_worker.main()\n"
    )
    monkeypatch.setattr(isolated, "_COMMAND", (sys.executable, "-c", noisy))
    pieces, reason = read(video)
    assert len(pieces) == 1 and reason is None


def test_files_next_to_the_videos_are_not_imported(video, monkeypatch):
    (video.parent / "av.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(video.parent)
    pieces, _ = read(video)
    assert len(pieces) == 1


def test_the_childs_memory_does_not_grow_with_the_video(tmp_path):
    path = tmp_path / "a.mkv"
    videos.write(path, videos.noise(20, 128, 128))
    peaks = []
    for fps in (240, 2400):  # 190 and 1900 frames, of 20 KB each
        with IsolatedDecoder(None, fps=fps) as decoder:
            count = sum(len(piece.frames) for piece in decoder.pieces(path))
            assert count == pytest.approx(fps * 0.8, rel=0.1)
            status = pathlib.Path(f"/proc/{child_pid(decoder)}/status")
            (line,) = (
                line
                for line in status.read_text().splitlines()
                if line.startswith("VmHWM")
            )
            peaks.append(int(line.split()[1]))  # KiB
    assert peaks[1] - peaks[0] < 8000


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
        {"min_frames": 301},
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
