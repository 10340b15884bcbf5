"""Archives of exported modules: packing, unpacking, the demo's."""

import contextlib
import gzip
import importlib.resources
import os
import tarfile
import tempfile
from collections.abc import Iterator

from dvdgan_tf import files

# Bounds for an archive that somebody else has packed.
_MAX_ENTRIES = 10_000
_MAX_BYTES = 64 * 2**30


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
        ValueError: it is no archive, is damaged, or is far too large.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            with tarfile.open(path) as archive:
                _check_size(archive, path)
                # Refuses links and paths that lead out of the folder.
                archive.extractall(folder, filter="data")
        except (tarfile.TarError, EOFError, OSError) as error:
            # tarfile lists on further lines what it has tried.
            first = (str(error).splitlines() or [""])[0].rstrip(":")
            raise ValueError(
                f"{path} is no readable archive of an exported module "
                f"({first})."
            ) from error
        yield folder


def _check_size(archive, path):
    total = 0
    for count, entry in enumerate(archive, start=1):
        total += entry.size
        if count > _MAX_ENTRIES or total > _MAX_BYTES:
            raise ValueError(
                f"{path} holds more than {_MAX_ENTRIES:,} files or "
                f"{_MAX_BYTES:,} bytes; no exported module is that large."
            )


def _nobody(entry):
    """The same archive whoever makes it, and no name of a user in it."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() else 0o644
    return entry
