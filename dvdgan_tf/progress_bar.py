"""A progress bar on a terminal; in a log file, a line every ten seconds."""

import sys
from typing import Any, TextIO

from tqdm import tqdm

# Seconds between two lines in a file.
INTERVAL = 10.0


def progress_bar(*args, file: TextIO | None = None, **kwargs) -> tqdm:
    """`tqdm` that does not fill files with its refreshes.

    Args:
        *args: arguments of `tqdm`.
        file: stream that the bar is written to; stderr by default.
        **kwargs: further arguments of `tqdm`.
    """
    shown: Any = file or sys.stderr
    if not shown.isatty():
        # With one iteration at least, tqdm looks at the clock each time.
        kwargs |= {"mininterval": INTERVAL, "miniters": 1, "ncols": 79}
        shown = _Lines(shown)
    return tqdm(*args, file=shown, **kwargs)


class _Lines:
    """A file in which each refresh of a bar is a line of its own."""

    def __init__(self, file):
        self._file = file
        self._last = ""

    def write(self, text):
        text = text.strip("\r\n ")
        # A bar is drawn once more when it is closed.
        if text and text != self._last:
            self._last = text
            self._file.write(f"{text}\n")

    def flush(self):
        self._file.flush()

    def isatty(self):
        return False
