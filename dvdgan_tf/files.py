"""Files and folders that appear when they are complete, or not at all.

A reader, or a run that is killed, never sees half of one. What a process that
was killed has left under a temporary name is removed by the next one that
writes the same file or folder.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
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
    remove_abandoned(path)
    temporary = beside(path)
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
    remove_abandoned(folder)
    temporary, old = beside(folder), beside(folder)
    os.makedirs(os.path.dirname(temporary), exist_ok=True)
    try:
        yield temporary
        if overwrite and os.path.isdir(folder):
            # Deleted in its place, a kill would leave half of it.
            os.rename(folder, old)
        try:
            os.rename(temporary, folder)
        except OSError:
            if os.path.isdir(old):
                os.rename(old, folder)
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


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


def beside(path: str | os.PathLike) -> str:
    """A name that nothing has, of a hidden file or folder in the same folder.

    It says which process has chosen it; see `remove_abandoned`.
    """
    path = os.fspath(path)
    # A URL is absolute; abspath would make a path of it.
    folder, name = os.path.split(
        path if "://" in path else os.path.abspath(path)
    )
    process = f"{_machine()}{os.getpid():08x}"
    return os.path.join(folder, f".{process}{uuid.uuid4().hex[:16]}-{name}")


def remove_abandoned(path: str | os.PathLike) -> None:
    """Deletes what processes that have ended have left beside a path.

    Those of other machines cannot be seen, and what they have left is kept.

    Args:
        path: path of the file or folder that they were writing; nothing is
            looked for where it is a URL.
    """
    path = os.fspath(path)
    if "://" in path:
        return
    folder, name = os.path.split(os.path.abspath(path))
    hidden = re.compile(
        rf"\.{_machine()}([0-9a-f]{{8}})[0-9a-f]{{16}}-"
        rf"(\.[0-9a-f]{{32}}-)?{re.escape(name)}"
    )
    found = os.listdir(folder) if os.path.isdir(folder) else []
    for match in filter(None, map(hidden.fullmatch, found)):
        if not _is_running(int(match[1], 16)):
            left = os.path.join(folder, match[0])
            if os.path.isdir(left):
                shutil.rmtree(left, ignore_errors=True)
            else:
                _remove(left, None)


def _machine() -> str:
    """Eight hexadecimal digits for where a process's number means anything."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    text = f"{socket.gethostname()} {namespace}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # Another user's.
    return True


def _remove(path: str, gfile: Any) -> None:
    if gfile:
        if gfile.exists(path):
            gfile.remove(path)
        return
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.remove(path)
