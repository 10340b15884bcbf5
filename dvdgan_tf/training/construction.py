"""The parts that a `Trainer` is made of, and which arguments are possible."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from dvdgan_tf.regularization.regularizer import Regularizer
from dvdgan_tf.training import ema
from dvdgan_tf.training.dual_discriminator import DualDiscriminator

PRECISIONS = ("float32", "mixed_bfloat16")


def networks(
    factories: Sequence[Callable[..., keras.Model]],
    arguments: dict[str, Any],
    frozen_d_blocks: int,
    seed: int,
) -> tuple[keras.Model, keras.Model, keras.Model, keras.Model]:
    """Makes the networks, with their initial weights.

    Args:
        factories: makers of G, D_S and D_T.
        arguments: what all of them are called with.
        frozen_d_blocks: number of blocks of D_S, and of D_T, that are not
            trained, counted from the input.
        seed: decides the weights.

    Returns:
        G, D_S, D_T and G's average.
    """
    # Initialisers draw in the order in which networks are made and built.
    keras.utils.set_random_seed(seed)
    generator, spatial_discriminator, temporal_discriminator = factories
    live = generator(name="generator", **arguments)
    average = generator(name="ema_generator", **arguments)
    d_spatial = spatial_discriminator(**arguments)
    d_temporal = temporal_discriminator(**arguments)
    check_frames(live, d_spatial, d_temporal)
    for network in (live, d_spatial, d_temporal, average):
        network.build()
    # Before the optimizers are built, which keep moments of what is trained.
    for network in (d_spatial, d_temporal):
        network.freeze_blocks(frozen_d_blocks)
    ema.copy(average, live)
    return live, d_spatial, d_temporal, average


def discriminator(
    networks: Sequence[keras.Model],
    augment: Callable[[], Any] | None,
    regularizers: Sequence[Callable[[], Regularizer] | None],
    shards: int,
) -> tuple[DualDiscriminator, list[Regularizer]]:
    """Joins D_S and D_T, and makes all that acts on them.

    Args:
        networks: G, D_S and D_T.
        augment: maker of a `DiffAugment`, or None.
        regularizers: makers of regularisers; None makes none.
        shards: number of shards of a batch that are computed side by side.

    Returns:
        D_S and D_T, and their regularisers; the strength of augmentation, if
        it is adaptive, is the last.
    """
    generator, d_spatial, d_temporal = networks
    augmentation: Any = augment() if augment else None
    made = [factory() for factory in regularizers if factory]
    adaptive = None
    if augmentation and augmentation.adaptive:
        adaptive = augmentation.adaptive()
        made.append(adaptive)
    check_second_derivatives(made, d_spatial, d_temporal)
    both = DualDiscriminator(
        d_spatial, d_temporal, generator, augmentation, adaptive, shards
    )
    return both, made


def check_numbers(trainer: Any) -> None:
    """Raises ValueError unless a trainer's numbers are possible."""
    for name in ("accumulation_steps", "d_steps", "shards"):
        value = getattr(trainer, name)
        if value < 1:
            raise ValueError(
                f"Trainer.{name} must be at least 1. Received: {name}={value}"
            )
    replicas = trainer.strategy.num_replicas_in_sync
    parts, shards = trainer.accumulation_steps, trainer.shards
    batch_size = trainer.batch_size
    if batch_size < 1 or batch_size % (replicas * parts * shards):
        raise ValueError(
            "BATCH_SIZE must be a positive multiple of the number of "
            f"replicas, {replicas}, times Trainer.accumulation_steps, "
            f"{parts}, times Trainer.shards, {shards}. "
            f"Received: batch_size={batch_size}"
        )
    if not 0 <= trainer.seed < 2**32:
        raise ValueError(
            "Trainer.seed must be at least 0 and less than 2**32. "
            f"Received: seed={trainer.seed}"
        )


def check_compiler(
    strategy: tf.distribute.Strategy, precision: str, jit_compile: bool
) -> None:
    """Raises ValueError unless the updates can be compiled as asked."""
    replicas = strategy.num_replicas_in_sync
    if jit_compile and replicas > 1 and not _on_accelerators():
        raise ValueError(
            "Trainer.jit_compile compiles each replica's update for its "
            "own device, which XLA cannot do for several logical CPUs. "
            "Received: jit_compile=True"
        )
    if precision not in PRECISIONS:
        raise ValueError(
            f"Trainer.precision must be one of {', '.join(PRECISIONS)}. "
            f"Received: precision={precision!r}"
        )


def check_frames(
    generator: keras.Model, d_spatial: keras.Model, d_temporal: keras.Model
) -> None:
    """Raises ValueError unless D_S and D_T can take G's frames."""
    frames, k = generator.generated_frames, d_spatial.k
    if k > frames:
        raise ValueError(
            "SpatialDiscriminator.k must be at most the generated frames, "
            f"NUM_FRAMES - CONDITIONING_FRAMES = {frames}. Received: k={k}"
        )
    d_temporal.check_num_frames(generator.num_frames)


def check_second_derivatives(
    regularizers: Sequence[Regularizer],
    d_spatial: keras.Model,
    d_temporal: keras.Model,
) -> None:
    """Raises ValueError if D lacks the derivatives that these need."""
    recompute = d_spatial.recompute or d_temporal.recompute
    for regularizer in regularizers:
        if regularizer.second_derivatives and recompute:
            raise ValueError(
                f"{type(regularizer).__name__} needs second derivatives, which "
                "recomputed blocks of D do not have; set RECOMPUTE = False, "
                "or for G alone, SpatialDiscriminator.recompute = False and "
                "TemporalDiscriminator.recompute = False."
            )


def _on_accelerators():
    return any(tf.config.list_logical_devices(kind) for kind in ("GPU", "TPU"))
