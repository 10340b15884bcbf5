"""TFDS builder `kinetics600`."""

import tensorflow_datasets as tfds

from dvdgan_tf.preparation.builder import VideoBuilder
from dvdgan_tf.preparation.layouts.kinetics import by_annotations
from dvdgan_tf.preparation.listing import Listing
from dvdgan_tf.preparation.sources import Source

_INSTRUCTIONS = """\
The clips of Kinetics-600, as the public downloaders leave them, and the
official annotations (train.csv, validate.csv, test.csv, with the columns
label, youtube_id, time_start and time_end) somewhere in the same folder. A
clip is any file named {youtube_id}_{time_start:06}_{time_end:06}, in whatever
folder. Clips that are missing are counted."""


class Kinetics600(VideoBuilder):
    """Kinetics-600: clips of 10 s of 600 human actions.

    Source: Carreira et al. 2018, arXiv 1808.01340. Labels and splits are
    those of the annotations, whatever the folders are called.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = _INSTRUCTIONS

    def _listing(self, sources: list[str]) -> Listing:
        return by_annotations([Source.find(source) for source in sources])
