"""What a killed command has left, beside what an undisturbed one leaves."""

import json
import os
import pathlib
import re

import tensorflow as tf

from tools.torture.lives import FaultError

# Counts the saves, of which a run that was killed has more.
_COUNTER = re.compile(r"save_counter")
# Paths of files that are about to get another name, and that nobody reads.
HIDDEN = r"(.*/)?\.[0-9a-f]{32}-.*"


def tensors(checkpoint: str) -> dict[str, bytes]:
    """All values of a checkpoint; TensorFlow compares their checksums.

    Raises:
        FaultError: it cannot be read.
    """
    try:
        reader = tf.train.load_checkpoint(checkpoint)
        return {
            name: _bytes(reader.get_tensor(name))
            for name in reader.get_variable_to_shape_map()
            if not _COUNTER.search(name)
        }
    except (tf.errors.OpError, IndexError, ValueError, OSError) as error:
        raise FaultError(f"{checkpoint} cannot be read: {error}") from error


def same_tensors(one: str, other: str) -> None:
    """Raises `FaultError` unless two checkpoints are equal, bit by bit."""
    a, b = tensors(one), tensors(other)
    different = [
        name for name in a.keys() | b.keys() if a.get(name) != b.get(name)
    ]
    if different:
        raise FaultError(
            f"{len(different)} of {len(b)} variables of {one} differ from the "
            f"undisturbed ones, such as {min(different)}."
        )


def rows(path: str) -> list[dict]:
    """The rows of a file of JSON lines; a last one may be cut off.

    Raises:
        FaultError: another one is no row.
    """
    if not os.path.exists(path):
        return []
    with open(path, "rb") as file:
        *lines, rest = file.read().split(b"\n")
    try:
        found = [json.loads(line) for line in lines]
    except ValueError as error:
        raise FaultError(
            f"{path} has a line that is no row: {error}"
        ) from error
    try:
        return [*found, json.loads(rest)] if rest else found
    except ValueError:
        return found


def same_files(one: str, other: str, ignored: str = "") -> None:
    """Raises `FaultError` unless two folders have the same files, byte by byte.

    Args:
        one: a folder.
        other: the undisturbed one.
        ignored: regular expression of paths in them that are not compared.
    """
    a, b = files_in(one, ignored), files_in(other, ignored)
    if a.keys() != b.keys():
        missing, more = b.keys() - a.keys(), a.keys() - b.keys()
        raise FaultError(
            f"{one} lacks {sorted(missing) or 'nothing'} and has "
            f"{sorted(more) or 'nothing'} that the undisturbed one has not."
        )
    for name in a:
        if a[name].read_bytes() != b[name].read_bytes():
            raise FaultError(f"{a[name]} differs from the undisturbed one.")


def files_in(folder: str, ignored: str = "") -> dict[str, pathlib.Path]:
    """All files in a folder, hidden ones too: {path in it: path}."""
    root = pathlib.Path(folder)
    found = {
        os.fspath(path.relative_to(root)): path
        for path in root.rglob("*")
        if path.is_file()
    }
    pattern = re.compile(ignored or "(?!)")
    return {k: v for k, v in found.items() if not pattern.fullmatch(k)}


def unfinished(folder: str) -> list[str]:
    """Names of files and folders that a kill has left under hidden names."""
    paths = [
        os.fspath(path.relative_to(folder))
        for path in pathlib.Path(folder).rglob(".*")
    ]
    return sorted(path for path in paths if re.fullmatch(HIDDEN, path))


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else value.tobytes()
