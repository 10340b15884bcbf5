"""HMDB-51 with the official lists of its splits."""

import posixpath
import re

from dvdgan_tf.preparation.layouts import split_lists
from dvdgan_tf.preparation.listing import Listing
from dvdgan_tf.preparation.sources import Source, read_lines

_LIST = re.compile(r"(.+)_test_split([1-9])\.txt$", re.ASCII)
# What the number behind a file's name says; 0 is in neither split.
_SPLITS = {"1": "train", "2": "test"}


def clips(source: Source) -> Listing | None:
    """Lists HMDB-51; None if none of its lists is in the source.

    Each line of class_test_split1.txt is "file.avi number". Source: Kuehne et
    al. 2011, ICCV, serre-lab.clps.brown.edu.

    Raises:
        ValueError: the lists that are asked for are not there, or damaged.
    """
    lists = {}
    for name in source.names:
        match = _LIST.match(posixpath.basename(name))
        if match:
            lists[match[1], int(match[2])] = source.join(name)
    if not lists:
        return None
    wanted = source.split_list
    split_lists.check_there(
        source, {n for _, n in lists}, f"class_test_split{wanted}.txt"
    )
    splits = {}
    for (label, number), path in lists.items():
        if number == wanted:
            for file, split in _entries(path):
                split_lists.add(splits, f"{label}/{file}", split)
    return split_lists.by_lists(source, splits)


def _entries(path):
    for line in read_lines(path):
        file, _, number = line.rpartition(" ")
        file = file.strip()
        if not file or "/" in file or number not in ("0", "1", "2"):
            raise ValueError(
                f"{path!r} must have lines such as 'file.avi 1'. Received: "
                f"{line[:100]!r}."
            )
        if number in _SPLITS:
            yield file, _SPLITS[number]
