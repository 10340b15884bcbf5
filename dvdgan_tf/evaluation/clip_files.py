"""Which clips a folder holds, as others or this package's `sample` left it."""

import os
import re
from collections.abc import Sequence

import numpy as np

from dvdgan_tf.arrays import open_npy, read_npz
from dvdgan_tf.plain_text import in_file_name
from dvdgan_tf.video.clip_folders import files
from dvdgan_tf.video.pixels import to_uint8
from dvdgan_tf.video.stills import PICTURES, STRIP_FRAMES

ARRAYS = (".npy", ".npz")

# Files that lie beside clips and are none.
_OTHERS = (".json", ".jsonl", ".txt", ".csv", ".md", ".gin", ".html")

# What `sample` writes beside its clips: many of them in one picture.
_GRIDS = ("grid.png", "grid.gif")

# Number and class, as `sample` names its clips.
_SAMPLED = re.compile(r"\d{5,}_(.*)", re.DOTALL)

# The formats that `sample` writes of one clip; the first that is there is
# taken. "" is a folder of frames; behind the others nothing is lost.
_FORMATS = (".npz", "", ".png", ".webp", ".mp4", ".gif")

# Bytes of one clip in an array file, at most.
_MOST_BYTES = 2**30


def check(path: str) -> None:
    """Refuses what cannot be clips, before anything expensive is loaded.

    Args:
        path: path of a folder or a file of clips, as `folder.FolderClips` takes
            it.

    Raises:
        FileNotFoundError: there is no such path.
        ValueError: there is nothing in it that might be a clip.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"There are no clips at {path!r}; check the path."
        )
    if os.path.isdir(path):
        found, skipped = items(path)
        if not found:
            some = "; ".join(f"{k}: {v}" for k, v in skipped.items())
            raise ValueError(
                f"There is no clip in {path!r}"
                f"{' (' + some[:300] + ')' if some else ''}: no video file, "
                "folder of PNG or JPEG frames, .npy or .npz file."
            )


def items(path: str) -> tuple[list[str], dict[str, str]]:
    """Finds the files and folders that may each hold a clip.

    Args:
        path: a folder, or one file.

    Returns:
        Their paths, sorted; and {name: reason} of the folders left out.
    """
    if not os.path.isdir(path):
        return [path], {}
    names, skipped = files(path)
    found, frames = [], set()
    for name in names:
        folder, base = os.path.split(name)
        if base.startswith(".") or base in _GRIDS:
            continue
        if not base.lower().endswith(PICTURES):
            if not base.lower().endswith(_OTHERS):
                found.append(name)
        elif _SAMPLED.fullmatch(base) and _is_strip(os.path.join(path, name)):
            found.append(name)
        else:
            frames.add(folder)
    kept = _one_format([*found, *frames])
    return [os.path.normpath(os.path.join(path, name)) for name in kept], (
        dict(skipped)
    )


def label(item: str, class_names: Sequence[str]) -> int:
    """The class of a clip: by its folder, its name, or what its file says.

    Args:
        item: path of the clip.
        class_names: names of the classes in the order of their ids.

    Returns:
        The id; 0 where no class is named.
    """
    folder = os.path.basename(os.path.dirname(item))
    if folder in class_names:
        return list(class_names).index(folder)
    named = _SAMPLED.fullmatch(_stem(os.path.basename(item)))
    safe = [in_file_name(name) for name in class_names]
    stated = _stated_label(item) if item.endswith(".npz") else None
    name = named[1] if named and named[1] in safe else None
    # The number is that of another model's classes, perhaps; but several
    # classes may have the same name in a file's name.
    if (
        stated is not None
        and stated < len(safe)
        and name
        in (
            None,
            safe[stated],
        )
    ):
        return stated
    return safe.index(name) if name is not None else 0


def read_array(item: str, num_frames: int) -> np.ndarray:
    """Reads the first frames of one clip in a .npy or .npz file.

    Args:
        item: path of the file.
        num_frames: number of frames.

    Returns:
        uint8 [T, H, W, 3]; T is less than `num_frames` if the clip is shorter.

    Raises:
        OSError: it cannot be read.
        ValueError: there is no such clip in it.
    """
    clips = open_array(item, _MOST_BYTES)
    if clips.ndim != 4 or clips.shape[-1] != 3 or 0 in clips.shape:
        raise ValueError(
            "an array in a folder must be one clip [T, H, W, 3], and it is "
            f"{list(clips.shape)}"
        )
    check_size(clips, "it")
    clip = clips[:num_frames]
    if clip.dtype == np.uint8:
        return np.asarray(clip)
    check_range(clip.min(), clip.max(), item)
    return to_uint8(clip)


def open_array(path: str, most_bytes: int | None = None) -> np.ndarray:
    """Opens the array in a file; one in a .npy file is not read yet.

    Args:
        path: a .npy file, or a .npz file with one array and perhaps `label`.
        most_bytes: largest size of the array, as `read_npz` takes it.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such file, or shorter than its header says.
    """
    if not os.path.isfile(path):  # A named pipe would wait for its writer.
        raise ValueError("it is not a regular file")
    if path.endswith(".npz"):
        arrays = read_npz(path, most_bytes)
        arrays.pop("label", None)
        if len(arrays) != 1:
            raise ValueError(f"it holds {len(arrays)} arrays, not one")
        return next(iter(arrays.values()))
    return open_npy(path)


def check_size(clip: np.ndarray, name: str) -> None:
    """Refuses a clip larger than any is; few bytes may claim to be one.

    Raises:
        ValueError: it has more than 1 GiB.
    """
    if clip.nbytes > _MOST_BYTES:
        raise ValueError(f"{name} has {clip.nbytes:,} bytes a clip; too many")


def check_range(low: float, high: float, path: str) -> None:
    """Refuses float clips that are not in [-1, 1].

    Args:
        low: least value of the clips.
        high: greatest value of the clips.
        path: path that the clips are from.

    Raises:
        ValueError: they are in another range.
    """
    # Written so that NaN is refused, too; and so is the range [0, 1].
    if not (-1.01 <= low < 0.0 and high <= 1.01):
        raise ValueError(
            f"Float clips must be in [-1, 1]. Received: {path!r} with values "
            f"from {low:g} to {high:g}."
        )


def _is_strip(path):
    """Whether a PNG file says that it is a strip of frames."""
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            # The text comes before the pixels.
            return f"tEXt{STRIP_FRAMES}\0".encode() in file.read(1024)
    except OSError:
        return False


def _one_format(names):
    """Takes each clip of `sample` once, in the best of its formats."""
    kept = {}
    for name in names:
        stem = _stem(name)
        extension = name[len(stem) :]
        sampled = _SAMPLED.fullmatch(os.path.basename(stem))
        if not sampled or extension not in _FORMATS:
            kept[name] = name
            continue
        rank = _FORMATS.index(extension)
        other = kept.get(stem)
        if other is None or rank < _FORMATS.index(other[len(stem) :]):
            kept[stem] = name
    return sorted(kept.values())


def _stem(name):
    """A name without the ending of a format."""
    stem, extension = os.path.splitext(name)
    return stem if extension in _FORMATS else name


def _stated_label(item):
    try:
        found = read_npz(item, names=["label"], most_bytes=1000).get("label")
    except (OSError, ValueError):
        return None
    if found is None or found.shape or found.dtype.kind not in "iu":
        return None
    return int(found) if found >= 0 else None
