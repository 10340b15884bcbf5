"""Where gin files are found: the working folder, then the package."""

import pathlib
import shutil

import gin
import pytest

from dvdgan_tf import config, gin_files


@pytest.fixture(autouse=True)
def _clean(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gin.clear_config()
    yield
    gin.clear_config()


def test_a_file_of_the_working_folder_wins(tmp_path):
    packaged = gin_files.find("gin/demo.gin")
    assert packaged.endswith("/gin/demo.gin")
    assert gin_files.describe("gin/demo.gin") == (
        "Configuration: gin/demo.gin (packaged with dvdgan_tf)"
    )
    (tmp_path / "gin").mkdir()
    shutil.copy(packaged, tmp_path / "gin")
    assert gin_files.find("gin/demo.gin") == "gin/demo.gin"
    assert gin_files.describe("gin/demo.gin") == "Configuration: gin/demo.gin"


def test_includes_are_found_likewise(tmp_path, caplog):
    (tmp_path / "own.gin").write_text('include "gin/demo.gin"\nCH = 3')
    config.parse(["own.gin"], [])
    assert gin.query_parameter("CH/macro.value") == 3
    assert gin.query_parameter("RESOLUTION/macro.value") == 32
    # Where it was looked for in vain is nobody's concern.
    assert not caplog.records
    gin.clear_config()
    # Now the packaged demo includes a file of the working folder.
    (tmp_path / "gin").mkdir()
    shared = gin_files.find("gin/dvdgan.gin")
    text = pathlib.Path(shared).read_text()
    text = text.replace("Trainer.d_steps = 2", "Trainer.d_steps = 7")
    (tmp_path / "gin" / "dvdgan.gin").write_text(text)
    config.parse(["gin/demo.gin"], [])
    assert gin.query_parameter("Trainer.d_steps") == 7


@pytest.mark.parametrize(
    "binding",
    [
        "CH = 3",
        "DATA_DIR = 'data'",
        "DATASET = @TfdsVideos",
        "Trainer.jit_compile = True",
        "train.final_report = None",
        "CH = %gin.REQUIRED",
        "Generator.channel_multipliers = (6, 4)",
        "RESOLUTION = (64, 112)",
        # Clips of others can be measured at any size.
        "RESOLUTION = 100",
        "Trainer.learning_rate_g = 1e-4",
    ],
)
def test_good_bindings(binding):
    gin_files.check_bindings([binding])


@pytest.mark.parametrize(
    ("binding", "words"),
    [
        ("DATA_DIR=data", "write --gin_param=\"DATA_DIR='data'\""),
        ("I3D_HANDLE = ~/i3d", "write --gin_param=\"I3D_HANDLE='~/i3d'\""),
        ("CACHE=/a/b-c d", "The text of CACHE is not in quotes"),
        ("RESOLUTION=(64, 112, 3)", "RESOLUTION must be one number of"),
        ("TfdsVideos.resolution='64'", "TfdsVideos.resolution must be one"),
    ],
)
def test_bad_bindings(binding, words):
    with pytest.raises(ValueError) as error:
        gin_files.check_bindings([binding])
    assert words in str(error.value) and "\n" not in str(error.value)


def test_what_is_no_size_in_a_file(tmp_path):
    (tmp_path / "own.gin").write_text(
        'include "gin/demo.gin"\nRESOLUTION = (32, 64, 3)'
    )
    with pytest.raises(ValueError, match=r"RESOLUTION must .* \(32, 64, 3\)"):
        config.parse(["own.gin"], [])


def test_the_dataset_is_read_without_gin(tmp_path):
    assert gin_files.dataset(["gin/demo_prediction.gin"], []) == "MovingDigits"
    assert gin_files.dataset(["gin/folder_64.gin"], []) == "TfdsVideos"
    bound = ["CH = 3", "DATASET=@data.digits.MovingDigits"]
    assert gin_files.dataset(["gin/folder_64.gin"], bound) == "MovingDigits"
    assert gin_files.dataset(["gin/dvdgan.gin"], []) is None
    # What comes last wins, and a circle ends.
    own = tmp_path / "own.gin"
    own.write_text("DATASET = @Mine\ninclude 'gin/demo.gin'")
    assert gin_files.dataset(["own.gin"], []) == "MovingDigits"
    own.write_text("include 'gin/demo.gin'\nDATASET = @Mine")
    assert gin_files.dataset(["own.gin"], []) == "Mine"
    own.write_text("include 'own.gin'\nDATASET = @Mine")
    assert gin_files.dataset(["own.gin"], []) == "Mine"


def test_sizes_that_can_be_trained():
    gin_files.check_trained_size(["CH = 3", "RESOLUTION = (64, 112)"])
    gin_files.check_trained_size(["RESOLUTION = %gin.REQUIRED"])
    with pytest.raises(ValueError, match=r"nearest are \(64, 96\) and"):
        gin_files.check_trained_size(["RESOLUTION = (64, 100)"])
