"""TFDS builder `kinetics600`."""

import posixpath

import tensorflow_datasets as tfds

from dvdgan_tf.preparation.builder import VideoBuilder
from dvdgan_tf.preparation.folders import files, not_a_video
from dvdgan_tf.preparation.listing import (
    SPLITS,
    Clip,
    Listing,
    read_csv,
    split_named,
)

_INSTRUCTIONS = """\
The clips of Kinetics-600, as the public downloaders leave them, and the
official annotations (train.csv, validate.csv, test.csv, with the columns
label, youtube_id, time_start and time_end) somewhere in the same folder. A
clip is any file named {youtube_id}_{time_start:06}_{time_end:06}, in whatever
folder. Clips that are missing are counted."""


_COLUMNS = ("label", "youtube_id", "time_start", "time_end")


class Kinetics600(VideoBuilder):
    """Kinetics-600: clips of 10 s of 600 human actions.

    Source: Carreira et al. 2018, arXiv 1808.01340. Labels and splits are
    those of the annotations, whatever the folders are called.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = _INSTRUCTIONS

    def _listing(self, sources):
        tables, found, skipped = {}, {}, []
        for source in sources:
            skipped += _find(source, tables, found)
        if not tables:
            raise FileNotFoundError(
                f"There are no annotations in {', '.join(map(repr, sources))}; "
                "put train.csv, validate.csv and test.csv of Kinetics-600 "
                "there."
            )
        clips = []
        rows, conflicts, labels = _read(tables)
        for (split, name), row in rows.items():
            path = found.get(name) or found.get(_stem(row, 0))
            reason = conflicts.get((split, name)) if path else "missing"
            if reason:
                skipped.append((name, reason))
            else:
                clips.append(Clip(path, name, row["label"], split))
        return Listing.of(clips, skipped, sorted(labels - {""}))


def _find(source, tables, clips):
    """Adds the annotations in `source`, and its clips by their stems.

    Returns:
        List of (folder, reason) of what was left out.
    """
    names, skipped = files(source)
    for name in names:
        path = posixpath.join(source, name)
        stem, extension = posixpath.splitext(posixpath.basename(name))
        # Such as train.csv, or kinetics600_train.csv.
        split = stem.lower().replace("-", "_").split("_")[-1]
        if extension.lower() == ".csv" and split in SPLITS:
            tables[path] = split
        elif not not_a_video(name):
            clips.setdefault(stem, path)
    return skipped


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
            labels.add(row["label"])
            first = rows.setdefault(key, row)["label"]
            paths = dict.fromkeys([files_of.setdefault(key, table), table])
            if row["label"] != first:
                conflicts.setdefault(
                    key,
                    f"conflicting labels {first!r} and {row['label']!r} in "
                    + " and ".join(map(repr, paths)),
                )
    return rows, conflicts, labels


def _stem(row, digits):
    """Of the file's name; the times in seconds, with leading zeros."""
    try:
        start, end = (
            f"{int(float(row[time])):0{digits}d}"
            for time in ("time_start", "time_end")
        )
    except (ValueError, OverflowError):
        start, end = row["time_start"], row["time_end"]
    return f"{row['youtube_id']}_{start}_{end}"
