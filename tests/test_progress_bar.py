import io

import pytest
from tqdm import std

from dvdgan_tf.progress_bar import INTERVAL, progress_bar


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(std, "time", lambda: now[0])

    def advance(seconds):
        now[0] += seconds

    return advance


def test_lines_in_a_file(clock):
    file = io.StringIO()
    with progress_bar(total=9, unit="clip", file=file) as bar:
        for _ in range(9):
            clock(INTERVAL / 3 + 0.1)
            bar.update()
    lines = file.getvalue().splitlines()
    # Each third one is due, and the first and the last are shown.
    counts = [line.split("|")[-1].split()[0] for line in lines]
    assert counts == ["0/9", "3/9", "6/9", "9/9"]
    assert "\r" not in file.getvalue() and file.getvalue().endswith("\n")
