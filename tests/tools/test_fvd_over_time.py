"""Windows of long clips, and the tool on a tiny run."""

import gin
import numpy as np
import pytest
import runs

from dvdgan_tf.evaluation.activations import make_step, measure
from dvdgan_tf.training.strategies import make_strategy
from tests.evaluation.tiny import MeanColors
from tools.studies import fvd_over_time


@pytest.fixture(autouse=True)
def _clean():
    yield
    gin.clear_config()


def test_a_window_is_of_the_same_frames_of_all_clips():
    videos = np.random.default_rng(0).integers(0, 256, [5, 9, 4, 4, 3], "u1")
    clips = fvd_over_time.Windows(videos, np.arange(5, dtype="int32"), 3, 2)
    network, strategy = MeanColors(), make_strategy("one_device")
    found = measure(
        clips,
        make_step(clips.videos, network, strategy),
        strategy,
        network.outputs,
        batch_size=2,
    )
    means = (videos[:, 3:5] / 255).mean((2, 3)).reshape(5, 6)
    np.testing.assert_allclose(found.features["logits"], means, rtol=1e-5)
    np.testing.assert_array_equal(found.labels, range(5))


def test_the_tool(tmp_path, capsys):
    run = tmp_path / "run"
    runs.make_run(run, label_counts=runs.COUNTS)
    if "MeanColors" not in gin.config._REGISTRY:
        gin.register(MeanColors)
    options = [f"--workdir={run}", "--gin_file=gin/fvd.gin"]
    options += ["--num_frames=14", "--num_clips=6"]
    options += [f"--output={tmp_path / 'picture.png'}"]
    for binding in (
        "I3D = @MeanColors",
        "Protocol.measures = (@frechet_distance,)",
        "Protocol.num_frames = 4",
        "Protocol.num_clips = 6",
        "Protocol.num_real_clips = 8",
        "Protocol.batch_size = 2",
        f"REFERENCE_DIR = {str(tmp_path / 'references')!r}",
    ):
        options.append(f"--gin_param={binding}")
    fvd_over_time.main(options)
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines if line[:1].isdigit()]
    assert [row[0] for row in rows] == ["0", "4", "8"]
    distances = [float(row[1]) for row in rows]
    assert min(distances) > 0 and len(set(distances)) == 3
    assert lines[-1] == str(tmp_path / "picture.png")
    gin.clear_config()
    with pytest.raises(SystemExit, match="at least 4, the protocol's"):
        fvd_over_time.main([*options, "--num_frames=3"])
