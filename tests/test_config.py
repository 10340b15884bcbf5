import os
import pathlib

import gin
import pytest

from dvdgan_tf import config

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
