"""A dataset on disk in the format of TensorFlow Datasets, and its features."""

from __future__ import annotations

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import read_only_builder

# Made by this project's dvdgan_tf/prepare.py; the others are TFDS's own.
_OWN = ("video_folder", "kinetics600")

_USUAL_VIDEOS = ("video", "image_main")


def open_dataset(name: str, data_dir: str) -> tfds.core.DatasetBuilder:
    """Opens a dataset on disk, from what is there alone.

    Args:
        name: as TFDS takes it, such as "ucf101/ucf101_1:2.0.0".
        data_dir: TFDS's root folder of all datasets.

    Raises:
        FileNotFoundError: there is no such dataset.
        ValueError: it cannot be read, or is not stored as TFRecord files.
    """
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
            f"{str(error).strip().partition(chr(10))[0]}"
        ) from error
    file_format = builder.info.file_format
    if file_format != tfds.core.FileFormat.TFRECORD:
        raise ValueError(
            f"The dataset {name!r} must be stored as TFRecord files. "
            f"Received: {file_format.value}."
        )
    return builder


def command(name: str, data_dir: str) -> str:
    """Returns the command that makes a dataset."""
    family = name.partition("/")[0].partition(":")[0]
    if family in _OWN:
        return (
            "python -m dvdgan_tf.prepare --source=VIDEOS "
            f"--data_dir={data_dir} --dataset={family}"
        )
    return f"tfds build {name} --data_dir={data_dir}"


def split_names(
    builder: tfds.core.DatasetBuilder, split: str, argument: str
) -> list[str]:
    """Divides "train+test" into the names of splits.

    Args:
        builder: a dataset on disk.
        split: name of a split, or of several with "+".
        argument: where the user wrote it, for the error.

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
        features: those of the dataset.
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
