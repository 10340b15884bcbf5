"""The benchmark of reading, on a dataset of seven small clips."""

import json
import pathlib

import forked
import pytest
from absl import app
from data import stored

from dvdgan_tf.networks import widths

ROOT = pathlib.Path(__file__).parents[2]

GIN = """
include "gin/dvdgan.gin"
DATASET = @TfdsVideos
TfdsVideos.name = "video_folder"
RESOLUTION = 8
NUM_FRAMES = 4
CH = 2
BATCH_SIZE = 6
SpatialDiscriminator.k = 2
TemporalDiscriminator.num_3d_blocks = 1
"""


def command(*args):
    """Of a resolution that `widths` does not know, as in `training.tiny`."""
    # Its flags are global ones, like those of other tools.
    from tools.benchmarks import benchmark_data

    widths.GENERATOR_MULTIPLIERS.setdefault(8, (2, 1))
    widths.DISCRIMINATOR_MULTIPLIERS.setdefault(8, (1, 2))
    app.run(benchmark_data.main, ["benchmark_data", *args])


def benchmark(gin_file, *flags):
    flags = [f"--gin_file={gin_file}", *flags]
    return forked.run(command, *flags, cwd=ROOT)


@pytest.fixture(scope="module")
def gin_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("gin") / "tiny.gin"
    path.write_text(GIN)
    return path


@pytest.fixture(scope="module")
def output(gin_file, tmp_path_factory):
    """What is printed, and the line that is written."""
    root = tmp_path_factory.mktemp("tfds")
    counts = (4, 5, 6, 7, 8, 9, 90)
    videos = [stored.encode(stored.numbered(n, 8, 12)) for n in counts]
    shard = [stored.clip(video, i % 2) for i, video in enumerate(videos)]
    stored.write(root, "video_folder", stored.features(), train=[shard])
    file = root / "results.jsonl"
    result = benchmark(
        gin_file,
        f"--gin_param=DATA_DIR='{root}'",
        "--threads=1",
        "--seconds=0.2",
        "--turns=2",
        "--batch_size=4",
        "--train",
        "--steps=2",
        f"--output={file}",
    )
    assert result.returncode == 0, result.stderr
    return result.stdout, file.read_text()


@pytest.fixture(scope="module")
def figures(output):
    return json.loads(output[1])


def test_the_last_line_is_what_is_written(output):
    printed, written = output
    assert printed.splitlines()[-1] == written.strip()
    assert "frames_per_s_per_core" in printed.splitlines()[2]


def test_what_was_read(figures):
    what = figures["what"]
    assert what["dataset"] == "video_folder/1.0.0"
    assert (what["clips"], what["frames_stored"]) == (7, [4, 90])
    assert figures["machine"]["cores"] == 1
    assert figures["short_clip_frames"] == 4
    assert figures["long_clip_frames"] == 90


def test_figures_agree_with_each_other(figures):
    f = figures
    assert f["frames_per_s"] == pytest.approx(4 * f["clips_per_s"])
    assert f["decode_limit"] == f["decode_limit_per_core"]
    # Not more than the one core that it may use.
    assert 0 < f["cores_busy"] < 1.2
    # To read a clip and decode it takes longer than either.
    assert 0 < f["ratio"] < 1
    assert f["record_ms"] < f["clip_ms"]
    # Two updates of D with six clips each.
    assert f["steps_per_s_fed"] == pytest.approx(f["clips_per_s"] / 12)
    assert f["wait_share"] == pytest.approx(f["wait_s"] / f["step_s"])
    assert 0 < f["wait_share"] < 1


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--threads=0"], "--threads must be above 0. Received: 0."),
        (["--threads=9999"], "Received: 9999."),
        (["extra"], "Unknown argument 'extra'"),
        (["--gin_param=DATA_DIR='/nowhere'"], "in the folder '/nowhere'"),
    ],
)
def test_mistakes_are_one_sentence(gin_file, flags, words):
    result = benchmark(gin_file, *flags)
    assert result.returncode == 1 and result.stdout == ""
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ") and words in last
    assert "Traceback" not in result.stderr
