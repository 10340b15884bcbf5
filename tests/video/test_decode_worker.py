"""The decoding process: that it crashes, hangs, prints and ends alone."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import videos
from video.decoders import (
    child_pid,
    fake_child,
    is_running,
    run_instead,
    wait_until_gone,
)

from dvdgan_tf.video import decode_process
from dvdgan_tf.video.isolated import IsolatedDecoder

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "a.mkv"
    videos.write(path, videos.numbered(20), fps=20)
    return path


@pytest.fixture
def long_video(tmp_path):
    """More than fits into a pipe: the child waits while nobody reads."""
    path = tmp_path / "long.mkv"
    videos.write(path, videos.noise(60))
    return path


def read(path):
    with IsolatedDecoder(None) as decoder:
        return list(decoder.pieces(path)), decoder.reason


def test_a_crash_costs_one_file(long_video):
    with IsolatedDecoder(None, max_frames_per_piece=2) as decoder:
        pieces = decoder.pieces(long_video)
        next(pieces)
        pid = child_pid(decoder)
        os.kill(pid, signal.SIGSEGV)
        wait_until_gone(pid)
        # Those that were in the pipe by then.
        count = 2 + 2 * len(list(pieces))
        assert count < 60
        assert decoder.reason.startswith(f"cut short after {count} frames: ")
        assert "died of SIGSEGV" in decoder.reason
        assert len(list(decoder.pieces(long_video))) == 30
        assert decoder.reason is None and child_pid(decoder) != pid


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


PIECE = {"start": 0, "frames": 2, "fps": 25.0, "height": 1, "width": 1}


@pytest.mark.parametrize(
    "body, reason",
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "died of SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "too little memory?"),
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
    monkeypatch.setattr(decode_process, "COMMAND", command)
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
from dvdgan_tf.video import decode_process
from dvdgan_tf.video import isolated
path, state = sys.argv[1:]
if state == "hanging":
    decode_process.COMMAND = (sys.executable, "-c", sys.stdin.read())
decoder = isolated.IsolatedDecoder(None, max_frames_per_piece=2)
pieces = decoder.pieces(path)
if state == "hanging":
    decoder._child = decode_process.DecodeProcess()
    decoder._child.send({"path": path, **decoder._request})
    time.sleep(0.5)
else:
    next(pieces)
if state == "idle":
    list(pieces)
print(decoder._child._process.pid, flush=True)
time.sleep(99)
"""

HANGING = """
import time
from dvdgan_tf.video import reading
from dvdgan_tf.video import decode_worker
reading.read_timed_frames = lambda *_: time.sleep(99)
decode_worker.main()
"""


@pytest.mark.parametrize("state", ["idle", "sending", "hanging"])
def test_the_child_ends_when_its_parent_is_killed(long_video, state):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, long_video, state],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    parent.stdin.write(HANGING)
    parent.stdin.close()
    parent.stdin = None
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
            "import sys, dvdgan_tf.video.decode_worker"
            ", dvdgan_tf.video.isolated"
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
        "from dvdgan_tf.video import reading\n"
        "from dvdgan_tf.video import decode_worker\n"
        "frames = reading.read_timed_frames\n"
        "def noisy(*arguments):\n"
        "    print('noise', flush=True); os.write(1, b'noise')\n"
        "    return frames(*arguments)\n"
        "reading.read_timed_frames = noisy\n"
        "decode_worker.main()\n"
    )
    run_instead(monkeypatch, noisy)
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
