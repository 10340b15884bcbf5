"""TFDS builder `video_folder`."""

import tensorflow_datasets as tfds

from dvdgan_tf.preparation.builder import VideoBuilder
from dvdgan_tf.preparation.listing import list_csv, list_folder, merged

_INSTRUCTIONS = """\
Folders with class_name/any_name.ext or split/class_name/any_name.ext, or CSV
files with the columns path, label and, optionally, split."""


class VideoFolder(VideoBuilder):
    """Any collection of video files in class folders, or named by CSV files.

    See `listing` for what the label and the split of a file are. Several
    sources become one dataset.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = _INSTRUCTIONS

    def _listing(self, sources):
        pattern = self.preparation.label_pattern
        return merged(
            [
                list_csv(source)
                if source.lower().endswith(".csv")
                else list_folder(source, pattern)
                for source in sources
            ]
        )
