"""The list of runs, from their folders alone."""

import json
import os
import subprocess
import sys

import pytest

from dvdgan_tf import runs

ROW = {"loss/d_spatial": 1.5, "loss/d_temporal": 1.25, "loss/g": -0.5}


def make_run(folder, steps, picture=None, results=()):
    (folder / "samples").mkdir(parents=True)
    (folder / "operative_config.gin").write_text(
        "import x\ntrain.num_steps = 300\n"
    )
    lines = [{"step": s, **ROW, "speed/steps_per_second": 2.0} for s in steps]
    # A report and a line that a kill has cut.
    lines.append({"step": steps[-1], "class_accuracy": 0.5})
    text = "\n".join(map(json.dumps, lines)) + '\n{"step": 9'
    (folder / "metrics.jsonl").write_text(text)
    if picture:
        (folder / "samples" / picture).touch()
    with open(folder / "evaluations.jsonl", "w") as file:
        for step, metric, value in results:
            row = {"step": step, "metric": metric, "value": value}
            file.write(json.dumps(row) + "\n5\n")


@pytest.fixture
def folder(tmp_path):
    make_run(
        tmp_path / "b",
        [10, 20],
        "step_00000020_ema.png",
        [
            (20, "fvd256/frechet_distance", 812.34),
            (10, "fvd256/frechet_distance", 900.0),
            (20, "fvd256/kernel_distance", 5.0),
        ],
    )
    (tmp_path / "b" / "samples" / "step_00000020_live.png").touch()
    (tmp_path / "b" / "samples" / "step_00000010_ema.png").touch()
    make_run(tmp_path / "a" / "nested", [110])
    (tmp_path / "notes").mkdir()
    return tmp_path


def test_rows(folder, capsys):
    (folder / "b" / "run.lock").touch()
    runs.main([str(folder)])
    head, nested, b = capsys.readouterr().out.splitlines()
    assert tuple(head.split()) == runs.HEAD
    assert nested.split() == (
        ["a/nested", "110/300", "2", "1.5", "1.25", "-0.5", "-", "-"]
    )
    picture = folder / "b" / "samples" / "step_00000020_ema.png"
    assert b.split() == (
        ["b", "(goes", "on)", "20/300", "2", "1.5", "1.25", "-0.5", "812.3"]
        + ["(20)", str(picture)]
    )
    os.utime(folder / "b" / "run.lock", (0, 0))
    runs.main([str(folder / "b")])
    assert "goes on" not in capsys.readouterr().out


def test_nothing_to_list(tmp_path, capsys):
    for name, words in ((tmp_path, "no run in"), (tmp_path / "x", "no folder")):
        with pytest.raises(SystemExit) as error:
            runs.main([str(name)])
        assert error.value.code == 2
        assert words in capsys.readouterr().err


def test_it_does_not_wait_for_tensorflow(folder):
    code = (
        f"from dvdgan_tf import runs; runs.main([{str(folder)!r}]); "
        "import sys; assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
