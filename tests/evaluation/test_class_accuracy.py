"""Class accuracy, of generators whose classes are known beforehand."""

import types

import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.data import pipeline
from dvdgan_tf.evaluation.class_accuracy import ClassAccuracy


class Stripes:
    """Clips of noise with a bright bar: upright, level, or one that grows.

    The first frame of the third class is like that of the first, so that its
    frames one by one do not tell all of it; which half of a bar's length is
    shown, where, and the noise are drawn.
    """

    num_examples = 60
    num_frames = 4
    resolution = 32
    class_names = ("upright", "level", "growing")
    label_counts = np.array([20, 20, 20])

    def prepare(self):
        pass

    def load(self, index, seed):
        label = tf.cast(index % 3, tf.int32)
        noise = tf.random.stateless_uniform([4, 32, 32], seed, 0, 90, tf.int32)
        place = tf.random.stateless_uniform([2], seed, 0, 20, tf.int32)
        rows = tf.range(32)[:, None] - place[0]
        columns = tf.range(32)[None] - place[1]
        widths = tf.where(label == 2, tf.range(3, 19, 4), 3)[:, None, None]
        heights = tf.where(label == 1, 3, 12)
        lengths = tf.where(label == 1, 12, widths)
        bar = (rows >= 0) & (rows < heights) & (columns >= 0)
        bar &= columns < lengths
        video = noise + 150 * tf.cast(bar, tf.int32)
        video = tf.repeat(video[..., None], 3, -1)
        return tf.cast(video, tf.uint8), label


class Trainer:
    """Its samples are real clips, of the class asked for plus `shift`."""

    generator = types.SimpleNamespace(
        num_classes=3, conditioning_frames=0, z_dim=5
    )

    def __init__(self, shift=0):
        self.shift = shift
        self.asked = []

    def sample(self, z, y):
        assert z.shape == (len(y), 5) and z.dtype == tf.float32
        self.asked.append((z.numpy(), y.numpy()))
        # No clip that the classifier has seen.
        numbers = 3 * np.arange(len(y)) + (y.numpy() + self.shift) % 3
        videos = [Stripes().load(n, [7, n])[0] for n in numbers]
        return tf.cast(tf.stack(videos), tf.float32) / 127.5 - 1.0


def measure(trainer, **changes):
    arguments = dict(num_samples=130, num_held_out=60, classifier_steps=60)
    return ClassAccuracy(
        trainer,
        pipeline.batches,
        **{
            **dict(dataset=Stripes, held_out=Stripes),
            **arguments,
            **changes,
        },
    )


def test_real_clips_of_the_class_asked_for_and_of_another():
    right, wrong = Trainer(), Trainer(shift=1)
    text, values = measure(right)()
    assert values["class_accuracy/held_out"] > 0.95
    assert values["class_accuracy"] > 0.95
    assert f"{values['class_accuracy']:.1%} of 130 samples" in text
    assert "held-out real clips" in text and "Least often right" in text

    # The same clips, labels permuted; and the same classifier again.
    again, others = measure(wrong)()
    assert (
        others["class_accuracy/held_out"] == (values["class_accuracy/held_out"])
    )
    assert others["class_accuracy"] < 0.05
    assert "Class accuracy: " in again


def test_samples_are_spread_over_classes_and_their_z_is_normal():
    trainer = Trainer()
    asked, found = measure(trainer).label_samples(
        lambda videos: np.zeros(len(videos), int)
    )
    assert found.shape == (130,) and not found.any()
    np.testing.assert_array_equal(asked, np.arange(130) % 3)
    z = np.concatenate([z for z, _ in trainer.asked])
    np.testing.assert_array_equal(
        np.concatenate([y for _, y in trainer.asked])[:130], asked
    )
    assert len(np.unique(z)) == z.size
    assert abs(z.mean()) < 0.15 and abs(z.std() - 1) < 0.1


def test_one_class_of_three_and_its_name():
    measured = measure(Trainer())
    measured.train_classifier = lambda: lambda videos: np.ones(len(videos), int)
    measured.accuracy_on_held_out = lambda classify: 0.97
    text, values = measured()
    # 43 of the 130 are asked to be of class 1.
    assert values["class_accuracy"] == 43 / 130
    assert text == (
        "Class accuracy: 33.1% of 130 samples (held-out real clips: 97.0%). "
        "Least often right: upright 0%, growing 0%, level 100%."
    )


def test_a_weak_classifier_reports_nothing():
    trainer = Trainer()
    text, values = measure(trainer, classifier_steps=1)()
    assert "Class accuracy: not measured" in text
    assert "ClassAccuracy.least is 90.0%" in text
    assert list(values) == ["class_accuracy/held_out"] and not trainer.asked


@pytest.mark.parametrize(
    "change", [{"num_classes": 1}, {"conditioning_frames": 2}]
)
def test_generators_whose_classes_mean_nothing_are_refused(change):
    trainer = Trainer()
    facts = {**vars(Trainer.generator), **change}
    trainer.generator = types.SimpleNamespace(**facts)
    with pytest.raises(ValueError, match="continue no frames"):
        measure(trainer)


def test_other_classes_are_refused():
    class Others(Stripes):
        class_names = ("level", "upright", "growing")

    with pytest.raises(ValueError, match="same classes"):
        measure(Trainer(), held_out=Others)
