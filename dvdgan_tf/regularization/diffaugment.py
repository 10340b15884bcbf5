"""DiffAugment: D sees changed clips only, real and generated alike.

Source: Zhao et al. 2020, arXiv 2006.10738, with T(x) in all terms of L_D and
L_G and the gradient through T. Mirror and zoom, off by default, are as in ADA
(Karras et al. 2020, arXiv 2006.06676). Neither is in DVD-GAN.
"""

from collections.abc import Callable

import gin
import tensorflow as tf

from dvdgan_tf.regularization.regularizer import Regularizer

# Columns of the noise, fixed whatever is switched on: for each operation a
# gate, then its parameters.
BRIGHTNESS, SATURATION, CONTRAST, MIRROR, SCALE = 0, 2, 4, 6, 8
TRANSLATION, CUTOUT = 10, 13


@gin.register
class DiffAugment:
    """Changes clips at random: colour, then place, then a hole.

    Each clip draws once for all its frames, so motion stays as it is. An
    operation whose argument is 0 or False leaves clips exactly as they are.
    The result is differentiable in the clips any number of times, and its
    pixels may leave [-1, 1], as in the paper's code.

    Mirror, zoom and translation resample the clip once, in this order, so
    what the zoom moves over the border may be moved back. Pixels from beyond
    the border are 0, which is mid-grey.

    Args:
        brightness: b >= 0, added to all pixels: U(-b, b), on [-1, 1].
        saturation: s from 0 to 1; the distance of each pixel from its grey
            value, the mean of its channels, is multiplied by U(1 - s, 1 + s).
        contrast: c from 0 to 1; the distance of each pixel from the clip's
            mean over frames, pixels and channels (the paper has images: each
            from its own mean) is multiplied by U(1 - c, 1 + c).
        translation: largest move as a share of the height (down or up) and of
            the width (left or right), from 0 to 1. Moves are whole pixels, all
            equally likely.
        cutout: height and width of the rectangle that is set to 0, as shares of
            the clip's, from 0 to 1. Its centre is uniform over the clip, so
            part of it may lie outside.
        mirror: whether left and right are swapped, with probability 1/2.
        scale: s >= 0; the clip is zoomed about its centre by a factor drawn
            log-uniformly from 1 / (1 + s) to 1 + s, with bilinear
            interpolation.
        adaptive: class or factory of an `AdaptiveStrength`, which is kept for
            the trainer; None if each operation is applied to each clip.

    Call arguments:
        videos: float32 [B, T, H, W, 3] in [-1, 1], with static T, H and W.
        noise: uniform in [0, 1), float32 [B, num_draws].
        probability: float32 scalar, with which each operation is applied to
            each clip, independently; None for always.

    Returns:
        [B, T, H, W, 3], float32.

    Raises:
        ValueError: an argument is outside its range.
    """

    num_draws = 16

    def __init__(
        self,
        brightness: float = 0.5,
        saturation: float = 1.0,
        contrast: float = 0.5,
        translation: float = 0.125,
        cutout: float = 0.5,
        mirror: bool = False,
        scale: float = 0.0,
        adaptive: Callable[[], Regularizer] | None = None,
    ):
        self.brightness = brightness
        self.saturation = saturation
        self.contrast = contrast
        self.translation = translation
        self.cutout = cutout
        self.mirror = mirror
        self.scale = scale
        self.adaptive = adaptive
        for name in ("saturation", "contrast", "translation", "cutout"):
            _check_range(name, getattr(self, name), 1.0)
        for name in ("brightness", "scale"):
            _check_range(name, getattr(self, name), float("inf"))

    def __call__(
        self,
        videos: tf.Tensor,
        noise: tf.Tensor,
        probability: tf.Tensor | None = None,
    ) -> tf.Tensor:
        draws = _Draws(noise, probability, self.num_draws)
        videos = self._coloured(videos, draws)
        videos = self._moved(videos, draws)
        return self._cut_out(videos, draws)

    def _coloured(self, videos, draws):
        """Brightness, saturation and contrast, in one pass.

        With g the grey value of x, and m the mean of the clip, which
        saturation does not change,

            c [s (x + b - (g + b)) + g + b - (m + b)] + m + b
              = c s x + c (1 - s) g + (1 - c) m + b.
        """
        if not (self.brightness or self.saturation or self.contrast):
            return videos
        factor, rest = 1.0, 0.0
        if self.brightness:
            shift = self.brightness * _signed(draws(BRIGHTNESS))
            rest += draws.where_applied(BRIGHTNESS, shift, 0.0)
        if self.contrast:
            factor = 1.0 + self.contrast * _signed(draws(CONTRAST))
            factor = draws.where_applied(CONTRAST, factor, 1.0)
            mean = tf.reduce_mean(videos, [1, 2, 3, 4], keepdims=True)
            rest += (1.0 - factor) * mean
        if self.saturation:
            saturation = 1.0 + self.saturation * _signed(draws(SATURATION))
            saturation = draws.where_applied(SATURATION, saturation, 1.0)
            grey = tf.reduce_mean(videos, -1, keepdims=True)
            rest += factor * (1.0 - saturation) * grey
            factor *= saturation
        return factor * videos + rest

    def _moved(self, videos, draws):
        """Mirror, zoom and translation: each pixel from where it was."""
        height, width = videos.shape[2:4]
        rows = tf.reshape(tf.range(height, dtype=tf.float32), [-1, 1, 1])
        columns = tf.reshape(tf.range(width, dtype=tf.float32), [-1, 1])
        # Backwards: from a pixel of the result to one of the clip.
        if self.translation:
            down = _whole_pixels(draws(TRANSLATION), height, self.translation)
            right = draws(TRANSLATION, 1)
            right = _whole_pixels(right, width, self.translation)
            rows -= draws.where_applied(TRANSLATION, down, 0.0)
            columns -= draws.where_applied(TRANSLATION, right, 0.0)
        if self.scale:
            zoom = tf.pow(1.0 + self.scale, _signed(draws(SCALE)))
            zoom = draws.where_applied(SCALE, zoom, 1.0)
            rows = _about_centre(rows, zoom, height)
            columns = _about_centre(columns, zoom, width)
        if self.mirror:
            swap = tf.cast(draws(MIRROR) < 0.5, tf.float32)
            swap = draws.where_applied(MIRROR, swap, 0.0)
            columns += swap * (width - 1.0 - 2.0 * columns)
        read = _interpolated if self.scale else _whole
        if self.translation or self.scale:
            videos = read(videos, rows, axis=2)
        if self.translation or self.scale or self.mirror:
            videos = read(videos, columns, axis=3)
        return videos

    def _cut_out(self, videos, draws):
        if not self.cutout:
            return videos
        height, width = videos.shape[2:4]
        rows = _inside(draws(CUTOUT), height, self.cutout)
        columns = _inside(draws(CUTOUT, 1), width, self.cutout)
        hole = rows[:, :, None] * columns[:, None, :]
        kept = 1.0 - hole[:, None, :, :, None]
        return videos * draws.where_applied(CUTOUT, kept, 1.0)


class _Draws:
    """Parameters and gates of all clips, [B, 1, 1, 1, 1] each."""

    def __init__(self, noise, probability, num_draws):
        noise = tf.reshape(noise, [-1, num_draws, 1, 1, 1, 1])
        self.columns = tf.unstack(noise, axis=1)
        self.probability = probability

    def __call__(self, operation, number=0):
        """A parameter in [0, 1)."""
        return self.columns[operation + 1 + number]

    def where_applied(self, operation, value, neutral):
        """`value` for clips whose gate is open, else `neutral`."""
        if self.probability is None:
            return value
        applied = self.columns[operation] < self.probability
        return tf.where(applied, value, neutral)


def _signed(uniform):
    return 2.0 * uniform - 1.0


def _whole_pixels(uniform, size, share):
    """A move by -n to n whole pixels, n the share of a side, rounded."""
    n = int(share * size + 0.5)
    return _integer(uniform, 2 * n + 1) - n


def _integer(uniform, count):
    """One of 0 to count - 1, all equally likely; float32."""
    # The largest float32 below 1 times a count is never rounded up to it.
    return tf.floor(uniform * count)


def _about_centre(positions, zoom, size):
    centre = (size - 1) / 2
    return (positions - centre) / zoom + centre


def _whole(videos, positions, axis):
    """Reads pixels at whole positions along an axis; 0 beyond the border.

    Args:
        videos: [B, T, H, W, C].
        positions: [B, 1, H, 1, 1] for axis 2, [B, 1, 1, W, 1] for 3; float32.
        axis: 2 for rows, 3 for columns.
    """
    last = videos.shape[axis] - 1
    inside = (positions >= 0.0) & (positions <= last)
    index = tf.cast(tf.clip_by_value(positions, 0.0, last), tf.int32)
    index = tf.reshape(index, [-1, last + 1])
    pixels = tf.gather(videos, index, axis=axis, batch_dims=1)
    return pixels * tf.cast(inside, videos.dtype)


def _interpolated(videos, positions, axis):
    """`_whole` at any positions, linear between neighbours."""
    before = tf.floor(positions)
    fraction = positions - before
    return (1.0 - fraction) * _whole(videos, before, axis) + (
        fraction * _whole(videos, before + 1.0, axis)
    )


def _inside(uniform, size, share):
    """1 where a side of the hole covers the clip's, else 0: [B, size].

    As in the paper's code: a hole of even length has one place more for its
    centre, which lies between pixels.
    """
    length = int(share * size + 0.5)
    centre = _integer(uniform, size + 1 - length % 2)
    start = tf.reshape(centre, [-1, 1]) - length // 2
    positions = tf.range(size, dtype=tf.float32)
    inside = (positions >= start) & (positions < start + length)
    return tf.cast(inside, tf.float32)


def _check_range(name, value, largest):
    if not 0.0 <= value <= largest:
        bound = "" if largest == float("inf") else f" and at most {largest:g}"
        raise ValueError(
            f"DiffAugment.{name} must be at least 0{bound}; 0 switches it "
            f"off. Received: {name}={value}"
        )
