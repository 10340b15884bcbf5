"""A CSV file that names files, their labels and their splits."""

import csv
import io
import os

from dvdgan_tf.plain_text import shown
from dvdgan_tf.preparation.listing import Clip, Listing, split_named
from dvdgan_tf.preparation.sources import Source, read_text


def clips(source: Source) -> Listing | None:
    """Lists the files that a CSV file names; None if the source is none.

    The file has a header and the columns `path` (relative to the file's
    folder, or absolute), `label` and, optionally, `split`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a column is missing, or a split is unknown.
    """
    path = source.path
    if not source.is_file or not path.lower().endswith(".csv"):
        return None
    found, skipped = [], []
    folder = os.path.dirname(os.path.abspath(path))
    for row in read_csv(path, ("path", "label")):
        name, label = row["path"], row["label"]
        split = split_named(row.get("split") or "train", path)
        file = os.path.join(folder, os.path.expanduser(name))
        if os.path.isfile(file):
            found.append(Clip(file, name, label, split))
        else:
            skipped.append((name, "no such file"))
    return Listing.of(found, skipped)


def read_csv(path: str, columns: tuple) -> list[dict]:
    """Rows of a CSV file as dicts of stripped texts, by lower-case column.

    Args:
        path: UTF-8 text file.
        columns: names of the columns that must be there.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no CSV text, or columns are missing.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"There is no file {path!r}.")
    text = read_text(path)
    try:
        header, *rows = csv.reader(io.StringIO(text, newline=""))
    except (csv.Error, ValueError) as error:
        raise ValueError(f"{path!r} is not a CSV file: {error}.") from error
    header = [name.strip().lower() for name in header]
    for name in columns:
        if name not in header:
            raise ValueError(
                f"{path!r} needs the columns {', '.join(columns)}. Received: "
                f"{shown(', '.join(header))}."
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
