"""One video file."""

import os

from dvdgan_tf.preparation.folders import not_a_video
from dvdgan_tf.preparation.listing import NO_CLASS, Clip, Listing
from dvdgan_tf.preparation.sources import Source


def clips(source: Source) -> Listing | None:
    """Lists the file as one clip; None for a folder and other files."""
    name = os.path.basename(source.path)
    if not source.is_file or not_a_video(name):
        return None
    return Listing.of([Clip(source.path, name, NO_CLASS, "train")], [])
