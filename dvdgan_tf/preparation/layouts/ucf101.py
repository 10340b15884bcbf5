"""UCF-101 with the official lists of its splits."""

import posixpath
import re

from dvdgan_tf.preparation.layouts import split_lists
from dvdgan_tf.preparation.listing import Listing
from dvdgan_tf.preparation.sources import Source, read_lines

_LIST = re.compile(r"(train|test)list0?([1-9])\.txt$", re.ASCII)


def clips(source: Source) -> Listing | None:
    """Lists UCF-101; None if no trainlist is in the source.

    Each line of trainlist01.txt is "Class/file.avi number", each of
    testlist01.txt "Class/file.avi". Source: Soomro et al. 2012, arXiv
    1212.0402.

    Raises:
        ValueError: the list that is asked for is not there, or damaged.
    """
    lists = {}
    for name in source.names:
        match = _LIST.match(posixpath.basename(name))
        if match:
            lists[match[1], int(match[2])] = source.join(name)
    numbers = {number for split, number in lists if split == "train"}
    if not numbers:
        return None
    wanted = source.split_list
    split_lists.check_there(source, numbers, f"trainlist{wanted:02d}.txt")
    splits = {}
    for split in ("train", "test"):
        if (split, wanted) in lists:
            for entry in _entries(lists[split, wanted]):
                split_lists.add(splits, entry, split)
    return split_lists.by_lists(source, splits)


def _entries(path):
    for line in read_lines(path):
        entry = re.sub(r"\s+[0-9]+$", "", line)
        parts = entry.split("/")
        if len(parts) != 2 or {"", ".", ".."} & set(parts):
            raise ValueError(
                f"{path!r} must have lines such as 'Class/file.avi 1'. "
                f"Received: {line[:100]!r}."
            )
        yield entry
