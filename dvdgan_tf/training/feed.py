"""The real batches of a run: each is known by its number, none is stored."""

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

# Number of a batch that no training step reaches.
_BEYOND_TRAINING = 2**40


class Feed:
    """Distributes a source's batches to the replicas, from any number on.

    Batches that are not trained on have numbers that training never reaches,
    so that they show other windows of the clips, and each use has its own.

    Args:
        batches: a function such as `dvdgan_tf.data.pipeline.batches`.
        source: the clips, prepared.
        trainer: a `Trainer`; its seed is also that of the batches.
    """

    def __init__(self, batches: Callable[..., Any], source: Any, trainer: Any):
        self.batches = batches
        self.source = source
        self.trainer = trainer

    def since(self, number: int, seed: int | None = None) -> Iterator:
        """Returns the distributed batches from a number on.

        Args:
            number: number of the first global batch.
            seed: that of the batches; None for the trainer's.
        """
        seed = self.trainer.seed if seed is None else seed

        # Each process reads its own slices of the global batches.
        def pipeline(context):
            return self.batches(
                self.source,
                self.trainer.batch_size,
                seed,
                start_batch=number,
                pipeline_id=context.input_pipeline_id,
                num_pipelines=context.num_input_pipelines,
                replicas_per_pipeline=context.num_replicas_in_sync
                // context.num_input_pipelines,
            )

        strategy = self.trainer.strategy
        return iter(strategy.distribute_datasets_from_function(pipeline))

    def training(self, step: int) -> Iterator:
        """Returns the batches that steps after `step` train on."""
        return self.since(
            step * self.trainer.batches_per_step, self.trainer.training_seed
        )

    def conditions(self) -> Iterator | None:
        """Returns batches for standing statistics; None in synthesis."""
        if not self.trainer.generator.conditioning_frames:
            return None
        return self.since(_BEYOND_TRAINING)

    def shown(self, num_clips: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns videos and labels whose continuations the samples show."""
        number = 2 * _BEYOND_TRAINING
        seed = self.trainer.seed
        return next(iter(self.batches(self.source, num_clips, seed, number)))

    def fixed(self) -> Iterator:
        """Returns the batches that every report on overfitting scores."""
        # At the start of an epoch, so that no clip comes twice before all
        # have come once.
        epoch = self.source.num_examples
        return self.since(-(-3 * _BEYOND_TRAINING // epoch) * epoch)
