import errno
import os
import pathlib

import pytest

from dvdgan_tf.preparation import layouts, listing
from dvdgan_tf.preparation.sources import Source
from dvdgan_tf.video import clip_folders


def make(folder, *names, content=b"x"):
    for name in names:
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
    return str(folder)


def list_folder(source, label_pattern=None):
    return layouts.clips(Source.find(source, label_pattern))


list_csv = list_folder


def found(listed):
    return {(c.name, c.label, c.split) for c in listed.clips}


def test_classes_are_folders(tmp_path):
    source = make(tmp_path, "b c/1.mp4", "a/x/2.avi", "a/-3.mkv", "ü/ü.webm")
    listed = list_folder(source)
    assert found(listed) == {
        ("b c/1.mp4", "b c", "train"),
        ("a/x/2.avi", "a", "train"),
        ("a/-3.mkv", "a", "train"),
        ("ü/ü.webm", "ü", "train"),
    }
    assert listed.class_names == ["a", "b c", "ü"]
    assert all(os.path.isfile(clip.path) for clip in listed.clips)
    assert not listed.skipped


def test_splits_are_folders_of_class_folders(tmp_path):
    source = make(tmp_path, "train/a/1.mp4", "val/a/2.mp4", "Test/b/3.mp4")
    assert found(list_folder(source)) == {
        ("train/a/1.mp4", "a", "train"),
        ("val/a/2.mp4", "a", "validation"),
        ("Test/b/3.mp4", "b", "test"),
    }


def test_a_class_may_be_called_test(tmp_path):
    source = make(tmp_path, "test/1.mp4", "run/2.mp4")
    assert found(list_folder(source)) == {
        ("test/1.mp4", "test", "train"),
        ("run/2.mp4", "run", "train"),
    }


@pytest.mark.parametrize("split", ["", "test/"])
def test_without_class_folders_all_is_one_class(tmp_path, split):
    source = make(tmp_path, f"{split}1.mp4", f"{split}2.mp4")
    expected = "test" if split else "train"
    assert found(list_folder(source)) == {
        (f"{split}{n}.mp4", "all", expected) for n in (1, 2)
    }


def test_what_is_left_out_is_named(tmp_path):
    source = make(
        tmp_path, "a/1.mp4", "a/._1.mp4", "a/n.TXT", "b.mp4", ".git/c.mp4"
    )
    assert list_folder(source).skipped == [
        (".git", "hidden folder"),
        ("a/._1.mp4", "hidden file"),
        ("a/n.TXT", "not a video (.txt)"),
        ("b.mp4", "beside the class folders, in none of them"),
    ]


def test_class_names_that_no_dataset_can_hold(tmp_path):
    os.makedirs(os.path.join(os.fsencode(tmp_path), b"\xff"))
    source = make(tmp_path, "a\nb/1.mp4", " c/2.mp4", "d/3.mp4")
    with open(os.path.join(os.fsencode(tmp_path), b"\xff", b"4.mp4"), "wb"):
        pass
    listed = list_folder(source)
    assert listed.class_names == ["d"]
    assert len(listed.skipped) == 3


def test_links_are_followed_but_not_in_circles(tmp_path):
    source = make(tmp_path / "set", "a/1.mp4")
    make(tmp_path / "elsewhere", "2.mp4")
    os.symlink(tmp_path / "elsewhere", tmp_path / "set" / "b")
    os.symlink(tmp_path / "set", tmp_path / "set" / "a" / "again")
    os.symlink(tmp_path / "set" / "a", tmp_path / "set" / "a" / "self")
    listed = list_folder(source)
    assert {c.name for c in listed.clips} == {"a/1.mp4", "b/2.mp4"}
    assert listed.skipped == [
        ("a/again", "a link back to a folder that it is in"),
        ("a/self", "a link back to a folder that it is in"),
    ]


def unreadable(folder, error):
    """os.scandir with a folder that cannot be read; root may read any."""

    def scandir(path):
        if os.fspath(path) == str(folder):
            raise error(error.number, "Reason", str(folder))
        return original(path)

    original = os.scandir
    return scandir


class DriveError(OSError):
    number = errno.EIO


class ForbiddenError(PermissionError):
    number = errno.EACCES


def test_a_folder_that_may_not_be_read_is_left_out(tmp_path, monkeypatch):
    source = make(tmp_path, "a/1.mp4", "a/x/2.mp4", "b/3.mp4", "lost/4.mp4")
    for folder in ("lost", "a/x"):
        scandir = unreadable(tmp_path / folder, ForbiddenError)
        monkeypatch.setattr(os, "scandir", scandir)
    listed = list_folder(source)
    assert {c.name for c in listed.clips} == {"a/1.mp4", "b/3.mp4"}
    reason = "a folder that cannot be read (Reason)"
    assert listed.skipped == [("a/x", reason), ("lost", reason)]


@pytest.mark.parametrize(
    ("folder", "error"), [("b", DriveError), ("", ForbiddenError)]
)
def test_what_stops_the_search(tmp_path, monkeypatch, folder, error):
    source = make(tmp_path, "a/1.mp4", "b/3.mp4")
    scandir = unreadable(os.path.join(source, folder).rstrip("/"), error)
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(OSError, match="Reason"):
        list_folder(source)


def test_several_links_to_one_folder(tmp_path):
    source = make(tmp_path / "set", "a/1.mp4", "c/x/3.mp4")
    make(tmp_path / "elsewhere", "deep/2.mp4")
    for name in ("b", "d"):
        os.symlink(tmp_path / "elsewhere", tmp_path / "set" / name)
    os.symlink("../c", tmp_path / "set" / "a" / "other")
    listed = list_folder(source)
    assert found(listed) == {
        ("a/1.mp4", "a", "train"),
        ("a/other/x/3.mp4", "a", "train"),
        ("b/deep/2.mp4", "b", "train"),
        ("c/x/3.mp4", "c", "train"),
        ("d/deep/2.mp4", "d", "train"),
    }
    assert not listed.skipped


def test_links_across_end(tmp_path):
    source = make(tmp_path, "a/1.mp4", "b/2.mp4")
    os.symlink("../b", tmp_path / "a" / "b")
    os.symlink("../a", tmp_path / "b" / "a")
    listed = list_folder(source)
    assert {c.name for c in listed.clips} == {
        *("a/1.mp4", "a/b/2.mp4", "b/2.mp4", "b/a/1.mp4"),
    }
    assert [name for name, _ in listed.skipped] == ["a/b/a", "b/a/b"]


def test_labels_from_names(tmp_path):
    source = make(tmp_path, "x/ann_run.avi", "x/bob_walk.avi", "x/notes.avi")
    pattern = r"(?P<split>bob|)[^/_]*_(?P<label>\w+)\.avi$"
    with pytest.raises(ValueError, match="'bob'"):
        list_folder(source, pattern)
    listed = list_folder(source, r"_(?P<label>\w+)\.avi$")
    assert found(listed) == {
        ("x/ann_run.avi", "run", "train"),
        ("x/bob_walk.avi", "walk", "train"),
    }
    assert listed.skipped == [
        ("x/notes.avi", "its name does not fit the label pattern")
    ]


@pytest.mark.parametrize("pattern", ["(", "no group"])
def test_bad_patterns(tmp_path, pattern):
    with pytest.raises(ValueError, match="label pattern"):
        list_folder(make(tmp_path, "a/1.mp4"), pattern)


def test_csv(tmp_path):
    make(tmp_path, "v/1.mp4", "v/2.mp4")
    path = tmp_path / "list.csv"
    path.write_text(
        "Path, label,split\nv/1.mp4,a b,train\nv/2.mp4,c,val\nv/3.mp4,c,test\n"
        "\n"
    )
    listed = list_csv(str(path))
    assert found(listed) == {
        ("v/1.mp4", "a b", "train"),
        ("v/2.mp4", "c", "validation"),
    }
    assert listed.skipped == [("v/3.mp4", "no such file")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,class\n1,2\n", "columns path, label"),
        ("path,label,split\n1,2,dev\n", "'dev'"),
        ("path,label\n1,2\n3\n", "1 columns in row 3 and 2"),
        ("", "not a CSV"),
    ],
)
def test_bad_csv(tmp_path, text, message):
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        list_csv(str(path))


def test_absent_sources(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list_folder(str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list_csv(str(tmp_path / "nowhere.csv"))


def test_several_sources_share_their_classes(tmp_path):
    one = list_folder(make(tmp_path / "1", "a/1.mp4", "b/2.mp4"))
    two = list_folder(make(tmp_path / "2", "b/2.mp4", "c/3.mp4"))
    merged = listing.merged([one, two])
    assert merged.class_names == ["a", "b", "c"]
    assert found(merged) == {
        ("a/1.mp4", "a", "train"),
        ("b/2.mp4", "b", "train"),
        ("2/b/2.mp4", "b", "train"),
        ("c/3.mp4", "c", "train"),
    }
    assert len({clip.path for clip in merged.clips}) == 4
    assert not merged.skipped


def test_a_file_in_two_sources_is_taken_once(tmp_path):
    source = make(tmp_path / "1", "train/a/1.mp4", "test/a/2.mp4")
    os.symlink(tmp_path / "1" / "test", tmp_path / "link")
    listings = [
        list_folder(folder)
        for folder in (source, source, str(tmp_path / "link"))
    ]
    merged = listing.merged(listings)
    assert found(merged) == {
        ("train/a/1.mp4", "a", "train"),
        ("test/a/2.mp4", "a", "test"),
    }
    # Neither may a test clip come back as one of training.
    assert merged.skipped == [
        ("a/2.mp4", "listed more than once"),
        ("test/a/2.mp4", "listed more than once"),
        ("train/a/1.mp4", "listed more than once"),
    ]


def test_sources_of_one_name_have_unique_keys(tmp_path):
    listings = [
        list_folder(make(tmp_path / n / "part", "a/1.mp4")) for n in "xyz"
    ]
    merged = listing.merged(listings)
    assert {clip.name for clip in merged.clips} == {
        *("a/1.mp4", "part/a/1.mp4", "part-2/a/1.mp4"),
    }


@pytest.mark.parametrize("extra", ["annotations", "__MACOSX", "dev"])
def test_a_folder_without_clips_beside_the_splits(tmp_path, extra):
    source = make(
        tmp_path, "train/a/1.mp4", "test/b/2.mp4", f"{extra}/a/._x.mp4"
    )
    listed = list_folder(source)
    assert found(listed) == {
        ("train/a/1.mp4", "a", "train"),
        ("test/b/2.mp4", "b", "test"),
    }
    reason = "a folder without clips, beside those of the splits"
    assert (extra, reason) in listed.skipped
    assert listed.folders_left_out == [(extra, reason)]


@pytest.mark.parametrize(
    "names",
    [
        ("train/a/1.mp4", "test/a/2.mp4", "dev/a/3.mp4"),
        ("train/1.mp4", "test/2.mp4", "dev/3.mp4"),
        ("train/a/1.mp4", "dev/a/3.mp4"),
    ],
)
def test_a_folder_with_clips_beside_the_splits_is_refused(tmp_path, names):
    with pytest.raises(ValueError, match="'dev'"):
        list_folder(make(tmp_path, *names))


def test_classes_without_clips_are_not_on_offer():
    clip = listing.Clip("a.mp4", "a.mp4", "a", "train")
    listed = listing.Listing.of([clip], [], ["b", "a", "c"])
    assert listed.class_names == ["a"]
    assert listed.empty_classes == ["b", "c"]
    merged = listing.merged([listed, listed])
    assert merged.class_names == ["a"]
    assert merged.empty_classes == ["b", "c"]


@pytest.mark.parametrize("label", ["a\x1b[2J", "a\0b", "x" * 256, "a\rb"])
def test_class_names_that_no_screen_can_show(label):
    clip = listing.Clip("a.mp4", "a.mp4", label, "train")
    assert listing.Listing.of([clip], []).class_names == []


def test_a_long_list_of_nothing_is_a_short_sentence(tmp_path):
    for name, text in (("a.txt", "x" * 10**6), ("a.csv", "x," * 10**5)):
        (tmp_path / name).write_text(text + "\n\x1b[31m")
        with pytest.raises(ValueError) as error:
            listed = list_folder(str(tmp_path / name))
            listed.check_not_empty([str(tmp_path / name)])
        assert len(str(error.value)) < 2000


def test_a_tree_that_is_too_deep_for_recursion(tmp_path):
    make(tmp_path, "a/1.mp4")
    folders = [tmp_path / "b"]
    for _ in range(1200):
        folders.append(f"{folders[-1]}/d")
    for folder in folders:
        os.mkdir(folder)
    clip = pathlib.Path(folders[-1], "1.mp4")
    clip.touch()
    try:
        listed = list_folder(str(tmp_path))
        assert [clip.label for clip in listed.clips] == ["a", "b"]
    finally:
        # What pytest clears up with is recursive.
        clip.unlink()
        for folder in reversed(folders):
            os.rmdir(folder)


def test_links_that_multiply_end(tmp_path, monkeypatch):
    monkeypatch.setattr(clip_folders, "_MAX_FOLDERS", 1000)
    for number in range(40):
        (tmp_path / f"{number}").mkdir()
        for name in "ab":
            os.symlink(f"../{number + 1}", tmp_path / f"{number}" / name)
    with pytest.raises(ValueError, match="more than 1,000 folders"):
        list_folder(str(tmp_path / "0"))


def test_an_empty_label_is_called_empty():
    clip = listing.Clip("a.mp4", "a.mp4", "", "train")
    listed = listing.Listing.of([clip], [])
    assert listed.skipped == [("a.mp4", "the class name is empty")]
