"""The module of a run's checkpoint: averaged weights, standing statistics."""

from collections.abc import Iterable

import keras
import tensorflow as tf
from absl import logging

from dvdgan_tf.data import pipeline
from dvdgan_tf.frame_size import compact
from dvdgan_tf.generation import latents, standing_statistics
from dvdgan_tf.generation.averaged_weights import CheckpointedGenerator
from dvdgan_tf.generation.generator_module import GeneratorModule
from dvdgan_tf.generation.truncation import TruncationStatistics, check_levels
from dvdgan_tf.layers.spectral_norm import spectral_weights
from dvdgan_tf.run_folder import RunConfig

# An averaged weight's u is that of the live weight, which is near.
POWER_ITERATIONS = 32


def generator_module(
    run: RunConfig,
    truncations: tuple[float, ...] = (1.0,),
    standing_batches: int = 16,
    batch_size: int | None = None,
    num_frames: int | None = None,
) -> GeneratorModule:
    """Makes a module of a run's averaged generator.

    Standing statistics [BigGAN] are taken for each level of truncation: over
    samples whose labels are as frequent as in the training clips (runs that
    have not kept that: over all classes alike, with a warning); in prediction
    over continuations of the run's training clips. The run's dataset is needed
    for the latter only.

    Args:
        run: what `config.of_run` yields, inside of its context.
        truncations: levels, above 0 and at most 1.
        standing_batches: batches for the statistics of each level. 0: the
            moving statistics of the checkpoint, at level 1 only.
        batch_size: samples in each of them; as many as in training by default.
        num_frames: length of the clips; that of training by default. The
            recurrence runs on, and the standing statistics, [T, C], are those
            of all time steps of clips of this length.

    Returns:
        `GeneratorModule`

    Raises:
        ValueError: a level or the length is impossible, or the checkpoint does
            not fit.
        OSError: the dataset of a run for prediction is not there.
    """
    check_levels(truncations)
    if standing_batches < 0 or (not standing_batches and truncations != (1.0,)):
        raise ValueError(
            "standing_batches must be at least 1, or 0 for the checkpoint's "
            "moving statistics, which hold for truncation 1 only. Received: "
            f"standing_batches={standing_batches}, truncations={truncations}"
        )
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        restored = CheckpointedGenerator(
            run.bindings["generator"], len(run.class_names), num_frames
        )
        if num_frames is not None:
            _check_length(restored.network, standing_batches)
        restored.restore(run.checkpoint)
        network = restored.network
        for weight in spectral_weights(network):
            weight.fold(POWER_ITERATIONS)
        batch_size = batch_size or run.bindings["batch_size"]
        counts = _label_counts(run, network) if standing_batches else None
        sets = []
        for level in truncations:
            if standing_batches:
                count = batch_size * standing_batches
                samples = _samples(run, network, counts, level, count)
                restored.statistics.take(samples, batch_size, standing_batches)
            sets.append(standing_statistics.present(network))
        return GeneratorModule(
            network,
            TruncationStatistics(truncations, sets),
            run.class_names,
            metadata(run, network, truncations, standing_batches),
        )


def _check_length(network, standing_batches):
    """Raises ValueError if clips cannot have another length."""
    if network.conditioning_frames:
        raise ValueError(
            "A model of frame prediction is made for the length of training; "
            "it continues its own predictions to get further: "
            "`sample --frames=VIDEO --num_frames=N`. Received: "
            f"num_frames={network.num_frames}"
        )
    if not standing_batches:
        raise ValueError(
            "The checkpoint's moving statistics hold for the time steps of "
            "training; clips of another length need standing statistics: "
            "standing_batches of at least 1. Received: "
            f"standing_batches=0, num_frames={network.num_frames}"
        )


def _label_counts(run, network):
    """How frequent each label is among the samples; None for prediction."""
    if network.conditioning_frames:
        return None
    if network.num_classes == 1:
        return [1]
    if run.label_counts is None:
        logging.warning(
            "%s was made by an older version and does not say how many clips "
            "each class has: the standing statistics are those of all classes "
            "alike. Resuming its training once writes %s.",
            run.folder.path,
            run.folder.label_counts,
        )
        return [1] * network.num_classes
    return run.label_counts


def _samples(run, network, label_counts, level, count):
    """What the standing statistics of a level of truncation are taken over."""
    if not network.conditioning_frames:
        labelled = latents.LabelledLatents(network.z_dim, label_counts, level)
        return standing_statistics.of_synthesis(labelled, count)
    source = run.bindings["dataset"]()
    source.prepare()
    # The windows of clips with negative numbers, which nothing else takes.
    clips = tf.data.Dataset.range(-count, 0).map(
        lambda number: pipeline.example(source, number, 0),
        tf.data.AUTOTUNE,
        deterministic=True,
    )

    def draw_z(number):
        return level * latents.of_clip(0, number, [1, network.z_dim])[0]

    return standing_statistics.of_prediction(network, clips, draw_z, count)


def metadata(
    run: RunConfig,
    network: keras.Model,
    truncations: Iterable[float],
    standing_batches: int,
) -> dict:
    """What a module says of itself; values are those JSON has."""
    return {
        "model": "DVD-GAN-FP" if network.conditioning_frames else "DVD-GAN",
        "resolution": compact(network.resolution),
        "num_frames": network.num_frames,
        "conditioning_frames": network.conditioning_frames,
        "z_dim": network.z_dim,
        "num_classes": network.num_classes,
        "truncation_levels": sorted(map(float, truncations)),
        "standing_batches": standing_batches,
        "step": run.step,
        "fps": run.fps,
        "fit": run.fit,
        "frame_stride": run.frame_stride,
        "parameters": sum(int(tf.size(v)) for v in network.trainable_variables),
    }
