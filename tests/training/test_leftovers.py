"""What an earlier start has left: removed, set aside, or refused."""

import json
import os
import types

import pytest
import tensorflow as tf

from dvdgan_tf.run_folder import RunFolder
from dvdgan_tf.training import leftovers
from dvdgan_tf.training.checkpoints import Checkpoints


@pytest.fixture
def folder(tmp_path):
    """A run with checkpoints of steps 10, 20 and 30."""
    variables = {"step": tf.Variable(0)}
    owner = types.SimpleNamespace(variables=lambda: variables)
    found = RunFolder(tmp_path)
    checkpoints = Checkpoints(owner, found.checkpoints, None)
    for step in (10, 20, 30):
        checkpoints.save(step)
    return found


def listing(path):
    """All files below a folder, by their relative paths."""
    return sorted(
        os.path.relpath(os.path.join(folder, name), path)
        for folder, _, names in os.walk(path)
        for name in names
    )


def test_what_a_killed_process_was_writing_is_removed(folder, tmp_path):
    before = listing(tmp_path)
    data = (tmp_path / "ckpt" / "step-30.data-00000-of-00001").read_bytes()
    (tmp_path / "ckpt" / "step-40_temp").mkdir()
    (tmp_path / "samples").mkdir()
    for name in (
        "ckpt/step-40_temp/part-00000-of-00001.data-00000-of-00001",
        "ckpt/step-40.index.tempstate123456789",
        "ckpt/checkpoint.tmp0a1b2c",
        f".{'0f' * 16}-classes.json",
        f"run.lock.{'0f' * 16}",
        f"samples/.{'0f' * 16}-step_00000040_ema.png",
        # Killed while it was deleted: the index goes first.
        "ckpt/step-5.data-00000-of-00001",
    ):
        (tmp_path / name).write_bytes(data)
    leftovers.remove_unfinished(folder)
    assert listing(tmp_path) == before
    assert not (tmp_path / "ckpt" / "step-40_temp").exists()


def test_files_that_may_be_wanted_are_not_removed(folder, tmp_path):
    # The index of the newest is lost, and other files are the user's.
    os.remove(tmp_path / "ckpt" / "step-30.index")
    for name in (".hidden", "notes_temp", "ckpt/step-10.copy", "ckpt/x_temp"):
        (tmp_path / name).touch()
    before = listing(tmp_path)
    leftovers.remove_unfinished(folder)
    assert listing(tmp_path) == before


def test_nothing_is_set_aside_where_nothing_lies_beyond(folder, tmp_path):
    before = listing(tmp_path)
    assert leftovers.set_aside(folder, 30) is None
    assert listing(tmp_path) == before


def test_what_lies_beyond_a_step_is_moved(folder, tmp_path):
    (tmp_path / "samples").mkdir()
    for step in (10, 20):
        (tmp_path / "samples" / f"step_{step:08d}_ema.png").touch()
    (tmp_path / "metrics.jsonl").write_text('{"step": 10}\n{"step": 20}\n')
    os.remove(tmp_path / "ckpt" / "step-20.index")
    news = leftovers.set_aside(folder, 10)
    place = tmp_path / "set_aside" / "after-step-10"
    assert str(place) in news and "step-30," in news
    assert "step-20 (not whole: its index is missing)" in news
    assert listing(place) == [
        "metrics.jsonl",
        "samples/step_00000020_ema.png",
        "step-20.data-00000-of-00001",
        "step-30.data-00000-of-00001",
        "step-30.index",
    ]
    assert list(folder.steps()) == [10]
    assert listing(tmp_path / "samples") == ["step_00000010_ema.png"]
    # It does not matter how often: nothing takes the place of another.
    (tmp_path / "ckpt" / "step-20.index").touch()
    news = leftovers.set_aside(folder, 10)
    assert str(tmp_path / "set_aside" / "after-step-10-2") in news


def test_a_new_run_needs_a_folder_without_an_earlier_one(folder, tmp_path):
    for name in listing(tmp_path / "ckpt"):
        if name.startswith("step") and name.endswith("index"):
            os.remove(tmp_path / "ckpt" / name)
    with pytest.raises(FileExistsError) as error:
        leftovers.check_new(folder)
    message = str(error.value)
    assert "step-30 (its index is missing)" in message
    assert "nothing was begun at step 0" in message and "\n" not in message
    assert "another --workdir" in message


@pytest.mark.parametrize("name", ["metrics.jsonl", "samples/step_00000000_x"])
def test_metrics_and_samples_are_of_an_earlier_run(tmp_path, name):
    folder = RunFolder(tmp_path)
    leftovers.check_new(folder)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    if name == "metrics.jsonl":
        leftovers.check_new(folder)  # Nothing is in it.
        path.write_text('{"step": 10}\n')
    with pytest.raises(FileExistsError, match=name.partition("/")[0]):
        leftovers.check_new(folder)


def row(step):
    return json.dumps({"step": step}).encode()


@pytest.mark.parametrize(
    "end", [b"", b"\n", b'\n{"step": 6, "los', b"\n" + row(6), b"\n\xff\n"]
)
def test_metrics_end_with_the_step(tmp_path, end):
    folder = RunFolder(tmp_path)
    (tmp_path / "metrics.jsonl").write_bytes(row(2) + b"\n" + row(4) + end)
    sentence = leftovers.cut_metrics(folder, 4)
    content = (tmp_path / "metrics.jsonl").read_bytes()
    assert content == row(2) + b"\n" + row(4) + b"\n"
    assert (sentence is None) == (b"\xff" not in end)


@pytest.mark.parametrize(
    "stray",
    [b"5", b"[]", b'"step"', b"null", b'{"loss": 1}', b'{"step": "4"}', b"\xff"]
    + [b"[" * 100_000, b"\0\0\0", b""],
)
def test_stray_lines_are_named_and_kept_elsewhere(tmp_path, stray):
    path = tmp_path / "metrics.jsonl"
    before = b"\n".join([row(2), stray, row(4), b""])
    path.write_bytes(before)
    sentence = leftovers.cut_metrics(RunFolder(tmp_path), 4)
    assert path.read_bytes() == row(2) + b"\n" + row(4) + b"\n"
    copy = tmp_path / "set_aside" / "damaged" / "metrics.jsonl"
    assert copy.read_bytes() == before
    assert str(path) in sentence and str(copy) in sentence
    assert "numbers 2)" in sentence


def test_without_metrics(tmp_path):
    assert leftovers.cut_metrics(RunFolder(tmp_path), 4) is None
    assert listing(tmp_path) == []
