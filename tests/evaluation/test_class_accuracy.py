"""Class accuracy of generators whose samples are known: real clips."""

import functools
import types

import numpy as np
import pytest

from dvdgan_tf.data import pipeline
from dvdgan_tf.data.digits import MovingDigits
from dvdgan_tf.evaluation.class_accuracy import ClassAccuracy

pytest.importorskip("sklearn")

DIGITS = functools.partial(
    MovingDigits, resolution=32, num_frames=2, digit_size=24
)


class RealClips:
    """Stands for a trainer: its samples are real clips of shifted classes."""

    def __init__(self, shift, num_classes=10, conditioning_frames=0):
        self.generator = types.SimpleNamespace(
            num_classes=num_classes,
            conditioning_frames=conditioning_frames,
            z_dim=3,
        )
        self.shift = shift
        source = DIGITS(split="test")
        videos, labels = next(iter(pipeline.batches(source, 297, seed=5)))
        self.videos = videos.numpy() / np.float32(127.5) - 1
        self.labels = labels.numpy()

    def sample(self, z, y):
        assert z.shape == (len(y), 3)
        clips = []
        for i, label in enumerate((y.numpy() + self.shift) % 10):
            there = np.flatnonzero(self.labels == label)
            clips.append(self.videos[there[i % len(there)]])
        return np.stack(clips)


def measure(trainer, **arguments):
    return ClassAccuracy(
        trainer,
        pipeline.batches,
        dataset=functools.partial(DIGITS, split="train"),
        held_out=functools.partial(DIGITS, split="test"),
        num_samples=200,
        num_held_out=300,
        **arguments,
    )


def test_real_clips_are_right_and_those_of_other_classes_wrong():
    right = measure(RealClips(0), classifier_steps=120, least=0.8)
    text, values = right()
    held_out, accuracy = (
        values[name] for name in ("class_accuracy/held_out", "class_accuracy")
    )
    assert held_out >= 0.9 and abs(accuracy - held_out) < 0.08
    assert f"Class accuracy: {accuracy:.1%} of 200 samples" in text
    classify = right.train_classifier()
    labels, found = measure(RealClips(1)).label_samples(classify)
    assert np.mean(labels == found) < 0.15
    assert np.mean((labels + 1) % 10 == found) > 0.85


def test_a_weak_classifier_reports_nothing():
    text, values = measure(RealClips(0), classifier_steps=1)()
    assert "not measured" in text and "class_accuracy" not in values
    assert values["class_accuracy/held_out"] < 0.5


@pytest.mark.parametrize(
    "changes", [{"num_classes": 1}, {"conditioning_frames": 2}], ids=str
)
def test_generators_without_a_question_are_refused(changes):
    with pytest.raises(ValueError, match="several classes") as error:
        measure(RealClips(0, **changes))
    assert "\n" not in str(error.value)
