"""What sampling writes, evaluation reads; and links, and forged arrays."""

import io
import os
import zipfile

import numpy as np
import pytest
from PIL import Image

from dvdgan_tf.evaluation import clip_files
from dvdgan_tf.evaluation.folder import FolderClips
from dvdgan_tf.sampling.clip_writer import FORMATS, ClipWriter
from dvdgan_tf.video import writing

# Those of the dataset; the model that sampled has others, in another order.
CLASSES = ["run", "walk", "jump up/down"]
SAMPLED = ["jump up/down", "sing", "run"]


def clips(count=4, frames=5, height=16, width=24):
    """Clip n is of level 40 n + t, and has a gradient."""
    video = np.zeros([count, frames, height, width, 3], np.uint8)
    video += 40 * np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1, 1)
    video += 3 * np.arange(frames, dtype=np.uint8).reshape(-1, 1, 1, 1)
    video[..., 0] += np.arange(width, dtype=np.uint8)
    return video


def sample(folder, *formats, videos=None):
    writer = ClipWriter(str(folder), formats, fps=8)
    for number, video in enumerate(clips() if videos is None else videos):
        label = number % len(SAMPLED)
        writer.write(video, label, SAMPLED[label])
    writer.close()
    return str(folder)


def read(path, frames=5, classes=CLASSES):
    """Clips in the order of their levels, their labels, and what is left."""
    found = FolderClips(str(path), frames, 100, classes)
    pairs = list(found.inputs().as_numpy_iterator())
    pairs.sort(key=lambda pair: pair[0].mean())
    videos, labels = zip(*pairs, strict=True)
    return np.stack(videos), [int(label) for label in labels], found.skipped


# "sing" is no class of the dataset: 0, or what the number says.
@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_is_read_again(tmp_path, kind):
    videos, labels, skipped = read(sample(tmp_path / "s", kind))
    assert skipped == {}
    assert labels == [2, 1 if kind == "npz" else 0, 0, 2]
    error = np.abs(videos.astype(int) - clips()).max()
    if kind in ("npz", "frames", "png", "webp"):
        assert error == 0
    else:
        assert error < 24


def test_a_clip_in_several_formats_counts_once(tmp_path):
    videos, labels, skipped = read(sample(tmp_path / "s", *FORMATS))
    np.testing.assert_array_equal(videos, clips())
    assert labels == [2, 1, 0, 2] and skipped == {}
    for path in (tmp_path / "s").glob("*.npz"):
        path.unlink()
    videos, labels, _ = read(tmp_path / "s")
    np.testing.assert_array_equal(videos, clips())
    assert labels == [2, 0, 0, 2]


def test_frames_that_are_named_like_samples_are_frames(tmp_path):
    for number, frame in enumerate(clips()[0]):
        Image.fromarray(frame).save(tmp_path / f"{number:05d}_left.png")
    videos, _, _ = read(tmp_path)
    np.testing.assert_array_equal(videos, clips()[:1])


def test_a_still_clip_keeps_its_frames_as_webp(tmp_path):
    still = clips(1)[:, :1].repeat(5, 1)
    still[0, 4] += 9
    folder = sample(tmp_path / "s", "webp", videos=still)
    np.testing.assert_array_equal(read(folder)[0], still)


def test_one_file_is_one_clip(tmp_path):
    folder = sample(tmp_path / "s", "npz", "mp4")
    for name in ("00001_sing.npz", "00001_sing.mp4"):
        videos, _, _ = read(os.path.join(folder, name))
        assert np.abs(videos[0].astype(int) - clips()[1]).max() < 24


def test_the_class_by_a_number_where_names_are_alike(tmp_path):
    # Both are "a_b" in a file's name.
    folder = tmp_path / "s"
    writer = ClipWriter(str(folder), ["npz"], fps=8)
    for number, video in enumerate(clips(2)):
        writer.write(video, number, ["a/b", "a:b"][number])
    assert read(folder, classes=["a/b", "a:b"])[1] == [0, 1]


def test_links_are_followed_and_not_in_circles(tmp_path):
    sample(tmp_path / "s", "npz")
    inner = tmp_path / "named" / "walk"
    inner.parent.mkdir()
    inner.symlink_to(tmp_path / "s", target_is_directory=True)
    (tmp_path / "s" / "back").symlink_to(tmp_path / "s")
    (tmp_path / "s" / "up").symlink_to(tmp_path / "named")
    (tmp_path / "s" / "self.npz").symlink_to("self.npz")
    videos, labels, skipped = read(tmp_path / "named")
    np.testing.assert_array_equal(videos, clips())
    assert labels == [1, 1, 1, 1]
    assert set(skipped) == {"walk/back", "walk/up", "walk/self.npz"}


def test_what_cannot_be_clips_is_refused_before_anything_is_loaded(tmp_path):
    with pytest.raises(FileNotFoundError, match="There are no clips at"):
        clip_files.check(str(tmp_path / "nowhere"))
    (tmp_path / "readme.txt").write_text("no clip")
    (tmp_path / "grid.png").write_bytes(b"")
    with pytest.raises(ValueError, match="no clip in"):
        clip_files.check(str(tmp_path))
    sample(tmp_path / "s", "mp4")
    clip_files.check(str(tmp_path))


def header(shape, dtype="|u1"):
    """A .npy file without contents."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}"
    text = text.ljust(117) + "\n"
    return (
        b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
    )


def npz(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)


BIG = "(1099511627776, 16, 24, 3)"


@pytest.mark.parametrize(
    "data",
    [
        header(BIG),
        header("(5, 16, 24, 3)"),
        header("(-5, -16, 24, 3)"),
        header("(9223372036854775807, 16, 24, 3)"),
        header("(" * 3000),
        header("()"),
        header("(5, 16, 24, 3)", "|O"),
        b"",
        b"\x93NUMPY\x09\x00",
    ],
)
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_forged_arrays_are_left_out(tmp_path, data, kind):
    sample(tmp_path / "s", "npz")
    path = tmp_path / "s" / f"00009_walk.{kind}"
    if kind == "npz":
        npz(path, video=data)
    else:
        path.write_bytes(data)
    videos, _, skipped = read(tmp_path / "s")
    np.testing.assert_array_equal(videos, clips())
    assert list(skipped) == [path.name]
    assert "\n" not in skipped[path.name]
    with pytest.raises(ValueError, match=r"00009_walk"):
        read(path)


def test_an_archive_that_is_named_like_an_array(tmp_path):
    sample(tmp_path / "s", "npz")
    path = tmp_path / "s" / "00001_sing.npz"
    path.rename(tmp_path / "a.npy")
    with pytest.raises(ValueError, match="archive of arrays"):
        read(tmp_path / "a.npy")


def test_a_file_with_a_hole_is_no_clip(tmp_path):
    path = tmp_path / "a.npy"
    with open(path, "wb") as file:
        file.write(header("(1, 5, 100000, 100000, 3)"))
        file.truncate(2**38)
    with pytest.raises(ValueError, match="too many"):
        read(path)


def test_forged_labels_are_none(tmp_path):
    stream = io.BytesIO()
    np.save(stream, clips()[0])
    for number, label in enumerate([10**12, -1, 1.5, "x", [1, 1]]):
        text = io.BytesIO()
        np.save(text, np.array(label))
        npz(
            tmp_path / f"{number}.npz",
            video=stream.getvalue(),
            label=text.getvalue(),
        )
    npz(tmp_path / "5.npz", video=stream.getvalue(), label=header(BIG, "<i8"))
    assert read(tmp_path)[1] == [0] * 5  # the last one is left out
    assert set(read(tmp_path)[2]) == {"5.npz"}


def test_strips_that_lie(tmp_path):
    for text in ("7", "0", "-1", "x", "9" * 5000, "200"):
        path = tmp_path / f"00000_{len(text)}{text[0]}.png"
        writing.write_png(path, np.zeros([16, 120, 3], np.uint8), text)
    sample(tmp_path / "s", "png")
    videos, _, skipped = read(tmp_path)
    np.testing.assert_array_equal(videos, clips())
    assert len(skipped) == 6
