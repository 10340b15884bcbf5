"""Clips that were asked for, as the page shows them and gives them away."""

import base64
import html
import io
import re
import zipfile

import numpy as np
import pytest
import videos
from fake_modules import Module
from PIL import Image

from dvdgan_tf.page import clips
from dvdgan_tf.page.answer import Answers
from dvdgan_tf.page.recipe import Source
from dvdgan_tf.page.settings import Limits, Settings
from dvdgan_tf.sampling.conditions import first_frames
from dvdgan_tf.sampling.model import Model
from dvdgan_tf.sampling.videos import videos as as_videos
from dvdgan_tf.video import reading

VALUES = dict(
    classes=["wave", "run"],
    count=4,
    seed=3,
    truncation=0.7,
    interpolate="none",
)


def test_samples(answers, tmp_path):
    answer = answers.to(VALUES)
    assert re.findall(">([^<]+)</figcaption>", answer.figures) == [
        *("wave", "run", "wave", "run")
    ]
    assert answer.summary.startswith("4 clips of 5 frames, 4 x 4 pixels, 8 fr")
    expected = answers.model.sample(["wave", "run"], 4, 3, 0.7)
    with zipfile.ZipFile(answer.archive) as archive:
        assert len(archive.namelist()) == 8
        with archive.open("00002_wave.npz") as file, np.load(file) as stored:
            np.testing.assert_array_equal(stored["video"], expected[2])
            assert stored["label"] == 2
        archive.extract("00002_wave.mp4", tmp_path)
    frames = list(reading.read_frames(tmp_path / "00002_wave.mp4"))
    assert len(frames) == 5
    # Nothing is left but the archive.
    assert {p.suffix for p in tmp_path.iterdir()} == {".zip", ".mp4"}


def test_captions(answers, predictions):
    def of(made, *args, **kwargs):
        return clips.captions(made.model, Settings(*args, **kwargs))

    assert of(answers, count=4) == ["run", "walk", "wave", "run"]
    way = "wave → run, "
    assert of(answers, ("wave", "run"), 3, interpolate="class") == [
        *(f"{way}0%", f"{way}50%", f"{way}100%")
    ]
    # As the model: from the first class to the second.
    assert of(answers, count=2, interpolate="latent")[1] == "run → walk, 100%"
    assert of(answers, ("run",), 2, interpolate="latent") == [
        *("run, 0%", "run, 100%")
    ]
    assert of(predictions, count=2, num_frames=9) == ["no. 0", "no. 1"]


def test_animations_loop_with_a_border_around_what_was_given():
    made = np.arange(2 * 6, dtype=np.uint8) * 20
    made = made.reshape(2, 6, 1, 1, 1) + np.zeros([2, 6, 5, 7, 3], np.uint8)
    shown = clips.figures(as_videos(made, 8), ["a<b>", '"'], given=2)
    assert re.findall('alt="([^"]*)"', shown) == ["a&lt;b&gt;", "&quot;"]
    assert html.unescape(shown).count("<b>") == 2  # alt and caption
    for clip, data in zip(
        made, re.findall('base64,([^"]+)', shown), strict=True
    ):
        with Image.open(io.BytesIO(base64.b64decode(data))) as animation:
            assert animation.info["loop"] == 0
            assert animation.n_frames == 6 and animation.size == (11, 9)
            for number, frame in enumerate(clip):
                animation.seek(number)
                pixels = np.asarray(animation.convert("RGB"))
                assert animation.info["duration"] == 125
                np.testing.assert_array_equal(pixels[2:-2, 2:-2], frame)
                border = (255, 140, 0) if number < 2 else (0, 0, 0)
                assert (pixels[:2] == border).all()
                assert (pixels[:, -2:] == border).all()


def test_a_video_is_continued(predictions, tmp_path):
    path = str(tmp_path / "square.mkv")
    videos.write(path, videos.moving_square())
    values = dict(classes="walk", count=3, seed=1, truncation=1, num_frames=7)
    with pytest.raises(ValueError, match="Choose a video"):
        predictions.to(values)
    answer = predictions.to(values, path)
    frames = first_frames(path, 2, 4, "crop", 2)
    expected = predictions.model.predict(
        np.stack([frames] * 3), 7, ["walk"], 1, 1
    )
    with (
        zipfile.ZipFile(answer.archive) as archive,
        archive.open("00002_walk.npz") as file,
        np.load(file) as stored,
    ):
        np.testing.assert_array_equal(stored["video"], expected[2])
    assert "--frames=square.mkv" in answer.command


def test_a_wide_model_continues_the_widest_part(tmp_path):
    model = Model(Module(given=2, resolution=[4, 8]))
    wide = Answers(model, Source("made"), Limits(6, 20), str(tmp_path))
    path = str(tmp_path / "square.mkv")
    videos.write(path, videos.moving_square())
    values = dict(classes="walk", count=1, seed=1, truncation=1, num_frames=7)
    answer = wide.to(values, path)
    assert answer.summary.startswith("1 clip of 7 frames, 8 x 4 pixels, 8 fr")
    assert "first_frames('square.mkv', 2, [4, 8], 'crop', 2)" in answer.python
    data = re.search('base64,([^"]+)', answer.figures)[1]
    with Image.open(io.BytesIO(base64.b64decode(data))) as animation:
        # With a border of 2 pixels on each side.
        assert animation.size == (8 + 4, 4 + 4)
