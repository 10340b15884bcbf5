"""What is lost of damaged and missing shards is counted, and found again."""

import shutil
import struct

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from data import stored

from dvdgan_tf import config
from dvdgan_tf.data import lost, split_records

NAMES = ["x", "y", "z"]


@pytest.fixture
def folder(tmp_path):
    """Records of 3, 1, 2 and 5 frames with labels 0, 1, 1, 2, in 2 + 2."""
    shards = [[(3, 0), (1, 1)], [(2, 1), (5, 2)]]
    return stored.write(
        tmp_path / "data",
        "a",
        stored.features(NAMES),
        train=[
            [stored.clip([b"frame %d" % n] * n, label) for n, label in shard]
            for shard in shards
        ],
    )


@pytest.fixture(params=["indexed", "not indexed"])
def labels_known(request, folder, tmp_path):
    """Whether an index of the whole dataset is there before the damage."""
    if request.param == "indexed":
        find(folder, tmp_path)
    return request.param == "indexed"


def find(folder, tmp_path):
    builder = tfds.builder_from_directory(folder)
    return split_records.find(
        builder, "train", "video", "label", str(tmp_path / "cache")
    )


def shards_of(folder):
    return sorted(folder.glob("*.tfrecord*"))


def places(shard):
    """Byte offsets of the payloads, by the framing."""
    data, position, found = shard.read_bytes(), 0, []
    while position < len(data):
        found.append(position + 12)
        position += struct.unpack_from("<Q", data, position)[0] + 16
    return found


def flip(shard, position, value=1):
    data = bytearray(shard.read_bytes())
    data[position] ^= value
    shard.write_bytes(data)


def cut(shard, size):
    shard.write_bytes(shard.read_bytes()[:size])


DAMAGES = {
    "cut in a payload": (lambda s, second: cut(s, second + 9), [1]),
    "cut in a header": (lambda s, second: cut(s, second - 6), [1]),
    "cut between records": (lambda s, second: cut(s, second - 12), [1]),
    "empty": (lambda s, second: cut(s, 0), [0, 1]),
    "gone": (lambda s, second: s.unlink(), [0, 1]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_lost_record_is_counted(folder, tmp_path, labels_known, damage):
    shard = shards_of(folder)[0]
    do, gone = DAMAGES[damage]
    do(shard, places(shard)[1])
    # The second time from what the first has left.
    for _ in range(2):
        found, (missing,) = find(folder, tmp_path)
        expected = [n for i, n in enumerate([3, 1, 2, 5]) if i not in gone]
        assert found.frames.tolist() == expected
        assert (missing.path, missing.expected) == (str(shard), 2)
        labels = gone if labels_known else [-1] * len(gone)
        assert missing.labels.tolist() == labels
        assert missing.absent == (damage == "gone")


@pytest.mark.parametrize("damage, gone", [("payload", [0]), ("length", [0, 1])])
def test_a_scan_counts_damage_that_leaves_the_size(
    folder, tmp_path, damage, gone
):
    shard = shards_of(folder)[0]
    if damage == "payload":
        flip(shard, places(shard)[0] + 20)
    else:
        flip(shard, 5, 0xFF)
    found, (missing,) = find(folder, tmp_path)
    assert found.frames.tolist() == ([1] if gone == [0] else []) + [2, 5]
    assert len(missing.labels) == len(gone) and not missing.absent


def test_restored_shards_are_whole_again(folder, tmp_path, labels_known):
    whole = shutil.copytree(folder, tmp_path / "copy")
    for shard in shards_of(folder):
        cut(shard, 40)
    found, missing = find(folder, tmp_path)
    assert len(found.frames) == 0 and len(missing) == 2
    for shard in shards_of(whole):
        shutil.copy(shard, folder)
    found, missing = find(folder, tmp_path)
    assert found.frames.tolist() == [3, 1, 2, 5] and missing == []
    assert (folder / "train.video.index.npz").exists()


def test_an_old_index_of_less_records_hides_nothing(folder, tmp_path):
    """Earlier versions left one that had only what could be read then."""
    found, _ = find(folder, tmp_path)
    found.take(np.array([True, False, True, True])).save(
        str(folder / "train.video.index.npz")
    )
    found, missing = find(folder, tmp_path)
    assert found.frames.tolist() == [3, 1, 2, 5] and missing == []


def test_a_shard_of_another_dataset(folder, tmp_path):
    first, second = shards_of(folder)
    first.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(ValueError) as error:
        find(folder, tmp_path)
    text = config.one_line(error.value)
    assert str(first) in text and "has 4 records, but 2" in text


def test_what_follows_the_last_record_does_not_matter(folder, tmp_path):
    find(folder, tmp_path)
    shard = shards_of(folder)[1]
    shard.write_bytes(shard.read_bytes() + b"x")
    found, missing = find(folder, tmp_path)
    assert len(found.frames) == 4 and missing == []


def test_many_shards_are_counted_not_named():
    shards = [
        lost.Lost(f"s{i}", 9, np.zeros(i + 1, int), False) for i in range(7)
    ]
    text = lost.by_shard(shards)
    assert "1 of 9 in 's0' (damaged or cut short)" in text
    assert "'s4'" not in text and text.endswith("18 in 3 other shards")


def test_by_class():
    labels = np.array([2, 0, 2, -1, 3])
    assert lost.by_class(labels, NAMES) == "x 1, z 2, of unknown class 2"


def test_records_of_strangers_are_counted_or_lost(tmp_path):
    """Other types, other numbers: nothing but a sentence comes of them."""

    def example(**changes):
        # Of the wrong type where it is, None where it is absent.
        features = {"video": [b"x"] * 2, "label": [1]} | changes
        kinds = {bytes: "bytes_list", int: "int64_list", float: "float_list"}
        message = tf.train.Example()
        for key, values in features.items():
            feature = message.features.feature[key]
            kind = kinds[type(values[0])] if values else "bytes_list"
            getattr(feature, kind).value.extend(values)
        return message.SerializeToString()

    payloads = [
        example(),
        example(video=[]),
        example(label=[2**40]),
        example(label=[-(2**63)]),
        example(label=[0.5]),
        example(label=[1, 2]),
        example(video=[3]),
        b"",
        b"\xff" * 50,
    ]
    folder = stored.write(
        tmp_path / "data",
        "a",
        stored.features(NAMES),
        train=[[stored.clip([b"x"], 0)] * len(payloads)],
    )
    (shard,) = shards_of(folder)
    with tf.io.TFRecordWriter(str(shard)) as writer:
        for payload in payloads:
            writer.write(payload)
    found, (missing,) = find(folder, tmp_path)
    assert found.frames.tolist() == [2, 0, 2, 2]
    assert found.label.tolist() == [1, 1, -1, -1]
    assert len(missing.labels) == 5
