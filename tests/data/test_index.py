"""Where the records of a split are."""

import dataclasses
import io
import os
import zipfile

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from data import stored

from dvdgan_tf import config
from dvdgan_tf.data import index, records, split_records
from dvdgan_tf.data import scan as scan_module
from dvdgan_tf.data.scan import scan


def dataset(root):
    """Records of 3, 1, 2 and 5 frames with labels 0 to 2, in 2 + 2."""
    shards = [[(3, 0), (1, 1)], [(2, 1), (5, 2)]]
    folder = stored.write(
        root,
        "a",
        stored.features(["x", "y", "z"]),
        train=[
            [stored.clip([b"frame %d" % n] * n, label) for n, label in shard]
            for shard in shards
        ],
    )
    return folder, tfds.builder_from_directory(folder)


@pytest.fixture
def made(tmp_path):
    return dataset(tmp_path / "data")


def load_or_scan(builder, cache_dir):
    found, lost = split_records.find(
        builder, "train", "video", "label", str(cache_dir)
    )
    assert lost == []
    return found


def scanned(builder, label_key="label", video_key="video"):
    return scan(builder.info.splits["train"], video_key, label_key)


def same(a, b):
    for field in dataclasses.fields(index.Index):
        x, y = getattr(a, field.name), getattr(b, field.name)
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)
    return True


def sentence(error):
    text = config.one_line(error.value)
    assert "\n" not in str(error.value)
    return text


def test_scan_finds_each_record(made):
    folder, builder = made
    found = scanned(builder)
    assert found.shard.tolist() == [0, 0, 1, 1]
    assert found.label.tolist() == [0, 1, 1, 2]
    assert found.frames.tolist() == [3, 1, 2, 5]
    # The oracle is TensorFlow's own reader.
    shards = sorted(folder.glob("*.tfrecord*"))
    expected = [
        payload
        for shard in shards
        for payload in tf.data.TFRecordDataset(str(shard)).as_numpy_iterator()
    ]
    for shard, offset, length, payload in zip(
        found.shard, found.offset, found.length, expected, strict=True
    ):
        data = shards[shard].read_bytes()
        assert data[offset : offset + length] == payload
        assert records.read(str(shards[shard]), offset).numpy() == payload


def test_scan_without_labels(made):
    assert scanned(made[1], None).label.tolist() == [0] * 4


def test_scan_of_a_feature_that_is_absent(made):
    """As in records that are no examples: each is damaged."""
    assert len(scanned(made[1], "other").shard) == 0


def test_it_is_made_once_beside_the_shards(made, tmp_path, monkeypatch):
    folder, builder = made
    first = load_or_scan(builder, tmp_path / "cache")
    assert (folder / "train.video.index.npz").is_file()
    assert not list(folder.glob("*.tmp")) and not (tmp_path / "cache").exists()
    monkeypatch.setattr(split_records, "scan", None)
    assert same(load_or_scan(builder, tmp_path / "cache"), first)


def refuse_beside(folder, monkeypatch):
    save = index.Index.save

    def save_elsewhere(self, path):
        if str(folder) in path:
            raise tf.errors.PermissionDeniedError(None, None, "read-only")
        save(self, path)

    monkeypatch.setattr(index.Index, "save", save_elsewhere)


def test_read_only_datasets_are_indexed_in_the_cache(
    made, tmp_path, monkeypatch
):
    folder, builder = made
    refuse_beside(folder, monkeypatch)
    first = load_or_scan(builder, tmp_path / "new" / "cache")
    assert not (folder / "train.video.index.npz").exists()
    assert len(list((tmp_path / "new" / "cache").iterdir())) == 1
    scan = split_records.scan
    monkeypatch.setattr(split_records, "scan", None)
    assert same(load_or_scan(builder, tmp_path / "new" / "cache"), first)
    # Of other files it is another one.
    (shard, _) = sorted(folder.glob("*.tfrecord*"))
    later = shard.stat().st_mtime + 10
    os.utime(shard, (later, later))
    monkeypatch.setattr(split_records, "scan", scan)
    assert same(load_or_scan(builder, tmp_path / "new" / "cache"), first)
    assert len(list((tmp_path / "new" / "cache").iterdir())) == 2


def test_neither_place_can_be_written(made, tmp_path, monkeypatch):
    folder, builder = made
    refuse_beside(folder, monkeypatch)
    (tmp_path / "file").touch()
    with pytest.raises(OSError) as error:
        load_or_scan(builder, tmp_path / "file" / "x")
    assert str(folder) in sentence(error)
    assert "CACHE_DIR='/path'" in sentence(error)


def test_an_interrupted_save_leaves_nothing(made, tmp_path, monkeypatch):
    found = scanned(made[1])

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tf.io.gfile, "rename", fail)
    (tmp_path / "out").mkdir()
    with pytest.raises(OSError):
        found.save(str(tmp_path / "out" / "train.video.index.npz"))
    assert list((tmp_path / "out").iterdir()) == []


def swap(array):
    return array[::-1].copy()


@pytest.mark.parametrize(
    "field, to, words",
    [
        ("label", lambda a: a.astype(np.int64), "'label' is int64 [4]"),
        ("frames", lambda a: a[:2], "'frames' is int32 [2]"),
        ("shard", lambda a: a + 1, "other shards than the 2"),
        ("shard", lambda a: a * 0, "more records than the shards"),
        ("offset", swap, "not in the order"),
        ("length", lambda a: a + 1, "not in the order"),
        ("shard", swap, "not in the order"),
        ("frames", lambda a: -a, "negative"),
        ("offset", lambda a: a + [0, 10**9] * 2, "has other records"),
    ],
)
def test_an_index_of_other_files(made, tmp_path, field, to, words):
    folder, builder = made
    right = load_or_scan(builder, tmp_path)
    path = folder / "train.video.index.npz"
    arrays = dataclasses.asdict(right)
    np.savez(path, **(arrays | {field: to(arrays[field])}))
    with pytest.raises(ValueError) as error:
        load_or_scan(builder, tmp_path)
    assert words in sentence(error) and "delete it" in sentence(error)
    assert str(path) in sentence(error)


def forged(arrays, shape):
    """A .npz with one header that asks for more than there is."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, (1, 0))
            data = member.getvalue()
            if name == "offset":
                old = f"'shape': ({len(array)},)"
                new = f"'shape': {shape}"
                space = " " * (len(new) - len(old))
                data = data.replace(
                    (old + ", }" + space).encode(), (new + ", }").encode()
                )
            archive.writestr(f"{name}.npy", data)
    return stream.getvalue()


DAMAGES = ["empty", "text", "cut", "less", "pickle", "huge", "bomb", "scalar"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index(made, tmp_path, damage):
    folder, builder = made
    right = load_or_scan(builder, tmp_path)
    path = folder / "train.video.index.npz"
    data = path.read_bytes()
    arrays = dataclasses.asdict(right)
    if damage == "less":
        np.savez(path, shard=right.shard)
    elif damage == "pickle":
        np.savez(path, **(arrays | {"label": np.array([None] * 4)}))
    elif damage == "bomb":
        np.savez_compressed(path, **(arrays | {"label": np.zeros(2**24)}))
    elif damage == "scalar":
        np.savez(path, **(arrays | {"shard": np.int32(0)}))
    elif damage == "huge":
        path.write_bytes(forged(arrays, (2**40,)))
    else:
        contents = {"empty": b"", "text": b"no zip", "cut": data[:400]}
        path.write_bytes(contents[damage])
    with pytest.raises(ValueError) as error:
        load_or_scan(builder, tmp_path)
    assert str(path) in sentence(error) and "delete it" in sentence(error)


def test_an_attempt_that_fails_for_ever_ends(tmp_path):
    """A reader whose file is gone fails at each time of asking."""
    path = str(tmp_path / "gone")

    @tf.function
    def attempt():
        return records.attempt(
            lambda: records.read(path, tf.constant(12, tf.int64)), "otherwise"
        )

    assert attempt().numpy() == b"otherwise"


@pytest.mark.parametrize("length", [2**40, 2**62, 2**64 - 1])
def test_a_forged_length_ends_the_scan_of_a_shard(made, length):
    folder, builder = made
    shard = sorted(folder.glob("*.tfrecord*"))[0]
    offset = int(scanned(builder).offset[1])
    data = bytearray(shard.read_bytes())
    data[offset - 12 : offset] = stored.record_header(length)
    shard.write_bytes(data)
    found = scanned(builder)
    assert found.shard.tolist() == [0, 1, 1]


def test_zeros_are_not_records_without_end(made):
    shard = sorted(made[0].glob("*.tfrecord*"))[0]
    with open(shard, "r+b") as file:
        file.truncate(0)
        file.truncate(2**40)  # a file with a hole
    assert len(scan_module.places(str(shard), 2)) < 2000
