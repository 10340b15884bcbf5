"""Which video files there are, and what label and split each has."""

import csv
import dataclasses
import os
import re

from dvdgan_tf.preparation.folders import files, not_a_video

# Names of splits as folders have them, and as TFDS has them.
SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validate": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
# Of a collection without classes.
_NO_CLASS = "all"


@dataclasses.dataclass(frozen=True)
class Clip:
    """A file to be read.

    Attributes:
        path: of the file.
        name: of the clip, its path relative to the source.
        label: name of its class.
        split: "train", "validation" or "test".
    """

    path: str
    name: str
    label: str
    split: str


@dataclasses.dataclass
class Listing:
    """What a source holds.

    Attributes:
        clips: list of `Clip`.
        skipped: list of (name, reason).
        class_names: sorted list of str.
    """

    clips: list
    skipped: list
    class_names: list

    @classmethod
    def of(cls, clips, skipped, class_names=None):
        """Sorts, drops what TFDS cannot name, and checks for an empty set."""
        usable = []
        for clip in sorted(clips, key=lambda clip: (clip.split, clip.name)):
            reason = _unusable(clip.label)
            if reason:
                skipped.append((clip.name, reason))
            else:
                usable.append(clip)
        if class_names is None:
            class_names = sorted({clip.label for clip in usable})
        class_names = [name for name in class_names if not _unusable(name)]
        return cls(usable, sorted(skipped), class_names)


def list_folder(source, label_pattern=None):
    """Lists a tree of files.

    The label is the name of a file's folder in `source`, or in the split's
    folder if `source` has folders named as `SPLITS`. Files beside these
    folders have the label "all" if there are no folders, and are skipped
    otherwise. Deeper folders do not matter.

    Args:
        source: folder.
        label_pattern: regular expression searched in each path relative to
            `source` (with "/"), whose groups `label` and, if it has one,
            `split` take the place of the folders' names.

    Returns:
        A `Listing`.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: `label_pattern` is none, or has no group `label`.
    """
    names, skipped = files(source)
    find = _by_pattern(label_pattern) if label_pattern else _by_folder(source)
    clips = []
    for name in names:
        found = not_a_video(name) or find(name)
        if isinstance(found, str):
            skipped.append((name, found))
            continue
        label, split = found
        clips.append(Clip(os.path.join(source, name), name, label, split))
    return Listing.of(clips, skipped)


def list_csv(path):
    """Lists the files that a CSV file names.

    Args:
        path: CSV file with a header and the columns `path` (relative to the
            file's folder, or absolute), `label` and, optionally, `split`.

    Returns:
        A `Listing`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a column is missing, or a split is unknown.
    """
    clips, skipped = [], []
    folder = os.path.dirname(os.path.abspath(path))
    for row in read_csv(path, ("path", "label")):
        name, label = row["path"], row["label"]
        split = split_named(row.get("split") or "train", path)
        file = os.path.join(folder, os.path.expanduser(name))
        if os.path.isfile(file):
            clips.append(Clip(file, name, label, split))
        else:
            skipped.append((name, "no such file"))
    return Listing.of(clips, skipped)


def merged(listings):
    """One `Listing` of several sources; of clips of one name, the first."""
    clips, skipped, names = {}, [], set()
    for listing in listings:
        skipped += listing.skipped
        names.update(listing.class_names)
        for clip in listing.clips:
            key = (clip.split, clip.name)
            if key in clips:
                skipped.append((clip.name, "listed more than once"))
            else:
                clips[key] = clip
    return Listing.of(clips.values(), skipped, sorted(names))


def read_csv(path, columns):
    """Rows of a CSV file as dicts of stripped texts, by lower-case column.

    Args:
        path: of the file, UTF-8.
        columns: names of the columns that must be there.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no CSV text, or columns are missing.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"There is no file {path!r}.")
    with open(path, newline="", encoding="utf-8-sig") as file:
        try:
            header, *rows = csv.reader(file)
        except (csv.Error, UnicodeError, ValueError) as error:
            raise ValueError(f"{path!r} is not a CSV file: {error}.") from error
    header = [name.strip().lower() for name in header]
    for name in columns:
        if name not in header:
            raise ValueError(
                f"{path!r} needs the columns {', '.join(columns)}. Received: "
                f"{', '.join(header)}."
            )
    for number, row in enumerate(rows, 2):
        if row and len(row) != len(header):
            raise ValueError(
                f"{path!r} has {len(row)} columns in row {number} and "
                f"{len(header)} in its header."
            )
    return [
        dict(zip(header, (value.strip() for value in row), strict=True))
        for row in rows
        if row
    ]


def split_named(name, where):
    """The TFDS name of a split.

    Raises:
        ValueError: the name is not among `SPLITS`.
    """
    if name.lower() not in SPLITS:
        raise ValueError(
            f"The split must be one of {', '.join(SPLITS)}. Received: "
            f"{name!r} in {where!r}."
        )
    return SPLITS[name.lower()]


def _by_folder(source):
    with os.scandir(source) as entries:
        folders = {
            entry.name
            for entry in entries
            if entry.is_dir() and not entry.name.startswith(".")
        }
    has_splits = bool(folders) and all(f.lower() in SPLITS for f in folders)

    def find(name):
        folder, *rest = name.split("/")
        split = "train"
        if has_splits and rest:
            split = SPLITS[folder.lower()]
            folder, *rest = rest
        if rest:
            return folder, split
        if not folders or (has_splits and "/" in name):
            return _NO_CLASS, split
        return "beside the class folders, in none of them"

    return find


def _by_pattern(label_pattern):
    try:
        pattern = re.compile(label_pattern)
    except re.error as error:
        raise ValueError(
            f"The label pattern is no regular expression ({error}). "
            f"Received: {label_pattern!r}."
        ) from error
    if "label" not in pattern.groupindex:
        raise ValueError(
            "The label pattern needs a group named label, such as "
            f"'(?P<label>[^_]+)_'. Received: {label_pattern!r}."
        )

    def find(name):
        match = pattern.search(name)
        if not match or not match["label"]:
            return "its name does not fit the label pattern"
        split = match["split"] if "split" in pattern.groupindex else None
        return match["label"], split_named(split or "train", name)

    return find


def _unusable(label):
    try:
        label.encode("utf-8")
    except UnicodeEncodeError:
        return "the class name is not UTF-8"
    if not label:
        return "the class name is empty"
    # TFDS keeps class names in a file, one in a line.
    if len(label.splitlines()) != 1 or label != label.strip():
        return "the class name has line breaks or spaces around it"
    return None
