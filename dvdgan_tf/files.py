"""Files and folders that appear when they are complete, or not at all.

A reader, or a run that is killed, never sees half of one.
"""

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def replacing(path: str | os.PathLike, gfile: Any = None) -> Iterator[str]:
    """Gives a temporary name, whose file takes the place of another at the end.

    The temporary file is in the same folder, which is created, so that both
    are on one file system. If the body raises, it is removed and the old file
    stays.

    Args:
        path: file to write, or to replace.
        gfile: `tf.io.gfile` where the path may be of a file system of
            TensorFlow's, such as gs://bucket/file; None for those of Python.

    Yields:
        Path to write to; its ending is that of `path`.
    """
    temporary = _beside(path)
    folder = os.path.dirname(temporary)
    try:
        if gfile:
            gfile.makedirs(folder)
            yield temporary
            gfile.rename(temporary, os.fspath(path), overwrite=True)
        else:
            os.makedirs(folder, exist_ok=True)
            yield temporary
            os.replace(temporary, path)
    except BaseException:
        _remove(temporary, gfile)
        raise


@contextlib.contextmanager
def new_folder(
    folder: str | os.PathLike, overwrite: bool = False
) -> Iterator[str]:
    """Gives a temporary name, whose folder gets its own at the end.

    Args:
        folder: path of the folder to make.
        overwrite: whether it takes the place of an earlier one, which is
            deleted; else there must be nothing of that name.

    Yields:
        Path of the folder to make and to fill.

    Raises:
        FileExistsError: there is something at `folder`.
    """
    folder = os.path.abspath(folder)
    if os.path.lexists(folder) and not overwrite:
        raise FileExistsError(
            f"{folder} exists already; choose another folder, or delete it."
        )
    temporary = _beside(folder)
    os.makedirs(os.path.dirname(temporary), exist_ok=True)
    try:
        yield temporary
        if overwrite and os.path.isdir(folder):
            shutil.rmtree(folder)
        os.rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_bytes(
    path: str | os.PathLike, content: bytes, gfile: Any = None
) -> None:
    """Writes a file, or replaces one; see `replacing`."""
    opened = gfile.GFile if gfile else open
    with replacing(path, gfile) as temporary, opened(temporary, "wb") as file:
        file.write(content)


def write_text(path: str | os.PathLike, text: str, gfile: Any = None) -> None:
    """Writes a file of UTF-8 text, or replaces one; see `replacing`."""
    write_bytes(path, text.encode(), gfile)


def write_json(
    path: str | os.PathLike, value: Any, indent: int | None = None
) -> None:
    """Writes a JSON file, or replaces one; see `replacing`."""
    write_text(path, json.dumps(value, indent=indent))


def append_lines(path: str | os.PathLike, *lines: str) -> None:
    """Adds lines to a file of UTF-8 text, which several processes may do.

    A last line that was cut off, by a kill or a full disk, is ended first, so
    that no line is glued to it.
    """
    with open(path, "ab+") as file:
        text = "".join(f"{line}\n" for line in lines).encode()
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":
                text = b"\n" + text
        file.write(text)


def _beside(path: str | os.PathLike) -> str:
    """A name that nothing has, of a hidden file in the same folder."""
    path = os.fspath(path)
    # A URL is absolute; abspath would make a path of it.
    folder, name = os.path.split(
        path if "://" in path else os.path.abspath(path)
    )
    return os.path.join(folder, f".{uuid.uuid4().hex}-{name}")


def _remove(path: str, gfile: Any) -> None:
    if gfile:
        if gfile.exists(path):
            gfile.remove(path)
        return
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.remove(path)
