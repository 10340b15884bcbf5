"""Damaged records end training in a sentence, or other clips replace them."""

import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from data import stored

from dvdgan_tf import config
from dvdgan_tf.data import pipeline, records
from dvdgan_tf.data.held_out import hold_out
from dvdgan_tf.data.tfds_videos import TfdsVideos

CLIPS = 7


def frames_of(grey, count=3, kind="jpeg", **kwargs):
    video = np.full([count, 32, 32, 3], grey, np.uint8)
    return stored.encode(video, kind)


def png_of(width, height):
    """A PNG image whose header states any size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = struct.pack(">I", 13) + header
    chunks += struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunks + bytes(8)


def jpeg_of(width, height):
    """A JPEG image whose header states any size."""
    jpeg = frames_of(9)[0]
    place = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:place] + struct.pack(">HH", height, width) + jpeg[place + 4 :]


BAD = {
    "cut": frames_of(9)[0][:300],
    "no image": b"\xff\xd8\xff" + bytes(200),
    "empty": b"",
    "gif": b"GIF89a" + bytes(20),
    "png, a bomb": png_of(2**31 - 1, 2**31 - 1),
    "png, of nothing": png_of(0, 0),
    "png, negative": png_of(2**31 + 5, 2**31 + 5),
    "png, cut": png_of(32, 32)[:20],
    "jpeg, a bomb": jpeg_of(65500, 65500),
    "jpeg, of another size": jpeg_of(40, 40),
    "jpeg, a line": jpeg_of(1, 65500),
}


def write(root, bad=None, damaged=(3,), names=None):
    """Clips of the greys 10, 30 and so on; some have a frame that is bad."""
    examples = []
    for number in range(CLIPS):
        encoded = frames_of(10 + 20 * number)
        if number in damaged and bad is not None:
            encoded[1] = bad
        name = f"walk/{number}.mp4" if names is None else names
        examples.append(stored.clip(encoded, number % 2) | {"name": name})
    features = stored.features()
    folder = stored.write(
        root, "a", features, train=[examples[:4]] + [examples[4:]]
    )
    return folder


def source_of(root, **kwargs):
    return TfdsVideos(str(root), "a", str(root / "cache"), 32, 3, **kwargs)


def prepared(root, **kwargs):
    source = source_of(root, **kwargs)
    source.prepare()
    return source


def greys(source, batches, **kwargs):
    """Which clips a stream shows, [batches, b], and their labels."""
    stream = pipeline.batches(source, 5, seed=3, **kwargs).take(batches)
    videos, labels = zip(*stream.as_numpy_iterator(), strict=True)
    numbers = (np.mean(videos, (2, 3, 4, 5)) - 10) / 20
    np.testing.assert_allclose(numbers, numbers.round(), atol=0.2)
    return numbers.round().astype(int), np.array(labels)


def following(order, bad):
    """Each number of the stream, or what replaces it: of the same epoch."""
    epochs = order.reshape(-1, CLIPS)
    shown = epochs.copy()
    for epoch, place in zip(*np.nonzero(np.isin(epochs, bad)), strict=True):
        turned = np.roll(epochs[epoch], -place)
        shown[epoch, place] = turned[~np.isin(turned, bad)][0]
    return shown.reshape(order.shape)


def failure(source):
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        list(pipeline.batches(source, 5, seed=3).take(2))
    return config.innermost(error.value)


def test_a_bad_frame_is_one_sentence(tmp_path):
    folder = write(tmp_path, BAD["cut"])
    text = failure(prepared(tmp_path))
    shard = sorted(folder.glob("*.tfrecord*"))[0]
    assert text.startswith("The record at byte ") and "\n" not in text
    assert f"of {shard} (walk/3.mp4, class walk) is damaged" in text
    assert "TfdsVideos.skip_damaged = True" in text and "index" not in text


@pytest.mark.parametrize("fit", ["crop", "squash"])
def test_each_kind_of_bad_frame_is_noticed(tmp_path, fit):
    examples = []
    for bad in [frames_of(0)[0], *BAD.values()]:
        encoded = frames_of(0)
        encoded[1] = bad
        examples.append(stored.clip(encoded, 1))
    stored.write(tmp_path, "a", stored.features(), train=[examples])
    source = prepared(tmp_path, fit=fit, skip_damaged=True)
    stream = tf.data.Dataset.range(len(examples)).map(
        lambda index: source.load(index, tf.constant([1, 2]))
    )
    labels = [int(label) for _, label in stream]
    assert labels == [1] + [-1] * len(BAD)
    assert source.replaced()[0] == len(BAD)


def test_the_next_clip_of_the_epoch_replaces_it(tmp_path):
    write(tmp_path / "good")
    write(tmp_path / "bad", BAD["cut"], damaged=(3, 5))
    # Seven batches of five are five epochs of seven.
    order, _ = greys(prepared(tmp_path / "good"), 7)
    source = prepared(tmp_path / "bad", skip_damaged=True)
    assert source.replaced() == (0, [])
    shown, labels = greys(source, 7)
    np.testing.assert_array_equal(shown, following(order, [3, 5]))
    np.testing.assert_array_equal(labels, shown % 2)
    # What is prefetched counts already.
    count, lines = source.replaced()
    assert count >= 10 and len(lines) == 2
    assert "walk/3.mp4, class walk" in lines[0] and "\n" not in lines[0]
    assert source.replaced()[1] == []
    # Resumed, and on two hosts.
    np.testing.assert_array_equal(greys(source, 3, start_batch=4)[0], shown[4:])
    again = prepared(tmp_path / "bad", skip_damaged=True)
    videos = [
        next(iter(pipeline.batches(again, 10, 3, 1, p, 2)))[0] for p in (0, 1)
    ]
    numbers = (np.mean(videos, (2, 3, 4, 5)) - 10) / 20
    np.testing.assert_array_equal(numbers.round(), shown[2:4])


def test_undamaged_datasets_are_read_as_before(tmp_path):
    write(tmp_path)
    streams = [
        pipeline.batches(prepared(tmp_path, skip_damaged=skip), 5, seed=3)
        for skip in (False, True)
    ]
    for a, b in zip(
        *(s.take(4).as_numpy_iterator() for s in streams), strict=True
    ):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])


def test_held_out_clips_replace_none_of_training(tmp_path):
    write(tmp_path, BAD["cut"], damaged=(3,))
    source = source_of(tmp_path, skip_damaged=True)
    sides = hold_out(source, 0.4)
    seen = []
    for side in sides:
        side.prepare()
        assert side.skips_damaged
        shown, _ = greys(side, 5)
        seen.append(set(shown.ravel().tolist()))
    assert [side.replaced()[0] > 0 for side in sides] == [True, False]
    assert seen[0] | seen[1] == {0, 1, 2, 4, 5, 6}
    assert not seen[0] & seen[1]


def test_more_damage_than_can_be_replaced(tmp_path):
    write(tmp_path, BAD["cut"], damaged=range(CLIPS))
    text = failure(prepared(tmp_path, skip_damaged=True))
    assert text.startswith("7 clips in a row are damaged")


def test_a_dataset_that_is_gone_is_not_skipped(tmp_path):
    folder = write(tmp_path / "here [1]")
    source = prepared(tmp_path / "here [1]", skip_damaged=True)
    folder.parent.rename(tmp_path / "moved")
    text = failure(source)
    assert "no longer exists" in text and "set DATA_DIR" in text


def test_flipped_bits_are_skipped(tmp_path):
    folder = write(tmp_path)
    source = prepared(tmp_path, skip_damaged=True)
    for shard in folder.glob("*.tfrecord*"):
        data = bytearray(shard.read_bytes())
        data[100] ^= 1
        shard.write_bytes(data)
    assert set(greys(source, 7)[0].ravel()) == {1, 2, 3, 5, 6}
    _, lines = source.replaced()
    assert len(lines) == 2 and "it cannot be read" in lines[0]


@pytest.mark.parametrize("length", [2**40, 2**62, 2**64 - 16, 5000, 0])
def test_a_forged_length_is_a_damaged_record(tmp_path, length):
    # TensorFlow's reader ends the process for want of 2^40 bytes.
    folder = write(tmp_path)
    source = prepared(tmp_path, skip_damaged=True)
    shard = sorted(folder.glob("*.tfrecord*"))[0]
    place = int(source._offsets[1]) - records.HEADER_BYTES
    data = bytearray(shard.read_bytes())
    true = stored.record_header(
        int(source._offsets[2] - source._offsets[1]) - 16
    )
    assert data[place : place + 12] == true
    data[place : place + 12] = stored.record_header(length)
    shard.write_bytes(data)
    assert set(greys(source, 7)[0].ravel()) == {0, 2, 3, 4, 5, 6}
    _, (line,) = source.replaced()
    assert f"record at byte {place + 12} of {shard}" in line
    assert "it cannot be read" in line
    text = failure(prepared(tmp_path))
    assert f"record at byte {place + 12} of {shard}" in text


def test_a_name_is_data(tmp_path):
    write(tmp_path, BAD["cut"], names="\x1b[31m\nerror: ]")
    text = failure(prepared(tmp_path))
    source = prepared(tmp_path, skip_damaged=True)
    greys(source, 7)
    for line in [text, *source.replaced()[1]]:
        assert line.isprintable() and "is damaged" in line


def test_many_damaged_records_are_counted(tmp_path):
    write(tmp_path, BAD["cut"], damaged=range(6))
    source = prepared(tmp_path, skip_damaged=True)
    greys(source, 7)
    _, lines = source.replaced()
    assert len(lines) == 5 and lines[-1].startswith("2 more records")


def test_a_damaged_record_tears_no_file_apart(tmp_path):
    """Of a file's three records, that in the middle has lost its name."""
    examples = [
        stored.clip(frames_of(10 * n), 0) | {"name": name}
        for n, name in enumerate(["a", "b", "b", "b", "c"])
    ]
    folder = stored.write(tmp_path, "a", stored.features(), train=[examples])
    source = prepared(tmp_path)
    assert source.files().tolist() == [0, 1, 1, 1, 2]
    (shard,) = folder.glob("*.tfrecord*")
    data = bytearray(shard.read_bytes())
    data[source._offsets[2] + 40] ^= 1
    shard.write_bytes(data)
    assert source.files().tolist() == [0, 1, 1, 1, 2]
