import sys
import time

import pytest

from dvdgan_tf.training.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def advance(seconds):
        now[0] += seconds

    return advance


def test_rate_percent_and_eta(clock):
    progress = Progress(0, 100)
    clock(50)
    rate = progress.advance(10)
    assert rate == 0.2
    # The first interval compiles: it says nothing about the other 90 steps.
    assert progress.line(rate, {}) == (
        " 10.0%  step 10/100  0.2 steps/s  ETA -:--:--"
    )
    clock(10)
    rate = progress.advance(30)
    assert rate == 2.0
    # The compiling first interval does not count: 70 steps of 0.5 s.
    assert progress.line(rate, {"D_S": 2.0, "G": -0.12345}) == (
        " 30.0%  step 30/100  2 steps/s  ETA 0:00:35  D_S 2.000  G -0.123"
    )
    clock(30)
    rate = progress.advance(50)
    assert rate == pytest.approx(2 / 3)
    # A slow interval counts with the others: 40 steps in 40 s.
    assert "ETA 0:00:50" in progress.line(rate, {})


def test_resumed_run_and_last_step(clock):
    progress = Progress(90, 100)
    clock(5)
    assert progress.advance(100) == 2.0
    line = progress.line(2.0, {})
    assert line == (
        "100.0%  step 100/100  2 steps/s  samples and checkpoint follow"
    )


@pytest.mark.parametrize("is_terminal", [False, True])
def test_in_a_file_a_line_is_due_every_ten_seconds(
    clock, monkeypatch, is_terminal
):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    progress = Progress(0, 8)
    shown = []
    # At 3, 6, 9, 12 s and so on: the first, those at least 10 s later, the
    # last.
    for step in range(1, 9):
        clock(3)
        progress.advance(step)
        if progress.is_due():
            progress.line(1.0, {})
            shown.append(step)
    assert shown == (list(range(1, 9)) if is_terminal else [1, 5, 8])
