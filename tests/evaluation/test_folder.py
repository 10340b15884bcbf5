import numpy as np
import pytest
from PIL import Image
from videos import cut, noise, write

from dvdgan_tf.evaluation.folder import FolderClips
from dvdgan_tf.video import writing

CLASSES = ["run", "walk"]


def read(clips):
    pairs = list(clips.inputs().as_numpy_iterator())
    return np.stack([video for video, _ in pairs]), [int(y) for _, y in pairs]


def videos(count=3, frames=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, [count, frames, 16, 16, 3], np.uint8)


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_arrays(tmp_path, kind):
    path = str(tmp_path / f"clips.{kind}")
    if kind == "npy":
        np.save(path, videos())
    else:
        np.savez(path, videos())
    clips = FolderClips(path, 4, 10, CLASSES)
    found, labels = read(clips)
    # In an order of its own.
    np.testing.assert_array_equal(
        np.sort(found[:, 0, 0, 0, 0]), np.sort(videos()[:, 0, 0, 0, 0])
    )
    first = [int(np.all(videos()[i, :4] == found[0])) for i in range(3)]
    assert sum(first) == 1
    assert clips.num_clips == 3 and labels == [0, 0, 0]
    assert FolderClips(path, 4, 2, CLASSES).num_clips == 2


def test_floats_are_from_minus_one_to_one(tmp_path):
    path = str(tmp_path / "clips.npy")
    np.save(path, videos().astype(np.float32) / 127.5 - 1)
    found, _ = read(FolderClips(path, 5, 3, CLASSES))
    assert found.sum() == videos().sum()
    late = videos().astype(np.float32) / 127.5 - 1
    late[2, 3] = 2.0
    for wrong in (videos().astype(np.float32) / 255, late):
        np.save(path, wrong)
        with pytest.raises(ValueError, match=r"\[-1, 1\]"):
            FolderClips(path, 5, 3, CLASSES)


def test_frames_are_in_the_order_of_their_numbers(tmp_path):
    for number in range(12):
        frame = np.full([16, 16, 3], number, np.uint8)
        Image.fromarray(frame).save(tmp_path / f"{number}.png")
    found, _ = read(FolderClips(str(tmp_path), 12, 1, CLASSES))
    np.testing.assert_array_equal(found[0, :, 0, 0, 0], np.arange(12))


def test_files_and_folders_of_frames(tmp_path):
    frames = tmp_path / "walk" / "a"
    frames.mkdir(parents=True)
    for number, frame in enumerate(videos()[0]):
        Image.fromarray(frame).save(frames / f"{number:03d}.png")
    writing.write_mp4(str(tmp_path / "run" / "b.mp4"), videos()[1], 12)
    writing.write_mp4(str(tmp_path / "run" / "short.mp4"), videos()[1, :2], 12)
    (tmp_path / "run" / "text.mp4").write_text("no video")
    (tmp_path / "dataset.json").write_text("{}")
    clips = FolderClips(str(tmp_path), 5, 10, CLASSES)
    found, labels = read(clips)
    assert sorted(labels) == [0, 1]
    np.testing.assert_array_equal(found[labels.index(1)], videos()[0])
    assert set(clips.skipped) == {"run/short.mp4", "run/text.mp4"}
    assert clips.skipped["run/short.mp4"] == "only 2 frames"


def test_what_is_no_folder_of_clips(tmp_path):
    with pytest.raises(FileNotFoundError, match="no clips at"):
        FolderClips(str(tmp_path / "nowhere"), 5, 3, CLASSES)
    with pytest.raises(ValueError, match="no clip in"):
        FolderClips(str(tmp_path), 5, 3, CLASSES)
    path = str(tmp_path / "clips.npy")
    np.save(path, videos()[0])
    with pytest.raises(ValueError, match=r"\[N, T, H, W, 3\]"):
        FolderClips(path, 5, 3, CLASSES)
    np.save(path, videos())
    with pytest.raises(ValueError, match="have 5 frames"):
        FolderClips(path, 6, 3, CLASSES)
    (tmp_path / "clips.npy").write_bytes(b"no array")
    with pytest.raises(ValueError, match="cannot be read"):
        FolderClips(path, 5, 3, CLASSES)


def test_damaged_compressed_arrays_are_one_sentence(tmp_path):
    path = tmp_path / "clips.npz"
    np.savez_compressed(path, videos())
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF  # In the compressed bytes, behind the member's header.
    path.write_bytes(data)
    with pytest.raises(ValueError, match="cannot be read as one array"):
        FolderClips(str(path), 5, 3, CLASSES)


def test_damaged_clips_are_left_out_with_their_reasons(tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for number, frame in enumerate(videos()[0]):
        Image.fromarray(frame).save(frames / f"{number}.png")
    data = (frames / "3.png").read_bytes()
    (frames / "3.png").write_bytes(data[: len(data) // 2])
    write(tmp_path / "cut.avi", noise(6), "mpeg4", "yuv420p")
    cut(tmp_path / "cut.avi")
    (tmp_path / "empty.mp4").write_bytes(b"")
    writing.write_mp4(str(tmp_path / "good.mp4"), videos()[1], 12)
    clips = FolderClips(str(tmp_path), 5, 10, CLASSES)
    assert clips.num_clips == 1 and clips.size == (16, 16)
    found, _ = read(clips)
    assert found.shape == (1, 5, 16, 16, 3)
    assert set(clips.skipped) == {"frames", "cut.avi", "empty.mp4"}
    assert clips.skipped["empty.mp4"] == "it is empty, 0 bytes"
    assert clips.skipped["cut.avi"].startswith("cut short after ")
    assert "'3.png': " in clips.skipped["frames"]


def test_sizes_must_not_differ(tmp_path):
    writing.write_mp4(str(tmp_path / "a.mp4"), videos()[0], 12)
    writing.write_mp4(str(tmp_path / "b.mp4"), videos()[0, :, :8], 12)
    with pytest.raises(ValueError, match="one size"):
        FolderClips(str(tmp_path), 5, 3, CLASSES)
