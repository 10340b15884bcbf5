"""What decoding tries a second time, in another process, and what not."""

import errno
import os
import signal

import pytest
import videos
from video.decoders import (
    child_pid,
    fake_child,
    run_instead,
    wait_until_gone,
)

from dvdgan_tf.video import decode_process
from dvdgan_tf.video.isolated import IsolatedDecoder
from dvdgan_tf.video.opening import CannotReadError


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "a.mkv"
    videos.write(path, videos.numbered(20), fps=20)
    return path


def read(path):
    with IsolatedDecoder(None) as decoder:
        return list(decoder.pieces(path)), decoder.reason


def test_a_child_killed_between_files_is_replaced(video):
    with IsolatedDecoder(None) as decoder:
        for _ in range(2):
            assert len(list(decoder.pieces(video))) == 1
            pid = child_pid(decoder)
            os.kill(pid, signal.SIGKILL)
            wait_until_gone(pid)
        assert len(list(decoder.pieces(video))) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_child_that_dies_unseen_between_files_is_replaced(
    video, monkeypatch, number
):
    # As where its threads end one after the other, or right after the look.
    monkeypatch.setattr(
        decode_process.DecodeProcess, "is_alive", lambda self: True
    )
    with IsolatedDecoder(None) as decoder:
        assert len(list(decoder.pieces(video))) == 1
        pid = child_pid(decoder)
        os.kill(pid, number)
        wait_until_gone(pid)
        assert len(list(decoder.pieces(video))) == 1
        assert decoder.reason is None and child_pid(decoder) != pid


def test_a_kill_in_the_middle_costs_nothing(tmp_path):
    # More than fits into a pipe: the child waits while nobody reads.
    long_video = tmp_path / "long.mkv"
    videos.write(long_video, videos.noise(60))
    with IsolatedDecoder(None, max_frames_per_piece=2) as decoder:
        expected = list(decoder.pieces(long_video))
        pieces = decoder.pieces(long_video)
        found = [next(pieces)]
        os.kill(child_pid(decoder), signal.SIGKILL)
        found += pieces
        assert found == expected and len(found) == 30
        assert decoder.reason is None


@pytest.mark.parametrize(
    "name, starts, reason",
    [
        ("SIGSEGV", 1, "its decoder died of SIGSEGV"),
        ("SIGABRT", 1, "its decoder died of SIGABRT"),
        ("SIGTERM", 2, "the decoder was killed twice"),
        (
            "SIGKILL",
            2,
            "the decoder was killed twice, by the system: too little memory?",
        ),
    ],
)
def test_only_what_comes_from_outside_is_tried_again(
    tmp_path, monkeypatch, name, starts, reason
):
    log = tmp_path / "starts"
    fake_child(
        monkeypatch,
        f"""
        with open({str(log)!r}, "a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.{name})
        """,
    )
    with IsolatedDecoder(None) as decoder:
        assert list(decoder.pieces("a.mp4")) == []
        assert decoder.reason.startswith(reason)
    assert len(log.read_text()) == starts


FAILING_DRIVE = """
import io, os, pathlib
from dvdgan_tf.video import opening
from dvdgan_tf.video import decode_worker
log = pathlib.Path({log!r})
count = len(log.read_text()) if log.exists() else 0
log.write_text("x" * (count + 1))
class File(io.FileIO):
    def read(self, size=-1):
        if count < {failures} and self.tell() > {after}:
            raise OSError({number}, os.strerror({number}))
        return super().read(size)
opening.open = lambda path, *_, **__: File(path)
decode_worker.main()
"""


@pytest.mark.parametrize(
    "number, damaged",
    [(errno.ESTALE, "keep_readable"), (errno.EIO, "drop")],
)
def test_a_drive_that_fails_is_tried_once_more(
    tmp_path, monkeypatch, number, damaged
):
    path = tmp_path / "large.mkv"
    videos.write(path, videos.noise(30, 256, 256))
    assert path.stat().st_size > 6_000_000

    def start(failures):
        script = FAILING_DRIVE.format(
            log=str(tmp_path / f"starts{failures}"),
            failures=failures,
            number=number,
            after=5_500_000,  # FFmpeg reads less at the start.
        )
        run_instead(monkeypatch, script)
        return IsolatedDecoder(None, max_frames_per_piece=2, damaged=damaged)

    with start(failures=1) as decoder:
        pieces = list(decoder.pieces(path))
        assert [piece.start for piece in pieces] == list(range(0, 30, 2))
        assert decoder.reason is None
    assert (tmp_path / "starts1").read_text() == "xx"
    with start(failures=2) as decoder:
        with pytest.raises(CannotReadError, match=r"large\.mkv") as error:
            list(decoder.pieces(path))
        assert os.strerror(number) in str(error.value)
        # As it is when the drive is back.
        assert len(list(decoder.pieces(path))) == 15


def test_other_errors_of_reading_are_the_files(tmp_path, video, monkeypatch):
    script = FAILING_DRIVE.format(
        log=str(tmp_path / "starts"), failures=9, number=errno.EPERM, after=-1
    )
    run_instead(monkeypatch, script)
    pieces, reason = read(video)
    assert not pieces and os.strerror(errno.EPERM) in reason
    assert (tmp_path / "starts").read_text() == "x"


def test_too_many_open_files_stop_the_work(video, monkeypatch):
    limited = (
        "import resource\n"
        "from dvdgan_tf.video import decode_worker\n"
        "answer = decode_worker._answer\n"
        "def limit(*arguments):\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "    answer(*arguments)\n"
        "decode_worker._answer = limit\n"
        "decode_worker.main()\n"
    )
    run_instead(monkeypatch, limited)
    with pytest.raises(CannotReadError, match="Too many open files"):
        read(video)
