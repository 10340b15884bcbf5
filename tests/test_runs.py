"""What is where in a run's folder, and reading it back."""

import pytest

from dvdgan_tf.runs import RunFolder


@pytest.fixture
def run(tmp_path):
    """A folder with names of checkpoints, whole and not."""
    found = RunFolder(tmp_path)
    (tmp_path / "ckpt").mkdir()
    for name in ("step-9.index", "step-100.index", "step-20.index"):
        (tmp_path / "ckpt" / name).touch()
    # Being written or deleted, or somebody else's.
    for name in ("step-300.data-00000-of-00001", "checkpoint", "other-4.index"):
        (tmp_path / "ckpt" / name).touch()
    return found


def test_checkpoints_are_whole_and_in_order_of_their_steps(run, tmp_path):
    assert list(run.steps()) == [9, 20, 100]
    assert run.checkpoint() == (100, str(tmp_path / "ckpt" / "step-100"))
    assert run.checkpoint(9) == (9, str(tmp_path / "ckpt" / "step-9"))
    assert RunFolder(tmp_path / "none").steps() == {}


def test_a_checkpoint_that_is_not_there(run, tmp_path):
    with pytest.raises(FileNotFoundError, match="there are 9, 20, 100"):
        run.checkpoint(300)
    with pytest.raises(FileNotFoundError, match=r"no checkpoint in .*none"):
        RunFolder(tmp_path / "none").checkpoint()


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
