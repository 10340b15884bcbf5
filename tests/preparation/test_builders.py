import glob
import os
import pathlib
import re
import shutil

import av
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
import videos
from apache_beam.options.pipeline_options import PipelineOptions
from PIL.Image import BILINEAR
from video.decoders import run_instead

from dvdgan_tf.data.index import Index
from dvdgan_tf.preparation import shards
from dvdgan_tf.preparation.builder import Preparation, record_features
from dvdgan_tf.preparation.video_folder import VideoFolder

REAL = pathlib.Path(__file__).parents[3] / "shared" / "data"


def prepare(data_dir, cls=VideoFolder, **how):
    builder = cls(data_dir=str(data_dir), preparation=Preparation(**how))
    config = tfds.download.DownloadConfig(
        beam_options=PipelineOptions(["--direct_running_mode=in_memory"]),
        try_download_gcs=False,
        compute_stats=tfds.download.ComputeStatsMode.SKIP,
    )
    builder.download_and_prepare(download_config=config)
    return builder


def examples(builder, split="train"):
    return list(tfds.as_numpy(builder.as_dataset(split=split)))


def records(builder, split="train"):
    """The bytes of all records, in order."""
    return [
        record.numpy()
        for path in builder.info.splits[split].filepaths
        for record in tf.data.TFRecordDataset(os.fspath(path))
    ]


def write_shard(builder):
    class_names = builder.plan()[0].class_names
    return shards.WriteShard(record_features(class_names))


class VideoFolderTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = VideoFolder
    SPLITS = {"train": 4, "test": 2}  # noqa: RUF012

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tfds.testing.make_tmp_dir()
        videos.tree(cls.EXAMPLE_DIR, clips=2, split="train")
        videos.tree(cls.EXAMPLE_DIR, clips=1, split="test")
        super().setUpClass()

    def _make_builder(self, config=None):
        how = Preparation(short_side=16)
        return VideoFolder(data_dir=self.tmp_dir, preparation=how)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    source = videos.tree(folder / "clips")
    long = folder / "clips" / "run" / "long.avi"
    videos.write(long, videos.numbered(20, 64, 48), "mpeg4", "yuv420p", fps=8)
    (folder / "clips" / "walk" / "empty.mp4").write_bytes(b"")
    return prepare(
        folder / "data", sources=(source,), short_side=32, max_frames=9
    )


def test_frames_labels_and_names(prepared):
    assert prepared.info.features["label"].names == ["run", "walk"]
    found = {}
    for example in examples(prepared):
        name = example["name"].decode()
        found.setdefault(name, []).append(example)
        label = prepared.info.features["label"].int2str(int(example["label"]))
        assert name.split("/")[0] == label
    assert len(found) == 7
    for name, (example, *more) in found.items():
        if name == "run/long.avi":
            continue
        assert not more
        n = int(name[-5])
        assert example["video"].shape == (6 + n, 32, 43, 3)
        level = 40 * int(example["label"]) + 10 * n
        np.testing.assert_allclose(example["video"], level, atol=4)
        assert example["fps"] == 10.0
        np.testing.assert_allclose(example["duration"], (6 + n) / 10)
        assert example["start"] == 0


def test_long_files_become_several_records(prepared):
    pieces = [e for e in examples(prepared) if e["name"] == b"run/long.avi"]
    pieces.sort(key=lambda e: int(e["start"]))
    assert [int(e["start"]) for e in pieces] == [0, 9, 18]
    video = np.concatenate([e["video"] for e in pieces])
    assert video.shape == (20, 43, 32, 3)  # portrait
    assert videos.numbers(video) == list(range(20))
    assert all(e["fps"] == 8.0 for e in pieces)


def test_index_finds_every_record(prepared):
    index = Index.load(
        os.path.join(prepared.data_dir, "train.video.index.npz"),
        prepared.info.splits["train"],
    )
    paths = prepared.info.splits["train"].filepaths
    payloads = []
    for shard, offset, length in zip(
        index.shard, index.offset, index.length, strict=True
    ):
        with open(paths[shard], "rb") as file:
            file.seek(offset)
            payloads.append(file.read(length))
    assert payloads == records(prepared)
    decoded = examples(prepared)
    assert sorted(index.frames) == sorted(len(e["video"]) for e in decoded)
    assert sorted(index.label) == sorted(e["label"] for e in decoded)


def test_all_but_the_missing_shards_are_kept(tmp_path, prepared):
    source = prepared.preparation.sources[0]
    how = dict(sources=(source,), short_side=32, max_frames=9)
    again = prepare(tmp_path / "again", **how)
    assert records(again) == records(prepared)
    work = glob.glob(f"{again.work_dir}/*.json")
    assert len(work) == again.info.splits["train"].num_shards + 1  # empty.mp4
    times = {path: os.stat(path).st_mtime_ns for path in work}
    for path in work[:2]:
        os.remove(path)
    shutil.rmtree(again.data_dir)
    third = prepare(tmp_path / "again", **how)
    assert records(third) == records(prepared)
    changed = {p for p in work if os.stat(p).st_mtime_ns != times[p]}
    assert changed == set(work[:2])


def test_other_settings_are_other_shards(tmp_path, prepared):
    def names(**how):
        how = {"sources": prepared.preparation.sources} | how
        builder = VideoFolder(
            data_dir=str(tmp_path), preparation=Preparation(**how)
        )
        return {s.path for s in builder.plan()[1]["train"]}

    assert names() == names()
    assert not names() & names(short_side=32)
    assert not names() & names(quality=50)
    assert not names() & names(fps=5.0)


def test_a_new_class_leaves_the_shards_of_others(tmp_path):
    source = tmp_path / "clips"
    videos.tree(source, classes=("b", "c"), clips=2)
    how = dict(sources=(str(source),), short_side=16)
    builder = prepare(tmp_path / "data", **how)
    made = {path: os.stat(path) for path in glob.glob(f"{builder.work_dir}/*")}
    shutil.rmtree(builder.data_dir)
    videos.tree(source, classes=("a",), clips=1)
    os.remove(source / "b" / "0.mp4")
    again = prepare(tmp_path / "data", **how)
    label = again.info.features["label"]
    assert label.names == ["a", "b", "c"]
    found = {
        example["name"].decode(): label.int2str(int(example["label"]))
        for example in examples(again)
    }
    names = ("a/0.mp4", "b/1.mp4", "c/0.mp4", "c/1.mp4")
    assert found == {name: name[0] for name in names}
    # Nothing that was there has been made again.
    there = {path: os.stat(path) for path in glob.glob(f"{again.work_dir}/*")}
    assert all(
        there[path].st_mtime_ns == status.st_mtime_ns
        for path, status in made.items()
    )
    assert len(there) <= len(made) + 4


def test_nothing_usable(tmp_path):
    os.makedirs(tmp_path / "clips" / "a")
    (tmp_path / "clips" / "a" / "x.mp4").write_bytes(b"text")
    with pytest.raises(ValueError, match=r"None of the 1 files.*a/x\.mp4"):
        prepare(tmp_path / "data", sources=(str(tmp_path / "clips"),))
    assert not os.path.exists(tmp_path / "data" / "video_folder" / "1.0.0")


def test_a_class_without_a_usable_clip_is_left_out(tmp_path):
    source = tmp_path / "clips"
    videos.tree(source, classes=("b", "d"), clips=2)
    for name in ("a", "c"):
        os.makedirs(source / name)
        (source / name / "x.mp4").write_bytes(b"text")
    builder = prepare(tmp_path / "data", sources=(str(source),), short_side=16)
    label = builder.info.features["label"]
    assert label.names == ["b", "d"]
    found = examples(builder)
    assert len(found) == 4
    for example in found:
        name = example["name"].decode()
        assert label.int2str(int(example["label"])) == name[0]
    split = builder.info.splits["train"]
    path = os.path.join(builder.data_dir, "train.video.index.npz")
    index = Index.load(path, split)
    assert list(index.label) == [int(e["label"]) for e in found]
    sizes = [len(record) for record in records(builder)]
    assert list(index.length) == sizes
    assert split.num_bytes == sum(sizes)
    with open(os.path.join(builder.data_dir, "skipped.csv")) as file:
        rows = [line.split(",")[:2] for line in file]
    assert ["a", "class left out"] in rows
    assert ["c", "class left out"] in rows


def test_no_clips(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match=r"no clip in .*notes\.txt"):
        prepare(tmp_path / "data", sources=(str(tmp_path),))


def grow(path):
    with open(path, "ab") as file:
        file.write(b"more")


def replace(path):
    """Another of the same size."""
    status = os.stat(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))


@pytest.mark.parametrize("change", [grow, replace, os.remove])
@pytest.mark.parametrize("when", ["before", "while"])
def test_a_file_that_changes_meanwhile_is_not_stored(
    tmp_path, monkeypatch, change, when
):
    source = tmp_path / "clips"
    videos.tree(source, clips=1)
    how = Preparation(sources=(str(source),), short_side=16)
    builder = VideoFolder(data_dir=str(tmp_path / "data"), preparation=how)
    shard = builder.plan()[1]["train"][0]
    shards.make_folder(builder.work_dir)
    path = shard.clips[0].path
    if when == "before":
        change(path)
    else:
        decoded = shards.IsolatedDecoder.pieces

        def pieces(decoder, path, part):
            yield from decoded(decoder, path, part)
            change(path)

        monkeypatch.setattr(shards.IsolatedDecoder, "pieces", pieces)
    with pytest.raises(shards.CannotWriteError, match=r"0\.mp4' has changed"):
        write_shard(builder).process(shard)
    assert os.listdir(builder.work_dir) == []


def test_a_drive_that_fails_stops_the_shard(tmp_path, monkeypatch):
    source = tmp_path / "clips"
    videos.tree(source, clips=1)
    run_instead(
        monkeypatch,
        """if True:
        import errno
        from dvdgan_tf.video import opening
        from dvdgan_tf.video import decode_worker
        def fail(path, *_, **__):
            raise OSError(errno.EIO, "the drive fails")
        opening.open = fail
        decode_worker.main()
        """,
    )
    with pytest.raises(shards.CannotWriteError, match="the drive fails"):
        prepare(tmp_path / "data", sources=(str(source),))
    work = tmp_path / "data" / "video_folder.work"
    assert os.listdir(work) == []
    monkeypatch.undo()
    builder = prepare(tmp_path / "data", sources=(str(source),))
    assert builder.info.splits["train"].num_examples == 2


def test_full_disk_is_one_sentence_and_leaves_no_partial_file(
    tmp_path, prepared, monkeypatch
):
    builder = VideoFolder(
        data_dir=str(tmp_path), preparation=prepared.preparation
    )
    shard = builder.plan()[1]["train"][0]
    shards.make_folder(builder.work_dir)

    class Full(tf.io.TFRecordWriter):
        def write(self, record):
            raise tf.errors.ResourceExhaustedError(
                None, None, "No space left on device"
            )

    monkeypatch.setattr(tf.io, "TFRecordWriter", Full)
    with pytest.raises(shards.CannotWriteError, match="No space left"):
        write_shard(builder).process(shard)
    assert os.listdir(builder.work_dir) == []


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (dict(short_side=1), "short_side=1"),
        (dict(quality=101), "quality=101"),
        (dict(min_frames=700), "min_frames=700"),
        (dict(fps=0.0), "fps=0.0"),
        (dict(damaged="keep"), "'keep'"),
    ],
)
def test_settings_out_of_range(how, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Preparation(**how)


def test_real_clips_against_an_independent_decode(tmp_path):
    source = REAL / "weizmann"
    if not source.is_dir():
        pytest.skip(f"no real clips at {source}")
    os.makedirs(tmp_path / "clips")
    for name in ("bend", "walk"):
        os.makedirs(tmp_path / "clips" / name)
        for path in sorted((source / name).iterdir())[:2]:
            os.symlink(path, tmp_path / "clips" / name / path.name)
    builder = prepare(
        tmp_path / "data", sources=(str(tmp_path / "clips"),), short_side=96
    )
    found = examples(builder)
    assert len(found) == 4
    for example in found:
        path = os.path.join(source, example["name"].decode())
        with av.open(path) as container:
            images = [f.to_image() for f in container.decode(video=0)]
        assert len(images) == len(example["video"])
        height, width = example["video"].shape[1:3]
        assert (height, width) == (96, 120)
        expected = np.stack(
            [np.asarray(i.resize((width, height), BILINEAR)) for i in images]
        )
        difference = example["video"].astype(float) - expected
        # JPEG of quality 95, chroma at half size.
        assert np.abs(difference).mean() < 3.0


def test_pictures_and_arrays_become_clips(tmp_path):
    ramp = videos.moving_square(9, height=32)
    for label, name in enumerate(("a", "b")):
        folder = tmp_path / "clips" / name / "clip"
        videos.write_pictures(folder, ramp[:: 1 - 2 * label])
    array = np.repeat(videos.numbered(5, 32, 32)[:, None, :, :, 0], 2, axis=1)
    np.save(tmp_path / "mnist.npy", array)
    sources = (str(tmp_path / "clips"), str(tmp_path / "mnist.npy"))
    builder = prepare(tmp_path / "data", sources=sources, short_side=32)
    label = builder.info.features["label"]
    found = {
        example["name"].decode(): (
            label.int2str(int(example["label"])),
            example["video"],
        )
        for example in examples(builder)
    }
    assert {name: label for name, (label, _) in found.items()} == {
        "a/clip": "a",
        "b/clip": "b",
        "mnist.npy/00000": "all",
        "mnist.npy/00001": "all",
    }
    assert videos.psnr(found["a/clip"][1], ramp) > 25
    assert videos.psnr(found["b/clip"][1], ramp[::-1]) > 25
    assert videos.numbers(found["mnist.npy/00001"][1]) == list(range(5))


def test_a_picture_that_changes_is_another_shard(tmp_path):
    videos.write_pictures(tmp_path / "clips" / "a", videos.numbered(3))
    how = Preparation(sources=(str(tmp_path / "clips"),))

    def stem():
        builder = VideoFolder(data_dir=str(tmp_path), preparation=how)
        return builder.plan()[1]["train"][0].stem

    before = stem()
    assert stem() == before
    replace(tmp_path / "clips" / "a" / "2.png")
    assert stem() != before
