"""Writing of videos."""

import av
import numpy as np
import pytest
from PIL import Image
from videos import moving_square, psnr

from dvdgan_tf.video import writing
from dvdgan_tf.video.reading import read_frames


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


def test_mp4_round_trip(tmp_path):
    video = moving_square()
    path = tmp_path / "a b" / "-ünï.mp4"
    writing.write_mp4(path, video, fps=12.5)
    decoded = np.stack(list(read_frames(path)))
    assert decoded.shape == video.shape and decoded.dtype == np.uint8
    # Chroma at half resolution costs most at the square's edges.
    assert psnr(decoded, video) > 28
    assert np.abs(decoded[5, 16, 23] - np.array([230.0, 60, 20])).max() < 8
    with av.open(str(path)) as container:
        assert float(container.streams.video[0].average_rate) == 12.5
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_mp4_of_odd_size_repeats_the_last_row_and_column(tmp_path):
    video = moving_square(4, 33, 35)
    path = tmp_path / "odd.mp4"
    writing.write_mp4(path, video, fps=25)
    decoded = np.stack(list(read_frames(path)))
    assert decoded.shape == (4, 34, 36, 3)
    assert psnr(decoded[:, :33, :35], video) > 24
    assert psnr(decoded[:, 33], decoded[:, 32]) > 35
    assert psnr(decoded[:, :, 35], decoded[:, :, 34]) > 35


def test_mp4_without_x264(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    writing.write_mp4(tmp_path / "a.mp4", moving_square(), fps=25)
    decoded = np.stack(list(read_frames(tmp_path / "a.mp4")))
    assert psnr(decoded, moving_square()) > 26


def test_gif_has_every_frame_loops_and_keeps_colours(tmp_path):
    video = moving_square(9)
    writing.write_gif(tmp_path / "a.gif", video, fps=20)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 9
        assert gif.info["loop"] == 0
        assert gif.info["duration"] == 50
        gif.seek(8)
        last = np.array(gif.convert("RGB"))
    assert psnr(last, video[8]) > 30


def test_png_is_lossless(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, [7, 5, 3], np.uint8)
    writing.write_png(tmp_path / "a.png", image)
    np.testing.assert_array_equal(Image.open(tmp_path / "a.png"), image)


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(writing, "_encode", fail)
    with pytest.raises(OSError, match="no space"):
        writing.write_mp4(path, moving_square(2), fps=25)
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "write, array",
    [
        (writing.write_png, np.zeros([4, 4, 3], np.float32)),
        (writing.write_gif, np.zeros([4, 4, 3], np.uint8)),
        (writing.write_mp4, np.zeros([2, 4, 4, 1], np.uint8)),
        (writing.write_mp4, np.zeros([0, 4, 4, 3], np.uint8)),
    ],
)
def test_writers_refuse_other_arrays(tmp_path, write, array):
    fps = () if write is writing.write_png else (25,)
    with pytest.raises(ValueError) as error:
        write(tmp_path / "a", array, *fps)
    assert str(list(array.shape)) in one_line(error)
