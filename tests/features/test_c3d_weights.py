import hashlib
import io
import zipfile

import numpy as np
import pytest
from features import c3d_npz

from dvdgan_tf.features import c3d_weights

RELEASE = "https://github.com/rezoo/tgan2/releases/download/v1.0/"
WEIGHTS_URL = RELEASE + "conv3d_deepnetA_ucf.npz"
MEAN_URL = RELEASE + "mean2.npz"


def check_message(error, path, url):
    message = str(error.value)
    assert repr(str(path)) in message
    assert url in message
    assert "\n" not in message


def test_arrays_come_back_as_stored(tmp_path):
    arrays = c3d_npz.random_arrays()
    # The published file is not compressed, and what else it holds is ignored.
    np.savez_compressed(tmp_path / "w.npz", other=np.zeros(3), **arrays)
    found = c3d_weights.read_weights(tmp_path / "w.npz")
    assert set(found) == set(arrays)
    for key in arrays:
        np.testing.assert_array_equal(found[key], arrays[key])


def test_checksum():
    arrays, mean = c3d_npz.random_arrays(), c3d_npz.random_mean()
    layers = "conv1a conv2a conv3a conv3b conv4a conv4b conv5a conv5b fc6 fc7"
    layers = [*layers.split(), "fc8"]
    order = [f"{layer}/{leaf}" for layer in layers for leaf in "Wb"]
    content = b"".join([*(arrays[k].tobytes() for k in order), mean.tobytes()])
    expected = hashlib.sha256(content).hexdigest()
    shuffled = dict(reversed(arrays.items()))
    assert c3d_weights.checksum(shuffled, mean) == expected
    assert c3d_weights.checksum(shuffled, mean + 1) != expected


@pytest.mark.parametrize(
    ("read", "url"),
    [
        (c3d_weights.read_weights, WEIGHTS_URL),
        (c3d_weights.read_mean, MEAN_URL),
    ],
)
def test_missing_files(tmp_path, read, url):
    for path in (tmp_path / "absent.npz", tmp_path):
        with pytest.raises(FileNotFoundError) as error:
            read(path)
        check_message(error, path, url)


@pytest.mark.parametrize(
    "key", ["conv1a/W", "conv1a/b", "conv5b/b", "fc6/W", "fc8/b"]
)
def test_missing_arrays(tmp_path, key):
    arrays = c3d_npz.random_arrays()
    del arrays[key]
    path, _ = c3d_npz.save(tmp_path, arrays)
    with pytest.raises(ValueError, match=f"lacks the array '{key}'") as error:
        c3d_weights.read_weights(path)
    check_message(error, path, WEIGHTS_URL)


@pytest.mark.parametrize(
    ("key", "shape", "words"),
    [
        ("conv1a/W", (2, 1, 3, 3, 3), r"\[any, 3, 3, 3, 3\]"),
        ("conv1a/W", (3, 3, 3, 3, 2), r"\[any, 3, 3, 3, 3\]"),
        ("conv1a/W", (2, 3, 3, 3), r"\[2, 3, 3, 3\], not"),
        ("conv1a/W", (0, 3, 3, 3, 3), r"\[0, 3, 3, 3, 3\], not"),
        ("conv2a/W", (3, 4, 3, 3, 3), r"\[any, 2, 3, 3, 3\]"),
        ("conv3b/b", (4,), r"\[4\], not \[5\]"),
        ("fc6/W", (7, 6 * 9), r"\[7, 54\], not \[any, 96\]"),
        ("fc8/W", (487, 8), r"\[487, 8\], not \[101, 8\]"),
    ],
)
def test_shapes_that_do_not_fit(tmp_path, key, shape, words):
    arrays = c3d_npz.random_arrays()
    arrays[key] = np.zeros(shape, np.float32)
    path, _ = c3d_npz.save(tmp_path, arrays)
    with pytest.raises(ValueError, match=words) as error:
        c3d_weights.read_weights(path)
    assert f"'{key}'" in str(error.value)
    check_message(error, path, WEIGHTS_URL)


def test_mean_of_another_shape(tmp_path):
    _, path = c3d_npz.save(tmp_path, mean=np.zeros((3, 16, 112, 112), "f4"))
    with pytest.raises(
        ValueError, match=r"'mean'.*not \[3, 16, 128, 171\]"
    ) as e:
        c3d_weights.read_mean(path)
    check_message(e, path, MEAN_URL)


@pytest.mark.parametrize("value", [b"not an array", np.zeros(2, np.int64)])
def test_arrays_of_another_type(tmp_path, value):
    path, _ = c3d_npz.save(tmp_path)
    with zipfile.ZipFile(path) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    if isinstance(value, np.ndarray):
        file = io.BytesIO()
        np.save(file, value)
        value = file.getvalue()
    members["fc7/b.npy"] = value
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match=r"'fc7/b' .* has the type") as error:
        c3d_weights.read_weights(path)
    check_message(error, path, WEIGHTS_URL)


def cut_off(content):
    return content[: len(content) // 2]


def flipped(content):
    middle = len(content) // 2
    return (
        content[:middle]
        + bytes([content[middle] ^ 255])
        + content[middle + 1 :]
    )


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut_off, "no zip archive, or was cut off"),
        (flipped, "CRC"),
        (lambda _: b"<html>Not Found</html>", "no zip archive"),
        (lambda _: b"", "no zip archive"),
    ],
)
def test_damaged_files(tmp_path, damage, words):
    path, _ = c3d_npz.save(tmp_path)
    with open(path, "rb") as file:
        content = file.read()
    with open(path, "wb") as file:
        file.write(damage(content))
    with pytest.raises(ValueError, match=words) as error:
        c3d_weights.read_weights(path)
    check_message(error, path, WEIGHTS_URL)


class Harmful:
    """Would leave a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_pickles_are_not_opened(tmp_path):
    mark = tmp_path / "executed"
    path = tmp_path / "mean.npz"
    mean = np.array([Harmful(str(mark))], dtype=object)
    np.savez(path, mean=mean)
    with pytest.raises(ValueError, match="allow_pickle=False") as error:
        c3d_weights.read_mean(path)
    check_message(error, path, MEAN_URL)
    assert not mark.exists()


def test_archives_that_unpack_to_too_much(tmp_path, monkeypatch):
    path = tmp_path / "mean.npz"
    np.savez_compressed(path, mean=np.zeros((3, 16, 128, 171), np.float32))
    monkeypatch.setattr(c3d_weights, "_MAX_BYTES", 4 * 3 * 16 * 128 * 171)
    with pytest.raises(ValueError, match="unpacks to 4202624 bytes") as error:
        c3d_weights.read_mean(path)
    check_message(error, path, MEAN_URL)
