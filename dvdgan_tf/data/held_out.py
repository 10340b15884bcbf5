"""Clips that training leaves out, so that overfitting can be seen.

Whole files are held out, never windows: two windows of one video look alike,
and a discriminator that knows one of them knows the other.
"""

import functools
import hashlib

import gin
import numpy as np
import tensorflow as tf


@gin.register
def hold_out(source, clips=None, seed=0):
    """Divides a source into clips for training and clips held out.

    Args:
        source: any source of clips (see `data.pipeline`) that is not prepared
            yet.
        clips: None holds nothing out. A string names another split of the
            dataset, or several with "+", and training keeps all of `source`.
            A fraction between 0 and 1 moves that share of the files of each
            class, see `draw`, from training to the held-out clips.
        seed: an integer that the draw of a fraction depends on. It is not
            `Trainer.seed`, which may change when a run is resumed: clips that
            D has trained on must never become held-out ones.

    Returns:
        The sources of training and of the held-out clips, neither prepared;
        the latter is None if nothing is held out.

    Raises:
        ValueError: `clips` is something else, or names a split that does not
            exist or shares clips with `source`.
    """
    if clips is None:
        return source, None
    if isinstance(clips, str):
        return source, source.other_split(clips)
    if not isinstance(clips, float) or not 0 < clips < 1:
        raise ValueError(
            "HELD_OUT must be None, the name of a split, or a fraction above "
            f"0 and below 1. Received: {clips!r}."
        )
    division = _Division(source, clips, seed)
    return Side(division, held_out=False), Side(division, held_out=True)


@gin.register
def held_out_source(dataset, hold_out):
    """Makes the source of a run's held-out clips, for `Evaluator.dataset`.

    Args:
        dataset: factory of the run's clips, as `train.dataset`.
        hold_out: function that divides them, as `train.hold_out`.

    Returns:
        A source, not yet prepared.

    Raises:
        ValueError: the run holds nothing out.
    """
    _, held_out = hold_out(dataset())
    if held_out is None:
        raise ValueError(
            "held_out_source has no clips, because nothing is held out; set "
            "HELD_OUT, such as --gin_param=\"HELD_OUT='test'\"."
        )
    return held_out


class Side:
    """One of the two sides of a divided source, itself a source.

    Args:
        division: a `_Division`, shared by both sides.
        held_out: whether this is the side of the held-out clips.
    """

    def __init__(self, division, held_out):
        self._division = division
        self._source = division.source
        self._held_out = held_out
        self.num_frames = self._source.num_frames
        self.resolution = self._source.resolution
        self.class_names = self._source.class_names
        self.skips_damaged = getattr(self._source, "skips_damaged", False)

    def replaced(self) -> tuple[int, list[str]]:
        """Reports as `data.pipeline` says; one side does it for both."""
        return (0, []) if self._held_out else self._source.replaced()

    def prepare(self):
        """Prepares the divided source and takes this side's clips.

        Raises:
            ValueError: no class has two files, one for each side; or as the
                divided source.
        """
        mask = self._division.held_out
        self._indices = np.flatnonzero(mask == self._held_out)
        self.num_examples = len(self._indices)
        self.label_counts = np.bincount(
            self._source.labels[self._indices], minlength=len(self.class_names)
        )

    def describe(self):
        """All that its clips depend on, but for the seed; a JSON-able dict."""
        return self._source.describe() | {
            "records": self.num_examples,
            "side": "held out" if self._held_out else "training",
            "held_out": self._division.fraction,
            "held_out_seed": self._division.seed,
        }

    def load(self, index, seed):
        """Loads one clip as the divided source does.

        Args:
            index: int64 scalar, in [0, num_examples).
            seed: int32 [2].
        """
        return self._source.load(tf.gather(self._indices, index), seed)


class _Division:
    """A source and which of its clips are held out, drawn when first needed.

    Args:
        source: has `labels` and `files()`, see `data.pipeline`.
        fraction: the share of files to hold out, as `draw` takes it.
        seed: the seed of the draw, as `draw` takes it.
    """

    def __init__(self, source, fraction, seed):
        self.source = source
        self.fraction = fraction
        self.seed = seed

    @functools.cached_property
    def held_out(self):
        """Whether each clip of the source is held out, bool [N]."""
        self.source.prepare()
        return draw(
            self.source.files(), self.source.labels, self.fraction, self.seed
        )


def draw(files, labels, fraction, seed):
    """Draws which clips are held out: whole files, in each class apart.

    Of the n files of a class, n times `fraction` are drawn, rounded to the
    nearest number from 1 to n - 1: a class with at least two files is on both
    sides. The only file of a class is kept for training.

    Args:
        files: integer [N], the file that each clip comes from.
        labels: integer [N], the class of each clip.
        fraction: the share of the files to hold out, between 0 and 1.
        seed: any integer.

    Returns:
        bool [N], True for the clips held out.

    Raises:
        ValueError: no class has two files.
    """
    numbers, first = np.unique(files, return_index=True)
    classes = np.asarray(labels)[first]
    drawn = []
    for label in np.unique(classes):
        # Hashes, since NumPy's draws may change from version to version.
        members = sorted(
            numbers[classes == label], key=lambda number: _hash(seed, number)
        )
        count = max(int(fraction * len(members) + 0.5), 1)
        drawn += members[: min(count, len(members) - 1)]
    if not drawn:
        raise ValueError(
            f"HELD_OUT = {fraction} needs a class with at least two files, "
            f"one for each side; there are {len(numbers)} files of "
            f"{len(np.unique(classes))} classes."
        )
    return np.isin(files, drawn)


def _hash(seed, number):
    return hashlib.sha256(f"{seed}/{number}".encode()).digest()
