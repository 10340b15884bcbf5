"""Class accuracy: the share of samples that show the class asked for."""

from collections.abc import Callable
from typing import Any

import gin
import numpy as np
import tensorflow as tf

from dvdgan_tf.evaluation.clip_classifier import ClipClassifier
from dvdgan_tf.frame_size import sides
from dvdgan_tf.generation import latents
from dvdgan_tf.plain_text import shown
from dvdgan_tf.video.pixels import to_uint8

# Seed of the held-out clips, whatever the classifier's seed is.
_HELD_OUT_SEED = 2**31
# Samples at a time.
_AT_ONCE = 50
# Classes that the report names.
_NAMED = 3


@gin.register
class ClassAccuracy:
    """Labels samples with a classifier that is trained on real clips.

    An answer says something only if the classifier is right on real clips
    that it has not seen: it reports nothing below a bound. It does not see
    variety: one good clip per class, again and again, has an accuracy of 1.

    Args:
        trainer: a `Trainer`; its averaged generator samples, with the batch
            norm statistics that it has.
        batches: `dvdgan_tf.data.pipeline.batches`.
        dataset: factory of the clips that the classifier learns from (see
            `data.pipeline`), of the classes of the training data.
        held_out: factory of the clips that it is tested on.
        num_samples: samples, spread evenly over the classes.
        num_held_out: clips that the classifier is tested on.
        classifier_steps: updates of the classifier.
        classifier_batch_size: clips in each.
        least: share of the held-out clips that must be labelled right.
        seed: int, of z, and of the classifier and its batches.

    Raises:
        ValueError: the generator has one class, or continues frames, whose
            class would be known.
    """

    def __init__(
        self,
        trainer: Any,
        batches: Callable[..., Any],
        dataset: Callable[[], Any] = gin.REQUIRED,
        held_out: Callable[[], Any] = gin.REQUIRED,
        num_samples: int = 500,
        num_held_out: int = 1000,
        classifier_steps: int = 600,
        classifier_batch_size: int = 16,
        least: float = 0.9,
        seed: int = 0,
    ) -> None:
        generator = trainer.generator
        if generator.num_classes == 1 or generator.conditioning_frames:
            raise ValueError(
                "ClassAccuracy is for generators of several classes that "
                "continue no frames. Received: num_classes="
                f"{generator.num_classes}, CONDITIONING_FRAMES="
                f"{generator.conditioning_frames}; set train.final_report = "
                "None."
            )
        self.source, self.held_out = dataset(), held_out()
        _check_class_names(self.source, self.held_out)
        self._trainer = trainer
        self._batches = batches
        self._num_samples = num_samples
        self._num_held_out = num_held_out
        self._steps = classifier_steps
        self._batch_size = classifier_batch_size
        self._least = least
        self._seed = seed

    def __call__(self) -> tuple[str, dict[str, float]]:
        """Trains the classifier and measures.

        Returns:
            Sentences that say the result, and {name: value}: "class_accuracy"
            of the samples, "class_accuracy/held_out" of real clips. Where the
            classifier is too weak, the sentences say so and the former is
            missing.
        """
        classify = self.train_classifier()
        real = self.accuracy_on_held_out(classify)
        values = {"class_accuracy/held_out": real}
        if real < self._least:
            return (
                "Class accuracy: not measured, since the classifier labels "
                f"{real:.1%} of the held-out real clips right, and "
                f"ClassAccuracy.least is {self._least:.1%}; "
                "ClassAccuracy.classifier_steps trains it for longer."
            ), values
        labels, found = self.label_samples(classify)
        right = labels == found
        values["class_accuracy"] = float(np.mean(right))
        return (
            f"Class accuracy: {np.mean(right):.1%} of {len(right)} samples "
            f"(held-out real clips: {real:.1%}). "
            f"{self._lowest(labels, right)}"
        ), values

    def train_classifier(self) -> Callable[..., np.ndarray]:
        """Returns a function: uint8 [b, T, H, W, 3] -> classes [b]."""
        self.source.prepare()
        size = sides(self.source.resolution)
        classifier = ClipClassifier(
            len(self.source.class_names),
            (self.source.num_frames, *size, 3),
            seed=self._seed,
        )
        batches = self._batches(self.source, self._batch_size, self._seed)
        classifier.train(batches, self._steps)
        return classifier.classes

    def accuracy_on_held_out(
        self, classify: Callable[..., np.ndarray]
    ) -> float:
        """The share of held-out clips that are labelled right."""
        self.held_out.prepare()
        batches = self._batches(self.held_out, _AT_ONCE, _HELD_OUT_SEED)
        right = [
            classify(videos) == labels
            for videos, labels in batches.take(
                -(-self._num_held_out // _AT_ONCE)
            )
        ]
        return float(np.mean(np.concatenate(right)[: self._num_held_out]))

    def label_samples(
        self, classify: Callable[..., np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the classes asked for and those found, [num_samples]."""
        # Whole batches: a smaller one at the end would be traced again.
        count = -(-self._num_samples // _AT_ONCE) * _AT_ONCE
        shape = (count, self._trainer.generator.z_dim)
        z = latents.together(self._seed, shape, np.float32)
        labels = np.arange(count) % len(self.source.class_names)
        found = []
        for first in range(0, count, _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            videos = self._trainer.sample(
                tf.constant(z[part]), tf.constant(labels[part], tf.int32)
            )
            found.append(classify(to_uint8(videos)))
        count = self._num_samples
        return labels[:count], np.concatenate(found)[:count]

    def _lowest(self, labels, right):
        """A sentence on the classes that are right least often."""
        names = self.source.class_names
        shares = {
            names[label]: np.mean(right[labels == label])
            for label in np.unique(labels)
        }
        lowest = sorted(shares, key=shares.get)[:_NAMED]
        listed = ", ".join(
            f"{shown(name)} {shares[name]:.0%}" for name in lowest
        )
        return f"Least often right: {listed}."


def _check_class_names(source, held_out):
    if list(source.class_names) != list(held_out.class_names):
        raise ValueError(
            "ClassAccuracy.dataset and ClassAccuracy.held_out must have the "
            f"same classes. Received: {len(source.class_names)} and "
            f"{len(held_out.class_names)}, or another order."
        )
