"""Files appear when they are complete, or not at all."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf

from dvdgan_tf import files


@pytest.mark.parametrize("gfile", [None, tf.io.gfile])
def test_a_file_is_replaced_at_the_end(tmp_path, gfile):
    path = tmp_path / "deep" / "down" / "a.txt"
    files.write_text(str(path), "old", gfile)
    with files.replacing(str(path), gfile) as temporary:
        with open(temporary, "w") as file:
            file.write("new")
        # The same folder, and so the same file system; the same ending.
        assert os.path.dirname(temporary) == str(path.parent)
        assert temporary.endswith("a.txt") and temporary != str(path)
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("gfile", [None, tf.io.gfile])
@pytest.mark.parametrize("written", [False, True])
def test_a_failure_leaves_the_old_file_alone(tmp_path, gfile, written):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with (
        pytest.raises(KeyboardInterrupt),
        files.replacing(str(path), gfile) as temporary,
    ):
        if written:
            with open(temporary, "w") as file:
                file.write("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_relative_name_is_of_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files.write_json("a.json", ["é"], indent=1)
    assert json.loads((tmp_path / "a.json").read_bytes()) == ["é"]
    files.write_bytes("a.json", b"\0", tf.io.gfile)
    assert (tmp_path / "a.json").read_bytes() == b"\0"


def test_a_url_stays_one():
    class Remote:
        made, moved = [], []
        makedirs = made.append

        @classmethod
        def rename(cls, *names, overwrite):
            cls.moved.append((*names, overwrite))

    with files.replacing("gs://bucket/folder/a.npz", Remote) as temporary:
        assert temporary.startswith("gs://bucket/folder/.")
    assert Remote.made == ["gs://bucket/folder"]
    assert Remote.moved == [(temporary, "gs://bucket/folder/a.npz", True)]


def test_a_folder_appears_when_it_is_complete(tmp_path):
    folder = tmp_path / "deep" / "made"
    with files.new_folder(folder) as temporary:
        os.mkdir(temporary)
        files.write_text(f"{temporary}/a", "1")
        assert not folder.exists()
    assert (folder / "a").read_text() == "1"
    with (
        pytest.raises(FileExistsError, match="made exists already; choose"),
        files.new_folder(folder),
    ):
        pass
    assert [p.name for p in folder.parent.iterdir()] == ["made"]


def test_a_folder_takes_the_place_of_an_earlier_one(tmp_path):
    for name in "ab":
        with files.new_folder(tmp_path / "made", overwrite=True) as temporary:
            os.mkdir(temporary)
            files.write_text(f"{temporary}/{name}", name)
    with (
        pytest.raises(RuntimeError),
        files.new_folder(tmp_path / "made", overwrite=True) as temporary,
    ):
        os.mkdir(temporary)
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["made"]
    assert [p.name for p in (tmp_path / "made").iterdir()] == ["b"]


KILLED = """
import os, sys
from dvdgan_tf import files
with {context} as temporary:
    {write}
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(
    ("context", "write"),
    [
        ("files.replacing('a')", "open(temporary, 'w').write('half')"),
        ("files.new_folder('a')", "os.makedirs(temporary + '/deep')"),
        ("files.new_folder(files.beside('a'))", "os.makedirs(temporary)"),
    ],
)
def test_what_a_killed_process_has_left_goes_with_the_next(
    tmp_path, monkeypatch, context, write
):
    root = pathlib.Path(files.__file__).parents[1]
    code = KILLED.format(context=context, write=write)
    command = [sys.executable, "-c", code]
    env = os.environ | {"PYTHONPATH": str(root)}
    ended = subprocess.run(command, cwd=tmp_path, env=env)
    assert ended.returncode == -9 and len(os.listdir(tmp_path)) == 1
    monkeypatch.chdir(tmp_path)
    # A process that is there writes it, too, and another file has its end.
    other = os.path.basename(files.beside("a"))
    pathlib.Path(other).touch()
    files.write_text("b-a", "")
    assert len(os.listdir(tmp_path)) == 3
    files.write_text("a", "whole")
    assert set(os.listdir(tmp_path)) == {"a", "b-a", other}


def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    folder = tmp_path / "best"
    folder.mkdir()
    (folder / "old").touch()
    rename = os.rename

    def full(old, new):
        if new == str(folder) and not os.path.exists(f"{old}/old"):
            raise OSError("no space")
        rename(old, new)

    monkeypatch.setattr(os, "rename", full)
    with (
        pytest.raises(OSError, match="no space"),
        files.new_folder(folder, overwrite=True) as new,
    ):
        os.makedirs(new)
    assert os.listdir(tmp_path) == ["best"]
    assert os.listdir(folder) == ["old"]


@pytest.mark.parametrize("before", ["", "1\n", "1", '{"step": 2, "lo'])
def test_added_lines_are_glued_to_nothing(tmp_path, before):
    path = tmp_path / "lines"
    if before:
        path.write_text(before)
    files.append_lines(path, "2", "é")
    files.append_lines(path, "3")
    whole = before.removesuffix("\n")
    expected = [whole] * bool(whole) + ["2", "é", "3"]
    assert path.read_text(encoding="utf-8") == "\n".join([*expected, ""])
