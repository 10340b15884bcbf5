"""A text file that names files, one a line, perhaps with their labels."""

import os

from dvdgan_tf.preparation.folders import not_a_video
from dvdgan_tf.preparation.listing import NO_CLASS, Clip, Listing
from dvdgan_tf.preparation.sources import Source, inside, read_lines


def clips(source: Source) -> Listing | None:
    """Lists the files that a .txt file names; None if the source is none.

    A line is a path relative to the list's folder, or absolute but in that
    folder. Behind it, after a space or a tab, may be the label; without one
    the label is the name of the first folder in the line, or "all".

    Raises:
        ValueError: the list is too large, or no UTF-8 text.
    """
    if not source.is_file or not source.path.lower().endswith(".txt"):
        return None
    folder = os.path.dirname(os.path.abspath(source.path))
    found, skipped = [], []
    for line in read_lines(source.path):
        entry = _file_and_label(folder, line)
        if isinstance(entry, str):
            skipped.append((line, entry))
            continue
        name, label = entry
        reason = not_a_video(name)
        if reason:
            skipped.append((name, reason))
        else:
            path = os.path.join(folder, name)
            found.append(Clip(path, name, label, "train"))
    return Listing.of(found, skipped)


def _file_and_label(folder, line):
    # Names of files may have spaces: the whole line is looked for first.
    path, _, label = line.rpartition("\t" if "\t" in line else " ")
    reason = "no such file"
    for candidate, its_label in ((line, None), (path.strip(), label.strip())):
        name = inside(folder, candidate) if candidate else None
        if candidate and name is None:
            reason = "outside of the list's folder"
        elif name and os.path.isfile(os.path.join(folder, name)):
            above = name.split("/")[0] if "/" in name else NO_CLASS
            return name, above if its_label is None else its_label
    return reason
