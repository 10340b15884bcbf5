"""Kills of an export."""

import os
from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import tensorflow as tf

from dvdgan_tf import archives, export
from tools.torture import comparing, stage
from tools.torture.lives import Death, FaultError
from tools.torture.scene import Scene


class Exporting(Scene):
    """The module of a run.

    Args:
        place: folder with a finished `run`.
        name: of the module: "module" or "module.tar.gz".
    """

    def __init__(self, place: str, name: str = "module"):
        self.run = os.path.join(place, "run")
        self.name = name

    def call(self, folder: str) -> Callable[[], None]:
        flags = [
            *(f"--workdir={self.run}", f"--output={folder}/{self.name}"),
            *("--truncations=1.0", "--standing_batches=0"),
        ]
        return stage.traced(export.main, flags)

    def look(self, folder: str, before: dict, death: Death) -> dict:
        path = os.path.join(folder, self.name)
        whole = os.path.exists(path)
        if whole and death.when:  # That of another end is compared anyway.
            _content(path)
        return {
            "whole": whole,
            "names": sorted(os.listdir(folder)),
        }

    def finished(self, held: dict) -> bool:
        return held["whole"]

    def compare(self, folder: str, undisturbed: str) -> None:
        one, other = (
            _content(os.path.join(f, self.name)) for f in (folder, undisturbed)
        )
        for part, value in other.items():
            if one[part] != value:
                raise FaultError(
                    f"The {part} of the module in {folder} differ."
                )
        left = set(os.listdir(folder)) - {self.name}
        if left:
            raise FaultError(f"{folder} has {left} beside the module.")


def _content(path: str) -> dict[str, object]:
    """What determines a module: its files' names, assets, values, samples."""
    packed = os.path.isfile(path)
    with archives.unpacked(path) if packed else nullcontext(path) as folder:
        files = comparing.files_in(folder)
        assets = {
            name: file.read_bytes()
            for name, file in files.items()
            if name.startswith("assets/")
        }
        values = comparing.tensors(f"{folder}/variables/variables")
        module = tf.saved_model.load(folder)
        y = np.array([0, 1], np.int32)
        z = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
        truncation = tf.constant(1.0)
        made = module.signatures["ids"](
            z=tf.constant(z), y=tf.constant(y), truncation=truncation
        )
        samples = {
            name: value.numpy().tobytes() for name, value in made.items()
        }
    return {
        "files": sorted(files),
        "assets": assets,
        "values": values,
        "samples": samples,
    }
