import pathlib

import gin
import pytest

from dvdgan_tf import config
from tools.benchmarks import classes

FOLDER = pathlib.Path(__file__).parents[2] / "gin"


@pytest.mark.parametrize(
    "name, expected",
    [("demo", 10), ("k600_64", 600), ("demo_prediction", 1)],
)
def test_number_of_classes(name, expected):
    """By the data, by NUM_CLASSES, and one by CLASS_CONDITIONAL = False."""
    gin.clear_config()
    config.parse([str(FOLDER / f"{name}.gin")], [])
    assert classes.number(of_dataset=10) == expected
    gin.clear_config()
