"""What the layouts with official lists of their splits have in common."""

import posixpath

from dvdgan_tf.preparation.listing import Clip, Listing
from dvdgan_tf.preparation.sources import Source


def by_lists(source: Source, splits: dict[str, str | None]) -> Listing:
    """Takes the videos that the lists name.

    Args:
        source: folder of the videos, which lie at any depth in folders of their
            class.
        splits: {"class/file": name of the split}; None where a file is in
            several splits.

    Returns:
        A `Listing`; its skipped clips are those that are missing or not in
        the lists.
    """
    found, skipped = [], source.not_videos()
    there = set()
    for name in source.videos():
        entry = "/".join(name.split("/")[-2:])
        if entry not in splits:
            reason = f"not in the official lists, number {source.split_list}"
            skipped.append((name, reason))
        elif splits[entry] is None:
            skipped.append((name, "in the lists of several splits"))
        elif entry in there:
            skipped.append((name, "listed more than once"))
        else:
            there.add(entry)
            label = posixpath.dirname(entry)
            found.append(Clip(source.join(name), name, label, splits[entry]))
    skipped += [
        (entry, "missing")
        for entry, split in splits.items()
        if split and entry not in there
    ]
    labels = {posixpath.dirname(entry) for entry in splits}
    return Listing.of(found, skipped, sorted(labels))


def add(splits: dict[str, str | None], entry: str, split: str) -> None:
    """Adds a file of a list; one that is in another split, too, is in none."""
    if splits.setdefault(entry, split) != split:
        splits[entry] = None


def check_there(source: Source, numbers: set[int], what: str) -> None:
    """Refuses a `split_list` that is not there.

    Args:
        source: folder in which the lists were looked for.
        numbers: numbers of the lists that were found.
        what: name of the list that is needed.

    Raises:
        ValueError: there are only others.
    """
    if source.split_list not in numbers:
        there = ", ".join(map(str, sorted(numbers)))
        raise ValueError(
            f"There is no {what} in {source.path!r}; there are lists number "
            f"{there}. Received: split_list={source.split_list}."
        )
