"""The command line of sampling, on the packaged weights and on files."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

import dvdgan_tf
from dvdgan_tf import sample
from dvdgan_tf.sampling.clip_writer import GRID_CLIPS, ClipWriter
from dvdgan_tf.video import pictures, reading


@pytest.fixture(scope="module")
def demo():
    return dvdgan_tf.load("demo")


@pytest.fixture
def command(capsys):
    """Runs the command; returns exit code and last line of its output."""

    def run(*args):
        try:
            sample.main(list(map(str, args)))
            code = 0
        except SystemExit as ended:
            code = ended.code
        printed = capsys.readouterr()
        text = printed.out if code == 0 else printed.err
        assert "Traceback" not in text
        return code, text.strip().splitlines()[-1]

    return run


def test_the_demo_draws_digits(demo):
    clips = demo.sample(count=20, truncation=0.6) / 255.0
    assert demo.class_names == list("0123456789")
    # White strokes on black that move: not grey, and no two frames alike.
    ink = (clips > 0.5).mean((1, 2, 3, 4))
    assert (ink > 0.01).all() and (ink < 0.15).all()
    centre = (clips[..., 0] * np.arange(32)).sum((2, 3)) / clips[..., 0].sum(
        (2, 3)
    )
    assert np.abs(centre[:, -1] - centre[:, 0]).mean() > 0.5
    # Of one seed, a class is the same wherever it is in the list.
    other = demo.sample(["7"], truncation=0.6)
    assert demo.sample([7], truncation=0.6).tolist() == other.tolist()


def test_all_formats(command, tmp_path, demo):
    output = tmp_path / "clips"
    code, line = command(
        "--module=demo",
        f"--output={output}",
        "--classes=3,8",
        "--count=10",
        "--seed=5",
        "--formats=mp4,gif,webp,png,npz,frames",
        "--fps=4",
    )
    assert (code, line) == (0, f"Clips:         {output} (10)")
    expected = demo.sample(["3", "8"], count=10, seed=5)
    for i in (0, 9):
        stem = output / f"{i:05d}_{'38'[i % 2]}"
        with np.load(f"{stem}.npz") as stored:
            np.testing.assert_array_equal(stored["video"], expected[i])
            assert stored["label"] == (3, 8)[i % 2]
        strip = np.asarray(Image.open(f"{stem}.png"))
        np.testing.assert_array_equal(strip, pictures.strip(expected[i]))
        frame = np.asarray(Image.open(stem / "0007.png"))
        np.testing.assert_array_equal(frame, expected[i, 7])
        with Image.open(f"{stem}.webp") as animation:
            assert animation.info["loop"] == 0
            animation.seek(3)
            shown = np.asarray(animation.convert("RGB"))
        np.testing.assert_array_equal(shown, expected[i, 3])
        frames = np.stack(list(reading.read_frames(f"{stem}.mp4")))
        assert np.abs(frames - expected[i].astype(float)).mean() < 8
    with Image.open(output / "grid.png") as grid:
        # Frames of 32 pixels are shown at 64, with gaps of 2 and names.
        assert grid.height == 10 * 66 - 2 + 16
        left = grid.width - (8 * 66 - 2 + 8)
        shown = np.asarray(grid)[8:, left:][:64:2, :64:2]
    np.testing.assert_array_equal(shown, expected[0, 0])


def test_the_interpolation(command, tmp_path):
    code, _ = command(
        "--module=demo",
        f"--output={tmp_path / 'way'}",
        "--classes=1,7",
        "--count=3",
        "--interpolate=latent",
        "--formats=png",
    )
    assert code == 0
    assert len(list((tmp_path / "way").glob("0*.png"))) == 3


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "either a --module"),
        (["--module=demo", "--workdir=x"], "either a --module"),
        (["--module=/nowhere"], "neither a run's folder"),
        (["--workdir=/nowhere"], "neither a run's folder"),
        (["--module=demo", "--classes=cat"], "no class 'cat'"),
        (["--module=demo", "--truncation=0"], "truncation must be from"),
        (["--module=demo", "--truncation=5"], "truncation must be from"),
        (["--module=demo", "--formats=avi"], "Formats are mp4"),
        (["--module=demo", "--count=0"], "count must be at least 1"),
        (["--module=demo", "--fps=0.01"], "fps must be from"),
        (["--module=demo", "--fps=0"], "fps must be from"),
        (["--module=demo", "--num_frames=0"], "num_frames must be at least 1"),
        (["--module=demo", "--step=5"], "--step is of a run's checkpoint"),
        (["--mod=demo"], "Unknown command line flag 'mod'"),
        (["--module=demo", "--frames=x.mp4"], "of frame prediction"),
        (["--module=demo", "--count=some"], "--count=some"),
        (["--module=demo", "--output=FULL"], "not empty"),
    ],
)
def test_mistakes_are_one_sentence(command, tmp_path, args, words):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("")
    args = [a.replace("FULL", str(tmp_path / "full")) for a in args]
    if not any("output" in a for a in args):
        args.append(f"--output={tmp_path / 'out'}")
    code, line = command(*args)
    assert code == 2 and words in line and line.startswith("error: ")
    assert [p.name for p in tmp_path.iterdir()] == ["full"]


def test_archives_of_others(tmp_path):
    path = tmp_path / "bad.tar.gz"
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="no readable archive"):
        dvdgan_tf.load(path)
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo("../outside")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"abc"))
    with pytest.raises(ValueError, match="outside"):
        dvdgan_tf.load(path)
    assert not (tmp_path.parent / "outside").exists()
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("nothing"))
    with pytest.raises(ValueError, match="no readable SavedModel"):
        dvdgan_tf.load(path)


def test_a_module_that_was_copied_in_part(command, tmp_path):
    packed = f"{dvdgan_tf.__path__[0]}/assets/demo.tar.gz"
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path / "module", filter="data")
    path = tmp_path / "module/variables/variables.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:100_000])
    code, line = command(
        f"--module={tmp_path / 'module'}", f"--output={tmp_path / 'out'}"
    )
    assert code == 2 and line.startswith(
        f"error: {tmp_path / 'module'} is no readable SavedModel ("
    )


def test_names_of_classes_are_no_paths(tmp_path):
    writer = ClipWriter(str(tmp_path / "out"), ["png"], 12)
    for name in ("../../up", "a/b c", "", "x" * 300):
        writer.write(np.zeros([2, 4, 4, 3], np.uint8), 0, name)
    writer.close()
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names[:2] == ["00000__up.png", "00001_a_b_c.png"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_the_grid_is_of_the_first_clips(tmp_path):
    writer = ClipWriter(str(tmp_path), ["png"], 12)
    for _ in range(GRID_CLIPS + 3):
        writer.write(np.zeros([2, 4, 4, 3], np.uint8), 0, "a")
    with Image.open(writer.close()[0]) as grid:
        # "a" beside two frames of 4 pixels, shown at 64.
        assert grid.height == 66 * GRID_CLIPS - 2 + 16
        assert 8 + 8 + 130 + 8 < grid.width < 8 + 20 + 8 + 130 + 8


@pytest.mark.parametrize("name", ["\ud800", "", "\x00", "東京", "a" * 999])
def test_any_name_of_a_class_can_be_in_the_grid(tmp_path, name):
    writer = ClipWriter(str(tmp_path), ["npz"], 12)
    writer.write(np.zeros([2, 4, 4, 3], np.uint8), 7, name)
    with Image.open(writer.close()[0]) as grid:
        assert 8 + 20 + 8 + 130 + 8 < grid.width <= 8 + 132 + 8 + 130 + 8


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sample.parse(["--frames=~/v.mp4"]).frames == f"{tmp_path}/v.mp4"


def test_a_folder_called_demo_is_no_packaged_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    options = sample.parse(["--workdir=demo"])
    with pytest.raises(FileNotFoundError, match="neither a run's folder"):
        sample.check(options)
