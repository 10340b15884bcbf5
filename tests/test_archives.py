"""Archives of modules: what is packed comes out, and bounds are kept."""

import pathlib
import tarfile

import pytest

from dvdgan_tf import archives


@pytest.fixture
def packed(tmp_path):
    (tmp_path / "module" / "inner").mkdir(parents=True)
    (tmp_path / "module" / "inner" / "a").write_text("abc")
    path = tmp_path / "module.tar.gz"
    archives.pack(str(tmp_path / "module"), str(path))
    return path


def test_what_is_packed_comes_out(packed):
    with archives.unpacked(packed) as folder:
        assert pathlib.Path(folder, "inner", "a").read_text() == "abc"
    assert not pathlib.Path(folder).exists()


@pytest.mark.parametrize("bound", ["_MAX_ENTRIES", "_MAX_BYTES"])
def test_what_is_far_too_large_is_refused(packed, monkeypatch, bound):
    monkeypatch.setattr(archives, bound, 1)
    with (
        pytest.raises(ValueError, match="no exported module is that large"),
        archives.unpacked(packed),
    ):
        pass


def test_nothing_is_written_outside_of_the_folder(tmp_path):
    path = tmp_path / "evil.tar.gz"
    (tmp_path / "a").write_text("abc")
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tmp_path / "a", "../evil")
    with (
        pytest.raises(ValueError, match="no readable archive"),
        archives.unpacked(path),
    ):
        pass


def test_the_demo_is_there():
    with archives.demo() as path, archives.unpacked(path) as folder:
        assert pathlib.Path(folder, "saved_model.pb").is_file()
