"""Configurations that are published name no folder of a user."""

import gin
import pytest

from dvdgan_tf.exporting.public_config import without_paths

LONG = "/home/jane/" + "very long names " * 9


@pytest.fixture(autouse=True)
def _clean():
    gin.clear_config()
    yield
    gin.clear_config()


@pytest.mark.parametrize(
    "path",
    [
        "/home/jane/data",
        "~/data",
        "~jane",
        "C:\\Users\\jane",
        "\\\\server\\jane",
        "file:///home/jane",
        '/home/jane\'s/"data"',
        LONG,
    ],
)
def test_paths_are_blanked_as_gin_writes_them(path):
    kept = {
        "NAME": "ucf101/ucf101_1",
        "SPLIT": "train+test",
        "URL": "gs://bucket/data",
        "EMPTY": "",
    }
    with gin.unlock_config():
        for name, value in {**kept, "DATA_DIR": path}.items():
            gin.bind_parameter(f"{name}/macro.value", value)
        gin.bind_parameter("PAIR/macro.value", (path, "a b", 3))
    text = gin.config_str()
    assert "jane" in text or "data" in text
    gin.clear_config()
    gin.parse_config(without_paths(text))
    found = {n: gin.query_parameter(f"{n}/macro.value") for n in kept}
    assert found == kept
    assert gin.query_parameter("DATA_DIR/macro.value") == "/path"
    assert gin.query_parameter("PAIR/macro.value") == ("/path", "a b", 3)


def test_what_is_no_path_stays_to_the_letter():
    text = "# It's 'odd'.\nCH = 3\nA.b = @f()\nC = \\\n    'x' \\\n 'y'\n"
    assert without_paths(text) == text
