"""What the commands share: flags, help, mistakes before TensorFlow."""

import importlib
import os
import pathlib
import re
import subprocess
import sys

import pytest

from dvdgan_tf import command_line, quiet
from dvdgan_tf.__main__ import COMMANDS

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# Fails, with a traceback, where a command has imported TensorFlow.
WITHOUT_TENSORFLOW = """
import importlib, sys
name, *arguments = sys.argv[1:]
hidden = [a for a in arguments if a.startswith("hide:")]
for module in hidden:
    sys.modules[module.removeprefix("hide:")] = None
arguments = [a for a in arguments if a not in hidden]
try:
    importlib.import_module(f"dvdgan_tf.{name}").main(arguments)
finally:
    assert "tensorflow" not in sys.modules
"""


def flags_of(name):
    return importlib.import_module(f"dvdgan_tf.{name}").FLAGS


@pytest.mark.parametrize("name", COMMANDS)
def test_help_tells_of_each_flag_in_a_sentence(name, capsys):
    module = importlib.import_module(f"dvdgan_tf.{name}")
    with pytest.raises(SystemExit) as ended:
        module.main(["--help"])
    assert not ended.value.code
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) < 80
    assert text.startswith(module.__doc__.strip())
    shown = re.findall(r"^  --(?:\[no\])?(\w+)", text, re.MULTILINE)
    assert sorted(shown) == sorted([*module.FLAGS, "help"])
    for flag in shown:
        line = re.search(rf"^  --(\[no\])?{flag}\b.*\n", text, re.MULTILINE)
        rest = text[line.end() :]
        sentence = " ".join(rest.split("\n  --")[0].split())
        assert re.match(r"[A-Z-].*\.$", sentence), sentence
        default = None if flag == "help" else module.FLAGS[flag].default
        if default not in (None, [], "", False):
            assert sentence.endswith(f"Default: {default}.")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["train", "--gin_file=gin/dema.gin", "--workdir=x"], "gin/demo.gin?"),
        (["train", "--wrokdir=x"], "wrokdir"),
        (["train", "--gin_file=gin/demo.gin"], "Name the --workdir"),
        (["train", "--work=x"], "'work'"),
        (
            ["train", "--gin_file=gin/demo.gin", "--workdir=x"]
            + ["--gin_param=DATA_DIR=data"],
            "--gin_param=\"DATA_DIR='data'\"",
        ),
        (
            ["train", "--gin_file=gin/demo.gin", "--workdir=x"]
            + ["--gin_param=RESOLUTION=(64, 100)"],
            "resolution=(64, 100)",
        ),
        (
            ["evaluate", "--gin_file=gin/fvd.gin", "--workdir=nowhere"],
            "'nowhere' is no folder of a run",
        ),
        (["sample", "--workdir=nowhere"], "neither a run's folder"),
        (["sample", "--module=demo", "--count=x"], "--count=x"),
        (["export", "--workdir=no", "--output=x"], "'no' is no folder of a"),
        (["demo", "hide:gradio"], "pip install 'dvdgan_tf[page]'"),
        (
            ["prepare", "--source=a", "--data_dir=b", "hide:apache_beam"],
            "pip install 'dvdgan_tf[prepare]'",
        ),
        (
            ["plot", "--workdir=a", "hide:matplotlib"],
            "pip install 'dvdgan_tf[plot]'",
        ),
        (
            ["train", "--gin_file=gin/demo.gin", "--workdir=x", "hide:sklearn"],
            "pip install 'dvdgan_tf[demo]'",
        ),
        (
            ["train", "--gin_file=gin/demo_prediction.gin", "--workdir=x"]
            + ["hide:sklearn"],
            "pip install 'dvdgan_tf[demo]'",
        ),
        (["install_i3d", "weights"], "Unknown argument 'weights'"),
    ],
)
def test_mistakes_are_found_before_tensorflow_is_imported(
    tmp_path, args, words
):
    result = alone(tmp_path, *args)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and words in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_does_not_import_tensorflow(tmp_path, name):
    assert alone(tmp_path, name, "--help").returncode == 0


def test_an_empty_card_needs_no_tensorflow(tmp_path):
    result = alone(tmp_path, "publish", "--write_card=card.toml")
    assert (result.returncode, result.stdout) == (0, "Card: card.toml\n")
    assert "publisher" in (tmp_path / "card.toml").read_text()


def alone(folder, *args):
    """Runs a command in a process that must not import TensorFlow."""
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, *args],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "AssertionError" not in result.stderr, result.stderr
    return result


def test_an_unknown_command(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "dvdgan_tf", "trian"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert result.stderr == (
        "error: There is no command 'trian'; did you mean train?\n"
    )


def test_flags_are_forgotten_between_two_readings():
    values = command_line.new_flags()
    command_line.define_path("output", "here", "A folder.", values)
    command_line.define_paths("source", "Folders.", values)
    command_line.parse(values, "", ["--output=a", "--source=b", "--source=c"])
    assert (values.output, values.source) == ("a", ["b", "c"])
    command_line.parse(values, "", [])
    assert (values.output, values.source) == ("here", [])


def test_only_lines_of_a_log_are_dropped(monkeypatch, tmp_path, capfd):
    (tmp_path / "tensorflow.py").write_text(
        "import os\n"
        "os.write(2, b'I0000 00:00:1.2 3 port.cc:153] oneDNN is on.\\n')\n"
        "os.write(2, b'WARNING: All log messages before absl::Initialize"
        "Log() is called are written to STDERR\\n')\n"
        "os.write(2, b'E0000 00:00:1.2 3 cuda.cc:1] cuInit failed\\n')\n"
        "os.write(2, b'libfoo.so is missing\\n')\n"
        "raise ImportError('broken')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorflow")
    with pytest.raises(ImportError, match="broken"):
        quiet.import_tensorflow()
    assert capfd.readouterr().err == "libfoo.so is missing\n"


def commands_in(text):
    """(command, its words) of the lines of code that run one."""
    text = text.replace("\\\n", " ")
    called = re.compile(r"(?:python -m dvdgan_tf[. ]|\bdvdgan )(\w+)([^\n`]*)")
    for name, rest in called.findall(text):
        if name in COMMANDS:
            # What follows is another program's.
            yield name, re.split(r"[|;&]", rest)[0]


def test_there_are_commands_in_the_docs():
    found = {
        name for page in PAGES for name, _ in commands_in(page.read_text())
    }
    assert found >= {"train", "sample", "export", "evaluate", "prepare"}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_flags_in_the_docs_exist(page):
    tools = "".join(p.read_text() for p in (ROOT / "tools").rglob("*.py"))
    others = set(re.findall(r"(?:DEFINE_\w+\(\s*\"|\"--)(\w+)\"", tools))
    known = {flag for name in COMMANDS for flag in flags_of(name)} | others
    text = page.read_text()
    for name, rest in commands_in(text):
        for flag in re.findall(r"(?<!\S)--(\w+)", rest):
            values = flags_of(name)
            assert (
                flag == "help"
                or flag in values
                or (flag.startswith("no") and flag[2:] in values)
            ), f"{name} has no flag --{flag}"
    for flag in re.findall(r"`--(\w+)", text):
        assert flag in known | {"help"}, f"no command has the flag --{flag}"


def test_a_module_is_said_to_be_a_program(tmp_path, capsys):
    (tmp_path / "operative_config.gin").touch()
    for name in (None, "demo", str(tmp_path)):
        command_line.say_what_runs(name)
    assert not capsys.readouterr().out
    for name in ("https://example.org/x", "a.tar.gz", str(tmp_path / "x")):
        command_line.say_what_runs(name)
        line = capsys.readouterr().out
        assert line.startswith(f"{name} is a SavedModel, which is a program")
        assert line.count("\n") == 1


@pytest.mark.parametrize("name", ["deep", "many"])
def test_a_hostile_archive_is_refused_before_tensorflow_is_loaded(name):
    folder = pathlib.Path(__file__).parent / "hostile"
    with pytest.raises(ValueError, match=f"{name}.tar.gz"):
        command_line.check_model(str(folder / f"{name}.tar.gz"), None)


def test_an_error_is_no_command_of_a_terminal(capsys):
    with pytest.raises(SystemExit):
        command_line.fail("no file \x1b[2J\u202e\udc80 x.mp4", 2)
    assert capsys.readouterr().err == "error: no file ?[2J?? x.mp4\n"
