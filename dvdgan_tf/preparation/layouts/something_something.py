"""Something-Something v2: one folder of videos, and JSON files of labels."""

import posixpath

from dvdgan_tf.preparation.listing import Clip, Listing, split_of_file
from dvdgan_tf.preparation.sources import Source, read_json


def clips(source: Source) -> Listing | None:
    """Lists the videos that the JSON files name; None if there are none.

    A JSON file whose name ends in a split's (train.json,
    something-something-v2-validation.json) is a list of objects with an
    "id", which is the video's name without extension, and a "template",
    whose words without brackets are the class. Videos without a template, as
    those of the test split, are left out. Source: Goyal et al. 2017, arXiv
    1706.04261.

    Raises:
        ValueError: a file is damaged, or too large.
    """
    tables = _tables(source)
    if not tables:
        return None
    paths = {
        posixpath.splitext(posixpath.basename(name))[0]: name
        for name in source.videos()
    }
    found, skipped = {}, source.not_videos()
    for split, entries in tables:
        for entry in entries:
            identity, label = str(entry["id"]), _label(entry)
            name = paths.get(identity)
            reason = None
            if name is None:
                reason = "missing"
            elif not label:
                reason = f"the JSON file of {split} has no label for it"
            elif name in found:
                reason = "listed more than once"
            if reason:
                skipped.append((name or identity, reason))
            else:
                found[name] = Clip(source.join(name), name, label, split)
    listed = {str(e["id"]) for _, entries in tables for e in entries}
    skipped += [
        (name, "in none of the JSON files")
        for identity, name in paths.items()
        if identity not in listed
    ]
    return Listing.of(found.values(), skipped)


def _tables(source):
    """[(split, list of objects)] of the JSON files."""
    # Files of other collections have such names, too, and may be huge.
    if not any(name.lower().endswith(".webm") for name in source.names):
        return []
    tables = []
    for name in source.names:
        split = split_of_file(name, ".json")
        content = read_json(source.join(name)) if split else None
        if isinstance(content, list) and content and all(map(_is_one, content)):
            tables.append((split, content))
    return tables


def _is_one(entry):
    return isinstance(entry, dict) and isinstance(entry.get("id"), str | int)


def _label(entry):
    template = entry.get("template")
    if not isinstance(template, str):
        return ""
    return template.replace("[", "").replace("]", "")
