"""Measures checkpoints, or clips of others, by a protocol."""

import os

import gin
import numpy as np
from absl import logging

from dvdgan_tf.evaluation import references
from dvdgan_tf.evaluation.activations import make_step, measure
from dvdgan_tf.evaluation.clips import GeneratedClips, RealClips
from dvdgan_tf.evaluation.folder import FolderClips
from dvdgan_tf.evaluation.generators import CheckpointedGenerator


@gin.configurable
class Evaluator:
    """Measures clips against those of a dataset.

    Args:
        strategy: a `tf.distribute.Strategy` of one process.
        example: `data.pipeline.example`.
        dataset: factory of the real clips (see `data.pipeline`).
        generator: class or factory of G, called with (num_classes, name).
        protocol: factory of the `Protocol`.
        num_classes: of G; the dataset's own number by default.
        cache_dir: folder of reference statistics.

    Raises:
        ValueError: the protocol does not fit the strategy, the network or
            the clips.
        OSError: data or network cannot be read.
    """

    def __init__(
        self,
        strategy,
        example,
        dataset=gin.REQUIRED,
        generator=gin.REQUIRED,
        protocol=gin.REQUIRED,
        num_classes=None,
        cache_dir=gin.REQUIRED,
    ):
        self.strategy = strategy
        self.protocol = protocol()
        self._make_generator = generator
        self._num_classes = num_classes
        self._cache_dir = os.path.expanduser(cache_dir)
        self._check_batches()
        self.source = dataset()
        self._check_frames(self.source.num_frames, "NUM_FRAMES")
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
        self._generator = None
        self._fake_step = None

    @property
    def num_frames(self):
        """Frames of each clip that are measured."""
        return self.protocol.num_frames or self.source.num_frames

    def _check_batches(self):
        replicas = self.strategy.num_replicas_in_sync
        for name in ("batch_size", "standing_statistics_batch_size"):
            value = getattr(self.protocol, name)
            if value % replicas:
                raise ValueError(
                    f"Protocol.{name} must be a multiple of the {replicas} "
                    f"replicas. Received: {value}."
                )

    def _check_frames(self, available, what):
        if available < self.num_frames:
            raise ValueError(
                f"The protocol {self.protocol.name!r} measures "
                f"{self.num_frames} frames, and {what} is {available}; use a "
                "protocol for as many, such as that of gin/fvd.gin."
            )

    def _check_network(self):
        """One clip, so that a wrong size is one sentence."""
        size = self.source.resolution
        clip = np.zeros([1, self.num_frames, size, size, 3], np.uint8)
        self.network.preprocess(clip)

    def reference(self):
        """`Activations` of the real clips, computed once for all runs."""
        facts = self._facts() | {"real_seed": self.protocol.seed}
        return references.load_or_compute(
            facts,
            self.network.outputs,
            self._cache_dir,
            lambda: self._measure(self._real, self._step(self._real), "real"),
        )

    def load_checkpoint(self, path):
        """Reads a checkpoint into memory.

        Args:
            path: of the checkpoint.

        Raises:
            ValueError: it is of another model, or cannot be read, or the
                protocol is for folders of clips.
        """
        if self.protocol.only_folders:
            raise ValueError(
                f"The protocol {self.protocol.name!r} is of predicted clips; "
                "name a folder of them with --clips."
            )
        if self._generator is None:
            classes = self._num_classes or len(self.source.class_names)
            with self.strategy.scope():
                self._generator = CheckpointedGenerator(
                    self._make_generator, classes
                )
            self._check_frames(
                self._generator.network.num_frames, "Generator.num_frames"
            )
        self._generator.restore(path)

    def evaluate_checkpoint(self, path, step):
        """Measures a checkpoint, at one level of truncation after the other.

        Args:
            path: of the checkpoint.
            step: its step.

        Yields:
            List of results, dicts, of one level; see `_rows`.

        Raises:
            ValueError: see `load_checkpoint`.
        """
        self.load_checkpoint(path)
        real = self.reference()
        for level in self.protocol.truncations:
            # Again for each level: standing statistics run power iterations.
            self._generator.restore(path)
            clips = [
                self._generated(level, self.protocol.seed + repeat)
                for repeat in range(self.protocol.repeats)
            ]
            self._generator.standing_statistics(
                clips[0],
                self.protocol.standing_statistics_batch_size,
                self.protocol.standing_statistics_batches,
            )
            if self._fake_step is None:
                self._fake_step = self._step(clips[0])
            facts = {"checkpoint": path, "step": step, "truncation": level}
            yield self._rows(real, clips, self._fake_step, facts)

    def _generated(self, level, seed):
        return GeneratedClips(
            self._generator.network,
            self.protocol.num_clips,
            self.source.label_counts,
            level,
            seed,
        )

    def evaluate_folder(self, path):
        """Measures clips that somebody else has made.

        Args:
            path: folder or file, see `FolderClips`.

        Returns:
            List of results, dicts; see `_rows`.

        Raises:
            ValueError: there are no such clips.
        """
        clips = FolderClips(
            path,
            self.num_frames,
            self.protocol.num_clips,
            self.source.class_names,
        )
        size = self.source.resolution
        if clips.size != (size, size):
            raise ValueError(
                f"The clips in {path!r} are of {clips.size[0]}x"
                f"{clips.size[1]} pixels and the real ones of {size}x{size}; "
                "set RESOLUTION, so that both are resized alike."
            )
        facts = {
            "checkpoint": path,
            "step": None,
            "truncation": 1.0,
            "skipped": clips.skipped,
        }
        return self._rows(self.reference(), [clips], self._step(clips), facts)

    def _step(self, clips):
        return make_step(
            clips.videos,
            self.network,
            self.strategy,
            self.num_frames,
            self.protocol.quantize,
        )

    def _measure(self, clips, step, title):
        return measure(
            clips,
            step,
            self.strategy,
            self.network.outputs,
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

    def _rows(self, real, repeats, step, facts):
        """Measures clips and says how.

        Args:
            real: `Activations` of the reference.
            repeats: clips, one set for each repeat.
            step: for them, see `make_step`.
            facts: dict of what is measured.

        Returns:
            A list of one dict for each metric: `metric` is "protocol/name",
            `value` the mean over repeats, `standard_error` that mean's, or
            without repeats the estimate's, if it is known.
        """
        measured = {}
        for repeat, clips in enumerate(repeats):
            title = f"{facts['checkpoint']} {repeat + 1}/{len(repeats)}"
            fake = self._measure(clips, step, title)
            for name, result in self._results(real, fake):
                measured.setdefault(name, []).append(result)
        if not measured:
            raise ValueError(
                f"No measure of the protocol {self.protocol.name!r} could be "
                "computed; see the warnings."
            )
        facts = facts | self._facts()
        facts["clips"] = repeats[0].num_clips
        facts["repeats"] = len(repeats)
        facts["seed"] = self.protocol.seed
        return [
            {
                "metric": f"{self.protocol.name}/{name}",
                **_summary(results, self.source.class_names),
                **facts,
            }
            for name, results in measured.items()
        ]

    def _results(self, real, fake):
        """All (name, `Measured`); a measure that fails loses no other."""
        for function in self.protocol.measures:
            try:
                yield from function(real, fake).items()
            except ValueError as error:
                logging.warning("%s is left out: %s", function, error)
            except KeyError as error:
                logging.warning(
                    "%s is left out: the network has no output %s, only %s.",
                    function,
                    error,
                    ", ".join(self.network.outputs),
                )


def _summary(results, class_names):
    values = np.array([result.value for result in results], np.float64)
    error = results[0].standard_error
    if len(values) > 1:
        error = float(values.std(ddof=1) / np.sqrt(len(values)))
    summary = {"value": float(values.mean()), "standard_error": error}
    if results[0].by_class:
        summary["by_class"] = {
            class_names[label]: value
            for label, value in results[0].by_class.items()
        }
    return summary
