"""What is where in a run's folder, and reading it back."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.run_folder import RunFolder, damage_of

DATA = "data-00000-of-00001"


def write_checkpoint(path):
    """Writes a checkpoint of two variables; returns its path."""
    big = np.random.default_rng(0).normal(size=500)
    variables = {"g|w": tf.Variable(big), "step": tf.Variable(3)}
    return tf.train.Checkpoint(**variables).write(str(path))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A checkpoint, to be copied: {kind: path of its file}."""
    path = write_checkpoint(tmp_path_factory.mktemp("stored") / "step-1")
    return {kind: f"{path}.{kind}" for kind in ("index", DATA)}


@pytest.fixture
def run(tmp_path, stored):
    """A folder with checkpoints, whole and not."""
    found = RunFolder(tmp_path)
    (tmp_path / "ckpt").mkdir()
    for step in (9, 100, 20):
        for kind, file in stored.items():
            shutil.copy(file, tmp_path / "ckpt" / f"step-{step}.{kind}")
    # Being written or deleted, or somebody else's.
    for name in (f"step-300.{DATA}", "checkpoint", "other-4.index"):
        (tmp_path / "ckpt" / name).touch()
    shutil.copy(stored["index"], tmp_path / "ckpt" / "step-200.index")
    return found


def test_checkpoints_are_whole_and_in_order_of_their_steps(run, tmp_path):
    assert list(run.steps()) == [9, 20, 100]
    assert run.checkpoint() == (100, str(tmp_path / "ckpt" / "step-100"))
    assert run.checkpoint(9) == (9, str(tmp_path / "ckpt" / "step-9"))
    assert RunFolder(tmp_path / "none").steps() == {}


def test_a_checkpoint_that_is_not_there(run, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"of step 5 .* 9, 20, 100\."):
        run.checkpoint(5)
    with pytest.raises(FileNotFoundError, match=r"-300 is not whole \(its ind"):
        run.checkpoint(300)
    with pytest.raises(FileNotFoundError, match=r"no checkpoint in .*none"):
        RunFolder(tmp_path / "none").checkpoint()
    for step in (9, 20, 100):
        os.remove(tmp_path / "ckpt" / f"step-{step}.index")
    with pytest.raises(FileNotFoundError, match="there are none that is whole"):
        run.checkpoint()


@pytest.mark.parametrize("state", [None, b"", b'model_checkpoint_path: "st'])
def test_the_list_of_tensorflow_is_not_needed(run, tmp_path, state):
    file = tmp_path / "ckpt" / "checkpoint"
    file.unlink()
    if state is not None:
        file.write_bytes(state)
    assert list(run.steps()) == [9, 20, 100] and run.checkpoint()[0] == 100


def removed(content):
    return None


def halved(content):
    return content[: len(content) // 2]


def emptied(content):
    return b""


def one_byte_less(content):
    return content[:-1]


def garbled(content):
    middle = len(content) // 2
    return content[:middle] + b"garbage!" + content[middle + 8 :]


@pytest.mark.parametrize(
    ("kind", "damage", "words"),
    [
        ("index", removed, "its index is missing"),
        ("index", halved, "not an sstable"),
        ("index", emptied, "too short"),
        ("index", garbled, "corrupt"),
        (DATA, removed, "files of its data are missing"),
        (DATA, halved, "bytes"),
        (DATA, emptied, ""),
        (DATA, one_byte_less, "bytes"),
    ],
)
def test_the_newest_whole_checkpoint(run, tmp_path, kind, damage, words):
    path = tmp_path / "ckpt" / "step-100"
    file = tmp_path / "ckpt" / f"step-100.{kind}"
    assert damage_of(str(path)) is None
    content = damage(file.read_bytes())
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    reason = damage_of(str(path))
    assert reason and words in reason and "\n" not in reason
    assert list(run.steps()) == [9, 20] and run.checkpoint()[0] == 20
    with pytest.raises(FileNotFoundError, match=r"is not whole .* are 9, 20"):
        run.checkpoint(100)


def test_all_shards_must_be_there(tmp_path, stored):
    for kind, file in stored.items():
        shutil.copy(file, tmp_path / f"step-7.{kind}")
    (tmp_path / f"step-7.{DATA}").rename(
        tmp_path / "step-7.data-00000-of-00002"
    )
    damage = damage_of(str(tmp_path / "step-7"))
    assert damage == "files of its data are missing"


def test_a_folder_of_no_run(run, tmp_path):
    assert not run.is_run()
    with pytest.raises(FileNotFoundError, match="is no folder of a run"):
        run.check_is_run()
    (tmp_path / "operative_config.gin").touch()
    assert run.is_run()
    run.check_is_run()


def test_names_and_numbers_of_classes(run, tmp_path):
    assert run.class_names() is None and run.read_label_counts() is None
    (tmp_path / "classes.json").write_text('["a", "\\u00e9"]')
    (tmp_path / "label_counts.json").write_text("[3, 0]")
    assert run.class_names() == ["a", "é"]
    assert run.read_label_counts() == [3, 0]


@pytest.mark.parametrize("text", ["[", "{}", "[]", "3"])
def test_damaged_files_are_named(run, tmp_path, text):
    for name, read in (
        ("classes.json", run.class_names),
        ("label_counts.json", run.read_label_counts),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=f"cannot be read from .*{name}"):
            read()


@pytest.mark.parametrize("text", ['["a"]', "[1.5]", "[-1, 2]", "[0, 0]"])
def test_counts_must_be_counts(run, tmp_path, text):
    (tmp_path / "label_counts.json").write_text(text)
    with pytest.raises(ValueError, match="list of numbers of clips"):
        run.read_label_counts()


def test_the_best_of_each_metric_has_its_folder(run, tmp_path):
    folder = str(tmp_path / "best" / "fvd_frechet_distance")
    assert run.best("fvd/frechet_distance") == folder
