"""Makes damaged shards of a finished dataset again, and leaves the others."""

import dataclasses
import json
import os

import tensorflow as tf
import tensorflow_datasets as tfds

from dvdgan_tf import files
from dvdgan_tf.data import scan
from dvdgan_tf.data.index import Index, index_name
from dvdgan_tf.data.records import FOOTER_BYTES
from dvdgan_tf.preparation import shards
from dvdgan_tf.preparation.shards import Shard
from dvdgan_tf.progress_bar import progress_bar

# In a dataset's folder: of what plan each of its shards is.
_FILE = "shards.json"

_WAY_OUT = (
    "Delete the folder {folder!r} and start again, or restore the shards: "
    "{paths}."
)


@dataclasses.dataclass(frozen=True)
class Damaged:
    """A shard of a finished dataset that is damaged or missing.

    Attributes:
        path: where it is, or should be.
        split: name of its split.
        number: the place of the shard among the shards of the split, from 0.
        stem: name of its plan, see `Shard`; None if that is not known.
        records: how many records it has by the dataset's metadata.
    """

    path: str
    split: str
    number: int
    stem: str | None
    records: int


def note(folder: str, plans: dict[str, list[Shard]]) -> None:
    """Notes in a dataset's folder which plan each shard is of.

    Args:
        folder: folder of the dataset.
        plans: for each split, the shards in their order.
    """
    names = {
        split: [os.path.basename(shard.stem) for shard in made]
        for split, made in plans.items()
    }
    path = os.path.join(folder, _FILE)
    files.write_text(path, json.dumps(names), tf.io.gfile)


def find(builder: tfds.core.DatasetBuilder) -> list[Damaged]:
    """Reads all shards of a finished dataset, and names those not whole.

    Args:
        builder: builder of a dataset that is there.

    Raises:
        OSError: a shard is there and cannot be opened.
        ValueError: the dataset's metadata cannot be read.
    """
    folder = os.fspath(builder.data_dir)
    if not builder.info.splits:
        raise ValueError(
            f"There is a folder {folder!r} already, in which no dataset can be "
            "read; choose another --data_dir, or delete that folder first."
        )
    plans, found = _plans(folder), []
    total = sum(len(split.filepaths) for split in builder.info.splits.values())
    with progress_bar(total=total, desc="checking", unit="shard") as bar:
        for name, split in builder.info.splits.items():
            stems = plans.get(name)
            if not isinstance(stems, list) or len(stems) != len(
                split.filepaths
            ):
                stems = [None] * len(split.filepaths)
            paths = [os.fspath(path) for path in split.filepaths]
            shards_of_split = zip(
                paths, stems, split.shard_lengths, strict=True
            )
            for number, (path, stem, count) in enumerate(shards_of_split):
                if not _is_whole(path, count):
                    found.append(Damaged(path, name, number, stem, count))
                bar.update()
    return found


def matching(
    builder: tfds.core.DatasetBuilder,
    damaged: list[Damaged],
    planned: list[Shard],
) -> list[Shard]:
    """Finds the plans that damaged shards were made of.

    Args:
        builder: builder of the dataset.
        damaged: what `find` returns.
        planned: all shards of the sources as they are now.

    Returns:
        A shard for each damaged one.

    Raises:
        ValueError: a shard is of no such plan, because sources or options are
            others now.
    """
    by_stem = {os.path.basename(shard.stem): shard for shard in planned}
    lost = [shard for shard in damaged if shard.stem not in by_stem]
    if lost:
        paths = ", ".join(shard.path for shard in lost[:4])
        way_out = _WAY_OUT.format(
            folder=os.fspath(builder.data_dir),
            paths=paths + ", ..." * (len(lost) > 4),
        )
        raise ValueError(
            f"{len(lost)} of {len(damaged)} damaged shards cannot be made "
            "again: the files that they are of have changed or gone, or the "
            f"options are others than at first. {way_out}"
        )
    return [by_stem[shard.stem] for shard in damaged]


def replace(
    builder: tfds.core.DatasetBuilder, damaged: Damaged, shard: Shard
) -> None:
    """Puts a shard that was made again in its place.

    Args:
        builder: builder of the dataset.
        damaged: the shard to replace.
        shard: its plan, finished.

    Raises:
        ValueError: it has other records than the damaged one had.
    """
    report = shard.report()
    names = list(builder.info.features["label"].names)
    classes = {name for _, name in report["classes"]}
    if len(report["records"]) != damaged.records or not classes <= {*names}:
        raise ValueError(
            f"The files of {damaged.path!r} become "
            f"{len(report['records'])} records now, and were "
            f"{damaged.records}: they are read in another way, or can no "
            "longer be read. "
            + _WAY_OUT.format(
                folder=os.fspath(builder.data_dir), paths=damaged.path
            )
        )
    labels = {label: names.index(name) for label, name in report["classes"]}
    with files.replacing(damaged.path, tf.io.gfile) as partial:
        records = shards.copy_with_labels(shard, partial, labels)
    _update_index(builder, damaged, records)


def _update_index(builder, damaged, records):
    """Puts a shard's new records into its split's index, if there is one."""
    folder = os.fspath(builder.data_dir)
    path = os.path.join(folder, index_name(damaged.split, "video"))
    if not tf.io.gfile.exists(path):
        return
    split = builder.info.splits[damaged.split]
    try:
        index = Index.load(path, split)
    except ValueError:
        tf.io.gfile.remove(path)  # Training makes it again.
        return
    columns = zip(
        index.shard.tolist(),
        index.label.tolist(),
        index.frames.tolist(),
        index.length.tolist(),
        strict=True,
    )
    of_shards = [[] for _ in split.shard_lengths]
    for number, *entry in columns:
        of_shards[number].append(entry)
    # Another version of the decoder makes frames of other sizes.
    of_shards[damaged.number] = records
    shards.index_of(of_shards).save(path)


def _plans(folder):
    try:
        with tf.io.gfile.GFile(os.path.join(folder, _FILE)) as file:
            plans = json.load(file)
    except (OSError, ValueError, RecursionError, tf.errors.OpError):
        return {}  # of an earlier version, or damaged
    return plans if isinstance(plans, dict) else {}


def _is_whole(path, expected):
    """Whether a shard has all its records, their checksums included."""
    places = scan.places(path, expected)
    end = places[-1][0] + places[-1][1] + FOOTER_BYTES if places else 0
    if len(places) != expected or end != scan.size(path):
        return False
    try:
        count = tf.data.TFRecordDataset(path).reduce(0, lambda n, _: n + 1)
    except tf.errors.OpError:
        return False
    return int(count) == expected
