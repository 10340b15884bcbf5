"""Which video files there are, and what label and split each has."""

import dataclasses
import functools
import os
import unicodedata
from collections.abc import Iterable

from dvdgan_tf.plain_text import shown

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
# The label in a collection without classes.
NO_CLASS = "all"

UNDERSTOOD = (
    "folders class/clip.mp4, or train/ test/ val/ with such folders; files in "
    "one folder (one class); folders of .jpg or .png frames, perhaps with a "
    "dataset.json (StyleGAN-V); UCF-101 or HMDB-51 with their split lists; "
    "Something-Something with its JSON files; Kinetics with its CSV files; a "
    ".npy array (Moving MNIST); a CSV file with the columns path and label; a "
    ".txt list of files; one video file; and whatever a label pattern fits"
)

# Labels come from files of strangers.
_MAX_LABEL = 255


@dataclasses.dataclass(frozen=True)
class Clip:
    """What becomes one clip: a file, a folder of frames, or part of a file.

    Attributes:
        path: video file, folder of pictures, or array file.
        name: path relative to the source.
        label: name of the class.
        split: "train", "validation" or "test".
        part: number of the clip in an array file; None for all else.
    """

    path: str
    name: str
    label: str
    split: str
    part: int | None = None


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

    @property
    def folders_left_out(self) -> list[tuple[str, str]]:
        """(name, reason) of the folders that hold no clips or are not read."""
        return [pair for pair in self.skipped if pair[1].startswith("a folder")]

    def check_not_empty(self, where: Iterable[str]) -> None:
        """Refuses sources without a clip.

        Args:
            where: paths of the sources, for the error.

        Raises:
            ValueError: there is no clip.
        """
        if self.clips:
            return
        reasons = "; ".join(
            f"{shown(name)!r}: {reason}" for name, reason in self.skipped[:3]
        )
        raise ValueError(
            f"There is no clip in {', '.join(map(repr, where))}"
            f"{' (' + reasons + ')' if reasons else ''}. A source may be: "
            f"{UNDERSTOOD}."
        )


def merged(listings: list[Listing]) -> Listing:
    """Joins the listings of several sources.

    Files are told apart by their real paths: one that is in two sources is
    taken once, and of different files with one name the later ones are named
    by the folder of their source, too.
    """
    clips, skipped, names = [], [], []
    source_of, keys = {}, set()
    real = functools.cache(os.path.realpath)
    for number, listing in enumerate(listings):
        skipped += listing.skipped
        names += [*listing.class_names, *listing.empty_classes]
        own = set()
        for clip in listing.clips:
            file = _real_path(clip.path, real), clip.part
            key = clip.split, clip.name
            if source_of.setdefault(file, number) != number or key in own:
                skipped.append((clip.name, "listed more than once"))
                continue
            own.add(key)
            clip = _with_new_name(clip, keys)
            keys.add((clip.split, clip.name))
            clips.append(clip)
    if len(listings) > 1:
        names = sorted(set(names))
    joined = Listing.of(clips, skipped, names)
    joined.notes = [note for listing in listings for note in listing.notes]
    return joined


def _real_path(path, real):
    # Most files are no links. Few questions are asked: drives may be slow.
    if os.path.islink(path):
        return real(path)
    folder, name = os.path.split(path)
    return os.path.join(real(folder), name)


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


def split_named(name: str, where: str) -> str:
    """The TFDS name of a split.

    Raises:
        ValueError: the name is not among `SPLITS`.
    """
    if name.lower() not in SPLITS:
        raise ValueError(
            f"The split must be one of {', '.join(SPLITS)}. Received: "
            f"{shown(name)!r} in {where!r}."
        )
    return SPLITS[name.lower()]


def split_of_file(name: str, extension: str) -> str | None:
    """The split that a list's name ends in, such as v2-train.json.

    Args:
        name: path of the list.
        extension: extension that the file must have, such as ".json".

    Returns:
        The TFDS name of the split; None for another file.
    """
    stem, its_extension = os.path.splitext(os.path.basename(name))
    last = stem.lower().replace("-", "_").split("_")[-1]
    return SPLITS.get(last) if its_extension.lower() == extension else None


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
