"""The damages, clips that have them, and the tool on a tiny dataset."""

import pathlib

import forked
import gin
import numpy as np
import pytest
import tensorflow as tf
from absl import app
from data import stored
from PIL import Image

from dvdgan_tf.data import pipeline
from dvdgan_tf.evaluation import activations
from dvdgan_tf.evaluation.measured_clips import RealClips
from tests.evaluation.tiny import MeanColors, Source
from tools.studies.damages import DAMAGES, DamagedClips

ROOT = pathlib.Path(__file__).parents[2]

GIN = """
include "gin/folder_64.gin"
include "gin/fvd.gin"
NUM_FRAMES = 4
I3D = @MeanColors
Protocol.measures = (@frechet_distance,)
Protocol.num_real_clips = 8
"""


def video(frames=8):
    """Smooth noise that never repeats a frame, bright to its edges."""
    return np.random.default_rng(0).integers(0, 256, [frames, 12, 10, 3], "u1")


def damaged(name, share, clip=None, seed=0):
    """The clip at that share of the highest level."""
    clip = video() if clip is None else clip
    function, highest, _ = DAMAGES[name]
    return function(clip, share * highest, np.random.default_rng(seed))


def which(clip):
    """Numbers of the frames of `video` that these are."""
    same = (clip[:, None] == video(len(clip))[None]).all((2, 3, 4))
    assert (same.sum(1) == 1).all()
    return same.argmax(1)


@pytest.mark.parametrize("name", DAMAGES)
def test_level_zero_is_the_identity(name):
    np.testing.assert_array_equal(damaged(name, 0.0), video())


@pytest.mark.parametrize("name", DAMAGES)
def test_higher_levels_change_more(name):
    before = video()
    changes = []
    for share in (0.0, 1 / 3, 2 / 3, 1.0):
        after = damaged(name, share, before)
        assert (after.shape, after.dtype) == (before.shape, np.uint8)
        changes.append(np.abs(after - before.astype(float)).mean())
    assert (np.diff(changes) > 1.0).all(), changes
    np.testing.assert_array_equal(before, video())


@pytest.mark.parametrize("name", sorted(DAMAGES.keys() - {"blur"}))
def test_damage_is_the_seeds(name):
    one, same, other = (damaged(name, 0.5, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_noise_has_its_standard_deviation():
    grey = np.full([4, 32, 32, 3], 128, np.uint8)
    change = DAMAGES["noise"].function(grey, 10.0, np.random.default_rng(0))
    change = change.astype(float) - 128
    # Rounding adds 1/12 to the variance.
    assert change.std() == pytest.approx((100 + 1 / 12) ** 0.5, rel=0.02)
    assert change.mean() == pytest.approx(0.0, abs=0.3)
    # Values stay in range, they do not wrap around.
    white = np.full([4, 32, 32, 3], 255, np.uint8)
    assert damaged("noise", 1.0, white).mean() > 220


def test_blur_is_a_gaussian_within_the_frame():
    point = np.zeros([3, 31, 31, 3], np.uint8)
    point[1, 15, 15, 1] = 255
    blurred = DAMAGES["blur"].function(point, 2.0, None)
    assert not blurred[[0, 2]].any() and not blurred[..., [0, 2]].any()
    y, x = np.mgrid[-15:16, -15:16]
    gaussian = 255 * np.exp(-(x**2 + y**2) / 8) / (8 * np.pi)
    np.testing.assert_allclose(blurred[1, ..., 1], gaussian, atol=0.6)


@pytest.mark.parametrize("level, moved", [(0.25, 2), (0.5, 4), (1.0, 8)])
def test_shuffling_moves_so_many_frames_and_keeps_all(level, moved):
    order = which(damaged("shuffle", level))
    assert sorted(order) == list(range(8))
    assert np.sum(order != np.arange(8)) == moved


@pytest.mark.parametrize("level, dropped", [(2 / 7, 2), (4 / 7, 4), (1.0, 7)])
def test_a_dropped_frame_shows_the_one_before(level, dropped):
    order = which(damaged("freeze", level))
    assert order[0] == 0
    stays = order == np.arange(8)
    assert np.sum(~stays) == dropped
    for t in np.flatnonzero(~stays):
        assert order[t] == order[t - 1]


def measure(clips, batch_size):
    strategy, network = tf.distribute.OneDeviceStrategy("CPU:0"), MeanColors()
    step = activations.make_step(clips.videos, network, strategy)
    return activations.measure(
        clips, step, strategy, network.outputs, batch_size
    )


def test_damaged_clips_are_measured_like_the_others():
    real = RealClips(Source(), pipeline.example, 5)
    seen = []

    def darken(clip, level, rng):
        seen.append((len(clip), int(rng.integers(1 << 30))))
        return (clip * level).astype(np.uint8)

    clips = DamagedClips(real, darken, 0.5, num_frames=3, seed=7)
    before, after = measure(real, 5), measure(clips, 5)
    # All greys are even: halves are whole numbers.
    np.testing.assert_allclose(
        after.features["logits"], before.features["logits"] / 2, rtol=1e-6
    )
    np.testing.assert_array_equal(after.labels, before.labels)
    assert {frames for frames, _ in seen} == {3}
    assert len({number for _, number in seen}) == 5
    first, seen[:] = sorted(seen), []
    measure(clips, 2)
    assert set(seen) == set(first)


def command(*args):
    """With features that are quick: mean colours of the first two frames."""
    # Its flags are global ones, like those of other tools.
    from tools.studies import fvd_sensitivity

    gin.register(MeanColors)
    app.run(fvd_sensitivity.main, ["fvd_sensitivity", *args])


def tool(gin_file, *flags):
    flags = [f"--gin_file={gin_file}", *flags]
    return forked.run(command, *flags, cwd=ROOT)


@pytest.fixture(scope="module")
def gin_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("gin") / "tiny.gin"
    path.write_text(GIN)
    return path


def test_the_table_and_the_picture(gin_file, tmp_path):
    videos = [stored.encode(stored.numbered(n, 64, 64)) for n in range(5, 13)]
    shard = [stored.clip(clip, i % 2) for i, clip in enumerate(videos)]
    stored.write(tmp_path, "video_folder", stored.features(), train=[shard])
    picture = tmp_path / "picture.png"
    result = tool(
        gin_file,
        f"--gin_param=DATA_DIR='{tmp_path}'",
        f"--gin_param=CACHE_DIR='{tmp_path}'",
        "--damage=freeze",
        "--damage=noise",
        "--levels=2",
        f"--output={picture}",
    )
    assert result.returncode == 0, result.stderr
    head, others, *rows, last = result.stdout.splitlines()
    assert head.split() == ["damage", "level", "frechet_distance"]
    assert others.split()[:2] == ["other", "windows"]
    assert last == str(picture)
    rows = [row.split() for row in rows]
    assert [row[:2] for row in rows] == [
        *(["freeze", level] for level in ("0", "0.5", "1")),
        *(["noise", level] for level in ("0", "30", "60")),
    ]
    values = [float(row[2]) for row in rows]
    # But for rounding.
    assert values[0] == values[3] < 1e-9
    # A frozen clip is darker in its second frame, by 8 of 255 in two colours.
    assert values[2] > values[1] > 0.0
    assert values[2] > 2 * (8 / 255) ** 2 * 0.9
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    blue = np.abs(pixels - (31, 119, 180)).sum(-1) < 9
    half = blue.shape[1] // 2
    assert blue[:, :half].any() and blue[:, half:].any()


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--gin_param=DATA_DIR='/nowhere'"], "in the folder '/nowhere'"),
        (["extra"], "Unknown argument 'extra'"),
    ],
)
def test_mistakes_are_one_sentence(gin_file, flags, words):
    result = tool(gin_file, *flags)
    assert result.returncode == 1 and result.stdout == ""
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ") and words in last
    assert "Traceback" not in result.stderr
