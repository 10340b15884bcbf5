"""Archives of exported modules: packing, unpacking, the demo's."""

import contextlib
import gzip
import importlib.resources
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

from dvdgan_tf import files

# Bounds for an archive that somebody else has packed. The paper's largest
# generator has 2.5 GB of weights, in a handful of files three folders deep.
_MAX_ENTRIES = 1_000
_MAX_BYTES = 8 * 2**30
_MAX_DEPTH = 16
_MAX_NAME_BYTES = 1_000

# Weights hardly compress. Small modules may, and do no harm.
_MAX_RATIO = 20
_SMALL_BYTES = 64 * 2**20

# tarfile reads all of a header that holds a long name, however long.
_MAX_HEADER_BYTES = 1 << 16

# What is left free on the disk.
_SPARE_BYTES = 64 * 2**20


def pack(folder: str, path: str) -> None:
    """Packs a SavedModel's folder as tfhub.dev has them, .tar.gz.

    Args:
        folder: folder of the SavedModel.
        path: file to write; replaced.
    """
    with (
        files.replacing(path) as temporary,
        open(temporary, "wb") as file,
        # Its header would hold the time and the temporary name.
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name in sorted(os.listdir(folder)):
            archive.add(os.path.join(folder, name), name, filter=_nobody)


def demo() -> contextlib.AbstractContextManager:
    """The archive of the demo in this package: a context that is its path."""
    packaged = importlib.resources.files("dvdgan_tf") / "assets"
    return importlib.resources.as_file(packaged / "demo.tar.gz")


@contextlib.contextmanager
def unpacked(path: str | os.PathLike) -> Iterator[str]:
    """Unpacks an archive of a module into a folder that is deleted at the end.

    Args:
        path: path of the .tar.gz file.

    Yields:
        Path of the folder.

    Raises:
        ValueError: it is no archive, is damaged, holds what no module has, or
            is too large for a module or for the disk.
    """
    with tempfile.TemporaryDirectory() as folder:
        with _checked(path, folder) as archive:
            archive.extractall(folder, filter="data")
        yield folder


def check(path: str | os.PathLike) -> None:
    """Looks at an archive's entries without unpacking them.

    Args:
        path: path of the .tar.gz file.

    Raises:
        ValueError: the archive is refused; see `unpacked`.
    """
    with _checked(path, tempfile.gettempdir()):
        pass


@contextlib.contextmanager
def _checked(path, folder):
    """Opens an archive and looks at its entries; errors are one sentence."""
    try:
        with (
            _decompressed(path) as file,
            tarfile.open(fileobj=_bounded(file), mode="r:") as archive,
        ):
            _check(archive, path, folder)
            yield archive
    except (
        tarfile.TarError,
        EOFError,
        OSError,
        zlib.error,
        UnicodeError,
        OverflowError,
        RecursionError,
    ) as error:
        # tarfile lists on further lines what it has tried.
        first = (str(error).splitlines() or [""])[0].rstrip(":")
        raise ValueError(
            f"{path} is no readable archive of an exported module ({first})."
        ) from error


class _Bounded:
    """A file of which no more than a header is read at once."""

    def __init__(self, file: IO[bytes]):
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        """Reads bytes; tarfile says how many, as the archive tells it to."""
        if not 0 <= size <= _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"it has a header of {size:,} bytes")
        return self._file.read(size)


def _bounded(file: Any) -> Any:
    """tarfile needs of a file no more than `_Bounded` has."""
    return _Bounded(file)


def _decompressed(path):
    """Opens an archive, which may be a .tar without compression."""
    with open(path, "rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if is_gzip else open(path, "rb")


def _check(archive, path, folder):
    """Raises ValueError for an archive that no module comes in.

    Entries are looked at as they come, so that a refusal costs no more than
    what was let in before.
    """
    ratio_bytes = max(_SMALL_BYTES, _MAX_RATIO * os.path.getsize(path))
    allowed = min(_MAX_BYTES, ratio_bytes)
    free = shutil.disk_usage(folder).free - _SPARE_BYTES
    total = 0
    for count, entry in enumerate(archive, start=1):
        _check_entry(entry, path)
        total += entry.size
        if count > _MAX_ENTRIES or total > allowed:
            raise ValueError(
                f"{path} unpacks to more than {_MAX_ENTRIES:,} files or "
                f"{allowed:,} bytes; no exported module does. If you trust it, "
                "unpack it yourself, and name the folder."
            )
        if total > free:
            raise ValueError(
                f"{path} unpacks to {total:,} bytes or more, and {folder} has "
                f"room for {max(free, 0):,}: free some, or set TMPDIR to a "
                "folder of a larger disk."
            )


def _check_entry(entry, path):
    """Raises ValueError unless an entry is a file or folder inside."""
    name = repr(entry.name if len(entry.name) < 80 else f"{entry.name[:80]}...")
    parts = entry.name.split("/")
    problem = None
    if not (entry.isreg() or entry.isdir()):
        problem = "is neither a file nor a folder"
    elif os.path.isabs(entry.name) or ".." in parts or "\0" in entry.name:
        problem = "lies outside of it"
    elif len(parts) > _MAX_DEPTH:
        problem = f"lies more than {_MAX_DEPTH} folders deep"
    elif len(entry.name) > _MAX_NAME_BYTES or entry.size < 0:
        problem = "has an impossible name or size"
    if problem:
        raise ValueError(
            f"{path} is no archive of an exported module: {name} {problem}."
        )


def _nobody(entry):
    """Removes from an entry who has packed it, and when."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() else 0o644
    return entry
