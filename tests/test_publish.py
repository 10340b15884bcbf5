"""Publications: what is in them, and what is refused."""

import json
import shutil
import subprocess
import sys
import tarfile
import types

import pytest
from PIL import Image

import dvdgan_tf
from dvdgan_tf import publish
from dvdgan_tf.publishing import bundle

CARD = """
publisher = "jane-doe"
name = "moving-digits"
version = 3
summary = "Digits that move."
license = "Apache 2.0"
data = "Handwritten digits."
dataset = "moving-digits"
data_license = "CC BY 4.0"
limits = "Small."
contact = "Jane"
"""
ROWS = [
    {"metric": "fvd256/frechet_distance", "value": 123.456, "step": 12000}
    | {"truncation": 1.0, "clips": 256, "real_clips": 256, "network": "i3d"}
    | {"dataset": "digits", "split": "test", "standard_error": None},
    {"metric": "fvd256/frechet_distance", "value": 999.0, "step": 11000}
    | {"truncation": 1.0},
]


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """The packaged module, unpacked."""
    folder = tmp_path_factory.mktemp("module")
    path = f"{dvdgan_tf.__path__[0]}/assets/demo.tar.gz"
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def command(capsys, tmp_path):
    """Runs the command; returns exit code and last line of its output."""

    def run(*args):
        try:
            publish.main([a.replace("TMP", str(tmp_path)) for a in args])
            code = 0
        except SystemExit as ended:
            code = ended.code
        printed = capsys.readouterr()
        text = printed.out if code == 0 else printed.err
        assert "Traceback" not in text
        return code, text.strip().splitlines()[-1]

    (tmp_path / "card.toml").write_text(CARD)
    return run


def test_a_publication(command, module, tmp_path):
    (tmp_path / "run").mkdir()
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (tmp_path / "run" / "evaluations.jsonl").write_text(lines)
    code, line = command(
        f"--module={module}",
        "--card=TMP/card.toml",
        "--workdir=TMP/run",
        "--output=TMP/out",
        "--copy_to=TMP/bucket/here",
    )
    assert (code, line) == (0, f"Publication: {tmp_path / 'out'}")
    for root in (tmp_path / "out", tmp_path / "bucket" / "here"):
        text = (root / "README.md").read_text()
        for words in ("Digits that move.", "CC BY 4.0", "Small.", "Jane"):
            assert words in text
        assert "704,131 parameters" in text and "step 12,000" in text
        assert "| fvd256/frechet_distance | 123.5 | 1 | 256 | 256 |" in text
        assert "| 999 |" not in text
        assert "Trainer.learning_rate_g = 0.001" in text
        page = root / "assets/docs/jane-doe/models/moving-digits/3.md"
        lines = page.read_text().splitlines()
        assert lines[0] == "# Module jane-doe/moving-digits/3"
        assert "<!-- task: video-generation -->" in lines
        assert "<!-- dataset: moving-digits -->" in lines
        assert "<!-- asset-path: moving-digits-3.tar.gz -->" in lines
        assert [line[3:] for line in lines if line.startswith("## ")] == [
            "Overview",
            "Example use",
            "References",
            "Changelog",
        ]
        with Image.open(root / "preview.gif") as preview:
            # Frames of 32 pixels are shown at 64, with gaps of 2.
            assert preview.size == (278, 278)
        with tarfile.open(root / "moving-digits-3.tar.gz") as archive:
            assert "saved_model.pb" in archive.getnames()
    model = dvdgan_tf.load(tmp_path / "out" / "model")
    assert model.sample(count=1).shape == (1, 8, 32, 32, 3)
    header, card = (
        (tmp_path / "out/huggingface/README.md").read_text().split("---\n\n")
    )
    assert card == (tmp_path / "out/README.md").read_text()
    assert header.startswith("---\nlicense: apache-2.0\n")
    assert "\n- moving-digits\n" in header


def test_no_path_of_the_machine_is_published(command, module, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(module, old)
    config = old / "assets" / "operative_config.gin"
    config.write_text(config.read_text() + "DATA_DIR = '/home/jane-d/data'\n")
    code, _ = command(
        f"--module={old}", "--card=TMP/card.toml", "--output=TMP/out"
    )
    assert code == 0
    with tarfile.open(tmp_path / "out" / "moving-digits-3.tar.gz") as archive:
        archive.extractall(tmp_path / "out" / "unpacked", filter="data")
    files = [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
    assert not [p for p in files if b"/home/jane-d" in p.read_bytes()]
    assert "DATA_DIR = '/path'" in (tmp_path / "out/README.md").read_text()
    assert "/home/jane-d/data" in config.read_text()


def test_the_code_of_the_card_runs(command, module, tmp_path):
    code, _ = command(
        f"--module={module}", "--card=TMP/card.toml", "--output=TMP/out"
    )
    assert code == 0
    text = (tmp_path / "out" / "README.md").read_text()
    # From the archive, as the card says.
    lines = text.split("```sh\n")[1].split("```")[0]
    subprocess.run(["sh", "-ec", lines], cwd=tmp_path / "out", check=True)
    path = tmp_path / "out" / "moving-digits-3"
    code = text.split("```python\n")[1].split("```")[0]
    scope = {}
    exec(code.replace("moving-digits-3", str(path)), scope)
    assert scope["videos"].shape == (4, 8, 32, 32, 3)
    code = text.split("```python\n")[2].split("```")[0]
    exec(code.replace("moving-digits-3", str(path)), scope)
    assert scope["clips"].shape == (4, 8, 32, 32, 3)
    assert "None were measured." in text


def test_uploading(command, module, tmp_path, monkeypatch):
    uploaded = []
    stand_in = types.SimpleNamespace(
        model_upload=lambda *args, **named: uploaded.append((args, named))
    )
    monkeypatch.setitem(sys.modules, "kagglehub", stand_in)
    code, _ = command(
        f"--module={module}",
        "--card=TMP/card.toml",
        "--output=TMP/out",
        "--upload=jane-doe/dvd-gan/tensorFlow2/digits",
    )
    assert code == 0
    ((args, named),) = uploaded
    assert args == (
        "jane-doe/dvd-gan/tensorFlow2/digits",
        str(tmp_path / "out" / "model"),
    )
    assert named["license_name"] == "Apache 2.0"


def test_the_empty_card_is_refused_until_it_is_full(command, module, tmp_path):
    assert command("--write_card=TMP/empty.toml")[0] == 0
    code, line = command(
        f"--module={module}", "--card=TMP/empty.toml", "--output=TMP/out"
    )
    assert code == 2 and "incomplete; say also: publisher, name," in line
    assert command("--write_card=TMP/empty.toml")[0] == 2


def test_the_home_folder_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/home/jane")
    names = ("module", "card", "write_card", "workdir", "frames", "output")
    options = publish.parse(
        [*(f"--{name}=~/a" for name in names), "--copy_to=gs://bucket/~"]
    )
    assert {getattr(options, name) for name in names} == {"/home/jane/a"}
    assert options.copy_to == "gs://bucket/~"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('limits = "Small."', ""), "say also: limits."),
        (('name = "moving-digits"', 'name = "../up"'), "name must be 4 to"),
        (('set = "moving-digits"', 'set = "A, B"'), "dataset must be 4 to"),
        (("version = 3", "version = 0"), "above 0"),
        (("version = 3", "version = true"), "above 0"),
        (("version = 3", "colour = 3"), "no card has: colour"),
        (("version = 3", "version ="), "no TOML file"),
    ],
)
def test_impossible_cards(command, module, tmp_path, change, words):
    (tmp_path / "card.toml").write_text(CARD.replace(*change))
    code, line = command(
        f"--module={module}", "--card=TMP/card.toml", "--output=TMP/out"
    )
    assert code == 2 and words in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "Name the --module"),
        (["--module=/nowhere"], "Name the --card"),
        (
            ["--module=/no", "--card=TMP/card.toml", "--output=TMP/o"],
            "is no folder of an exported module",
        ),
        (
            ["--module=/no", "--card=/nowhere", "--output=TMP/o"],
            "No such file or directory",
        ),
        (["--modul=x"], "Unknown command line flag 'modul'"),
        (
            ["--module=/no", "--card=TMP/card.toml", "--output=TMP/o"]
            + ["--upload=jane/gan"],
            "--upload must be OWNER/MODEL/tensorFlow2/VARIATION. Received",
        ),
    ],
)
def test_mistakes_are_one_sentence(command, args, words):
    code, line = command(*args)
    assert code == 2 and words in line and line.startswith("error: ")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("operative_config.gin", b"\xff\xfe\0"),
        ("module.json", b"\xff\xfe\0"),
        ("module.json", b"{"),
    ],
)
def test_an_asset_that_cannot_be_read_is_named(tmp_path, name, content):
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "operative_config.gin").write_text("CH = 2")
    (assets / name).write_bytes(content)
    with pytest.raises(ValueError, match="export the module again") as error:
        bundle.make(str(tmp_path / "out"), str(tmp_path), None, None, [])
    assert str(error.value).startswith(f"{assets / name} is no ")
    assert not (tmp_path / "out").exists()
