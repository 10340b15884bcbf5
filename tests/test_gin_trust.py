"""A gin file of a stranger is data: it runs nothing, and ends in a sentence."""

import importlib
import pathlib
import shutil
import sys

import gin
import pytest
import tensorflow as tf

from dvdgan_tf import config, files
from dvdgan_tf.run_folder import RunFolder
from tests.runs import GIN, TINY


@pytest.fixture(autouse=True)
def _clean(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gin.clear_config()
    yield
    gin.clear_config()


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """A package that leaves a file when it is imported; that file's path."""
    for folder in ("evil_package", "evil_package/inner"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text(
            "open('was_here', 'w').close()\ndef call(**_): return 3\n"
        )
        (tmp_path / folder / "x.gin").write_text("BATCH_SIZE = 2")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path / "was_here"
    for name in [n for n in sys.modules if n.startswith("evil_package")]:
        del sys.modules[name]


@pytest.fixture
def run(tmp_path):
    """A folder of a run as far as its configuration needs it."""
    folder = RunFolder(tmp_path / "run")
    config.parse([str(GIN / "demo.gin")], TINY)
    files.write_text(folder.config, gin.config_str())
    files.write_json(folder.classes, [str(digit) for digit in range(10)])
    tf.train.Checkpoint().write(f"{folder.checkpoints}/step-4")
    gin.clear_config()
    return folder


def refused(run):
    """The sentence with which a run is refused, which leaves nothing."""
    with pytest.raises(ValueError) as error, config.of_run(run.path):
        pass
    sentence = str(error.value)
    assert "\n" not in sentence and len(sentence) < 600
    assert gin.config_str() == ""
    return sentence


def add(run, text):
    path = pathlib.Path(run.config)
    path.write_text(f"{path.read_text()}\n{text}")


PROGRAMS = [
    "import evil_package",
    "import evil_package as gin_free",
    "from evil_package import inner",
    "import \\\n  evil_package",
    "X = '''\n'''\nimport evil_package",
    'X = [\'#\', """\nimport os"""]; import evil_package'.replace("; ", "\n"),
    "\timport evil_package",
    "from __gin__ import dynamic_registration\nimport evil_package\n"
    "Generator.z_dim = @evil_package.call()",
]


@pytest.mark.parametrize("text", PROGRAMS)
def test_a_runs_own_file_imports_nothing(run, evil, text):
    add(run, text)
    assert "is data and may come from a stranger" in refused(run)
    assert not evil.exists()


@pytest.mark.parametrize("text", PROGRAMS)
def test_a_named_file_imports_only_where_that_is_allowed(tmp_path, evil, text):
    (tmp_path / "own.gin").write_text(text)
    for named in ("own.gin", "middle.gin"):
        (tmp_path / "middle.gin").write_text("include 'own.gin'")
        with pytest.raises(ValueError, match="add --allow_gin_imports"):
            config.parse([named], [])
        assert not evil.exists()
        gin.clear_config()


def test_bindings_import_only_where_that_is_allowed(evil):
    with pytest.raises(ValueError, match="add --allow_gin_imports"):
        config.parse(["gin/demo.gin"], ["import evil_package"])
    assert not evil.exists()


def test_allowed_imports_are_there_for_the_runs_file(run, evil, tmp_path):
    (tmp_path / "evil_package" / "__init__.py").write_text(
        "import gin\n@gin.register\ndef my_own(a): return a\n"
        "open('was_here', 'w').close()"
    )
    add(run, "my_own.a = 3")
    (tmp_path / "own.gin").write_text("import evil_package")
    config.parse(["own.gin"], [], run.config, allow_imports=True)
    assert evil.exists() and gin.query_parameter("my_own.a") == 3
    # In the run's file itself they never are.
    gin.clear_config()
    add(run, "import evil_package")
    with pytest.raises(ValueError, match="is data"):
        config.parse(["own.gin"], [], run.config, allow_imports=True)


def test_includes_import_no_package(run, evil, tmp_path):
    # gin itself looks for what it cannot find among Python's packages.
    include = "include 'evil_package.inner/nothing.gin'"
    (tmp_path / "own.gin").write_text(include)
    with pytest.raises(ValueError, match=r"nothing\.gin"):
        config.parse(["own.gin"], [])
    gin.clear_config()
    add(run, include)
    assert "nothing.gin" in refused(run)
    assert not evil.exists()


def test_a_run_includes_files_of_the_package_only(run, tmp_path):
    (tmp_path / "other.gin").write_text("BATCH_SIZE = 2")
    (tmp_path / "gin").mkdir()
    shutil.copy(tmp_path / "other.gin", tmp_path / "gin" / "demo.gin")
    text = pathlib.Path(run.config).read_text()
    for name in ("other.gin", str(tmp_path / "other.gin"), "gin/demo.gin"):
        pathlib.Path(run.config).write_text(f"include '{name}'\n{text}")
        assert "only include files of this package" in refused(run)
    shutil.rmtree(tmp_path / "gin")
    pathlib.Path(run.config).write_text(f"include 'gin/demo.gin'\n{text}")
    with config.of_run(run.path) as found:
        assert found.fps == 12


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Generator.recurrent_unit = @HubI3D()\n", "refers to HubI3D"),
        ("Generator.recurrent_unit = @a/HubI3D\n", "refers to HubI3D"),
        ("HubI3D.handle = 'http://127.0.0.1:9/x'", "binds HubI3D"),
        ("HubI3D:\n  handle = 'http://127.0.0.1:9/x'", "binds HubI3D"),
        ("Generator.z_dim = [{1: @features.native.NativeI3D()}]", "NativeI3D"),
        ("M = @train\nDATASET = %M", "refers to train"),
        ("Generator.z_dim = @s/singleton()", "refers to singleton"),
        ("Generator.z_dim = @s/gin.constant()", "refers to gin.constant"),
        ("s/gin.singleton.constructor = @Generator", "binds gin.singleton"),
    ],
)
def test_a_run_names_only_what_it_is_made_of(run, text, words):
    add(run, text)
    sentence = refused(run)
    assert words in sentence and "the file of a run may only name" in sentence


@pytest.mark.parametrize("as_run", [True, False])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"X = {'(' * 60}3{',)' * 60}", "nests brackets"),
        (f"X = {'[' * 5000}{']' * 5000}", "more than 32 deep"),
        (f"X = {'{1: ' * 80}3{'}' * 80}", "nests brackets"),
        (f"X = {'-' * 5000}3", ""),
        ("X = %Y\nY = %X", "A gin value needs itself"),
        ("X = [3, {1: @X/macro()}]", "A gin value needs itself: X."),
        ("Generator.z_dim = @Generator()", "A gin value needs itself"),
        ("X = {[1]: 2}", "unhashable"),
        ("X = @Generator\x00", ""),
        ("X = 'a", ""),
        ("(", ""),
        ("X = %", ""),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    run, tmp_path, text, words, as_run
):
    if as_run:
        add(run, text)
        assert words in refused(run)
        return
    (tmp_path / "own.gin").write_text(text)
    with pytest.raises(ValueError) as error:
        config.parse(["own.gin"], [])
    assert words in str(error.value) and "\n" not in str(error.value)
    assert gin.config_str() == ""


def test_a_later_binding_breaks_a_circle(tmp_path):
    (tmp_path / "own.gin").write_text(
        "include 'gin/demo.gin'\nCH = %Z\nZ = %CH\nTrainer.seed = %Z"
    )
    config.parse(["own.gin"], ["CH = 5"])
    assert gin.query_parameter("CH/macro.value") == 5


def test_includes_in_a_circle(tmp_path):
    (tmp_path / "own.gin").write_text("include 'own.gin'")
    with pytest.raises(ValueError, match=r"own\.gin includes itself\."):
        config.parse(["own.gin"], [])
    (tmp_path / "a.gin").write_text("include 'b.gin'")
    (tmp_path / "b.gin").write_text("include './a.gin'")
    with pytest.raises(ValueError, match="includes itself, by way of"):
        config.parse(["a.gin"], [])


def test_too_many_includes(tmp_path):
    # Each includes the next one twice, 2**20 in all.
    for number in range(20):
        (tmp_path / f"{number}.gin").write_text(
            f"include '{number + 1}.gin'\n" * 2
        )
    (tmp_path / "20.gin").write_text("CH = 3")
    with pytest.raises(ValueError, match="more than 100 files"):
        config.parse(["0.gin"], [])


def test_a_runs_file_that_is_none(run):
    for content in (bytes(range(128, 256)), b"CH = 2\n\0"):
        pathlib.Path(run.config).write_bytes(content)
        assert f"{run.config} is no gin file: it is no text." in refused(run)
    pathlib.Path(run.config).write_text("#" * 70_000)
    assert "has more than 65,536 bytes" in refused(run)


@pytest.mark.parametrize("name", ["sample", "export", "evaluate", "train"])
def test_commands_refuse_in_a_sentence(run, evil, tmp_path, name, capsys):
    add(run, "import evil_package")
    arguments = [f"--workdir={run.path}", "--gin_file=gin/fvd.gin"]
    if name == "train":
        shutil.copy(run.config, "own.gin")
        arguments = [f"--workdir={tmp_path / 'new'}", "--gin_file=own.gin"]
    if name in ("sample", "export"):
        arguments[1] = f"--output={tmp_path / 'new'}"
    assert "'import evil_package'" in sentence_of(name, arguments, capsys)
    assert not evil.exists()


@pytest.mark.parametrize("name", ["sample", "export", "evaluate"])
def test_commands_name_a_file_that_is_no_text(run, tmp_path, name, capsys):
    pathlib.Path(run.config).write_bytes(b"\xff\xfe\0\1")
    arguments = [f"--workdir={run.path}", f"--output={tmp_path / 'new'}"]
    if name == "evaluate":
        arguments[1] = "--gin_file=gin/fvd.gin"
    sentence = sentence_of(name, arguments, capsys)
    assert f"{run.config} is no gin file: it is no text." in sentence
    assert not (tmp_path / "new").exists()


def sentence_of(name, arguments, capsys):
    """What a command prints last before it ends with exit code 2."""
    command = importlib.import_module(f"dvdgan_tf.{name}")
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]
