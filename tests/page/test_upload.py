"""Videos of strangers are read by a process that may die."""

import signal
import subprocess

import numpy as np
import pytest
import videos

from dvdgan_tf.page import upload
from dvdgan_tf.sampling import conditions


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("uploads") / "square.mkv"
    videos.write(path, videos.moving_square())
    return str(path)


@pytest.mark.parametrize("fit", ["crop", "squash"])
def test_frames_are_those_of_the_command_line(video, fit):
    frames = upload.first_frames(video, 5, 16, fit, 2)
    np.testing.assert_array_equal(
        frames, conditions.first_frames(video, 5, 16, fit, 2)
    )


def test_what_is_no_video(video, tmp_path):
    path = tmp_path / "--help.mp4"
    path.write_text("words")
    with pytest.raises(ValueError, match="it is text, no video") as raised:
        upload.first_frames(str(path), 5, 16, "crop")
    assert "'--help.mp4'" in str(raised.value)
    assert str(tmp_path) not in str(raised.value)
    with pytest.raises(ValueError, match=r"^square.mkv has 12 frames; this"):
        upload.first_frames(video, 13, 16, "crop")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os.abort()", f"code {-signal.SIGABRT}"),
        ("print('fewer bytes')", "code 0"),
        ("import time; time.sleep(60)", "was not decoded within 0.5 s"),
    ],
)
def test_what_harms_the_decoder(video, code, words, monkeypatch):
    real = subprocess.run

    def run(command, **kwargs):
        return real([command[0], "-c", code], **kwargs)

    monkeypatch.setattr(upload.subprocess, "run", run)
    if "sleep" in code:
        monkeypatch.setattr(upload, "_TIME_LIMIT_S", 0.5)
    with pytest.raises(ValueError, match=words):
        upload.first_frames(video, 5, 16, "crop")
