"""Keeps messages off the console that are not for users of a command."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

# What TensorFlow's C++ logs, and the sentence with which it begins.
_LOGGED = re.compile(
    r"[IWE]\d{4} \d|WARNING: All log messages before absl::InitializeLog"
)


def import_tensorflow() -> None:
    """Imports TensorFlow without what its C++ prints to stderr meanwhile.

    That comes before its logging knows of TF_CPP_MIN_LOG_LEVEL. What is no
    line of a log, such as a message of the dynamic loader, is passed on.
    """
    if "tensorflow" in sys.modules:
        return
    with tempfile.TemporaryFile("w+", errors="replace") as file:
        try:
            with stderr_into(file.fileno()):
                import tensorflow  # noqa: F401
        finally:
            file.seek(0)
            sys.stderr.writelines(
                line for line in file if not _LOGGED.match(line)
            )


@contextlib.contextmanager
def stderr_into(number: int) -> Iterator[int]:
    """Sends what this process and its children print to stderr elsewhere.

    Args:
        number: file descriptor.

    Yields:
        A file descriptor of the old stderr.
    """
    sys.stderr.flush()
    old = os.dup(2)
    os.dup2(number, 2)
    try:
        yield old
    finally:
        sys.stderr.flush()
        os.dup2(old, 2)
        os.close(old)
