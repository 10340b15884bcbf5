"""Class folders, folders of splits with class folders, or files alone."""

import os
from collections.abc import Callable

from dvdgan_tf.preparation.listing import (
    NO_CLASS,
    SPLITS,
    UNDERSTOOD,
    Clip,
    Listing,
)
from dvdgan_tf.preparation.sources import Source


def clips(source: Source) -> Listing | None:
    """Lists a tree of video files by its folders; None for a file.

    The label is the name of a file's folder in the source, or in the split's
    folder if the folders that hold clips are named as `SPLITS`. Files beside
    these folders have the label "all" if there are no folders, and are
    skipped otherwise. Deeper folders do not matter.

    Raises:
        ValueError: the folders are no classes; see `labels`.
    """
    if source.is_file:
        return None
    skipped = source.not_videos()
    paths = {name: source.join(name) for name in source.videos()}
    return labelled(source, paths, skipped)


def labelled(source: Source, paths: dict[str, str], skipped: list) -> Listing:
    """Labels clips by the folders that they are in.

    Args:
        source: folder in which the clips were found.
        paths: {name of the clip relative to the source: its path}.
        skipped: (name, reason) of what was left out before.

    Returns:
        A `Listing`.

    Raises:
        ValueError: folders with clips are beside those of the splits, all
            clips are in one folder of folders, or most are in no folder.
    """
    names = list(paths)
    find = _by_folder(source, names, skipped)
    found, beside = [], []
    for name in names:
        label_and_split = find(name)
        if label_and_split is None:
            beside.append(name)
        else:
            found.append(Clip(paths[name], name, *label_and_split))
    if len(beside) > len(found):
        raise ValueError(
            f"{source.path!r} has {len(beside)} clips in no folder, such as "
            f"{beside[0]!r}, beside {len(found)} in folders of classes; put "
            f"them into folders. A source may be: {UNDERSTOOD}."
        )
    reason = "beside the class folders, in none of them"
    listing = Listing.of(found, skipped + [(name, reason) for name in beside])
    _check_one_class(source, listing, 2 if find is _by_split else 1)
    return listing


def _check_one_class(source, listing, depth):
    """One folder is hardly a collection's only class.

    Args:
        source: folder that messages name.
        listing: `Listing` that a note is added to.
        depth: number of folders that split and class are.
    """
    if len(listing.class_names) != 1 or listing.class_names[0] == NO_CLASS:
        return
    (label,) = listing.class_names
    if any(clip.name.count("/") > depth for clip in listing.clips):
        raise ValueError(
            f"All clips of {source.path!r} are in folders of the one folder "
            f"{label!r}, which would be the only class. Give that folder as "
            "the source if its folders are the classes, or say what is what "
            f"by a label pattern. A source may be: {UNDERSTOOD}."
        )
    listing.notes.append(
        f"All {len(listing.clips)} clips of {source.path!r} are of one class, "
        f"which is named after their folder, {label!r}."
    )


def _by_folder(source, names, skipped) -> Callable:
    """A function from a clip's name to (label, split), None if neither.

    Adds to `skipped` the folders without clips beside those of the splits.
    """
    folders = {name.split("/")[0] for name in names if "/" in name}
    splits = {folder for folder in folders if folder.lower() in SPLITS}
    others = folders - splits
    if _are_splits(source, names, splits, others):
        named = {name for name, _ in skipped}
        skipped += [
            (name, "a folder without clips, beside those of the splits")
            for name in sorted(_folders(source.path) - folders - named)
        ]
        return _by_split
    if folders:
        return _by_class
    return lambda name: (NO_CLASS, "train")


def _by_split(name):
    folder, *rest = name.split("/")
    if not rest:
        return None
    return (rest[0] if len(rest) > 1 else NO_CLASS), SPLITS[folder.lower()]


def _by_class(name):
    folder, *rest = name.split("/")
    return (folder, "train") if rest else None


def _are_splits(source, names, splits, others):
    """Whether folders named as splits are such.

    One class of several may be called test: then it is the only folder that
    has the name of a split, and its files are right in it.
    """
    if not splits or not others:
        return bool(splits)
    parts = [name.split("/") for name in names]
    has_classes = any(p[0] in splits and len(p) > 2 for p in parts)
    if len(splits) > 1 or has_classes:
        raise ValueError(
            f"{source.path!r} has folders of splits "
            f"({', '.join(map(repr, sorted(splits)))}) and beside them others "
            f"that hold clips ({', '.join(map(repr, sorted(others)[:10]))}). "
            "Move these away, give them the name of a split "
            f"({', '.join(SPLITS)}), or say what is what by a label pattern."
        )
    return False


def _folders(path):
    with os.scandir(path) as entries:
        return {
            entry.name
            for entry in entries
            if entry.is_dir() and not entry.name.startswith(".")
        }
