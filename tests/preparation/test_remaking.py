"""A damaged shard of a finished dataset is made again, and no other."""

import hashlib
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import videos
from preparation.test_builders import prepare

from dvdgan_tf.data.index import Index
from dvdgan_tf.preparation import remaking
from dvdgan_tf.preparation.builder import Preparation
from dvdgan_tf.preparation.video_folder import VideoFolder

HOW = {"short_side": 32, "clips_per_shard": 1}


@pytest.fixture
def made(tmp_path):
    """The folders of sources and of data."""
    videos.tree(tmp_path / "clips", ("run", "walk", "zzz"))
    # Its class has no usable clip, so the labels behind it change.
    for path in (tmp_path / "clips" / "run").iterdir():
        path.write_text("no video")
    prepare(tmp_path / "data", sources=(str(tmp_path / "clips"),), **HOW)
    return tmp_path / "clips", tmp_path / "data"


def again(sources, data_dir, **how):
    """The builder, as the same command would make it once more."""
    preparation = Preparation(sources=(str(sources),), **HOW | how)
    return VideoFolder(
        data_dir=str(data_dir), preparation=preparation, num_workers=1
    )


def repair(builder):
    damaged = remaking.find(builder)
    listing, plan = builder.plan()
    every = [shard for made in plan.values() for shard in made]
    plans = remaking.matching(builder, damaged, every)
    tf.io.gfile.makedirs(builder.work_dir)
    builder.make([s for s in plans if not s.done()], listing.class_names)
    for old, new in zip(damaged, plans, strict=True):
        remaking.replace(builder, old, new)
    return [shard.path for shard in damaged]


def contents(data_dir):
    folder = data_dir / "video_folder" / "1.0.0"
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.glob("*.tfrecord*")
    }


def shards(data_dir):
    folder = data_dir / "video_folder" / "1.0.0"
    return sorted(folder.glob("*.tfrecord*"))


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def add(path):
    path.write_bytes(path.read_bytes() + b"more")


@pytest.mark.parametrize("damage", [flip, cut, add, pathlib.Path.unlink])
def test_a_damaged_shard_is_made_again(made, damage):
    sources, data_dir = made
    before, (first, second, *others) = contents(data_dir), shards(data_dir)
    times = [path.stat().st_mtime_ns for path in (first, *others)]
    damage(second)
    builder = again(sources, data_dir)
    assert builder.info.features["label"].names == ["walk", "zzz"]
    assert repair(builder) == [str(second)]
    assert contents(data_dir) == before
    assert times == [path.stat().st_mtime_ns for path in (first, *others)]
    assert remaking.find(again(sources, data_dir)) == []
    index = Index.load(
        str(second.parent / "train.video.index.npz"),
        builder.info.splits["train"],
    )
    assert len(index.shard) == 6


def test_all_shards_can_be_gone_and_the_index_damaged(made):
    sources, data_dir = made
    before = contents(data_dir)
    for path in shards(data_dir):
        path.unlink()
    folder = data_dir / "video_folder" / "1.0.0"
    (folder / "train.video.index.npz").write_bytes(b"no index")
    assert len(repair(again(sources, data_dir))) == 6
    assert contents(data_dir) == before
    assert not (folder / "train.video.index.npz").exists()


def test_the_index_follows_frames_of_other_sizes(made):
    """As another version of the decoder makes them."""
    sources, data_dir = made
    shards(data_dir)[1].unlink()
    builder = again(sources, data_dir)
    path = str(shards(data_dir)[0].parent / "train.video.index.npz")
    right = Index.load(path, builder.info.splits["train"])
    wrong = np.where(right.shard == 1, 7, right.length)
    Index(
        right.shard,
        np.full_like(right.offset, 12),  # one record a shard
        wrong,
        right.label,
        right.frames,
    ).save(path)
    repair(builder)
    found = Index.load(path, builder.info.splits["train"])
    sizes = [file.stat().st_size for file in shards(data_dir)]
    assert (found.offset + found.length + 4).tolist() == sizes


@pytest.mark.parametrize("change", ["file", "options", "note"])
def test_what_cannot_be_made_again_is_said(made, change):
    sources, data_dir = made
    for path in shards(data_dir):
        cut(path)
    before = contents(data_dir)
    how = {}
    if change == "options":
        how = {"quality": 50}
    elif change == "file":
        os.utime(sources / "walk" / "0.mp4", (1, 1))
    else:
        (data_dir / "video_folder" / "1.0.0" / "shards.json").write_text(
            "[" * 100_000
        )
    with pytest.raises(ValueError, match="cannot be made again") as error:
        repair(again(sources, data_dir, **how))
    number = "1 of 6" if change == "file" else "6 of 6"
    text = str(error.value)
    assert text.startswith(number) and "\n" not in text
    assert str(data_dir / "video_folder" / "1.0.0") in text
    assert contents(data_dir) == before
