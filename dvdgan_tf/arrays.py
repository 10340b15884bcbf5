"""Reading of NumPy's files, of which there is no telling who wrote them.

NumPy allocates what a header asks for before it looks whether it is there.
"""

import math
import os
import zipfile
import zlib
from typing import IO

import numpy as np

# NumPy's own limit, for headers of files that it does not trust.
_MAX_HEADER = 10_000

_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npz(
    file: str | os.PathLike | IO[bytes],
    most_bytes: int | None = None,
    names: list[str] | None = None,
) -> dict[str, np.ndarray]:
    """Reads a .npz file whose headers ask for no more than it holds.

    Args:
        file: path of the file, or a file that is open for reading.
        most_bytes: bytes of all its arrays together, at most; those of the
            machine's memory if None.
        names: names of the arrays to read, if they are there; all if None.

    Returns:
        The arrays by name.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged, is no .npz file, or is too large.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            _check(archive, most_bytes or _memory_bytes(), names)
        if hasattr(file, "seek"):
            file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            wanted = [n for n in arrays.files if names is None or n in names]
            return {name: arrays[name] for name in wanted}
    except (OSError, ValueError):
        raise
    except (zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(str(error)) from error
    except Exception as error:
        # NumPy reads headers as Python's tokens, and zipfile believes much;
        # there is no list of what odd ones make them raise.
        raise ValueError(f"{type(error).__name__}: {error}") from error


def open_npy(path: str) -> np.ndarray:
    """Opens the array in a .npy file without reading it.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such file, or shorter than its header says.
    """
    if not os.path.isfile(path):  # A named pipe would wait for its writer.
        raise ValueError(f"{path!r} is not a regular file")
    try:
        with np.errstate(over="raise"):  # of a shape that no file has
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:
        raise
    except Exception as error:
        # See `read_npz`.
        raise ValueError(f"{path!r} is no array file ({error})") from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise ValueError(f"{path!r} is an archive of arrays, not one array")
    return array


def _check(archive, most_bytes, names):
    total = 0
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if names is not None and name not in names:
            continue
        with archive.open(member) as file:
            needed, header = _size(file, name)
        # No more than `file_size` bytes are ever unpacked.
        if needed + header > member.file_size:
            raise ValueError(
                f"the array {name!r} should have {needed:,} bytes and has "
                f"{max(0, member.file_size - header):,}"
            )
        total += member.file_size
        if total > most_bytes:
            raise ValueError(
                f"its arrays have more than {most_bytes:,} bytes together"
            )


def _size(file, name):
    """Bytes of an array as its header says, and of the header."""
    version = np.lib.format.read_magic(file)
    if version not in _READERS:
        raise ValueError(f"the array {name!r} has the version {version}")
    shape, _, dtype = _READERS[version](file, _MAX_HEADER)
    if dtype.hasobject or min(shape, default=0) < 0:
        raise ValueError(f"the array {name!r} is {dtype} {list(shape)}")
    return math.prod(shape) * dtype.itemsize, file.tell()


def _memory_bytes():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
