"""A folder of pictures for each clip, as StyleGAN-V has its datasets."""

import os
import posixpath
import re

from dvdgan_tf.preparation.layouts.class_folders import labelled
from dvdgan_tf.preparation.listing import SPLITS, Clip, Listing
from dvdgan_tf.preparation.sources import Source, inside, read_json
from dvdgan_tf.video.stills import PICTURES

_LABELS = "dataset.json"


def clips(source: Source) -> Listing | None:
    """Lists the folders that hold pictures; None if there are videos.

    Labels are those of `dataset.json`, whose "labels" are pairs of a frame,
    or a clip's folder, and its label. Without it they are the names of the
    folders above, as for video files.

    Source: Skorokhodov et al. 2022, arXiv 2112.14683.

    Raises:
        ValueError: `dataset.json` is none, or the folders are no classes.
    """
    folders = source.frame_folders()
    if source.is_file or not folders:
        return None
    skipped = [
        pair
        for pair in source.not_videos()
        if not pair[0].lower().endswith(PICTURES)
        and posixpath.basename(pair[0]) != _LABELS
    ]
    skipped += [(name, "not a picture") for name in source.videos()]
    labels = _labels(source, folders)
    if labels is None:
        paths = {_name(source, f): source.join(f) for f in sorted(folders)}
        listing = labelled(source, paths, skipped)
    else:
        listing = _with_labels(source, folders, labels, skipped)
    listing.notes.append(
        f"{len(folders)} folders of pictures in {source.path!r} are taken as "
        "clips, the pictures as their frames."
    )
    return listing


def _name(source, folder):
    """Names a clip, which may be the source itself."""
    return folder or os.path.basename(os.path.abspath(source.path))


def _with_labels(source, folders, labels, skipped):
    found = []
    for folder in sorted(folders):
        if folder not in labels:
            skipped.append((folder, f"{_LABELS} has no label for it"))
            continue
        top = folder.split("/")[0].lower()
        split = SPLITS.get(top, "train") if "/" in folder else "train"
        path, name = source.join(folder), _name(source, folder)
        found.append(Clip(path, name, labels[folder], split))
    names = {clip.label for clip in found}
    # Numbers are usual, and stay the numbers of their classes.
    numbers = all(re.fullmatch("[0-9]{1,9}", name) for name in names)
    return Listing.of(
        found, skipped, sorted(names, key=int if numbers else None)
    )


def _labels(source, folders):
    """{folder: label}; None if no `dataset.json` has labels."""
    labels, has_labels = {}, False
    for table in source.names:
        if posixpath.basename(table) != _LABELS:
            continue
        pairs = _pairs(source.join(table))
        has_labels = has_labels or pairs is not None
        for name, label in pairs or ():
            name = inside(source.join(posixpath.dirname(table)), name)
            if name is None:
                continue  # It names no folder of this source.
            name = posixpath.join(posixpath.dirname(table), name)
            folder = name if name in folders else posixpath.dirname(name)
            if labels.setdefault(folder, label) != label:
                raise ValueError(
                    f"{source.join(table)!r} has several labels for "
                    f"{folder!r}: {labels[folder]!r} and {label!r}."
                )
    return labels if has_labels else None


def _pairs(path):
    """[(name, label)] of the file's "labels"; None if it has none."""
    content = read_json(path)
    labels = content.get("labels") if isinstance(content, dict) else None
    if labels is None:
        return None
    if isinstance(labels, dict):
        labels = list(labels.items())
    wrong = ValueError(
        f'{path!r} must have "labels", pairs of a file\'s name and a number or '
        "a text."
    )
    if not isinstance(labels, list):
        raise wrong
    pairs = []
    for pair in labels:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise wrong
        name, label = pair
        is_label = isinstance(label, int | str) and not isinstance(label, bool)
        if not isinstance(name, str) or not is_label:
            raise wrong
        pairs.append((name, str(label)))
    return pairs
