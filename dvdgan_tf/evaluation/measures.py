"""What a protocol can report: metrics of real and generated activations.

Each takes (real, fake), two `Activations`, and returns {name: `Measured`}.
"""

from typing import NamedTuple

import gin
import numpy as np

from dvdgan_tf.metrics import (
    frame_similarity,
    frechet,
    inception_score,
    kernel_distance,
)
from dvdgan_tf.metrics import precision_recall as precision_and_recall


class Measured(NamedTuple):
    """A number and what is known of its error.

    Attributes:
        value: float.
        standard_error: error of the estimate, by resampling clips; None if
            unknown.
        by_class: {label: value}, or None.
        by_frame: value of each predicted frame, or None.
    """

    value: float
    standard_error: float | None = None
    by_class: dict | None = None
    by_frame: list | None = None


def _reports(*names):
    """Says what a measure reports, so that it is known before measuring."""

    def mark(function):
        function.names = names
        return function

    return mark


@gin.register
@_reports("frechet_distance")
def frechet_distance(real, fake, output="logits", ddof=1):
    """FVD of I3D's logits, FID of its pooled features, of all clips.

    Args:
        real: `Activations`.
        fake: `Activations`.
        output: name of the network's output.
        ddof: covariances are divided by N - ddof.
    """
    value = frechet.frechet_distance(
        real.statistics[output], fake.statistics[output], ddof
    )
    return {"frechet_distance": Measured(value)}


@gin.register
@_reports("extrapolated_frechet_distance")
def extrapolated_frechet_distance(
    real, fake, output="logits", ddof=1, num_points=3
):
    """What the Frechet distance tends to with ever more generated clips.

    Args:
        real: `Activations`.
        fake: `Activations`; the features kept of it are used.
        output: name of the network's output.
        ddof: covariances are divided by N - ddof.
        num_points: numbers of clips on the line.
    """
    estimate = frechet.extrapolated_frechet_distance(
        fake.features[output],
        real.statistics[output],
        num_points=num_points,
        ddof=ddof,
    )
    return {"extrapolated_frechet_distance": Measured(*estimate)}


@gin.register
@_reports("frechet_distance_by_class")
def frechet_distance_by_class(real, fake, output="logits", ddof=1):
    """The mean over classes of the Frechet distance within each.

    Of the features kept, and of classes with two clips or more on both
    sides. Few clips a class: mostly bias, good for ranking classes only.

    Args:
        real: `Activations`.
        fake: `Activations`.
        output: name of the network's output.
        ddof: covariances are divided by N - ddof.
    """
    table = {}
    for label in np.intersect1d(real.labels, fake.labels):
        sets = [
            a.features[output][a.labels == label].astype(np.float64)
            for a in (real, fake)
        ]
        if min(map(len, sets)) > 1:
            table[int(label)] = frechet.frechet_distance_of_features(
                *sets, ddof
            )
    if not table:
        raise ValueError(
            "frechet_distance_by_class needs a class with two real and two "
            "generated clips; there is none."
        )
    mean = float(np.mean(list(table.values())))
    return {"frechet_distance_by_class": Measured(mean, None, table)}


@gin.register
@_reports("kernel_distance")
def kernel_distance_of_features(real, fake, output="logits", num_blocks=10):
    """KID's estimator on the features kept; unbiased at any count.

    Args:
        real: `Activations`.
        fake: `Activations`.
        output: name of the network's output.
        num_blocks: number of blocks that mean and standard error are taken
            over.
    """
    estimate = kernel_distance.kernel_distance(
        real.features[output], fake.features[output], num_blocks
    )
    return {"kernel_distance": Measured(*estimate)}


@gin.register
@_reports("inception_score")
def inception_score_of_logits(real, fake, num_splits=10):
    """IS of the classifier's logits, on the features kept of the fake.

    Args:
        real: unused; all measures are called alike.
        fake: `Activations`.
        num_splits: parts of which mean and standard error are taken.
    """
    del real
    score = inception_score.inception_score(fake.features["logits"], num_splits)
    error = score.std / np.sqrt(num_splits - 1) if num_splits > 1 else None
    return {"inception_score": Measured(score.mean, error)}


@gin.register
@_reports("precision", "recall")
def precision_recall(real, fake, output="logits", num_neighbors=3):
    """Improved precision and recall of the features kept, in equal numbers.

    Args:
        real: `Activations`.
        fake: `Activations`.
        output: name of the network's output.
        num_neighbors: k.
    """
    count = min(len(real.labels), len(fake.labels))
    result = precision_and_recall.precision_recall(
        real.features[output][:count],
        fake.features[output][:count],
        num_neighbors,
    )
    return {
        "precision": Measured(result.precision),
        "recall": Measured(result.recall),
    }


@gin.register
@_reports("psnr", "best_psnr", "ssim", "best_ssim")
def similarity_of_frames(real, fake):
    """PSNR and SSIM of predicted frames, and of the best sample of N.

    Of the clips whose features are kept. Each is the mean over frames, then
    over the clips that were continued, `best_` that of the best of each
    clip's N = `Protocol.samples_per_condition` samples, chosen by itself.

    Args:
        real: unused; all measures are called alike.
        fake: `Activations` of continued clips.
    """
    del real
    samples = fake.samples_per_condition
    whole = len(fake.labels) // samples * samples
    if "psnr" not in fake.outputs or not whole:
        raise ValueError(
            "similarity_of_frames is of samples that continue clips of the "
            "dataset, with Protocol.keep_features of all of one clip's samples "
            "or more."
        )
    found = {}
    for name in ("psnr", "ssim"):
        scores = fake.features[name][:whole].astype(np.float64)
        mean, best = frame_similarity.of_samples(
            scores.reshape(-1, samples, scores.shape[-1])
        )
        by_frame = scores.mean(axis=0).tolist()
        found[name] = _mean_over_clips(mean)._replace(by_frame=by_frame)
        found[f"best_{name}"] = _mean_over_clips(best)
    return found


def _mean_over_clips(values):
    error = None
    if len(values) > 1:
        error = float(values.std(ddof=1) / np.sqrt(len(values)))
    return Measured(float(values.mean()), error)
