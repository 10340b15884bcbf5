"""Kinetics: CSV files of annotations, and clips named after their rows."""

import os
import posixpath

from dvdgan_tf.preparation.layouts.csv_table import read_csv
from dvdgan_tf.preparation.listing import (
    Clip,
    Listing,
    split_named,
    split_of_file,
)
from dvdgan_tf.preparation.sources import Source

_COLUMNS = ("youtube_id", "time_start", "time_end")


def clips(source: Source) -> Listing | None:
    """Lists the clips that the annotations name; None if there are none.

    Annotations are train.csv, val.csv and test.csv, or longer names that end
    so, with the columns label, youtube_id, time_start and time_end. Clips
    without a label, as those of some versions of test.csv, are left out.
    """
    if not any(_is_annotation(source, name) for name in source.names):
        return None
    listing = by_annotations([source])
    return listing if listing.clips else None


def by_annotations(sources: list[Source]) -> Listing:
    """Lists the clips of all sources that the annotations in any of them name.

    Raises:
        FileNotFoundError: there are no annotations.
        ValueError: they lack a column.
    """
    tables, found, skipped = {}, {}, []
    for source in sources:
        skipped += source.skipped
        for name in source.names:
            if split_of_file(name, ".csv"):
                tables[source.join(name)] = split_of_file(name, ".csv")
        for name in source.videos():
            stem = posixpath.splitext(posixpath.basename(name))[0]
            found.setdefault(stem, source.join(name))
    if not tables:
        where = ", ".join(repr(source.path) for source in sources)
        raise FileNotFoundError(
            f"There are no annotations in {where}; put train.csv, validate.csv "
            "and test.csv of Kinetics there."
        )
    listed = []
    rows, conflicts, labels = _read(tables)
    for (split, name), row in rows.items():
        path = found.get(name) or found.get(_stem(row, 0))
        reason = conflicts.get((split, name)) if path else "missing"
        if path and not row["label"]:
            reason = f"the annotations of {split} have no label for it"
        if reason:
            skipped.append((name, reason))
        else:
            listed.append(Clip(path, name, row["label"], split))
    return Listing.of(listed, skipped, sorted(labels - {""}))


def _is_annotation(source, name):
    path = source.join(name)
    if not split_of_file(name, ".csv") or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        header = file.readline(10_000).lower()
    return all(column.encode() in header for column in _COLUMNS)


def _read(tables):
    """Reads the annotations, of which there may be copies.

    Args:
        tables: {path: split}.

    Returns:
        {(split, name of clip): row}, the row a dict; {(split, name of clip):
        reason} of those that are there with several labels; set of labels.
    """
    rows, files_of, conflicts, labels = {}, {}, {}, set()
    for table in sorted(tables):
        for row in read_csv(table, _COLUMNS):
            split = split_named(row.get("split") or tables[table], table)
            key = split, _stem(row, 6)
            label = row.setdefault("label", "")
            labels.add(label)
            first = rows.setdefault(key, row)["label"]
            paths = dict.fromkeys([files_of.setdefault(key, table), table])
            if not first:
                rows[key] = row  # A copy may have the label.
            elif label and label != first:
                conflicts.setdefault(
                    key,
                    f"conflicting labels {first!r} and {label!r} in "
                    + " and ".join(map(repr, paths)),
                )
    return rows, conflicts, labels


def _stem(row, digits):
    """The file's name without extension; its times are whole seconds."""
    try:
        start, end = (
            f"{int(float(row[time])):0{digits}d}"
            for time in ("time_start", "time_end")
        )
    except (ValueError, OverflowError):
        start, end = row["time_start"], row["time_end"]
    return f"{row['youtube_id']}_{start}_{end}"
