"""Archives of modules: what is packed comes out, and bounds are kept."""

import contextlib
import gzip
import pathlib
import shutil
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


def refused(path):
    """The sentence with which an archive is refused."""
    with pytest.raises(ValueError) as error, archives.unpacked(path):
        pass
    sentence = str(error.value)
    assert "\n" not in sentence and len(sentence) < 500
    assert str(path) in sentence
    return sentence


def made(path, *entries, mode="w:gz", **arguments):
    """Writes an archive of (name, size or type of entry)."""
    with tarfile.open(path, mode, **arguments) as archive:
        for name, what in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(what, bytes):
                entry.type, entry.linkname = what, "/etc/passwd"
                archive.addfile(entry)
            else:
                entry.size = what
                archive.addfile(entry, Zeros(what))
    return path


class Zeros:
    """A file of zeros that needs no memory."""

    def __init__(self, size):
        self.left = size

    def read(self, size):
        size = min(size, self.left)
        self.left -= size
        return bytes(size)


@pytest.mark.parametrize("bound", ["_MAX_ENTRIES", "_MAX_BYTES"])
def test_what_is_far_too_large_is_refused(packed, monkeypatch, bound):
    monkeypatch.setattr(archives, bound, 1)
    assert "no exported module does" in refused(packed)


def test_many_files(tmp_path):
    path = made(tmp_path / "a.tgz", *((f"f{i}", 1) for i in range(1_001)))
    assert "more than 1,000 files" in refused(path)


def test_zeros_that_were_squeezed(tmp_path):
    path = made(tmp_path / "a.tgz", ("a", 65 * 2**20), compresslevel=1)
    assert path.stat().st_size < 2**20
    assert "67,108,864 bytes; no exported module" in refused(path)
    # As large, and as large unpacked.
    path = made(tmp_path / "a.tar", ("a", 65 * 2**20), mode="w")
    with archives.unpacked(path) as folder:
        assert pathlib.Path(folder, "a").stat().st_size == 65 * 2**20


def test_a_long_header_is_not_read(tmp_path):
    # 70 MB of a name, in a few KB.
    path = tmp_path / "a.tgz"
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 70 * 2**20
    with gzip.open(path, "wb", 1) as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        for _ in range(70):
            file.write(b"x" * 2**20)
    assert "it has a header of 73,400,320 bytes" in refused(path)


def test_headers_of_headers(tmp_path):
    path = tmp_path / "a.tgz"
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 512
    with gzip.open(path, "wb") as file:
        for _ in range(5_000):
            file.write(header.tobuf(tarfile.GNU_FORMAT) + b"x" * 512)
    assert "no readable archive" in refused(path)


def test_folders_in_folders(tmp_path):
    path = made(tmp_path / "a.tgz", ("a/" * 1_500 + "b", 1))
    assert "more than 16 folders deep" in refused(path)


@pytest.mark.parametrize("name", ["deep", "many"])
def test_archives_that_have_failed(name):
    folder = pathlib.Path(__file__).parent / "hostile"
    words = {"deep": "folders deep", "many": "more than 1,000 files"}
    assert words[name] in refused(folder / f"{name}.tar.gz")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (("../evil", 3), "'../evil' lies outside of it"),
        (("a/../../evil", 3), "lies outside of it"),
        (("/tmp/evil", 3), "'/tmp/evil' lies outside of it"),
        (("a", tarfile.SYMTYPE), "'a' is neither a file nor a folder"),
        (("a", tarfile.LNKTYPE), "'a' is neither a file nor a folder"),
        (("a", tarfile.CHRTYPE), "'a' is neither a file nor a folder"),
        (("a", tarfile.FIFOTYPE), "'a' is neither a file nor a folder"),
        (("a" * 300, 3), "no readable archive"),
        (("a/" * 8 + "b" * 2_000, 3), "an impossible name"),
    ],
)
def test_what_no_module_has(tmp_path, entry, words):
    assert words in refused(made(tmp_path / "a.tgz", ("x", 2), entry))


def test_a_full_disk(packed, monkeypatch):
    usage = shutil.disk_usage(packed)._replace(free=64 * 2**20 + 2)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert "has room for 2: free some, or set TMPDIR" in refused(packed)


@pytest.mark.parametrize("cut", [1, 15, 60, -30])
def test_what_is_damaged(packed, cut):
    data = packed.read_bytes()
    packed.write_bytes(data[:cut])
    assert "no readable archive" in refused(packed)
    changed = bytearray(data)
    changed[cut + 10 : cut + 14] = b"abcd"
    packed.write_bytes(changed)
    with contextlib.suppress(ValueError), archives.unpacked(packed):
        pass


def test_the_demo_is_there():
    with archives.demo() as path, archives.unpacked(path) as folder:
        assert pathlib.Path(folder, "saved_model.pb").is_file()
