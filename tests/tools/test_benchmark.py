"""The benchmark's command line, on the smallest networks of prediction."""

import json
import pathlib

import forked
import pytest
from absl import app
from training import tiny
from training.test_prediction import GENERATOR

from tools.benchmarks import breakdown
from tools.flops import flops

ROOT = pathlib.Path(__file__).parents[2]

GIN = """
include "gin/dvdgan.gin"
DATASET = @MovingDigits
RESOLUTION = 8
NUM_FRAMES = 12
CONDITIONING_FRAMES = 1
CLASS_CONDITIONAL = False
CH = 4
BATCH_SIZE = 512
SpatialDiscriminator.k = 2
TemporalDiscriminator.num_3d_blocks = 1
"""


def command(*args):
    """Of the resolution that `training.tiny` adds, too."""
    # Its flags are global ones, like those of other tools.
    from tools.benchmarks import benchmark

    app.run(benchmark.main, ["benchmark", *args])


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
    file = tmp_path_factory.mktemp("out") / "results.jsonl"
    flags = ["--num_frames=4", "--ch=2", "--batch_size=6", "--threads=1"]
    flags += ["--steps=2", "--ceiling_shapes=3", "--breakdown"]
    result = benchmark(gin_file, *flags, f"--output={file}")
    assert result.returncode == 0, result.stderr
    return result.stdout, file.read_text()


@pytest.fixture(scope="module")
def figures(output):
    return json.loads(output[1])


def test_the_last_line_is_what_is_written(output):
    printed, written = output
    assert printed.splitlines()[-1] == written.strip()


def test_flags_win_over_the_file(figures):
    what = figures["what"]
    found = [what[k] for k in ("num_frames", "ch", "batch_size", "precision")]
    assert found == [4, 2, 6, "float32"]
    assert what["conditioning_frames"] == what["num_classes"] == 1


def test_figures_agree_with_each_other(figures):
    f = figures
    parts = 2 * f["gflop_d_update"] + f["gflop_g_update"]
    assert f["gflop"] == pytest.approx(parts)
    assert f["gflop"] < f["gflop_as_drawn"]
    assert f["gflops"] == pytest.approx(f["gflop"] / f["step_s"])
    # The update of G takes a real batch, too.
    assert f["clips_per_s"] == pytest.approx(3 * 6 / f["step_s"])
    assert f["ratio"] == pytest.approx(f["gflops"] / f["ceiling_gflops"])
    parts = 2 * f["d_update_s"] + f["g_update_s"]
    assert f["step_s"] == pytest.approx(parts)
    assert f["step_min_s"] <= f["step_s"] < f["first_step_s"]
    rates = [c["gflops"] for c in f["ceiling"]]
    assert f["ceiling_gflops"] == max(rates) and len(rates) == 3
    assert f["peak_memory_gib"] > 0.1


def test_breakdown_has_all_layers(figures):
    assert [row["layer"] for row in figures["breakdown"]] == [
        "G/frame_encoder/8x8_block0",
        "G/frame_encoder/4x4_block1",
        "G/frame_encoder/4x4_state",
        "G/4x4_recurrent",
        "G/4x4_block",
        "G/4x4_block_up",
        "G/head",
        "D_S/8x8_block0",
        "D_S/4x4_block1",
        "D_T/4x4_block0",
        "D_T/2x2_block1",
    ]
    for row in figures["breakdown"]:
        rate = 1e3 * row["gflop"] / row["ms"]
        assert row["gflops"] == pytest.approx(rate) and rate > 0


@pytest.mark.parametrize("changes", [{}, {"generator": GENERATOR}])
def test_breakdown_has_the_layers_that_are_counted(changes):
    trainer = tiny.trainer(**changes)
    found = [name for name, *_ in breakdown._generator_calls(trainer)]
    counted = flops.count(trainer).networks["G"].by_layer()
    assert {*found} == counted.keys() - {"seed", "spectral_norm"}


def test_a_mistake_ends_in_one_sentence(gin_file):
    result = benchmark(gin_file, "--num_frames=1")
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("error: ") and "NUM_FRAMES - 1 = 0." in last
