"""Kills of the preparation of a dataset."""

import os
import tempfile
from collections.abc import Callable

from dvdgan_tf import prepare
from tools.torture import comparing, stage
from tools.torture.lives import Death
from tools.torture.scene import Scene

# Where a finished dataset is.
_FINISHED = "video_folder/1.0.0/dataset_info.json"


class Preparation(Scene):
    """Six clips become six shards and a dataset, one after the other.

    Args:
        place: folder in which the clips are made.
    """

    def __init__(self, place: str):
        self.clips = os.path.join(place, "clips")
        stage.write_clips(self.clips)

    def call(self, folder: str) -> Callable[[], None]:
        flags = [
            *(f"--source={self.clips}", f"--data_dir={folder}/data"),
            *("--short_side=16", "--num_workers=1", "--clips_per_shard=2"),
        ]

        def call():
            tempfile.tempdir = folder
            prepare.main(flags)

        return call

    def look(self, folder: str, before: dict, death: Death) -> dict:
        data = os.path.join(folder, "data")
        names = sorted(os.listdir(data)) if os.path.isdir(data) else []
        found = comparing.files_in(data)
        return {
            "folders": names,
            "files": len(found),
            "whole": os.path.exists(os.path.join(data, _FINISHED)),
        }

    def ended_well(self, death: Death, before: dict) -> bool:
        """Whether it is done, or was done but for tidying up."""
        told = "which only had to be tidied up" in death.printed
        return death.code == 0 or bool(
            death.code == 2 and before.get("whole") and told
        )

    def finished(self, held: dict) -> bool:
        return held["whole"] and held["folders"] == ["video_folder"]

    def compare(self, folder: str, undisturbed: str) -> None:
        one, other = (os.path.join(f, "data") for f in (folder, undisturbed))
        comparing.same_files(one, other)
