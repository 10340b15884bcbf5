"""How close predicted frames are to what was real: PSNR, SSIM, best of N."""

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

# What equal frames get, whose PSNR is infinite, and frames that come near. For
# comparison: frames of 64x64 that differ by 1 in one value have 89 dB.
LARGEST_PSNR = 100.0

# SSIM's Gaussian window (Wang et al., 2004), in pixels.
WINDOW = 11
WINDOW_SIGMA = 1.5


def psnr(real: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """Peak signal-to-noise ratio of each frame.

        10 log10(255^2 / MSE),  MSE over height, width and channels,

    and at most `LARGEST_PSNR`. Graph code, by `tf.image.psnr`.

    Args:
        real: [..., H, W, C], uint8 or float in [0, 255].
        predicted: the same shape, in the same range.

    Returns:
        float32 [...], in dB.

    Raises:
        ValueError: the shapes differ.
    """
    value = tf.image.psnr(*_checked(real, predicted), max_val=255.0)
    return tf.minimum(value, LARGEST_PSNR)


def ssim(real: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """Structural similarity of each frame, Wang et al. (2004).

    Over a Gaussian window of 11x11 pixels with sigma 1.5, K1 = 0.01 and
    K2 = 0.03, only where it fits into the frame; mean over positions, then
    over channels. Graph code, by `tf.image.ssim`.

    Args:
        real: [..., H, W, C], uint8 or float in [0, 255]; H and W at least 11.
        predicted: the same shape, in the same range.

    Returns:
        float32 [...], at most 1.

    Raises:
        ValueError: the shapes differ, or the frames are too small.
    """
    real, predicted = _checked(real, predicted)
    if min(real.shape[-3:-1]) < WINDOW:
        raise ValueError(
            f"SSIM needs frames of {WINDOW}x{WINDOW} pixels or more. "
            f"Received: {real.shape[-3]}x{real.shape[-2]}."
        )
    return tf.image.ssim(
        real,
        predicted,
        max_val=255.0,
        filter_size=WINDOW,
        filter_sigma=WINDOW_SIGMA,
        k1=0.01,
        k2=0.03,
    )


def of_samples(scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Scores of each condition: the expected sample's and the best one's.

    The custom of stochastic video prediction (Babaeizadeh et al., 2018, arXiv
    1710.11252): the best is the sample with the largest mean over frames,
    chosen anew by each metric.

    Args:
        scores: [conditions, samples, frames], the larger the better.

    Returns:
        Two float64 [conditions]: mean over samples and frames, and the best
        sample's mean over frames.
    """
    of_clips = np.asarray(scores, np.float64).mean(axis=-1)
    return of_clips.mean(axis=-1), of_clips.max(axis=-1)


def _checked(real, predicted):
    """Both as float32."""
    real, predicted = tf.cast(real, "float32"), tf.cast(predicted, "float32")
    if not real.shape.is_compatible_with(predicted.shape):
        raise ValueError(
            "Real and predicted frames must be of one shape. Received: "
            f"{list(real.shape)} and {list(predicted.shape)}."
        )
    return real, predicted
