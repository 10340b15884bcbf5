"""The command that draws: which pictures of which files."""

import json

import numpy as np
import pytest
from PIL import Image

from dvdgan_tf import plot

FID = {"metric": "fvd/frechet_distance", "value": 3.0, "step": 10}


@pytest.fixture
def command(capsys, tmp_path, monkeypatch):
    """Runs the command in a folder; returns its exit code and output."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        try:
            plot.main(list(args))
            code = 0
        except SystemExit as ended:
            code = ended.code
        printed = capsys.readouterr()
        text = printed.err if code else printed.out
        assert "Traceback" not in text
        return code, text.strip().splitlines()

    return run


def log(folder, values):
    folder.mkdir(exist_ok=True)
    with open(folder / "metrics.jsonl", "w") as file:
        for step, value in enumerate(values, 1):
            row = {"step": 10 * step, "loss/g": value, "speed/x": 1.0}
            file.write(json.dumps(row) + "\n")


def measure(folder, truncations=(1.0,)):
    folder.mkdir(exist_ok=True)
    score = FID | {"metric": "fvd/inception_score"}
    rows = [
        row | {"truncation": level}
        for level in truncations
        for row in (FID, score)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "evaluations.jsonl").write_text(text)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_all_pictures_of_two_runs(command, tmp_path):
    log(tmp_path / "a", [3.0, 2.0, 1.0] * 4)
    log(tmp_path / "b", [1.0, 2.0, 3.0, 4.0] * 4)
    measure(tmp_path / "b", (1.0, 0.5))
    for name in ("real", "fake"):
        features = np.random.default_rng(0).normal(size=[5, 3])
        np.savez(tmp_path / f"{name}.npz", **{"logits/features": features})
    code, lines = command(
        "--workdir=first=a",
        "--workdir=b",
        "--features=real.npz",
        "--features=fake.npz",
    )
    names = ("losses", "metrics", "truncation", "features")
    assert (code, lines) == (0, [f"pictures/{name}.png" for name in names])
    # Matplotlib's first two colours, blue and orange, are in the panel.
    shown = pixels(tmp_path / "pictures" / "losses.png")
    for colour in ((31, 119, 180), (255, 127, 14)):
        assert (np.abs(shown - colour).sum(-1) < 9).any()


def test_only_what_there_is(command, tmp_path):
    log(tmp_path / "a", [1.0])
    measure(tmp_path / "b")
    assert command("--workdir=a") == (0, ["pictures/losses.png"])
    assert command("--workdir=b") == (0, ["pictures/metrics.png"])


def test_the_home_folder_is_expanded(command, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    log(tmp_path / "home" / "a", [3.0, 2.0])
    code, _ = command("--workdir=first=~/a", "--output=~/out")
    assert code == 0
    assert (tmp_path / "home" / "out" / "losses.png").is_file()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "Name a --workdir"),
        (["--workdir=nowhere"], "nothing to draw"),
        (["--workdir=a", "--metric=fid"], "There is no metric 'fid'"),
        (["--workdir=b", "--metric=fid"], "No --workdir has a metrics.jsonl"),
        (["--workdir=a", "--window=0"], "--window=0"),
        (["--workdir=x=a", "--workdir=x=b"], "have the label 'x'"),
        (["--features=a.npz"], "Give --features at least twice"),
    ],
)
def test_mistakes_are_one_sentence(command, tmp_path, args, words):
    log(tmp_path / "a", [1.0])
    measure(tmp_path / "b")
    code, (line,) = command(*args)
    assert code == 2 and line.startswith("error: ") and words in line
    assert not (tmp_path / "pictures").exists()
