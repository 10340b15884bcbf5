import glob
import pathlib
import types

import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.run_folder import checkpoints_in
from dvdgan_tf.training.checkpoints import (
    Checkpoints,
    kept_steps,
    step_of,
)


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


def test_a_missing_list_of_tensorflow_matters_to_nobody(tmp_path):
    """Rotation goes on by the files, and the list is made anew."""
    checkpoints = make(tmp_path, STORED, keep=2)
    for step in (2, 4):
        checkpoints.save(step)
    for damage in (None, "", 'model_checkpoint_path: "ste'):
        (tmp_path / "checkpoint").unlink()
        if damage is not None:
            (tmp_path / "checkpoint").write_text(damage)
        fresh = make(tmp_path, OTHER, keep=2)
        newest = fresh.restore()
        assert newest == checkpoints.latest() and values(fresh) == STORED
        path = fresh.save(step_of(newest) + 1)
        assert list(checkpoints_in(tmp_path)) == [
            step_of(newest),
            step_of(path),
        ]
        assert tf.train.latest_checkpoint(tmp_path) == path


def test_a_checkpoint_that_is_not_whole_is_passed_over_and_not_counted(
    tmp_path,
):
    checkpoints = make(tmp_path, STORED, keep=2)
    for step in (2, 4):
        checkpoints.save(step)
    (tmp_path / "step-4.data-00000-of-00001").write_bytes(b"")
    fresh = make(tmp_path, OTHER, keep=2)
    assert step_of(fresh.restore()) == 2
    fresh.save(6)
    assert list(checkpoints_in(tmp_path)) == [2, 6]


def test_an_older_one_is_restored_by_its_step(tmp_path):
    checkpoints = make(tmp_path, {**STORED, "step": 2})
    path = checkpoints.save(2)
    checkpoints.variables["step"].assign(4)
    checkpoints.save(4)
    fresh = make(tmp_path, OTHER)
    assert fresh.restore(2) == path and values(fresh)["step"] == 2
    with pytest.raises(FileNotFoundError, match=r"of step 3 .* are 2, 4\."):
        fresh.restore(3)


def test_all_that_a_checkpoint_manager_stored_is_stored(tmp_path):
    """The counter of saves among them, which is restored."""
    own = make(tmp_path / "own", STORED)
    own.save(7)
    again = make(tmp_path / "own", OTHER)
    again.restore()
    manager = tf.train.CheckpointManager(
        make(tmp_path, STORED).checkpoint,
        str(tmp_path / "manager"),
        3,
        checkpoint_name="step",
    )
    for number in (7, 8):
        manager.save(number)
    paths = [again.save(8), str(tmp_path / "manager" / "step-8")]
    found, expected = (
        {
            key: reader.get_tensor(key).tolist()
            for key in reader.get_variable_to_shape_map()
            if not key.startswith("_")
        }
        for reader in map(tf.train.load_checkpoint, paths)
    )
    assert (
        found == expected
        and found["save_counter/.ATTRIBUTES/VARIABLE_VALUE"] == 2
    )


def test_a_kept_number_must_be_possible(tmp_path):
    with pytest.raises(ValueError, match="keep_checkpoints=0"):
        make(tmp_path, STORED, keep=0)
    owner = types.SimpleNamespace(variables=dict)
    with pytest.raises(ValueError, match="keep_every=0"):
        Checkpoints(owner, str(tmp_path), keep_every=0)
    assert kept_steps([0, 2, 4], None) == {2, 4}


def test_that_of_step_0_stays_only_until_there_is_another():
    assert kept_steps([0], 3) == {0}
    assert kept_steps([0, 5], 3) == {5}


def test_some_older_ones_are_kept_for_ever():
    steps = range(0, 1001, 10)
    powers = {10, 20, 40, 70, 130, 260, 520}
    assert kept_steps(steps, 2) == {990, 1000}
    assert kept_steps(steps, 2, powers_of_two=True) == {990, 1000} | powers
    hundreds = set(range(100, 1001, 100))
    assert kept_steps(steps, 2, every=100) == {990} | hundreds
    assert kept_steps(steps, 2, healthy_step=995) == {990, 1000}
    assert kept_steps(steps, 2, healthy_step=317) == {310, 990, 1000}
    # One after the other, it is the same ones that stay.
    kept = []
    for step in steps:
        kept = kept_steps([*kept, step], 2, 100, True)
    assert kept == {990} | hundreds | powers


def test_values_that_are_damaged_are_refused(tmp_path):
    """All is there, and only the checksums tell."""
    big = {**STORED, "w": np.random.default_rng(0).normal(size=5000)}
    path = make(tmp_path, big).save(7)
    file = tmp_path / "step-7.data-00000-of-00001"
    content = file.read_bytes()
    middle = len(content) // 2
    file.write_bytes(content[:middle] + b"garbage!" + content[middle + 8 :])
    other = make(tmp_path, {**OTHER, "w": np.zeros(5000)})
    before = values(other)
    with pytest.raises(ValueError) as error:
        other.restore()
    message = str(error.value)
    assert message.startswith(f"The checkpoint {path} cannot be read")
    assert "\n" not in message and "delete it" in message
    assert values(other) == before
