import glob
import pathlib
import types

import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.training.checkpoints import Checkpoints, step_of


def make(directory, variables, keep=3):
    """Checkpoints of variables, {name: initial value}."""
    variables = {k: tf.Variable(v, name=k) for k, v in variables.items()}
    owner = types.SimpleNamespace(variables=lambda: variables)
    return Checkpoints(owner, str(directory), keep)


def values(checkpoints):
    return {k: v.numpy().tolist() for k, v in checkpoints.variables.items()}


STORED = {"step": 7, "g/a": [1.0, 2.0], "g/b": [3.0, 4.0]}
OTHER = {"step": 0, "g/b": [0.0, 0.0], "g/a": [0.0, 0.0]}


def test_values_return_by_name_whatever_the_order(tmp_path):
    path = make(tmp_path, STORED).save(7)
    assert step_of(path) == 7
    fresh = make(tmp_path, OTHER)
    assert fresh.restore() == path
    assert values(fresh) == STORED


def test_without_a_checkpoint(tmp_path):
    checkpoints = make(tmp_path / "none", STORED)
    assert checkpoints.restore() is None and checkpoints.latest() is None


def test_keeps_the_newest(tmp_path):
    checkpoints = make(tmp_path, STORED, keep=2)
    for step in (2, 4, 10):
        checkpoints.save(step)
    found = sorted(step_of(p[:-6]) for p in glob.glob(f"{tmp_path}/*.index"))
    assert found == [4, 10] and step_of(checkpoints.latest()) == 10


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (
            {"step": 0, "g/a": [0.0, 0.0], "g/b": [0.0]},
            "g/b is of shape [2] in it and of shape [1] here",
        ),
        (
            {**OTHER, "g/c": [0.0]},
            "g/c is missing in it and of shape [1] here",
        ),
        (
            {"step": 0, "g/a": [0.0, 0.0]},
            "g/b is of shape [2] in it and missing here",
        ),
    ],
)
def test_another_model_is_refused(tmp_path, own, words):
    make(tmp_path, STORED).save(7)
    other = make(tmp_path, own)
    with pytest.raises(ValueError) as error:
        other.restore()
    assert words in str(error.value) and "\n" not in str(error.value)
    assert values(other) == own


def test_after_deletion_the_one_before_is_restored(tmp_path):
    checkpoints = make(tmp_path, STORED)
    path = checkpoints.save(7)
    newest = checkpoints.save(8)
    for file in glob.glob(f"{newest}.*"):
        pathlib.Path(file).unlink()
    assert make(tmp_path, OTHER).restore() == path


@pytest.mark.parametrize(
    ("part", "damage"),
    [
        ("index", "truncated"),
        ("index", "garbled"),
        ("data-00000-of-00001", "truncated"),
        ("data-00000-of-00001", "garbled"),
        ("data-00000-of-00001", "removed"),
    ],
)
def test_damaged_files(tmp_path, part, damage):
    big = {**STORED, "w": np.random.default_rng(0).normal(size=5000)}
    path = make(tmp_path, big).save(7)
    file = tmp_path / f"step-7.{part}"
    content = file.read_bytes()
    if damage == "removed":
        file.unlink()
    elif damage == "truncated":
        file.write_bytes(content[: len(content) // 2])
    else:
        middle = len(content) // 2
        file.write_bytes(content[:middle] + b"garbage!" + content[middle + 8 :])
    own = {**OTHER, "w": np.zeros(5000)}
    other = make(tmp_path, own)
    before = values(other)
    with pytest.raises(ValueError) as error:
        other.restore()
    message = str(error.value)
    assert message.startswith(f"The checkpoint {path} cannot be read")
    assert "\n" not in message and "delete it" in message
    assert values(other) == before
