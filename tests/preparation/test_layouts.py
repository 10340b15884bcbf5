"""Each layout as its collection has it; the files are hardly ever opened."""

import json
import os

import numpy as np
import pytest

from dvdgan_tf.preparation import layouts
from dvdgan_tf.preparation.listing import merged
from dvdgan_tf.preparation.sources import Source


def make(folder, *names):
    for name in names:
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"x")
    return folder


def write(path, text):
    os.makedirs(path.parent, exist_ok=True)
    path.write_text(text)


def clips(source, **how):
    return layouts.clips(Source.find(str(source), **how))


def found(listing):
    return {(c.name, c.label, c.split) for c in listing.clips}


def frames(folder, *clip_names, count=2, extension="jpg"):
    names = [f"{c}/{n}.{extension}" for c in clip_names for n in range(count)]
    return make(folder, *names)


# StyleGAN-V


@pytest.mark.parametrize("extension", ["jpg", "png", "JPEG"])
def test_folders_of_frames_are_clips(tmp_path, extension):
    frames(tmp_path, "v1", "v2", extension=extension)
    listing = clips(tmp_path)
    assert found(listing) == {("v1", "all", "train"), ("v2", "all", "train")}
    assert [c.path for c in listing.clips] == [
        str(tmp_path / "v1"),
        str(tmp_path / "v2"),
    ]
    assert not listing.skipped
    assert any("pictures" in note for note in listing.notes)


def test_folders_of_frames_in_classes_and_splits(tmp_path):
    frames(tmp_path / "a", "run/v1", "walk/v2")
    assert found(clips(tmp_path / "a")) == {
        ("run/v1", "run", "train"),
        ("walk/v2", "walk", "train"),
    }
    frames(tmp_path / "b", "train/run/v1", "train/walk/v2", "test/run/v3")
    assert found(clips(tmp_path / "b")) == {
        ("train/run/v1", "run", "train"),
        ("train/walk/v2", "walk", "train"),
        ("test/run/v3", "run", "test"),
    }


@pytest.mark.parametrize(
    "labels",
    [
        [["v1/0.jpg", 2], ["v1/1.jpg", 2], ["v2/0.jpg", 10]],
        {"v1": 2, "./v2": 10},
    ],
)
def test_labels_of_dataset_json(tmp_path, labels):
    frames(tmp_path, "v1", "v2", "v3")
    write(tmp_path / "dataset.json", json.dumps({"labels": labels}))
    listing = clips(tmp_path)
    assert found(listing) == {("v1", "2", "train"), ("v2", "10", "train")}
    assert listing.class_names == ["2", "10"]  # as the numbers are
    assert merged([listing]).class_names == ["2", "10"]
    assert listing.skipped == [("v3", "dataset.json has no label for it")]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[" * 100_000,
        '{"labels": 5}',
        '{"labels": [["v1/0.jpg", ' + "9" * 5000 + "]]}",
        '{"labels": [["v1/0.jpg", [0.5]]]}',
        '{"labels": [["v1/0.jpg"]]}',
        '{"labels": [["v1/0.jpg", 1], ["v1/1.jpg", 2]]}',
    ],
)
def test_bad_dataset_json(tmp_path, text):
    frames(tmp_path, "v1")
    write(tmp_path / "dataset.json", text)
    with pytest.raises(ValueError, match=r"dataset\.json"):
        clips(tmp_path)


def test_dataset_json_without_labels(tmp_path):
    frames(tmp_path, "v1")
    write(tmp_path / "dataset.json", '{"labels": null}')
    assert found(clips(tmp_path)) == {("v1", "all", "train")}


def test_labels_never_lead_out_of_the_source(tmp_path):
    frames(tmp_path / "set", "v1")
    frames(tmp_path, "elsewhere")
    labels = {"v1": 1, "../elsewhere": 2, str(tmp_path / "elsewhere"): 3}
    write(tmp_path / "set" / "dataset.json", json.dumps({"labels": labels}))
    assert found(clips(tmp_path / "set")) == {("v1", "1", "train")}


def test_pictures_beside_videos_are_no_clips(tmp_path):
    make(tmp_path, "a/1.mp4", "a/1.jpg", "b/2.mp4", "b/2.bmp", "b/2.avif")
    listing = clips(tmp_path)
    assert {c.name for c in listing.clips} == {"a/1.mp4", "b/2.mp4"}
    assert {n for n, _ in listing.skipped} == {"a/1.jpg", "b/2.bmp", "b/2.avif"}


@pytest.mark.parametrize("extension", ["bmp", "tif", "tiff", "avif", "webp"])
def test_pictures_in_other_formats_are_no_clips(tmp_path, extension):
    make(tmp_path, f"a/1.{extension}")
    with pytest.raises(ValueError, match="no clip"):
        clips(tmp_path)


# UCF-101 and HMDB-51


def ucf(folder):
    lists = folder / "ucfTrainTestlist"
    make(
        folder,
        *(f"UCF-101/{c}/v_{c}_g0{n}.avi" for c in ("Y", "A") for n in (1, 2)),
        "UCF-101/A/v_A_g09.avi",
    )
    write(lists / "classInd.txt", "1 A\n2 Y\n")
    write(lists / "trainlist01.txt", "A/v_A_g02.avi 1\r\nY/v_Y_g02.avi 2\r\n")
    write(lists / "testlist01.txt", "A/v_A_g01.avi\nY/v_Y_g01.avi\nA/no.avi\n")
    write(lists / "trainlist02.txt", "A/v_A_g01.avi 1\n")
    write(lists / "testlist02.txt", "A/v_A_g02.avi\n")


def test_ucf101(tmp_path):
    ucf(tmp_path)
    listing = clips(tmp_path)
    assert found(listing) == {
        ("UCF-101/A/v_A_g02.avi", "A", "train"),
        ("UCF-101/Y/v_Y_g02.avi", "Y", "train"),
        ("UCF-101/A/v_A_g01.avi", "A", "test"),
        ("UCF-101/Y/v_Y_g01.avi", "Y", "test"),
    }
    assert listing.class_names == ["A", "Y"]
    assert ("A/no.avi", "missing") in listing.skipped
    assert ("UCF-101/A/v_A_g09.avi", "not in the official lists, number 1") in (
        listing.skipped
    )


def test_other_lists_of_ucf101(tmp_path):
    ucf(tmp_path)
    assert found(clips(tmp_path, split_list=2)) == {
        ("UCF-101/A/v_A_g01.avi", "A", "train"),
        ("UCF-101/A/v_A_g02.avi", "A", "test"),
    }
    with pytest.raises(ValueError, match=r"trainlist03.*number 1, 2"):
        clips(tmp_path, split_list=3)


@pytest.mark.parametrize(
    "line", ["../A/x.avi 1", "../x.avi 1", "/x.avi 1", "x.avi 1"]
)
def test_bad_lists_of_ucf101(tmp_path, line):
    ucf(tmp_path)
    write(tmp_path / "ucfTrainTestlist" / "trainlist01.txt", line)
    with pytest.raises(ValueError, match=r"trainlist01\.txt"):
        clips(tmp_path)


def test_a_clip_in_both_lists_is_in_none(tmp_path):
    ucf(tmp_path)
    with open(tmp_path / "ucfTrainTestlist" / "testlist01.txt", "a") as file:
        file.write("A/v_A_g02.avi\n")
    listing = clips(tmp_path)
    assert "UCF-101/A/v_A_g02.avi" not in {c.name for c in listing.clips}
    reason = "in the lists of several splits"
    assert ("UCF-101/A/v_A_g02.avi", reason) in listing.skipped


def hmdb(folder):
    names = ["a b!_1.avi", "2.avi", "3.avi"]
    make(
        folder, *(f"hmdb51_org/{c}/{n}" for c in ("run", "sit") for n in names)
    )
    for c in ("run", "sit"):
        for number, codes in ((1, "120"), (2, "011")):
            rows = zip(names, codes, strict=True)
            lines = [f"{name} {code} \n" for name, code in rows]
            path = folder / "splits" / f"{c}_test_split{number}.txt"
            write(path, "".join(lines))


def test_hmdb51(tmp_path):
    hmdb(tmp_path)
    listing = clips(tmp_path)
    assert found(listing) == {
        (f"hmdb51_org/{label}/{name}", label, split)
        for label in ("run", "sit")
        for name, split in (("a b!_1.avi", "train"), ("2.avi", "test"))
    }
    assert found(clips(tmp_path, split_list=2)) == {
        (f"hmdb51_org/{label}/{name}", label, "train")
        for label in ("run", "sit")
        for name in ("2.avi", "3.avi")
    }


def test_bad_lists_of_hmdb51(tmp_path):
    hmdb(tmp_path)
    write(tmp_path / "splits" / "run_test_split1.txt", "../x.avi 1\n")
    with pytest.raises(ValueError, match="run_test_split1"):
        clips(tmp_path)


# Something-Something


@pytest.mark.parametrize("prefix", ["", "something-something-v2-"])
def test_something_something(tmp_path, prefix):
    make(tmp_path, *(f"videos/{n}.webm" for n in range(5)))

    def table(split, *entries):
        path = tmp_path / "labels" / f"{prefix}{split}.json"
        write(path, json.dumps(entries))

    template = "Putting [something] on [something]"
    table(
        "train",
        {"id": "0", "label": "putting a cup on a table", "template": template},
        {"id": "1", "template": "Holding [something]"},
        {"id": "77", "template": template},
    )
    table("validation", {"id": "2", "template": template})
    table("test", {"id": "3"})
    write(tmp_path / "labels" / f"{prefix}labels.json", '{"Holding": "0"}')
    write(tmp_path / "labels" / "other" / "train.json", '{"no": "list"}')
    listing = clips(tmp_path)
    label = "Putting something on something"
    assert found(listing) == {
        ("videos/0.webm", label, "train"),
        ("videos/1.webm", "Holding something", "train"),
        ("videos/2.webm", label, "validation"),
    }
    skipped = dict(listing.skipped)
    assert skipped["77"] == "missing"
    assert skipped["videos/3.webm"].endswith("has no label for it")
    assert skipped["videos/4.webm"] == "in none of the JSON files"


def test_json_files_of_other_collections_are_not_read(tmp_path):
    make(tmp_path, "a/1.mp4", "b/2.mp4", "annotations/train.json")
    assert clips(tmp_path).class_names == ["a", "b"]


# Kinetics


def test_kinetics_with_an_unlabelled_test_csv(tmp_path):
    make(tmp_path, "train/x_000001_000011.mp4", "test/y_000002_000012.mp4")
    header = "youtube_id,time_start,time_end,split"
    write(tmp_path / "train.csv", f"label,{header}\na,x,1,11,train\n")
    write(tmp_path / "test.csv", f"{header}\ny,2,12,test\nz,2,12,test\n")
    listing = clips(tmp_path)
    assert found(listing) == {("x_000001_000011", "a", "train")}
    assert listing.skipped == [
        (
            "y_000002_000012",
            "the annotations of test have no label for it",
        ),
        ("z_000002_000012", "missing"),
    ]
    # Where a copy has the labels, they count.
    write(tmp_path / "z" / "test.csv", f"label,{header}\nb,y,2,12,test\n")
    assert ("y_000002_000012", "b", "test") in found(clips(tmp_path))


# Moving MNIST


def test_moving_mnist(tmp_path):
    array = np.zeros([20, 3, 16, 16], np.uint8)
    path = tmp_path / "set" / "mnist_test_seq.npy"
    os.makedirs(path.parent)
    np.save(path, array)
    for source in (path, path.parent):
        listing = clips(source)
        assert {(c.path, c.part, c.label) for c in listing.clips} == {
            (str(path), part, "all") for part in range(3)
        }
        assert len({c.name for c in listing.clips}) == 3
    write(tmp_path / "set" / "readme.txt", "")
    assert len(clips(path.parent).clips) == 3


@pytest.mark.parametrize(
    "array",
    [
        np.zeros([20, 3, 16, 16], np.float32),
        np.zeros([20, 16, 16], np.uint8),
        np.zeros([0, 3, 16, 16], np.uint8),
        np.array([{}], object),
    ],
)
def test_other_arrays_are_refused(tmp_path, array):
    path = tmp_path / "x.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(ValueError, match=r"x\.npy"):
        clips(path)


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 2, 3, 4), }",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (1" + b"0" * 30,
        b"{'descr': '|O', 'fortran_order': False, 'shape': (1, 1, 1, 1), }",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (%d, 9, 9, 9), }"
        % 2**62,
        b"(" * 5000,
        b"{}",
    ],
)
def test_arrays_with_odd_headers_are_refused(tmp_path, header):
    path = tmp_path / "x.npy"
    length = len(header).to_bytes(2, "little")
    path.write_bytes(b"\x93NUMPY\x01\x00" + length + header + b"x" * 100)
    with pytest.raises(ValueError, match=r"x\.npy"):
        clips(path)


def test_a_named_pipe_is_no_array(tmp_path):
    os.mkfifo(tmp_path / "x.npy")
    with pytest.raises(ValueError, match=r"x\.npy"):
        clips(tmp_path)


def test_a_cut_array_is_refused(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros([20, 3, 16, 16], np.uint8))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"x\.npy"):
        clips(path)


# Lists and files


def test_a_text_list(tmp_path):
    make(tmp_path / "set", "a/1.mp4", "b/x y.mp4", "3.mp4", "b/4.jpg")
    make(tmp_path, "elsewhere.mp4")
    lines = [
        "a/1.mp4",
        "b/x y.mp4 run",
        "3.mp4\twith spaces",
        str(tmp_path / "set" / "b" / "x y.mp4"),
        "../elsewhere.mp4",
        "a/../../elsewhere.mp4 x",
        str(tmp_path / "elsewhere.mp4"),
        "no.mp4",
        "b/4.jpg",
        "",
    ]
    write(tmp_path / "set" / "list.txt", "\n".join(lines))
    listing = clips(tmp_path / "set" / "list.txt")
    assert found(listing) == {
        ("a/1.mp4", "a", "train"),
        ("b/x y.mp4", "run", "train"),
        ("b/x y.mp4", "b", "train"),
        ("3.mp4", "with spaces", "train"),
    }
    outside = "outside of the list's folder"
    assert sorted(listing.skipped) == sorted(
        [
            ("../elsewhere.mp4", outside),
            ("a/../../elsewhere.mp4 x", outside),
            (str(tmp_path / "elsewhere.mp4"), outside),
            ("no.mp4", "no such file"),
            ("b/4.jpg", "not a video (.jpg)"),
        ]
    )


def test_a_list_that_is_too_large(tmp_path, monkeypatch):
    make(tmp_path, "1.mp4")
    write(tmp_path / "list.txt", "1.mp4\n" * 100)
    monkeypatch.setattr("dvdgan_tf.preparation.sources._MAX_LIST_BYTES", 200)
    with pytest.raises(ValueError, match=r"list\.txt"):
        clips(tmp_path / "list.txt")


def test_a_single_file(tmp_path):
    make(tmp_path, "x.mp4")
    listing = clips(tmp_path / "x.mp4")
    assert found(listing) == {("x.mp4", "all", "train")}


@pytest.mark.parametrize("name", ["x.zip", "x.png", "x.json", ".x.mp4"])
def test_a_file_that_is_not_understood(tmp_path, name):
    make(tmp_path, name)
    with pytest.raises(ValueError, match=r"UCF-101.*Moving MNIST"):
        clips(tmp_path / name)


# Folders


@pytest.mark.parametrize("split", ["", "train/"])
def test_one_class_of_many_folders_is_refused(tmp_path, split):
    make(tmp_path, f"{split}n/a/1.mp4", f"{split}n/b/2.mp4")
    with pytest.raises(ValueError, match=r"folder 'n'.*UCF-101"):
        clips(tmp_path)


@pytest.mark.parametrize("split", ["", "train/"])
def test_one_class_is_said_to_be_one(tmp_path, split):
    make(tmp_path, f"{split}n/1.mp4")
    listing = clips(tmp_path)
    assert listing.class_names == ["n"]
    assert "'n'" in listing.notes[0]


def test_most_clips_in_no_folder_are_refused(tmp_path):
    make(tmp_path, "1.mp4", "2.mp4", "old/3.mp4")
    with pytest.raises(ValueError, match="2 clips in no folder"):
        clips(tmp_path)


def test_a_source_without_clips_is_refused(tmp_path):
    make(tmp_path, "a/notes.txt")
    with pytest.raises(ValueError, match=r"notes\.txt.*StyleGAN-V"):
        clips(tmp_path)
