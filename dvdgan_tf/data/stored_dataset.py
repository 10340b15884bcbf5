"""A dataset on disk in the format of TensorFlow Datasets, and its features."""

from __future__ import annotations

import json
import os

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core import read_only_builder

from dvdgan_tf.plain_text import shown

# Made by this project's dvdgan_tf/prepare.py; the others are TFDS's own.
_OWN = ("video_folder", "kinetics600")

# Where TFDS itself defines features.
_FEATURES = "tensorflow_datasets.core.features."

# All videos of the largest collections are fewer; the index of each split is
# in memory.
_MOST_RECORDS = 10**8

_USUAL_VIDEOS = ("video", "image_main")


def open_dataset(name: str, data_dir: str) -> tfds.core.DatasetBuilder:
    """Opens a dataset on disk, from what is there alone.

    Args:
        name: name of the dataset as TFDS takes it, such as
            "ucf101/ucf101_1:2.0.0".
        data_dir: TFDS's root folder of all datasets.

    Raises:
        FileNotFoundError: there is no such dataset.
        ValueError: it cannot be read, or is not stored as TFRecord files.
    """
    _check_features(name, data_dir)
    try:
        # Unlike `tfds.builder`, this never asks the network.
        builder = read_only_builder.builder_from_files(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        raise FileNotFoundError(
            f"There is no dataset {name!r} in the folder {data_dir!r}; make "
            f"it with `{command(name, data_dir)}`, or say where it is with "
            "--gin_param=\"DATA_DIR='/path'\"."
        ) from error
    except Exception as error:
        # Its files are data of others: TFDS fails on them in many ways.
        raise ValueError(
            f"Cannot read the dataset {name!r} in the folder {data_dir!r}: "
            f"{shown(str(error).strip().partition(chr(10))[0], 300)}"
        ) from error
    file_format = builder.info.file_format
    if file_format != tfds.core.FileFormat.TFRECORD:
        raise ValueError(
            f"The dataset {name!r} must be stored as TFRecord files. "
            f"Received: {file_format.value}."
        )
    _check_lengths(builder)
    return builder


def _check_lengths(builder):
    """Raises ValueError if a split has numbers of records that none has."""
    for split in builder.info.splits.values():
        lengths = split.shard_lengths
        if min(lengths, default=0) < 0 or sum(lengths) > _MOST_RECORDS:
            raise ValueError(
                f"The file dataset_info.json of {builder.info.full_name} is "
                f"damaged: by it, the split {shown(split.name)!r} has "
                f"{sum(lengths):,} records in {len(lengths):,} shards."
            )


def _check_features(name, data_dir):
    """Raises ValueError if a dataset's files name code of others.

    TFDS imports whatever module `features.json` names as that of a feature,
    and a dataset may bring such a module along.
    """
    for path in _features_files(os.path.join(data_dir, _family(name)), 2):
        for found in _class_names(path):
            if "." in found and not found.startswith(_FEATURES):
                raise ValueError(
                    f"{path!r} names {shown(found)!r} as a feature, which is "
                    "not one of TensorFlow Datasets: reading it would run "
                    "code that is not part of it. Use a dataset with "
                    f"features of {_FEATURES}* only."
                )


def _features_files(folder, depth):
    """Yields each `features.json` below a dataset's folder.

    There are versions below it, or configurations and their versions. Nothing
    is looked up by a pattern: a folder's own name may look like one.
    """
    try:
        names = tf.io.gfile.listdir(folder)
    except tf.errors.OpError:
        return
    for name in names:
        inner = os.path.join(folder, name.rstrip("/"))
        path = os.path.join(inner, "features.json")
        if tf.io.gfile.exists(path):
            yield path
        if depth > 1:
            yield from _features_files(inner, depth - 1)


def _class_names(path):
    """Yields the names of the features' classes in a `features.json`."""
    try:
        with tf.io.gfile.GFile(path) as file:
            left = [json.load(file)]
    except (ValueError, RecursionError, OSError, tf.errors.OpError):
        # TFDS, which reads it in the same way, says what is wrong.
        return
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += value.values()
            for key in ("type", "pythonClassName", "python_class_name"):
                if isinstance(value.get(key), str):
                    yield value[key]


def _family(name):
    """Name of a dataset without configuration and version."""
    return name.partition("/")[0].partition(":")[0]


def command(name: str, data_dir: str) -> str:
    """Returns the command that makes a dataset."""
    family = _family(name)
    if family in _OWN:
        return (
            "python -m dvdgan_tf.prepare --source=VIDEOS "
            f"--data_dir={data_dir} --dataset={family}"
        )
    return f"tfds build {name} --data_dir={data_dir}"


def remedy(name: str, data_dir: str, folder: str) -> str:
    """Says what to do where shards of a dataset are damaged or missing.

    Args:
        name: name of the dataset, as `open_dataset` takes it.
        data_dir: root folder of all datasets, as `open_dataset` takes it.
        folder: the dataset's own folder.

    Returns:
        The beginning of a sentence.
    """
    if _family(name) in _OWN:
        return (
            "Restore the files, or run the command that made the dataset "
            f"again (`{command(name, data_dir)}`, with its options): it makes "
            "these shards again and keeps the others"
        )
    return (
        f"Restore the files, or delete the folder {folder!r} and make the "
        f"dataset again (`{command(name, data_dir)}`)"
    )


def split_names(
    builder: tfds.core.DatasetBuilder, split: str, argument: str
) -> list[str]:
    """Divides "train+test" into the names of splits.

    Args:
        builder: a dataset on disk.
        split: name of a split, or of several with "+".
        argument: name of the argument that the user wrote it in, for the error.

    Raises:
        ValueError: there is no such split, or it is named twice.
    """
    names = [name.strip() for name in split.split("+")]
    for name in names:
        # TFDS itself would also take slices, which the index is not of.
        if name not in builder.info.splits.keys() or names.count(name) > 1:  # noqa: SIM118
            there = ", ".join(builder.info.splits)
            raise ValueError(
                f"{argument} must be one or several, with +, of {there} "
                f"for {builder.info.full_name}. Received: {split!r}."
            )
    return names


def video_feature(
    features: tfds.features.FeatureConnector, name: str | None
) -> tuple[str, tfds.features.Image]:
    """Chooses the feature that holds the frames.

    Args:
        features: features of the dataset.
        name: key of the feature; None takes the usual one.

    Returns:
        Its key in the stored examples, and the feature of one frame.

    Raises:
        ValueError: there is no such feature, or it is no video.
    """
    if isinstance(features, tfds.features.Sequence):
        items = features.feature.items()  # One dict for each frame.
    else:
        items = [
            (key, value.feature)
            for key, value in features.items()
            if isinstance(value, tfds.features.Sequence)
        ]
    images = {
        key: value
        for key, value in items
        if isinstance(value, tfds.features.Image) and value.np_dtype == np.uint8
    }
    if name is None:
        usual = [key for key in _USUAL_VIDEOS if key in images]
        name = next(iter([*usual, *images]), None)
    if name not in images:
        raise ValueError(
            "TfdsVideos.video_feature must be one of the features that are "
            f"videos of 8 bits, {', '.join(images) or 'of which there is none'}"
            f". Received: {name!r}."
        )
    return name, images[name]


def label_feature(features: tfds.features.FeatureConnector) -> str | None:
    """Returns the key of the feature with class names; None without one."""
    if isinstance(features, tfds.features.Sequence):
        return None
    labels = [
        key
        for key, value in features.items()
        if isinstance(value, tfds.features.ClassLabel)
    ]
    return "label" if "label" in labels else next(iter(labels), None)


def has_names(features: tfds.features.FeatureConnector) -> bool:
    """Whether each record has the name of its file, as our builders write."""
    if isinstance(features, tfds.features.Sequence):
        return False
    return isinstance(dict(features.items()).get("name"), tfds.features.Text)
