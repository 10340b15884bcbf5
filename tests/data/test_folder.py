"""A folder of videos as a source of clips."""

import importlib
import itertools
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf import video_io
from dvdgan_tf.data import cache, folder, pipeline

ROOT = pathlib.Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data"


def prepared(*args, **kwargs):
    source = folder.VideoFolder(*args, **kwargs)
    source.prepare()
    return source


def numbered(frames, height=36, width=48):
    """Frame t is of one grey, 8 t, but for its blue left half."""
    video = np.zeros([frames, height, width, 3], np.uint8)
    video[:] = (8 * np.arange(frames, dtype=np.uint8)).reshape(-1, 1, 1, 1)
    video[:, :, : width // 2, 2] = 255
    return video


def write(path, frames):
    path.parent.mkdir(parents=True, exist_ok=True)
    video_io.write_mp4(path, numbered(frames), fps=25)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Good and bad files in three classes; do not write to it."""
    root = tmp_path_factory.mktemp("videos")
    write(root / "b walk" / "-20.mp4", 20)
    write(root / "a jump" / "ünï 20 ✓.mp4", 20)
    write(root / "a jump" / "9 frames.mp4", 9)
    (root / "a jump" / "empty.mp4").touch()
    (root / "a jump" / "text.mp4").write_text("this is no video\n" * 99)
    (root / "a jump" / "notes.txt").write_text("ignored")
    (root / "a jump" / "._ghost.mp4").write_text("ignored")
    (root / ".hidden").mkdir()
    (root / ".hidden" / "a.mp4").write_text("ignored")
    (root / "nothing").mkdir()
    (root / "c bad").mkdir()
    whole = (root / "b walk" / "-20.mp4").read_bytes()
    (root / "c bad" / "headless.mp4").write_bytes(whole[: len(whole) // 2])
    (root / "readme.md").write_text("ignored")
    return root


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("cache") / "new" / "folder"


@pytest.fixture(scope="module")
def source(tree, cache_dir):
    return prepared(tree, cache_dir, 32, 6, 2, num_workers=1)


@pytest.fixture
def one_class(tmp_path):
    write(tmp_path / "data" / "walk" / "a.mp4", 8)
    return tmp_path / "data", tmp_path / "cache"


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


def test_classes_labels_and_counts(source):
    # A class whose every file is bad keeps its label; empty folders have none.
    assert source.class_names == ["a jump", "b walk", "c bad"]
    np.testing.assert_array_equal(source.label_counts, [1, 1, 0])
    assert (source.num_examples, source.num_frames) == (2, 6)
    assert source.resolution == 32
    for index, label in ((0, 0), (1, 1)):
        _, got = source.load(tf.constant(index, tf.int64), tf.constant([0, 0]))
        assert got.dtype == tf.int32 and int(got) == label


def test_bad_files_are_skipped_named_and_counted(source):
    skipped = dict(source.skipped)
    assert len(source.skipped) == len(skipped) == 4
    assert skipped[os.path.join("a jump", "9 frames.mp4")] == (
        "9 frames, 11 needed"
    )
    for name in ("a jump/empty.mp4", "a jump/text.mp4", "c bad/headless.mp4"):
        assert os.path.basename(name) in skipped[os.path.normpath(name)]


def test_all_skipped_files_are_named(caplog):
    skipped = [(f"a/{i}.mp4", "why") for i in range(25)]
    folder._report(skipped, 30, "/data")
    lines = [record.getMessage() for record in caplog.records]
    assert "25 of 30" in lines[0]
    for i in range(25):
        assert f"'a/{i}.mp4': why" in lines[1 + i]


def test_windows_keep_the_stride_and_cover_all_starts(source):
    firsts = set()
    load = tf.function(source.load)
    for number in range(120):
        index = tf.constant(number % 2, tf.int64)
        video, _ = load(index, tf.constant([number, 1]))
        assert video.shape == (6, 32, 32, 3) and video.dtype == tf.uint8
        greys = video.numpy()[..., 0].mean((1, 2)) / 8
        numbers = greys.round().astype(int)
        np.testing.assert_array_equal(np.diff(numbers), 2)
        firsts.add(int(numbers[0]))
    assert firsts == set(range(20 - 11 + 1))


def blue_columns(video):
    return video.numpy()[0, :, :, 2].mean(0) > 200


def test_crop_keeps_the_shape_squash_does_not(tree, cache_dir, tmp_path):
    # Blue is the left half: of a 32x43 frame that is 21.5 columns.
    crop = prepared(tree, cache_dir, 32, 6, 2, num_workers=1)
    squash = prepared(tree, tmp_path, 32, 6, 2, fit="squash", num_workers=1)
    widths = set()
    index = tf.constant(0, tf.int64)
    for number in range(60):
        seed = tf.constant([number, 2])
        blue = blue_columns(crop.load(index, seed)[0])
        widths.add(int(blue.sum()))
        assert np.all(np.diff(blue.astype(int)) <= 0)  # never mirrored
        # Chroma at half resolution blurs the edge by a pixel.
        assert blue_columns(squash.load(index, seed)[0]).sum() in (15, 16)
    # The crop's left edge is anywhere in the 11 columns to spare.
    assert widths >= set(range(11, 21)) and max(widths) <= 22


def test_flip_mirrors_half_of_the_clips(tree, cache_dir):
    source = prepared(tree, cache_dir, 32, 6, 2, flip=True, num_workers=1)
    load = tf.function(source.load)
    index = tf.constant(0, tf.int64)
    left = [
        blue_columns(load(index, tf.constant([number, 3]))[0])[0]
        for number in range(100)
    ]
    assert 25 < sum(left) < 75


def test_window_crop_and_flip_are_drawn_apart(tree, cache_dir):
    source = prepared(tree, cache_dir, 32, 6, 2, flip=True, num_workers=1)
    load = tf.function(source.load)
    draws = []
    for number in range(200):
        video, _ = load(tf.constant(0, tf.int64), tf.constant([number, 4]))
        blue = blue_columns(video)
        first = video.numpy()[0, ..., 0].mean() / 8
        draws.append((first, blue.sum(), blue[0]))
    # Independent ones correlate by 1 / sqrt(200) = 0.07.
    correlations = np.corrcoef(np.transpose(draws).astype(float))
    assert np.abs(correlations - np.eye(3)).max() < 0.3


def test_batches(source):
    dataset = pipeline.batches(source, 2, seed=0)
    for video, label in itertools.islice(dataset, 2):
        assert video.shape == (2, 6, 32, 32, 3)
        assert sorted(label.numpy()) == [0, 1]


def test_second_start_decodes_nothing(one_class, monkeypatch):
    data_dir, cache_dir = one_class
    prepared(data_dir, cache_dir, 32, 4, num_workers=1)
    (entry,) = cache_dir.iterdir()
    before = entry.stat().st_mtime_ns

    def refuse(*_, **__):
        raise AssertionError("a process pool was started")

    monkeypatch.setattr(cache, "ProcessPoolExecutor", refuse)
    # Neither window nor stride is part of the cache.
    again = prepared(data_dir, cache_dir, 32, 3, 2, num_workers=1)
    assert again.num_examples == 1 and again.skipped == []
    assert entry.stat().st_mtime_ns == before


def test_an_interrupted_preparation_goes_on(one_class):
    data_dir, cache_dir = one_class
    prepared(data_dir, cache_dir, 32, 4, num_workers=1)
    (entry,) = cache_dir.iterdir()
    before = entry.stat().st_mtime_ns
    write(data_dir / "walk" / "b.mp4", 9)
    source = prepared(data_dir, cache_dir, 32, 4, num_workers=1)
    assert source.num_examples == 2 and len(list(cache_dir.iterdir())) == 2
    assert entry.stat().st_mtime_ns == before


def test_the_entry_depends_on_all_that_the_pixels_depend_on(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"1")
    other = tmp_path / "b.mp4"
    shutil.copy2(path, other)
    names = {
        cache.entry_path("", path, 32, "crop"),
        cache.entry_path("", other, 32, "crop"),
        cache.entry_path("", path, 64, "crop"),
        cache.entry_path("", path, 32, "squash"),
    }
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    names.add(cache.entry_path("", path, 32, "crop"))
    path.write_bytes(b"12")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    names.add(cache.entry_path("", path, 32, "crop"))
    assert len(names) == 6
    assert cache.entry_path("", path, 32, "crop") in names


def test_store_resizes_and_leaves_nothing_but_the_entry(tmp_path):
    write(tmp_path / "a.mp4", 5)
    entry = tmp_path / "cache.npy"
    assert cache.store(tmp_path / "a.mp4", entry, 18, "crop") == (5, None)
    stored = np.load(entry)
    assert stored.shape == (5, 18, 24, 3) and stored.dtype == np.uint8
    expected = numbered(5).reshape(5, 18, 2, 24, 2, 3).mean((2, 4))
    assert np.abs(stored[..., :11, :] - expected[..., :11, :]).max() < 4
    assert cache.frame_count(entry) == 5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "cache.npy"]


def test_an_interrupted_store_leaves_nothing(tmp_path, monkeypatch):
    def frames(*_):
        yield np.zeros([4, 4, 3], np.uint8)
        raise KeyboardInterrupt

    monkeypatch.setattr(video_io, "read_frames", frames)
    with pytest.raises(KeyboardInterrupt):
        cache.store("a.mp4", str(tmp_path / "b.npy"), 4, "crop")
    assert list(tmp_path.iterdir()) == []


def test_a_video_damaged_half_way_is_kept_up_to_there(tmp_path, monkeypatch):
    def frames(*_):
        yield from np.ones([3, 4, 4, 3], np.uint8)
        raise ValueError("bit\nrot")

    monkeypatch.setattr(video_io, "read_frames", frames)
    entry = str(tmp_path / "b.npy")
    assert cache.store("a.mp4", entry, 4, "crop") == (3, "bit rot")
    np.testing.assert_array_equal(np.load(entry), np.ones([3, 4, 4, 3]))


def test_long_videos_grow_the_header_in_place(tmp_path, monkeypatch):
    frame = np.ones([1, 1, 3], np.uint8)
    monkeypatch.setattr(
        video_io, "read_frames", lambda *_: itertools.repeat(frame, 12345)
    )
    entry = str(tmp_path / "b.npy")
    assert cache.store("a.mp4", entry, 1, "crop") == (12345, None)
    assert np.load(entry).shape == (12345, 1, 1, 3)


def test_windows_are_read_with_the_file_not_beyond(tmp_path):
    entry = str(tmp_path / "a.npy")
    np.save(entry, numbered(9, 2, 2))
    window = cache.read_window(entry, 2, 3, 3)
    np.testing.assert_array_equal(window, numbered(9, 2, 2)[[2, 5, 8]])
    with pytest.raises(ValueError) as error:
        cache.read_window(entry, 3, 3, 3)
    assert entry in one_line(error) and "9 frames" in one_line(error)


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "text", "header"])
def test_damaged_cache(one_class, damage):
    data_dir, cache_dir = one_class
    source = prepared(data_dir, cache_dir, 32, 4, num_workers=1)
    (entry,) = cache_dir.iterdir()
    data = entry.read_bytes()
    entry.unlink()
    if damage != "gone":
        entry.write_bytes(
            {
                "empty": b"",
                "cut": data[: len(data) // 2],
                "text": b"no array " * 1000,
                "header": data[:12] + b"(((" + data[15:],
            }[damage]
        )
    with pytest.raises(ValueError) as error:
        cache.read_window(str(entry), 0, 4, 1)
    assert str(entry) in one_line(error) and "start again" in one_line(error)
    with pytest.raises(tf.errors.InvalidArgumentError, match="cached clip"):
        list(pipeline.batches(source, 1, seed=0).take(1))
    # The next start finds the damage and decodes the clip again.
    prepared(data_dir, cache_dir, 32, 4, num_workers=1)
    assert entry.read_bytes() == data


def test_the_workers_do_not_import_tensorflow():
    code = (
        "import sys, dvdgan_tf.data.cache; "
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_home_is_expanded(one_class, monkeypatch):
    data_dir, _ = one_class
    monkeypatch.setenv("HOME", str(data_dir.parent))
    source = prepared("~/data", "~/cache", 32, 4, num_workers=1)
    assert source.num_examples == 1
    assert len(list((data_dir.parent / "cache").iterdir())) == 1


def test_a_cache_inside_the_data_is_no_class(one_class):
    data_dir, _ = one_class
    cache_dir = data_dir / "cache"
    prepared(data_dir, cache_dir, 32, 4, num_workers=1)
    source = prepared(data_dir, cache_dir, 32, 4, num_workers=1)
    assert source.class_names == ["walk"]


@pytest.mark.parametrize(
    "argument, value",
    [
        ("fit", "stretch"),
        ("resolution", 0),
        ("num_frames", 0),
        ("frame_stride", -1),
        ("num_workers", 0),
    ],
)
def test_arguments_out_of_range(tmp_path, argument, value):
    arguments = dict(resolution=32, num_frames=4) | {argument: value}
    with pytest.raises(ValueError) as error:
        prepared(tmp_path, tmp_path, **arguments)
    assert argument in one_line(error) and repr(value) in one_line(error)


def test_absent_data_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as error:
        prepared("no/where", tmp_path, 32, 4)
    assert str(tmp_path / "no" / "where") in one_line(error)
    assert "DATA_DIR/class_name/any_name.ext" in one_line(error)
    assert "--gin_param=\"DATA_DIR='/path'\"" in one_line(error)


def test_data_folder_without_class_folders(tmp_path):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(FileNotFoundError) as error:
        prepared(tmp_path, tmp_path, 32, 4)
    assert str(tmp_path) in one_line(error)
    assert "DATA_DIR/class_name/any_name.ext" in one_line(error)


def test_no_usable_clip(one_class):
    with pytest.raises(ValueError) as error:
        prepared(*one_class, 32, 9, num_workers=1)
    assert "8 frames, 9 needed" in one_line(error)
    assert "a.mp4" in one_line(error)


def test_cache_folder_that_cannot_be_made(one_class, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError) as error:
        prepared(one_class[0], tmp_path / "file" / "x", 32, 4)
    assert str(tmp_path / "file") in one_line(error)
    assert "CACHE_DIR" in one_line(error)


def test_full_cache_folder(one_class, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "store_all", full)
    with pytest.raises(OSError) as error:
        prepared(*one_class, 32, 4)
    assert "No space left on device" in one_line(error)
    assert "CACHE_DIR" in one_line(error)


def test_write_errors_cross_the_process_border(one_class):
    data_dir, cache_dir = one_class
    job = (str(data_dir / "walk" / "a.mp4"), str(cache_dir / "x.npy"), 32)
    with pytest.raises(FileNotFoundError):  # there is no cache folder
        cache.store_all([(*job, "crop")], 1)


def test_a_process_that_dies_is_one_sentence(one_class, monkeypatch):
    data_dir, cache_dir = one_class
    module = data_dir.parent / "deadly_decoder.py"
    module.write_text("import os\ndef die(job):\n    os._exit(1)\n")
    monkeypatch.syspath_prepend(data_dir.parent)
    deadly = importlib.import_module("deadly_decoder")
    monkeypatch.setattr(cache, "_store", deadly.die)
    with pytest.raises(ChildProcessError) as error:
        prepared(data_dir, cache_dir, 32, 4, num_workers=1)
    assert "a.mp4" in one_line(error) and "num_workers=1" in one_line(error)


def test_the_main_program_is_not_imported_by_the_workers(one_class):
    # No `if __name__ == "__main__"`: an import would run it again.
    data_dir, cache_dir = one_class
    cache_dir.mkdir()
    script = data_dir.parent / "program.py"
    job = (str(data_dir / "walk" / "a.mp4"), str(cache_dir / "a.npy"))
    script.write_text(
        "from dvdgan_tf.data import cache\n"
        f"print('main', cache.store_all([({job} + (32, 'crop'))], 1))\n"
    )
    done = subprocess.run(
        [sys.executable, script],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout == "main [(8, None)]\n"


def test_real_clips(tmp_path):
    if not (REAL / "weizmann").is_dir():
        pytest.skip(f"no real clips in {REAL}")
    for action in ("run", "bend", "walk"):
        (tmp_path / "data" / action).mkdir(parents=True)
        name = f"daria_{action}.avi"
        shutil.copy(
            REAL / "weizmann" / action / name, tmp_path / "data" / action
        )
    source = prepared(
        tmp_path / "data", tmp_path / "cache", 64, 16, 2, num_workers=2
    )
    assert source.class_names == ["bend", "run", "walk"]
    assert source.num_examples == 3 and source.skipped == []
    video, label = next(iter(pipeline.batches(source, 3, seed=0)))
    assert video.shape == (3, 16, 64, 64, 3)
    assert sorted(label.numpy()) == [0, 1, 2]
    # 180x144 becomes 80x64; the pictures are no flat colour, and they move.
    assert all(
        np.load(e, mmap_mode="r").shape[1:] == (64, 80, 3)
        for e in (tmp_path / "cache").iterdir()
    )
    assert video.numpy().std((1, 2, 3, 4)).min() > 10
    assert np.abs(np.diff(video.numpy().astype(int), axis=1)).max() > 30
