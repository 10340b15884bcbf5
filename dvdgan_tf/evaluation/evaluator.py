"""Measures checkpoints, or clips of others, by a protocol."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gin
import numpy as np
import tensorflow as tf
from absl import logging

from dvdgan_tf.evaluation import references
from dvdgan_tf.evaluation.activations import Activations, make_step, measure
from dvdgan_tf.evaluation.folder import FolderClips
from dvdgan_tf.evaluation.measured_clips import (
    SIMILARITY,
    CopiedFrames,
    GeneratedClips,
    PredictedClips,
    RealClips,
)
from dvdgan_tf.evaluation.protocol import Protocol
from dvdgan_tf.evaluation.protocol_checks import (
    check_batches,
    check_frames,
    check_generator,
)
from dvdgan_tf.evaluation.rows import make_rows
from dvdgan_tf.frame_size import sides, text
from dvdgan_tf.generation.averaged_weights import CheckpointedGenerator


@gin.configurable
class Evaluator:
    """Measures clips against those of a dataset.

    Args:
        strategy: a `tf.distribute.Strategy` of one process.
        example: `data.pipeline.example`.
        dataset: factory of the real clips (see `data.pipeline`).
        generator: class or factory of G, called with (num_classes, name).
        protocol: factory of the `Protocol`.
        num_classes: number of classes of G; the dataset's own by default.
        class_conditional: False for a G of one class, as in training.
        cache_dir: folder of reference statistics.

    Raises:
        ValueError: the protocol does not fit the strategy, the network or
            the clips.
        OSError: data or network cannot be read.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        example: Callable[..., Any],
        dataset: Callable[[], Any] = gin.REQUIRED,
        generator: Callable[..., Any] = gin.REQUIRED,
        protocol: Callable[[], Protocol] = gin.REQUIRED,
        num_classes: int | None = None,
        class_conditional: bool = True,
        cache_dir: str = gin.REQUIRED,
    ) -> None:
        self.strategy = strategy
        self.protocol = protocol()
        self._make_generator = generator
        self._num_classes = num_classes
        self._class_conditional = class_conditional
        self._cache_dir = os.path.expanduser(cache_dir)
        check_batches(self.protocol, strategy.num_replicas_in_sync)
        self.source = dataset()
        check_frames(
            self.protocol,
            self.num_frames,
            self.source.num_frames,
            "NUM_FRAMES",
        )
        with strategy.scope():
            self.network = self.protocol.network()
        self._check_network()
        self.source.prepare()
        self._real = RealClips(
            self.source,
            example,
            self.protocol.num_real_clips,
            self.protocol.seed,
        )
        # The reference's first clips: continuations are compared with those.
        self._conditions = self._real.others(
            0, self.protocol.num_clips // self.protocol.samples_per_condition
        )
        self._generator: CheckpointedGenerator | None = None
        self._fake_step = None

    @property
    def num_frames(self) -> int:
        """Frames of each clip that are measured."""
        return self.protocol.num_frames or self.source.num_frames

    def _check_network(self):
        """Tries one clip, so that a wrong size is reported in one sentence."""
        size = sides(self.source.resolution)
        clip = np.zeros([1, self.num_frames, *size, 3], np.uint8)
        self.network.preprocess(clip)

    def reference(self) -> Activations:
        """`Activations` of the real clips, computed once for all runs."""
        facts = self._facts() | {"real_seed": self.protocol.seed}
        return references.load_or_compute(
            facts,
            self.network.outputs,
            self._cache_dir,
            lambda: self._measure(self._real, "real"),
        )

    def load_checkpoint(self, path: str) -> None:
        """Reads a checkpoint into memory.

        Args:
            path: path of the checkpoint, without an ending.

        Raises:
            ValueError: it is of another model, or cannot be read, or the
                protocol is not for such.
        """
        if self._generator is None:
            classes = self._num_classes or len(self.source.class_names)
            with self.strategy.scope():
                self._generator = CheckpointedGenerator(
                    self._make_generator,
                    classes if self._class_conditional else 1,
                )
            check_generator(
                self.protocol, self.num_frames, self._generator.network
            )
        self._generator.restore(path)

    def evaluate_checkpoint(
        self,
        path: str,
        step: int,
        truncations: Sequence[float] | None = None,
    ) -> Iterator[list[dict]]:
        """Measures a checkpoint, at one level of truncation after the other.

        Args:
            path: path of the checkpoint, without an ending.
            step: step of the checkpoint.
            truncations: the levels; None: all of the protocol.

        Yields:
            List of results, dicts, of one level; see `rows.make_rows`.

        Raises:
            ValueError: see `load_checkpoint`.
        """
        self.load_checkpoint(path)
        real = self.reference()
        for level in truncations or self.protocol.truncations:
            # Again for each level: standing statistics run power iterations.
            self._generator.restore(path)
            clips = [
                self._generated(level, self.protocol.seed + repeat)
                for repeat in range(self.protocol.repeats)
            ]
            self._take_standing_statistics(clips[0])
            if self._fake_step is None:
                self._fake_step = self._step(clips[0])
            facts = {"checkpoint": path, "step": step, "truncation": level}
            if self.protocol.conditioning_frames:
                samples = self.protocol.samples_per_condition
                facts["samples_per_condition"] = samples
            fakes = (
                self._measure(c, f"{path} {n}/{len(clips)}", self._fake_step)
                for n, c in enumerate(clips, start=1)
            )
            yield self._rows(real, fakes, facts)

    def _take_standing_statistics(self, clips):
        size = self.protocol.standing_statistics_batch_size
        batches = self.protocol.standing_statistics_batches
        self._generator.statistics.take(
            clips.standing_inputs(size * batches), size, batches
        )

    def _generated(self, level, seed):
        if self.protocol.conditioning_frames:
            return PredictedClips(
                self._generator.network,
                self._conditions,
                self.num_frames,
                self.protocol.samples_per_condition,
                level,
                seed,
            )
        return GeneratedClips(
            self._generator.network,
            self.protocol.num_clips,
            self.source.label_counts if self._class_conditional else [1],
            level,
            seed,
        )

    def evaluate_baselines(self) -> Iterator[list[dict]]:
        """Measures the baselines of frame prediction, which need no model.

        "copy_last_frame": conditioning frames, then the last one over and
        over. "real": other real clips, as many as there are predictions; of
        them, `new_clips` are of clips of which the reference has no window.

        Yields:
            List of results, dicts, of one baseline, whose name is in
            `checkpoint`; none for synthesis.
        """
        given = self.protocol.conditioning_frames
        if not given:
            return
        copies = CopiedFrames(self._conditions, given, self.num_frames)
        yield self._baseline("copy_last_frame", copies, {})
        first, count = self._real.num_clips, self.protocol.num_clips
        others = self._real.others(first, count)
        left = max(self.source.num_examples - first, 0)
        facts = {"first_clip": first, "new_clips": min(left, count)}
        yield self._baseline("real", others, facts)

    def _baseline(self, name, clips, facts):
        given = self.protocol.conditioning_frames
        fake = references.load_or_compute(
            self._facts()
            | {"real_seed": self.protocol.seed}
            | {"baseline": name, "clips": clips.num_clips, "given": given}
            | facts,
            self._outputs(clips),
            self._cache_dir,
            lambda: self._measure(clips, name),
        )
        facts = {"checkpoint": name, "step": None, "truncation": 1.0} | facts
        return self._rows(self.reference(), [fake], facts)

    def evaluate_folder(self, path: str) -> list[dict]:
        """Measures clips that somebody else has made.

        Args:
            path: folder or file, see `FolderClips`.

        Returns:
            List of results, dicts; see `rows.make_rows`.

        Raises:
            ValueError: there are no such clips.
        """
        clips = FolderClips(
            path,
            self.num_frames,
            self.protocol.num_clips,
            self.source.class_names,
        )
        self._check_size(clips.size, path)
        facts = {
            "checkpoint": path,
            "clip_size": list(clips.size),
            "step": None,
            "truncation": 1.0,
            "skipped": clips.skipped,
        }
        fake = self._measure(clips, path)
        return self._rows(self.reference(), [fake], facts)

    def _check_size(self, size, path):
        """Refuses clips of another size, but for oblong ones beside squares."""
        real = sides(self.source.resolution)
        if size == real:
            return
        sizes = (
            f"The clips in {path!r} are of {text(size)} pixels (height x "
            f"width) and the real ones of {text(real)}"
        )
        if size[0] == size[1] or real[0] != real[1]:
            raise ValueError(
                f"{sizes}; set RESOLUTION, so that both are resized alike."
            )
        logging.warning(
            "%s: the network squashes them to a square. Real clips that "
            'are squashed, too (TfdsVideos.fit = "squash"), are more alike '
            "than cropped ones.",
            sizes,
        )

    def _step(self, clips):
        return make_step(
            clips.videos,
            self.network,
            self.strategy,
            self.num_frames,
            self.protocol.quantize,
            clips.similarity,
        )

    def _outputs(self, clips):
        return self.network.outputs + (SIMILARITY if clips.similarity else ())

    def _measure(self, clips, title, step=None):
        return measure(
            clips,
            step or self._step(clips),
            self.strategy,
            self._outputs(clips),
            self.protocol.batch_size,
            self.protocol.keep_features,
            title,
        )

    def _facts(self):
        """All that a number depends on, but for whose clips they are."""
        return self.source.describe() | {
            "frames": self.num_frames,
            "quantized": self.protocol.quantize,
            "real_clips": self._real.num_clips,
            "features_kept": self.protocol.keep_features,
            "network": self.network.name,
            "network_checksum": self.network.checksum,
            "preprocessing": self.network.preprocessing,
        }

    def _rows(self, real, fakes, facts):
        """See `rows.make_rows`."""
        facts = facts | self._facts()
        if self.protocol.conditioning_frames:
            facts["conditioning_frames"] = self.protocol.conditioning_frames
        return make_rows(
            self.protocol, real, fakes, facts, self.source.class_names
        )
