"""Clips are held out by whole files, in each class apart."""

import pathlib

import gin
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from data import stored

from dvdgan_tf import config
from dvdgan_tf.data import pipeline
from dvdgan_tf.data.digits import MovingDigits
from dvdgan_tf.data.held_out import draw, held_out_source, hold_out
from dvdgan_tf.data.tfds_videos import TfdsVideos

GIN = pathlib.Path(__file__).parents[2] / "gin"


class Files:
    """A source of `files`, whose pixels are the clip's index."""

    num_frames = 2
    resolution = 4
    class_names = ("a", "b", "c")

    def __init__(self, files, labels):
        self._files = np.array(files)
        self.labels = np.array(labels)
        self.times_prepared = 0

    def prepare(self):
        self.num_examples = len(self.labels)
        self.times_prepared += 1

    def files(self):
        return self._files

    def describe(self):
        return {"dataset": "files", "records": self.num_examples}

    def load(self, index, seed):
        pixel = tf.cast(index, tf.uint8)
        video = tf.broadcast_to(pixel, [2, 4, 4, 3])
        return video, tf.gather(tf.constant(self.labels, tf.int32), index)


def random_files(seed):
    """Of 40 files of 3 classes, with 1 to 3 clips each, in random order."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, 40)
    files = rng.permutation(np.repeat(np.arange(40), rng.integers(1, 4, 40)))
    return files, classes[files], classes


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.37, 0.5, 0.99])
@pytest.mark.parametrize("seed", range(5))
def test_whole_files_and_the_same_share_of_each_class(fraction, seed):
    files, labels, classes = random_files(seed)
    mask = draw(files, labels, fraction, seed)
    held, kept = set(files[mask]), set(files[~mask])
    assert not held & kept and held | kept == set(range(40))
    for label in range(3):
        members = np.flatnonzero(classes == label)
        found = len(held & set(members))
        nearest = np.floor(fraction * len(members) + 0.5)
        assert found == np.clip(nearest, 1, len(members) - 1)


def test_the_only_file_of_a_class_is_trained_on():
    mask = draw([0, 0, 1, 2, 3], [0, 0, 1, 1, 2], 0.9, 0)
    assert mask.tolist()[:2] == [False, False] and not mask[4]
    assert mask[2:4].sum() == 1
    with pytest.raises(ValueError) as error:
        draw([0, 0, 1], [0, 0, 1], 0.5, 0)
    assert "HELD_OUT = 0.5" in str(error.value)
    assert "2 files of 2 classes" in str(error.value)


def test_a_seed_draws_the_same_for_ever():
    """A draw that changes would put clips D has seen among the held-out."""
    files, labels = np.arange(12), np.zeros(12)
    drawn = [np.flatnonzero(draw(files, labels, 0.25, s)) for s in range(3)]
    assert [d.tolist() for d in drawn] == GOLDEN
    many = [tuple(draw(files, labels, 0.25, seed)) for seed in range(300)]
    # Each of the 12 is drawn 75 times on average, give or take 7.5.
    assert len(set(many)) > 100
    assert np.all(np.abs(np.sum(many, 0) - 75) < 30)


# printf "$seed/$file" | sha256sum, for each file: the three least.
GOLDEN = [[0, 4, 10], [0, 3, 11], [1, 5, 9]]


def test_nothing_held_out_is_the_source_itself():
    source = Files([0, 1], [0, 0])
    assert hold_out(source) == (source, None)
    assert source.times_prepared == 0


@pytest.fixture
def sides():
    files, labels, _ = random_files(1)
    source = Files(files, labels)
    training, held_out = hold_out(source, 0.3, seed=4)
    training.prepare()
    held_out.prepare()
    assert source.times_prepared == 1
    return source, training, held_out


def shown(source, **kwargs):
    """The clips of one epoch, with their labels, as the stream has them."""
    stream = pipeline.batches(source, 1, seed=2, **kwargs)
    pairs = stream.take(source.num_examples).as_numpy_iterator()
    return [(int(v[0, 0, 0, 0, 0]), int(y[0])) for v, y in pairs]


def test_both_sides_are_sources(sides):
    source, *both = sides
    indices = []
    for side in both:
        assert (side.num_frames, side.resolution) == (2, 4)
        assert side.class_names == source.class_names
        clips = shown(side)
        assert len({i for i, _ in clips}) == side.num_examples == len(clips)
        assert all(source.labels[i] == y for i, y in clips)
        counts = np.bincount([y for _, y in clips], minlength=3)
        np.testing.assert_array_equal(side.label_counts, counts)
        indices += [i for i, _ in clips]
    assert sorted(indices) == list(range(source.num_examples))
    files = [{source.files()[i] for i, _ in shown(side)} for side in both]
    assert not files[0] & files[1]


def test_both_sides_describe_themselves(sides):
    _, *both = sides
    training, held_out = (side.describe() for side in both)
    assert training["dataset"] == held_out["dataset"] == "files"
    assert training["records"] == both[0].num_examples
    assert training.pop("side") == "training"
    assert held_out.pop("side") == "held out"
    assert held_out["held_out"] == 0.3 and held_out["held_out_seed"] == 4


def test_any_number_of_replicas_reads_the_same_clips(sides):
    for side in sides[1:]:
        whole = next(iter(pipeline.batches(side, 8, seed=5)))[0].numpy()
        halves = [
            next(
                iter(
                    pipeline.batches(
                        side, 8, seed=5, pipeline_id=i, num_pipelines=2
                    )
                )
            )[0].numpy()
            for i in range(2)
        ]
        np.testing.assert_array_equal(np.concatenate(halves), whole)


@pytest.mark.parametrize("clips", [0.0, 1.0, -0.1, 3, True, ("test",)])
def test_impossible_values(clips):
    with pytest.raises(ValueError) as error:
        hold_out(Files([0, 1], [0, 0]), clips)
    assert "HELD_OUT must be None, the name of a split" in str(error.value)
    assert str(error.value).endswith(f"Received: {clips!r}.")


# ----- TfdsVideos -----


def named(frames, label, name, start=0):
    example = stored.clip(frames, label)
    return example | {"name": name, "start": start}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Files a to f; a, c and d became several records, one of d too short.

    Names are those of neighbours: a and b are of one class and shard, c and
    a of several, and e and f are short of one shard.
    """
    root = tmp_path_factory.mktemp("tfds")
    long, short = (stored.encode(stored.numbered(n)) for n in (6, 3))
    stored.write(
        root,
        "video_folder",
        stored.features(),
        train=[
            [named(long, 0, "a"), named(long, 0, "a", 6), named(long, 0, "b")],
            [
                *(named(long, 1, "c", start) for start in (0, 6, 12)),
                named(long, 1, "d"),
                named(short, 1, "d", 6),
                named(long, 1, "e"),
            ],
            [named(long, 1, "f"), named(long, 0, "g")],
        ],
        test=[[named(long, 0, "h"), named(long, 1, "i")]],
        validation=[[named(long, 1, "j")]],
    )
    return root


def video_source(root, cache, **kwargs):
    arguments = dict(resolution=32, num_frames=4) | kwargs
    return TfdsVideos(str(root), "video_folder", str(cache), **arguments)


def test_records_of_one_file_have_one_number(root, tmp_path):
    source = video_source(root, tmp_path)
    source.prepare()
    #                                      a  a  b  c  c  c  d  e  f  g
    np.testing.assert_array_equal(
        source.files(), [0, 0, 1, 2, 2, 2, 3, 4, 5, 6]
    )
    assert source.labels.tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1, 0]


def test_files_of_a_union_of_splits(root, tmp_path):
    source = video_source(root, tmp_path, split="test+validation")
    source.prepare()
    assert source.files().tolist() == [0, 1, 2]


@pytest.mark.parametrize("seed", range(4))
def test_no_file_is_on_both_sides(root, tmp_path, seed):
    source = video_source(root, tmp_path)
    sides = hold_out(source, 0.4, seed)
    files, labels = [], []
    for side in sides:
        side.prepare()
        files.append({source.files()[i] for i in side._indices})
        labels.append(side.label_counts)
    assert not files[0] & files[1] and len(files[0] | files[1]) == 7
    # Of the 3 and the 4 files of the classes, 1 and 2.
    assert len(files[1]) == 3 and np.all(labels[1] > 0)
    video, label = sides[1].load(tf.constant(0, tf.int64), tf.constant([1, 2]))
    assert video.shape == (4, 32, 32, 3) and int(label) in (0, 1)


def test_without_names_each_record_is_a_file(tmp_path):
    features = tfds.features.FeaturesDict(
        {
            "video": tfds.features.Video(
                shape=(None, None, None, 3), encoding_format="jpeg"
            ),
            "label": tfds.features.ClassLabel(names=["a"]),
        }
    )
    frames = stored.encode(stored.numbered(4))
    example = {"video": frames, "label": 0}
    stored.write(tmp_path, "video_folder", features, train=[[example] * 3])
    source = video_source(tmp_path, tmp_path)
    source.prepare()
    assert source.files().tolist() == [0, 1, 2]


def test_only_records_that_may_be_of_one_file_are_read(root, tmp_path):
    source = video_source(root, tmp_path)
    source.prepare()
    # g has no neighbour of its class, and f's is in another shard.
    (source._offsets[[8, 9]]) = 1
    assert source.files().tolist() == [0, 0, 1, 2, 2, 2, 3, 4, 5, 6]


def test_another_split(root, tmp_path):
    source = video_source(root, tmp_path, flip=True, frame_stride=1)
    training, held_out = hold_out(source, "validation+test")
    assert training is source
    held_out.prepare()
    assert held_out.label_counts.tolist() == [1, 2]
    with pytest.raises(AttributeError):
        _ = source.num_examples  # Not prepared by that.
    source.prepare()
    assert source.num_examples == 10
    mine, other = source.describe(), held_out.describe()
    assert (mine.pop("split"), other.pop("split")) == (
        "train",
        "validation+test",
    )
    for facts in (mine, other):
        del facts["records"], facts["records_digest"]
    assert mine == other


@pytest.mark.parametrize(
    "clips, words",
    [
        ("train", "must name other splits than those trained on"),
        ("test+train", "must name other splits than those trained on"),
        ("val", "must be one or several, with +, of "),
    ],
)
def test_splits_that_cannot_be_held_out(root, tmp_path, clips, words):
    with pytest.raises(ValueError) as error:
        hold_out(video_source(root, tmp_path), clips)
    assert f"HELD_OUT {words}" in str(error.value)
    assert f"Received: {clips!r}." in str(error.value)


# ----- MovingDigits -----


def test_digits_are_held_out_by_image():
    source = MovingDigits(32, 2, num_examples=400, split="test")  # 297 images.
    sides = hold_out(source, 0.2, seed=1)
    images = []
    for side in sides:
        side.prepare()
        images.append({int(i) % 297 for i in side._indices})
        assert np.all(side.label_counts > 0)
    assert not images[0] & images[1] and len(images[0] | images[1]) == 297
    assert len(images[1]) == pytest.approx(0.2 * 297, abs=5)


def test_the_other_split_of_the_digits():
    source = MovingDigits(32, 2, split="train", digit_size=12)
    training, held_out = hold_out(source, "test")
    assert training is source
    facts = held_out.describe()
    assert (facts["split"], facts["records"]) == ("test", 297)
    assert (facts["digit_size"], facts["num_frames"]) == (12, 2)
    whole = MovingDigits(32, 2, split="all", digit_size=12)
    seed = tf.constant([3, 4])
    for i in (0, 296):
        found, label = held_out.load(tf.constant(i, tf.int64), seed)
        expected, digit = whole.load(tf.constant(1500 + i, tf.int64), seed)
        np.testing.assert_array_equal(found, expected)
        assert label == digit


@pytest.mark.parametrize(
    "split, clips",
    [("all", "test"), ("train", "all"), ("test", "test"), ("train", "val")],
)
def test_digits_that_cannot_be_held_out(split, clips):
    with pytest.raises(ValueError) as error:
        hold_out(MovingDigits(32, 2, split=split), clips)
    assert "HELD_OUT must be 'train' or 'test'" in str(error.value)
    assert f"Received: {clips!r}." in str(error.value)


# ----- Configuration -----


@pytest.fixture
def _clean():
    gin.clear_config()
    yield
    gin.clear_config()


@pytest.mark.usefixtures("_clean")
@pytest.mark.parametrize(
    "clips, side",
    [("0.25", "held out"), ("'test'", None)],
)
def test_evaluation_takes_the_held_out_clips(clips, side):
    files = [str(GIN / name) for name in ("demo.gin", "fvd.gin")]
    config.parse(
        files,
        [
            f"HELD_OUT = {clips}",
            "MovingDigits.split = 'train'",
            "Evaluator.dataset = @held_out_source",
        ],
    )
    reference = gin.query_parameter("Evaluator.dataset").scoped_configurable_fn
    source = reference()
    source.prepare()
    facts = source.describe()
    assert facts.get("side") == side
    expected = 297 if side is None else pytest.approx(1797 / 4, abs=20)
    assert facts["records"] == expected


@pytest.mark.usefixtures("_clean")
def test_evaluation_without_held_out_clips_is_one_sentence():
    source = Files([0, 1], [0, 0])
    with pytest.raises(ValueError) as error:
        held_out_source(lambda: source, hold_out)
    assert "set HELD_OUT" in config.one_line(error.value)
