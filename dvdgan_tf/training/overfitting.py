"""Is D memorising the training clips?

Training, held-out and generated clips are scored by D_S and D_T as they are.
Held-out clips are real, so a D that has learnt what is real scores them as it
scores training clips. The more it memorises, the closer it scores them to
generated ones.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from dvdgan_tf.training.accumulation import sum_over_parts
from dvdgan_tf.training.feed import Feed
from dvdgan_tf.training.real_clips import class_ids, given_frames, whole
from dvdgan_tf.training.strategies import check_same_on_all_workers
from dvdgan_tf.video.pixels import to_float

KINDS = ("training", "held_out", "generated")

# Number of a step that no training step and no standing statistics have.
_FIXED_STEP = -(2**40)


class Overfitting:
    """Scores clips of three kinds, as many of each, and says what it means.

    Neither variables nor the run's random draws are changed. At every report
    the same clips are scored, of the same frames for D_S, and the same z and y
    are generated from, so that reports differ by the networks alone.

    Args:
        trainer: a `Trainer`.
        training: a function that returns an iterator of distributed training
            batches, as `Trainer.run` takes, the same ones at every call.
        held_out: a function that does the same with held-out clips.
        num_batches: batches of each kind that a report scores.
        num_different: number of different clips among those of training, and
            among the held-out ones.
    """

    def __init__(
        self,
        trainer: Any,
        training: Callable[[], Any],
        held_out: Callable[[], Any],
        num_batches: int,
        num_different: Sequence[int],
    ):
        self._trainer = trainer
        self._training = training
        self._held_out = held_out
        self._num_batches = num_batches
        self._num_different = num_different
        # D's name: reports in a row of one that seems to memorise.
        self._in_a_row = {"spatial": 0, "temporal": 0}

    def report(self) -> tuple[dict[str, float], list[str]]:
        """Scores the clips with the networks as they are.

        A D has begun to memorise when its ratio is above one half, and its
        scores of training and held-out clips differ by more than clips drawn
        by chance do, in two reports in a row.

        Returns:
            {name: float}, the scalars to write, without a ratio that means
            nothing; and a list of lines to print, one for each D that has
            begun to memorise. A D is named again only if it has stopped.
        """
        moments = self._moments(
            self._training(),
            self._held_out(),
            tf.constant(self._num_batches),
        )
        values, lines = {}, []
        for name, of_d in zip(self._in_a_row, moments.numpy().T, strict=True):
            means, squares = of_d.T.tolist()
            scores = dict(zip(KINDS, means, strict=True))
            for kind, score in scores.items():
                values[f"overfitting/{name}_{kind}"] = score
            ratio = overfitting_ratio(**scores)
            if ratio is not None:
                values[f"overfitting/{name}_ratio"] = ratio
            gap = scores["training"] - scores["held_out"]
            memorises = (ratio or 0) > 0.5 and gap > chance(
                means[:2], squares[:2], self._num_different
            )
            self._in_a_row[name] = self._in_a_row[name] + 1 if memorises else 0
            if self._in_a_row[name] == 2:
                lines.append(_warning(name, scores))
        # JSON has no other numbers; training itself reports what is not finite.
        finite = {k: v for k, v in values.items() if math.isfinite(v)}
        return finite, lines

    @tf.function(reduce_retracing=True)
    def _moments(self, training, held_out, num_batches):
        """Means of the scores and of their squares.

        Returns:
            [2, 3, 2], float32: mean and mean square, of the clips of each of
            `KINDS`, by D_S and D_T.
        """
        sums = tf.zeros([2, 3, 2])
        for i in tf.range(num_batches):
            sums += self._trainer.on_replicas(
                self._sums_of_batch, next(training), next(held_out), i
            )
        count = num_batches * self._trainer.batch_size
        return sums / tf.cast(count, tf.float32)

    def _sums_of_batch(self, training, held_out, number):
        """Sums over a replica's share of a batch, [2, 3, 2] as `_moments`."""
        trainer = self._trainer
        generator = trainer.generator
        step = _FIXED_STEP - tf.cast(number, tf.int64)
        z, y, noise, _ = trainer.randomness.draw(step, 0)
        real = [
            (videos, class_ids(generator, labels))
            for videos, labels in (training, held_out)
        ]
        if generator.conditioning_frames:
            y = real[0][1]
        parameters = trainer.discriminator.parameters(training=False)
        (training, labels), (held_out, others) = real
        return sum_over_parts(
            functools.partial(self._sums, parameters),
            dict(
                training=training,
                labels=labels,
                held_out=held_out,
                others=others,
                z=z,
                y=y,
                noise=noise,
            ),
            trainer.accumulation_steps,
            tf.zeros([2, 3, 2]),
        )

    def _sums(
        self, parameters, training, labels, held_out, others, z, y, noise
    ):
        given = given_frames(self._trainer.generator, training)
        generated = self._trainer.generator(z, y, training=False, frames=given)
        clips = (
            (to_float(training), labels),
            (to_float(held_out), others),
            (whole(given, generated), y),
        )
        scores = tf.stack(
            [
                self._trainer.discriminator.scores(videos, y, noise, parameters)
                for videos, y in clips
            ]
        )
        return tf.reduce_sum(tf.stack([scores, scores**2]), -1)


def overfitting_of(
    training: Feed, held_out: Feed, num_clips: int
) -> Overfitting:
    """Makes the `Overfitting` of a run, which always scores the same clips.

    Args:
        training: feed of the training clips.
        held_out: feed of the held-out clips, which are prepared here.
        num_clips: clips scored of each kind, rounded up to whole batches.
    """
    held_out.source.prepare()
    trainer = training.trainer
    check_same_on_all_workers(
        trainer.strategy,
        "number of held-out clips",
        held_out.source.num_examples,
    )
    num_batches = -(-num_clips // trainer.batch_size)
    scored = num_batches * trainer.batch_size
    return Overfitting(
        trainer,
        training.fixed,
        held_out.fixed,
        num_batches,
        [min(scored, f.source.num_examples) for f in (training, held_out)],
    )


def overfitting_ratio(
    training: float, held_out: float, generated: float
) -> float | None:
    """r_v of Karras et al. 2020 (arXiv 2006.06676, eq. 1), of mean scores.

    It is 0 if D scores held-out clips as training clips, and 1 if it scores
    them as generated ones.

    Args:
        training: D's mean score of training clips.
        held_out: D's mean score of held-out clips.
        generated: D's mean score of generated clips.

    Returns:
        (training - held_out) / (training - generated), or None if D does not
        score training clips higher than generated ones.
    """
    if not training > generated:
        return None
    return (training - held_out) / (training - generated)


def chance(
    means: Sequence[float], squares: Sequence[float], counts: Sequence[int]
) -> float:
    """How far two means of scores may be apart by the choice of the clips.

    It is two standard errors of the difference of two independent means.

    Args:
        means: the mean scores of training clips and of held-out clips.
        squares: the mean squares of these scores.
        counts: number of different clips that each mean is taken over.

    Returns:
        2 sqrt(variance_1 / count_1 + variance_2 / count_2).
    """
    variances = (
        max(square - mean**2, 0.0) / count
        for mean, square, count in zip(means, squares, counts, strict=True)
    )
    return 2 * math.sqrt(sum(variances))


def _warning(name, scores):
    return (
        f"D_{name[0].upper()} has begun to memorise the training clips: "
        f"it scores held-out clips ({scores['held_out']:.2f}) closer to "
        f"generated ones ({scores['generated']:.2f}) than to training clips "
        f"({scores['training']:.2f}). Regularise D (docs/small_data.md) or "
        "stop here."
    )
