import os
import shutil

import pytest
import tensorflow_datasets as tfds
import videos

from dvdgan_tf.preparation.builder import Preparation
from dvdgan_tf.preparation.kinetics600 import Kinetics600


class Kinetics600Test(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = Kinetics600
    SPLITS = {"train": 2, "validation": 1}  # noqa: RUF012

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tfds.testing.make_tmp_dir()
        kinetics(cls.EXAMPLE_DIR)
        super().setUpClass()

    def _make_builder(self, config=None):
        how = Preparation(short_side=16)
        return Kinetics600(data_dir=self.tmp_dir, preparation=how)


def kinetics(folder):
    """Both layouts of the downloaders, one clip missing."""
    for name in (
        "train/a b/-x_000001_000011.mp4",  # an id may begin with a dash
        "train/y_000002_000012.mkv",
        "validate/z_3_13.mp4",
        "train/unknown_000001_000011.mp4",
    ):
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        videos.write(path, videos.numbered(8), "libx264", "yuv420p")
    header = "label,youtube_id,time_start,time_end,split\n"
    with open(os.path.join(folder, "train.csv"), "w") as file:
        file.write(f"{header}a b,-x,1,11,train\nc,y,2.0,12.0,train\n")
        file.write("d,gone,5,15,train\n")
    with open(os.path.join(folder, "validate.csv"), "w") as file:
        file.write(f"{header}c,z,3,13,validate\n")


def test_labels_and_missing_clips(tmp_path):
    kinetics(tmp_path / "k")
    builder = Kinetics600(
        data_dir=str(tmp_path / "data"),
        preparation=Preparation(sources=(str(tmp_path / "k"),)),
    )
    listing, _ = builder.plan()
    assert {(c.name, c.label, c.split) for c in listing.clips} == {
        ("-x_000001_000011", "a b", "train"),
        ("y_000002_000012", "c", "train"),
        ("z_000003_000013", "c", "validation"),
    }
    assert listing.class_names == ["a b", "c"]
    assert listing.empty_classes == ["d"]
    assert listing.skipped == [("gone_000005_000015", "missing")]


def test_without_annotations(tmp_path):
    (tmp_path / "x_000001_000011.mp4").touch()
    builder = Kinetics600(
        data_dir=str(tmp_path / "data"),
        preparation=Preparation(sources=(str(tmp_path),)),
    )
    with pytest.raises(FileNotFoundError, match=r"train\.csv"):
        builder.plan()


def test_sidecars_and_copies_of_annotations(tmp_path):
    source = tmp_path / "k"
    kinetics(source)
    (source / "train" / "y_000002_000012.jpg").write_bytes(b"x")
    os.makedirs(source / "annotations")
    shutil.copy(source / "train.csv", source / "annotations")
    builder = Kinetics600(
        data_dir=str(tmp_path / "data"),
        preparation=Preparation(sources=(str(source),)),
    )
    listing, _ = builder.plan()
    assert len(listing.clips) == 3
    assert len(listing.skipped) == 1
    assert not any(clip.path.endswith(".jpg") for clip in listing.clips)


@pytest.mark.parametrize("name", ["train.csv", "copy/train.csv"])
def test_conflicting_labels(tmp_path, name):
    kinetics(tmp_path)
    first, path = tmp_path / "train.csv", tmp_path / name
    os.makedirs(path.parent, exist_ok=True)
    rows = ["e,y,2,12,train", "a b,-x,1,11,train", "f,gone,5,15,train"]
    if path != first:
        rows.insert(0, first.read_text().splitlines()[0])
    with open(path, "a") as file:
        file.write("\n".join(rows) + "\n")
    builder = Kinetics600(
        data_dir=str(tmp_path / "data"),
        preparation=Preparation(sources=(str(tmp_path),)),
    )
    listing, _ = builder.plan()
    assert {clip.name for clip in listing.clips} == {
        "-x_000001_000011",
        "z_000003_000013",
    }
    gone, conflict = listing.skipped
    assert gone == ("gone_000005_000015", "missing")
    name, reason = conflict
    assert name == "y_000002_000012"
    files = dict.fromkeys(sorted([str(first), str(path)]))
    labels = "'c' and 'e'" if path == first else "'e' and 'c'"
    where = " and ".join(map(repr, files))
    assert reason == f"conflicting labels {labels} in {where}"
