"""TFDS builder `video_folder`."""

import tensorflow_datasets as tfds

from dvdgan_tf.preparation import layouts
from dvdgan_tf.preparation.builder import VideoBuilder
from dvdgan_tf.preparation.listing import Listing, merged
from dvdgan_tf.preparation.sources import Source

_INSTRUCTIONS = """\
Folders with class_name/any_name.ext or split/class_name/any_name.ext, or any
other of the layouts that dvdgan_tf.preparation.layouts names."""


class VideoFolder(VideoBuilder):
    """Any collection of clips whose layout is known.

    See `layouts` for what they are, and for what the label and the split of a
    clip is. Several sources become one dataset.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = _INSTRUCTIONS

    def _listing(self, sources: list[str]) -> Listing:
        how = self.preparation
        return merged(
            [
                layouts.clips(
                    Source.find(source, how.label_pattern, how.split_list)
                )
                for source in sources
            ]
        )
