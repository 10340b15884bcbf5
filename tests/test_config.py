import os
import pathlib

import gin
import pytest
import tensorflow as tf

from dvdgan_tf import config, files
from dvdgan_tf.run_folder import RunFolder

FOLDER = pathlib.Path(__file__).parents[1] / "gin"


@pytest.fixture(autouse=True)
def _clear_gin():
    gin.clear_config()
    yield
    gin.clear_config()


def test_later_files_and_then_bindings_win(tmp_path):
    own = tmp_path / "own.gin"
    own.write_text("CH = 5\nBATCH_SIZE = 3")
    demo = str(FOLDER / "demo.gin")
    config.parse([demo, str(own)], ["BATCH_SIZE = 2"])
    assert gin.query_parameter("CH/macro.value") == 5
    assert gin.query_parameter("BATCH_SIZE/macro.value") == 2
    assert gin.query_parameter("RESOLUTION/macro.value") == 32


def test_includes_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config.parse([str(FOLDER / "k600_128x48.gin")], [])
    assert gin.query_parameter("NUM_FRAMES/macro.value") == 48
    assert gin.query_parameter("RESOLUTION/macro.value") == 128


@pytest.mark.parametrize(
    ("text", "bindings", "words"),
    [
        ("", ["Trainer.learning_rat_g = 1"], "learning_rat_g"),
        ("", ["Generatr.ch = 1"], "Generatr"),
        ("include 'gin/missing.gin'", [], "gin/missing.gin"),
        ("CH = (1, ", [], "own.gin, or a file"),
        ("CH 1", [], "own.gin, line 1"),
        ("Trainer.trainer = @Nothing", [], "Nothing"),
        # Of the shared file's four choices, one is open.
        (
            "include 'gin/dvdgan.gin'\nRESOLUTION = 64\nNUM_FRAMES = 12\n"
            "DATASET = @TfdsVideos",
            [],
            "CH",
        ),
    ],
)
def test_mistakes_are_one_sentence(text, bindings, words, tmp_path):
    own = tmp_path / "own.gin"
    own.write_text(text)
    gin.add_config_file_search_path(str(FOLDER.parent))
    with pytest.raises(ValueError) as error:
        config.parse([str(own)], bindings)
    message = str(error.value)
    assert words in message and "\n" not in message


def test_a_missing_file():
    with pytest.raises(ValueError) as error:
        config.parse(["gin/none.gin"], [])
    assert "There is no gin file 'gin/none.gin'" in str(error.value)
    assert os.getcwd() in str(error.value)


@gin.register
def needs(value, unused=3):
    return value


@pytest.fixture
def run(tmp_path):
    """A folder of a run as far as its configuration needs it."""
    folder = RunFolder(tmp_path / "run")
    config.parse([str(FOLDER / "demo.gin")], ["CH = 2"])
    files.write_text(folder.config, gin.config_str())
    files.write_json(folder.classes, ["a", "b"])
    tf.train.Checkpoint().write(os.path.join(folder.checkpoints, "step-4"))
    gin.clear_config()
    return folder


@pytest.mark.parametrize("fails", [False, True])
def test_the_configuration_of_the_caller_comes_back(run, fails):
    alone = object()  # Has no literal form, which `gin.config_str` needs.
    gin.parse_config("CH = 7\nGenerator.ch = %CH\nGenerator.z_dim = 3")
    gin.bind_parameter("needs.value", alone)
    gin.get_configurable(needs)()  # Now the configuration has been used.
    gin.finalize()
    text, used = gin.config_str(), gin.operative_config_str()
    assert "needs" in used
    try:
        with config.of_run(run.path) as found:
            assert gin.query_parameter("CH/macro.value") == 2
            assert (found.step, found.class_names) == (4, ["a", "b"])
            assert (found.fps, found.bindings["d_steps"]) == (12.0, 2)
            with pytest.raises(ValueError):
                gin.query_parameter("needs.value")
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert gin.config_is_locked()
    assert (gin.config_str(), gin.operative_config_str()) == (text, used)
    assert gin.query_parameter("needs.value") is alone


def test_classes_without_names(run):
    text = gin.config_str()
    os.remove(run.classes)
    with (
        pytest.raises(ValueError, match=r"there is no .*classes\.json"),
        config.of_run(run.path),
    ):
        pass
    assert gin.config_str() == text
