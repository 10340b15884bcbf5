"""Which video files there are, and what label and split each has."""

import csv
import dataclasses
import os
import re
import unicodedata
from collections.abc import Iterable

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

# Labels come from files of strangers.
_MAX_LABEL = 255


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
        class_names: list of str, in the order of the labels.
        empty_classes: list of str, classes left out for want of a clip.
        notes: sentences that the user should read.
    """

    clips: list
    skipped: list
    class_names: list
    empty_classes: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)

    @classmethod
    def of(
        cls,
        clips: Iterable[Clip],
        skipped: list,
        class_names: Iterable[str] | None = None,
    ) -> "Listing":
        """Sorts, and drops what TFDS cannot name and classes without clips.

        Args:
            clips: the clips found.
            skipped: (name, reason) of what was left out; may be added to.
            class_names: all classes in the order of their labels; those of
                the clips, sorted, if None.
        """
        usable = []
        for clip in sorted(clips, key=lambda clip: (clip.split, clip.name)):
            reason = _unusable(clip.label)
            if reason:
                skipped.append((clip.name, reason))
            else:
                usable.append(clip)
        there = {clip.label for clip in usable}
        if class_names is None:
            class_names = sorted(there)
        class_names = [name for name in class_names if not _unusable(name)]
        return cls(
            usable,
            sorted(skipped),
            [name for name in class_names if name in there],
            [name for name in class_names if name not in there],
        )


def list_folder(source, label_pattern=None):
    """Lists a tree of files.

    The label is the name of a file's folder in `source`, or in the split's
    folder if the folders in `source` that hold clips are named as `SPLITS`.
    Files beside these folders have the label "all" if there are no folders,
    and are skipped otherwise. Deeper folders do not matter.

    Args:
        source: folder.
        label_pattern: regular expression searched in each path relative to
            `source` (with "/"), whose groups `label` and, if it has one,
            `split` take the place of the folders' names.

    Returns:
        A `Listing`.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: `label_pattern` is none, or has no group `label`; or a
            folder with clips lies beside those of the splits.
    """
    names, skipped = files(source)
    reasons = {name: not_a_video(name) for name in names}
    find = (
        _by_pattern(label_pattern)
        if label_pattern
        else _by_folder(source, [n for n in names if not reasons[n]], skipped)
    )
    clips = []
    for name in names:
        found = reasons[name] or find(name)
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


def merged(listings: list[Listing]) -> Listing:
    """Joins the listings of several sources.

    Files are told apart by their real paths: one that is in two sources is
    taken once, and of different files with one name the later ones are named
    by the folder of their source, too.
    """
    clips, skipped, names = [], [], set()
    source_of, keys = {}, set()
    for number, listing in enumerate(listings):
        skipped += listing.skipped
        names.update(listing.class_names, listing.empty_classes)
        own = set()
        for clip in listing.clips:
            file = os.path.realpath(clip.path)
            key = clip.split, clip.name
            if source_of.setdefault(file, number) != number or key in own:
                skipped.append((clip.name, "listed more than once"))
                continue
            own.add(key)
            clip = _with_new_name(clip, keys)
            keys.add((clip.split, clip.name))
            clips.append(clip)
    joined = Listing.of(clips, skipped, sorted(names))
    joined.notes = [note for listing in listings for note in listing.notes]
    return joined


def _with_new_name(clip, keys):
    """The clip under a name that is not among `keys`, (split, name)."""
    name = clip.name
    # The file's path ends in the clip's name; what precedes it is the source.
    above = clip.path.removesuffix(name).rstrip("/").rsplit("/", 1)[-1]
    number = 1
    while (clip.split, name) in keys:
        extra = f"-{number}" if number > 1 else ""
        name = f"{above or 'source'}{extra}/{clip.name}"
        number += 1
    return dataclasses.replace(clip, name=name)


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


def _by_folder(source, names, skipped):
    """A function from a clip's name to (label, split), or to a reason.

    Args:
        source: the folder, for messages.
        names: of all clips in it.
        skipped: (name, reason) of folders without clips is added.

    Raises:
        ValueError: folders of splits and others with clips are side by side.
    """
    folders = {name.split("/")[0] for name in names if "/" in name}
    splits = {folder for folder in folders if folder.lower() in SPLITS}
    has_splits = bool(splits) and not _beside_splits(
        source, names, splits, folders - splits
    )
    if has_splits:
        skipped += [
            (name, "a folder without clips, beside those of the splits")
            for name in sorted(_folders(source) - folders)
        ]

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


def _beside_splits(source, names, splits, others):
    """The folders of clips beside those of the splits; none may be there.

    One class of several may be called test: then it is the only folder that
    has the name of a split, and its files are right in it.
    """
    parts = [name.split("/") for name in names]
    has_classes = any(p[0] in splits and len(p) > 2 for p in parts)
    if others and (len(splits) > 1 or has_classes):
        raise ValueError(
            f"{source!r} has folders of splits "
            f"({', '.join(map(repr, sorted(splits)))}) and beside them others "
            f"that hold clips ({', '.join(map(repr, sorted(others)[:10]))}). "
            "Move these away, give them the name of a split "
            f"({', '.join(SPLITS)}), or say what is what by a label pattern."
        )
    return others


def _folders(source):
    with os.scandir(source) as entries:
        return {
            entry.name
            for entry in entries
            if entry.is_dir() and not entry.name.startswith(".")
        }


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
    if any(unicodedata.category(character) == "Cc" for character in label):
        return "the class name has control characters"
    if len(label) > _MAX_LABEL:
        return f"the class name is longer than {_MAX_LABEL} characters"
    return None
