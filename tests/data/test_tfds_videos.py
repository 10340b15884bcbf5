"""Datasets of TensorFlow Datasets as a source of clips."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from data import stored

from dvdgan_tf import config
from dvdgan_tf.data import clips, pipeline
from dvdgan_tf.data import tfds_videos as module
from dvdgan_tf.data.tfds_videos import TfdsVideos


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Four clips of 20 frames and two of 9, in 2 + 1 shards."""
    root = tmp_path_factory.mktemp("tfds")
    long, short = (stored.encode(stored.numbered(n)) for n in (20, 9))
    stored.write(
        root,
        "video_folder",
        stored.features(),
        train=[
            [stored.clip(long, 0), stored.clip(short, 1)],
            [stored.clip(long, 1), stored.clip(long, 1)],
        ],
        test=[[stored.clip(short, 0), stored.clip(long, 0)]],
    )
    return root


@pytest.fixture
def source(root, tmp_path):
    return prepared(root, tmp_path)


def prepared(root, cache_dir, name="video_folder", **kwargs):
    arguments = dict(resolution=32, num_frames=6, frame_stride=2) | kwargs
    source = TfdsVideos(str(root), name, str(cache_dir), **arguments)
    source.prepare()
    return source


def loader(source):
    """`source.load` of Python numbers, in a graph as it is used."""
    graph = tf.function(source.load)

    def load(index, *seed):
        video, label = graph(tf.constant(index, tf.int64), tf.constant(seed))
        return video.numpy(), int(label)

    return load


def message(error):
    text = config.one_line(error.value)
    assert "\n" not in str(error.value).strip()
    return text


def draws_of(video):
    """First frame, left column, mirrored: as `stored.numbered` shows them."""
    columns = video[0, :, :, 0].astype(float).mean(0)
    mirrored = columns[0] > columns[-1]
    left = columns[-1] if mirrored else columns[0]
    first = video[0, ..., 1].mean() / 8
    return int(first.round()), int((left / 6).round()), bool(mirrored)


def test_classes_counts_and_labels(root, tmp_path, caplog):
    source = prepared(root, tmp_path)
    assert source.class_names == ["jump", "walk"]
    assert (source.num_examples, source.num_frames) == (3, 6)
    np.testing.assert_array_equal(source.label_counts, [1, 2])
    load = loader(source)
    assert [load(i, 0, 0)[1] for i in range(3)] == [0, 1, 1]
    (line,) = [r.getMessage() for r in caplog.records]
    assert "1 of 4 records" in line and "less than 11 frames: walk 1" in line


def test_splits_in_union(root, tmp_path):
    source = prepared(root, tmp_path, split="train+test")
    np.testing.assert_array_equal(source.label_counts, [2, 2])
    assert loader(source)(3, 0, 0)[1] == 0


def test_all_windows_and_squares_that_fit(source):
    load, firsts, lefts = loader(source), set(), set()
    for number in range(150):
        video, _ = load(number % 3, number, 1)
        assert video.shape == (6, 32, 32, 3) and video.dtype == np.uint8
        greys = (video[..., 1:].mean((1, 2, 3)) / 8).round()
        np.testing.assert_array_equal(np.diff(greys), 2)
        first, left, mirrored = draws_of(video)
        # One square, and neither mirrored nor torn.
        expected = 6 * (left + np.arange(32))
        assert np.abs(video[..., 0] - expected.astype(float)).max() <= 4
        assert not mirrored
        firsts.add(first)
        lefts.add(left)
    assert firsts == set(range(20 - 11 + 1)) and lefts == set(range(9))


def test_window_square_and_flip_are_drawn_apart(root, tmp_path):
    load = loader(prepared(root, tmp_path, flip=True))
    draws = [draws_of(load(0, number, 2)[0]) for number in range(200)]
    assert 70 < sum(mirrored for *_, mirrored in draws) < 130
    # Independent ones correlate by 1 / sqrt(200) = 0.07.
    correlations = np.corrcoef(np.transpose(draws).astype(float))
    assert np.abs(correlations - np.eye(3)).max() < 0.3


def test_crop_keeps_the_shape_squash_does_not(root, tmp_path):
    # 32x40 to 16x20, of which 16 columns; or to 16x16.
    crop = loader(prepared(root, tmp_path, resolution=16))(0, 0, 3)[0]
    squash = loader(prepared(root, tmp_path, resolution=16, fit="squash"))
    slopes = [
        np.polyfit(np.arange(16), v[0, :, :, 0].mean(0), 1)[0]
        for v in (crop, squash(0, 0, 3)[0])
    ]
    np.testing.assert_allclose(slopes, [6 * 2, 6 * 40 / 16], rtol=0.02)
    # Enlarged: the short side to 48, the other to 60.
    large = loader(prepared(root, tmp_path, resolution=48))(0, 0, 3)[0]
    slope = np.polyfit(np.arange(2, 46), large[0, :, 2:-2, 0].mean(0), 1)[0]
    assert slope == pytest.approx(6 * 32 / 48, rel=0.02)


@pytest.mark.parametrize(
    ("size", "scale"),
    [
        ((24, 40), 1.0),  # As wide as stored: rows are cropped.
        ((32, 32), 1.0),
        ((16, 20), 0.5),  # The stored shape: nothing is cropped.
        ((16, 28), 28 / 40),  # Wider: rows of 28x22.4 are cropped.
        ((28, 16), 28 / 32),  # Taller: columns of 28x35 are cropped.
    ],
)
def test_crop_takes_the_largest_part_of_that_shape(root, tmp_path, size, scale):
    """Of 32x40 pixels; what is scaled by `scale` climbs by 6 / scale."""
    source = prepared(root, tmp_path, resolution=size)
    assert source.describe()["resolution"] == (
        32 if size == (32, 32) else list(size)
    )
    video = loader(source)(0, 0, 3)[0]
    assert video.shape == (6, *size, 3)
    slope = np.polyfit(np.arange(size[1]), video[0, :, :, 0].mean(0), 1)[0]
    assert slope == pytest.approx(6 / scale, rel=0.03)


def test_squash_to_a_rectangle(root, tmp_path):
    size = (16, 28)
    source = prepared(root, tmp_path, resolution=size, fit="squash")
    video = loader(source)(0, 0, 3)[0]
    assert video.shape == (6, *size, 3)
    slope = np.polyfit(np.arange(28), video[0, :, :, 0].mean(0), 1)[0]
    assert slope == pytest.approx(6 * 40 / 28, rel=0.02)


def test_a_rectangle_of_a_jpeg_is_what_is_decoded_whole(root, tmp_path):
    frames = stored.encode(stored.numbered(20))
    source = prepared(root, tmp_path, resolution=(24, 40))
    video = loader(source)(0, 5, 5)[0]
    whole = np.stack(
        [
            tf.io.decode_jpeg(frame, dct_method="INTEGER_ACCURATE")
            for frame in frames
        ]
    )
    found = [
        np.array_equal(video[0], whole[first, top : top + 24])
        for first in range(20)
        for top in range(9)
    ]
    assert any(found)


def test_a_shrunk_clip_averages(tmp_path):
    # Columns by turns black and white: grey, wherever they are sampled.
    video = np.zeros([6, 32, 32, 3], np.uint8)
    video[:, :, ::2] = 255
    frames = stored.encode(video)
    stored.write(
        tmp_path, "a", stored.features(), train=[[stored.clip(frames, 0)]]
    )
    source = prepared(tmp_path, tmp_path, "a", resolution=8, frame_stride=1)
    # All but the border, where the average is lopsided.
    inside = loader(source)(0, 0, 0)[0][:, :, 1:-1]
    assert np.abs(inside - 127.5).max() < 4


def test_stored_pixels_are_not_changed(source):
    """What is cropped as JPEG is what is decoded whole and cropped."""
    frames = stored.encode(stored.numbered(20))
    video = loader(source)(0, 5, 5)[0]
    first, left, _ = draws_of(video)
    whole = tf.io.decode_jpeg(frames[first], dct_method="INTEGER_ACCURATE")
    np.testing.assert_array_equal(video[0], whole[:, left : left + 32])


def test_square_along_the_height(tmp_path):
    frames = stored.encode(stored.numbered(6, 40, 32).transpose(0, 1, 2, 3))
    stored.write(
        tmp_path, "a", stored.features(), train=[[stored.clip(frames, 0)]]
    )
    source = prepared(tmp_path, tmp_path, "a", frame_stride=1)
    video = loader(source)(0, 0, 0)[0]
    assert draws_of(video)[1] == 0 and video.shape == (6, 32, 32, 3)


def test_only_the_frames_of_the_window_are_decoded(tmp_path):
    """All other frames are no images, and only their windows fail."""
    frames = stored.encode(stored.numbered(10))
    frames = [f if 4 <= t < 7 else b"no image" for t, f in enumerate(frames)]
    folder = stored.write(
        tmp_path, "a", stored.features(), train=[[stored.clip(frames, 0)]]
    )
    source = prepared(tmp_path, tmp_path, "a", num_frames=3, frame_stride=1)
    load, good, bad = loader(source), 0, 0
    for number in range(40):
        seed = tf.random.split(tf.constant([number, 0]), 3)[0]
        if clips.random_window_start(10, 3, 1, seed) == 4:
            assert draws_of(load(0, number, 0)[0])[0] == 4
            good += 1
        else:
            with pytest.raises(tf.errors.InvalidArgumentError) as error:
                load(0, number, 0)
            sentence = config.innermost(error.value)
            assert sentence.startswith(f"The record at byte 12 of {folder}")
            bad += 1
    assert good and bad


def flip_bit(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", ["payload", "length", "cut", "gone"])
def test_damaged_after_it_was_indexed(tmp_path, damage):
    frames = stored.encode(stored.numbered(6))
    folder = stored.write(
        tmp_path, "a", stored.features(), train=[[stored.clip(frames, 0)]]
    )
    source = prepared(tmp_path, tmp_path, "a", frame_stride=1)
    (shard,) = folder.glob("*.tfrecord*")
    if damage == "gone":
        shard.unlink()
    elif damage == "cut":
        shard.write_bytes(shard.read_bytes()[:-9])
    else:
        flip_bit(shard, {"payload": 3000, "length": 1}[damage])
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        next(iter(pipeline.batches(source, 2, seed=0)))
    text = config.innermost(error.value)
    if damage == "gone":
        assert text.startswith(f"The shard {shard} no longer exists")
        assert "set DATA_DIR" in text and "is damaged" not in text
    else:
        assert f"at byte 12 of {shard} (class jump) is damaged" in text


@pytest.fixture
def halved(root, tmp_path):
    """A copy of `root`, without its first shard and half of the second."""
    copy = shutil.copytree(root, tmp_path / "copy")
    prepared(copy, tmp_path)
    first, second = sorted(copy.glob("*/*/*-train.tfrecord*"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-9])
    return copy, first, second


def test_missing_records_are_refused(halved, tmp_path):
    root, first, second = halved
    with pytest.raises(ValueError) as error:
        prepared(root, tmp_path)
    text = message(error)
    assert "3 of 4 records of video_folder/1.0.0, train, are missing" in text
    assert f"2 of 2 in '{first}' (no such file)" in text
    assert f"1 of 2 in '{second}' (damaged or cut short)" in text
    assert "by class: jump 1, walk 2." in text
    assert "TfdsVideos.allow_missing = True" in text
    assert "dvdgan_tf.prepare" in text and "index" not in text


def test_missing_records_are_allowed(halved, tmp_path, caplog):
    source = prepared(halved[0], tmp_path, allow_missing=True)
    assert source.num_examples == 1 and source.labels.tolist() == [1]
    assert loader(source)(0, 0, 0)[1] == 1
    assert "3 of 4 records" in caplog.text and "jump 1, walk 2" in caplog.text
    caplog.clear()
    source.files()
    assert "HELD_OUT as a fraction" in caplog.text


def test_without_its_index_a_loss_is_of_unknown_class(halved, tmp_path):
    (halved[1].parent / "train.video.index.npz").unlink()
    with pytest.raises(ValueError) as error:
        prepared(halved[0], tmp_path)
    assert "3 of 4 records" in message(error)
    assert "by class: of unknown class 3." in message(error)


def test_another_record_than_indexed(tmp_path):
    """Even one that is whole and at the same place."""
    for name, count in (("a", 6), ("b", 7)):
        frames = stored.encode(stored.numbered(count))
        folder = stored.write(
            tmp_path, name, stored.features(), train=[[stored.clip(frames, 0)]]
        )
        if name == "a":
            source = prepared(tmp_path, tmp_path, "a", frame_stride=1)
            (shard,) = folder.glob("*.tfrecord*")
    (other,) = folder.glob("*.tfrecord*")
    shard.write_bytes(other.read_bytes())
    with pytest.raises(tf.errors.InvalidArgumentError, match="once you delete"):
        loader(source)(0, 0, 0)


def test_the_stream(source):
    """Epochs, restarts and replicas, as any source's."""

    def take(count, **kwargs):
        dataset = pipeline.batches(source, 6, seed=3, **kwargs)
        return [v.numpy() for v, _ in dataset.take(count)]

    videos, labels = next(iter(pipeline.batches(source, 6, seed=3)))
    assert videos.shape == (6, 6, 32, 32, 3)
    assert sorted(labels.numpy()) == [0, 0, 1, 1, 1, 1]
    whole = take(3)
    np.testing.assert_array_equal(whole[0], videos)
    np.testing.assert_array_equal(take(1, start_batch=2), whole[2:])
    halves = [
        take(1, start_batch=2, pipeline_id=p, num_pipelines=2) for p in (0, 1)
    ]
    np.testing.assert_array_equal(np.concatenate(halves, 1), whole[2:])
    thirds = take(3, start_batch=2, replicas_per_pipeline=3)
    np.testing.assert_array_equal(np.concatenate(thirds), whole[2])


def nodes(dataset):
    """All operations in a dataset's graph, those of its functions too."""
    graph = tf.compat.v1.GraphDef.FromString(
        dataset._as_serialized_graph().numpy()
    )
    functions = [f.node_def for f in graph.library.function]
    return [n.op for nodes in (graph.node, *functions) for n in nodes]


def test_no_python_in_the_graph_but_for_the_header_of_a_record(source):
    found = nodes(pipeline.batches(source, 2, seed=0))
    assert "DecodeAndCropJpeg" in found  # The functions have been looked at.
    python = {"PyFuncStateless", "EagerPyFunc", "GeneratorDataset"}
    assert not python & set(found)
    # `records.read`: of the clip, and of the sentence about a damaged one.
    assert found.count("PyFunc") <= 2


def video_only(kind, channels):
    return tfds.features.FeaturesDict(
        {
            "image_sequence": tfds.features.Video(
                shape=(10, 32, 32, channels), encoding_format=kind
            )
        }
    )


def test_gray_clips_without_labels(tmp_path):
    """As in TFDS's moving_mnist."""
    gray = stored.numbered(10, 32, 32, channels=1)
    example = {"image_sequence": stored.encode(gray, "png")}
    stored.write(
        tmp_path, "moving_mnist", video_only("png", 1), test=[[example] * 2]
    )
    source = prepared(
        tmp_path, tmp_path, "moving_mnist", split="test", frame_stride=1
    )
    assert source.class_names == ["all"] and source.label_counts.tolist() == [2]
    video, label = loader(source)(1, 0, 0)
    first = video[0, 0, 0, 0] // 8
    expected = np.repeat(gray[first : first + 6], 3, axis=-1)
    np.testing.assert_array_equal(video, expected)
    assert label == 0


def test_png_with_labels(tmp_path):
    """As in TFDS's ucf101, of any size, with a config and no jpeg."""
    features = tfds.features.FeaturesDict(
        {
            "video": tfds.features.Video(shape=(None, None, None, 3)),
            "label": tfds.features.ClassLabel(names=["a", "b", "c"]),
        }
    )
    video = stored.numbered(8)
    example = {"video": stored.encode(video, "png"), "label": 2}
    stored.write(tmp_path, "ucf101/ucf101_1", features, train=[[example]])
    source = prepared(
        tmp_path, tmp_path, "ucf101/ucf101_1", num_frames=8, frame_stride=1
    )
    got, label = loader(source)(0, 0, 0)
    left = int(got[0, 0, 0, 0]) // 6
    np.testing.assert_array_equal(got, video[:, :, left : left + 32])
    assert label == 2


@pytest.mark.parametrize(
    "feature, value", [(None, 10), ("image_main", 10), ("image_aux1", 200)]
)
def test_frames_as_a_sequence_of_dicts(tmp_path, feature, value):
    """As in TFDS's bair_robot_pushing_small: two cameras, no label."""
    image = tfds.features.Image(shape=(32, 32, 3))
    features = tfds.features.Sequence(
        {
            "image_main": image,
            "image_aux1": image,
            "action": tfds.features.Tensor(shape=(4,), dtype=np.float32),
        },
        length=9,
    )
    main, aux = (
        stored.encode(np.full([9, 32, 32, 3], v, np.uint8), "png")
        for v in (10, 200)
    )
    example = {
        "image_main": main,
        "image_aux1": aux,
        "action": np.zeros([9, 4], np.float32),
    }
    name = "bair_robot_pushing_small"
    stored.write(tmp_path, name, features, train=[[example]])
    source = prepared(
        tmp_path, tmp_path, name, frame_stride=1, video_feature=feature
    )
    assert np.all(loader(source)(0, 0, 0)[0] == value)
    assert source.class_names == ["all"]


def test_records_without_a_label_are_left_out(tmp_path, caplog):
    frames = stored.encode(stored.numbered(6))
    examples = [stored.clip(frames, 1), stored.clip(frames, -1)]
    stored.write(tmp_path, "a", stored.features(), train=[examples])
    source = prepared(tmp_path, tmp_path, "a", frame_stride=1)
    assert source.label_counts.tolist() == [0, 1]
    assert "without a label 1" in caplog.text


def test_no_usable_record(root, tmp_path):
    with pytest.raises(ValueError) as error:
        prepared(root, tmp_path, num_frames=12)
    assert "the 23 frames" in message(error)
    assert "the longest of 4 has 20" in message(error)


@pytest.mark.parametrize(
    "argument, value",
    [
        ("fit", "stretch"),
        ("resolution", 0),
        ("num_frames", 0),
        ("frame_stride", -1),
        ("split", "validation"),
        ("split", "train+train"),
        ("split", "train[:10%]"),
        ("video_feature", "label"),
    ],
)
def test_arguments_out_of_range(root, tmp_path, argument, value):
    with pytest.raises(ValueError) as error:
        prepared(root, tmp_path, **{argument: value})
    assert f"TfdsVideos.{argument} must be" in message(error)
    assert f"Received: {value!r}." in message(error)


@pytest.mark.parametrize(
    "name, words",
    [
        ("kinetics600", "dvdgan_tf.prepare --source=VIDEOS --data_dir={}"),
        ("moving_mnist", "tfds build moving_mnist --data_dir={}"),
        ("video_folder:2.0.0", "There is no dataset 'video_folder:2.0.0'"),
        ("no such/thing", "Cannot read the dataset 'no such/thing'"),
    ],
)
def test_absent_dataset(root, tmp_path, name, words):
    with pytest.raises((FileNotFoundError, ValueError)) as error:
        prepared(root, tmp_path, name)
    assert words.format(root) in message(error)
    assert str(root) in message(error)


@pytest.mark.parametrize("file", ["dataset_info.json", "features.json"])
def test_damaged_metadata(tmp_path, file):
    folder = stored.write(
        tmp_path, "a", stored.features(), train=[[stored.clip([b"x"], 0)]]
    )
    (folder / file).write_text("{no json")
    with pytest.raises(ValueError) as error:
        prepared(tmp_path, tmp_path, "a")
    assert "Cannot read the dataset 'a'" in message(error)


def test_home_is_expanded(root, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(root.parent))
    source = prepared(f"~/{root.name}", "~/cache")
    assert source.num_examples == 3


def test_nothing_is_asked_of_the_network(root, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)
    with pytest.raises(FileNotFoundError):
        prepared(root, tmp_path, "ucf101")
    assert module.TfdsVideos(
        str(root), "video_folder", "", 32, 6
    ).class_names == ["jump", "walk"]
