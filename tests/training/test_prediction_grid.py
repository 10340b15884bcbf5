"""The grid of predictions, over a generator whose answers say its inputs."""

import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from dvdgan_tf.training.prediction_grid import PredictionGrid
from dvdgan_tf.training.samples import SampleGrid, class_labels
from dvdgan_tf.video.prediction_views import GAP, MARGIN
from dvdgan_tf.video.reading import read_frames

CLIPS, SAMPLES, FRAMES, GIVEN, SIZE = 3, 2, 6, 2, 8


class Trainer:
    """Repeats the last given frame, as bright as z, y and ema make it."""

    def __init__(self, num_classes=4, conditioning_frames=GIVEN):
        self.generator = types.SimpleNamespace(
            conditioning_frames=conditioning_frames,
            num_classes=num_classes,
            z_dim=5,
        )
        self.calls = []

    def sample(self, z, y, ema, frames):
        self.calls.append((z, y, ema, frames))
        last = tf.repeat(frames[:, -1:], FRAMES - GIVEN, 1)
        shift = 0.1 * tf.cast(y, tf.float32) + 0.01 * z[:, 0] - 0.05 * ema
        return last + tf.reshape(shift, [-1, 1, 1, 1, 1])


def clips():
    """Dark clips, so that no brightness is clipped."""
    rng = np.random.default_rng(2)
    shape = [CLIPS, FRAMES, SIZE, SIZE, 3]
    return rng.integers(40, 120, shape, np.uint8), np.array([2, 0, 3])


def grid(trainer, **changes):
    made = PredictionGrid(
        trainer, **{"num_clips": CLIPS, "samples_per_clip": SAMPLES, **changes}
    )
    made.condition_on(*map(tf.constant, clips()))
    return made


@pytest.mark.parametrize("num_classes", [4, 1])
@pytest.mark.parametrize("ema", [True, False])
def test_draw_continues_each_clip_with_its_label(num_classes, ema):
    trainer = Trainer(num_classes)
    predictions = grid(trainer, seed=3).draw(ema)
    videos, labels = clips()
    z = np.random.default_rng(3).standard_normal([CLIPS, SAMPLES, 5])
    assert predictions.dtype == np.uint8
    assert predictions.shape == (
        CLIPS,
        SAMPLES,
        FRAMES - GIVEN,
        SIZE,
        SIZE,
        3,
    )
    for clip, sample in np.ndindex(CLIPS, SAMPLES):
        shift = 0.01 * z[clip, sample, 0] - 0.05 * ema
        if num_classes > 1:
            shift += 0.1 * labels[clip]
        expected = videos[clip, GIVEN - 1] + 127.5 * shift
        for frame in predictions[clip, sample]:
            assert np.abs(frame - expected).max() <= 0.501
    for _, y, _, frames in trainer.calls:
        assert y.dtype == tf.int32 and y.shape == [SAMPLES]
        assert frames.dtype == tf.float32
        assert frames.shape == [SAMPLES, GIVEN, SIZE, SIZE, 3]


def test_the_same_at_every_call_and_another_with_another_seed():
    first = grid(Trainer()).draw(True)
    again = grid(Trainer())
    again.draw(False)
    np.testing.assert_array_equal(again.draw(True), first)
    assert (grid(Trainer(), seed=1).draw(True) != first).any()


def test_write(tmp_path):
    made = grid(Trainer(), fps=5)
    still, paths = made.write(str(tmp_path / "samples"), 70, ema=False)
    stem = str(tmp_path / "samples" / "step_00000070_live")
    assert paths == [f"{stem}.{e}" for e in ("png", "gif", "mp4")]
    np.testing.assert_array_equal(Image.open(paths[0]), still)
    # Three clips of four rows, six columns, frames of 8 times 8 pixels.
    cell = 8 * SIZE + 2 * MARGIN
    assert still.shape[0] == 3 * 4 * cell + 2 * GAP + 2 * 8
    videos, _ = clips()
    left = still.shape[1] - 8 - 6 * cell
    frame = still[8 + MARGIN :: 8, left + MARGIN :: 8][:SIZE, :SIZE]
    np.testing.assert_array_equal(frame, videos[0, 0])
    frames = list(read_frames(paths[2]))
    assert len(frames) == FRAMES
    height, width = 18 + 3 * cell + 2 * 8, 4 * cell + 2 * 8
    # Names of classes, none of which was given here, would make it wider.
    assert frames[0].shape == (height, width, 3)
    with Image.open(paths[1]) as gif:
        assert gif.n_frames == FRAMES and gif.info["duration"] == 200
        assert gif.size == (width, height)


def test_names_stand_beside_the_clips(tmp_path):
    names = ("run", "walk", "\x1b[31m東京", "jump")
    sizes = []
    for class_names in (None, names):
        made = grid(Trainer(), class_names=class_names)
        still, paths = made.write(str(tmp_path), 0, ema=True)
        with Image.open(paths[1]) as gif:
            sizes.append((still.shape[1], gif.width))
    assert sizes[1][1] > sizes[0][1]
    # Of one class, clips have no names.
    made = grid(Trainer(num_classes=1), class_names=names)
    assert made.write(str(tmp_path), 0, ema=True)[0].shape[1] == sizes[0][0]


def test_labels_of_classes():
    names = ["run", "\x00\n", "東京", "salsa  spins"]
    labels = class_labels(names, [3, 2, 1, 0, 4], 5)
    assert [label.name for label in labels] == [
        *("salsa spins", "class 2", "class 1", "run", "class 4")
    ]
    assert class_labels(None, [0], 5) is None
    assert class_labels(names, [0], 1) is None


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


def test_a_generator_for_synthesis_is_refused():
    with pytest.raises(ValueError) as error:
        PredictionGrid(Trainer(conditioning_frames=0))
    assert "train.sample_grid = @SampleGrid" in one_line(error)


def test_the_grid_of_synthesis_refuses_a_generator_for_prediction():
    with pytest.raises(ValueError) as error:
        SampleGrid(Trainer())
    assert "is 2; set train.sample_grid = @PredictionGrid" in one_line(error)


@pytest.mark.parametrize("changes", [{"num_clips": 0}, {"samples_per_clip": 0}])
def test_nothing_to_show_is_refused(changes):
    with pytest.raises(ValueError) as error:
        PredictionGrid(Trainer(), **changes)
    (name,) = changes
    assert f"{name}=0" in one_line(error)


def test_another_number_of_clips_is_refused():
    made = PredictionGrid(Trainer(), num_clips=CLIPS)
    videos, labels = clips()
    for arguments in ((videos[:2], labels[:2]), (videos, labels[:, None])):
        with pytest.raises(ValueError) as error:
            made.condition_on(*arguments)
        assert "continues 3 clips" in one_line(error)
