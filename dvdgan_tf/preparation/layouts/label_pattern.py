"""Any tree of files, with a regular expression for their labels."""

import re

from dvdgan_tf.preparation.listing import Clip, Listing, split_named
from dvdgan_tf.preparation.sources import Source


def clips(source: Source) -> Listing | None:
    """Lists a folder by its `label_pattern`; None if it has none.

    The pattern is searched in each clip's path relative to the source (with
    "/"); clips are video files or, where there are none, folders of frames.
    Its group `label` is the label and, if it has one, `split` the split.

    Raises:
        ValueError: the pattern is none, or has no group `label`.
    """
    if source.is_file or not source.label_pattern:
        return None
    find = _by_pattern(source.label_pattern)
    found, skipped = [], source.not_videos()
    for name in sorted(source.frame_folders()) or source.videos():
        label_and_split = find(name)
        if isinstance(label_and_split, str):
            skipped.append((name, label_and_split))
        else:
            found.append(Clip(source.join(name), name, *label_and_split))
    return Listing.of(found, skipped)


def _by_pattern(label_pattern):
    try:
        pattern = re.compile(label_pattern)
    except re.error as error:
        raise ValueError(
            f"The label pattern is no regular expression ({error}). "
            f"Received: {label_pattern!r}."
        ) from error
    if "label" not in pattern.groupindex:
        raise ValueError(
            "The label pattern needs a group named label, such as "
            f"'(?P<label>[^_]+)_'. Received: {label_pattern!r}."
        )

    def find(name):
        match = pattern.search(name)
        if not match or not match["label"]:
            return "its name does not fit the label pattern"
        split = match["split"] if "split" in pattern.groupindex else None
        return match["label"], split_named(split or "train", name)

    return find
