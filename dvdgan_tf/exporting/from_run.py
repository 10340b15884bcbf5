"""The modules of a run's checkpoint: averaged weights, standing statistics."""

import json
import os
from typing import NamedTuple

import tensorflow as tf

from dvdgan_tf import config, named_variables
from dvdgan_tf.data import pipeline
from dvdgan_tf.evaluation.clips import (
    GeneratedClips,
    PredictedClips,
    RealClips,
)
from dvdgan_tf.exporting.discriminator_module import DiscriminatorModule
from dvdgan_tf.exporting.generator_module import GeneratorModule
from dvdgan_tf.generation.averaged_weights import (
    CheckpointedGenerator,
    checkpoints,
)
from dvdgan_tf.generation.truncation import TruncationStatistics, check_levels
from dvdgan_tf.layers.spectral_norm import spectral_weights

# An averaged weight's u is that of the live weight, which is near.
POWER_ITERATIONS = 32


class RunConfig(NamedTuple):
    """What of a run's configuration an export needs.

    Attributes:
        workdir: the run's folder.
        step: of the checkpoint.
        checkpoint: its path.
        class_names: of the generator's classes.
        fps: frames per second at which the run shows its samples.
        fit: how its clips are made square, "crop" or "squash".
        frame_stride: it takes every n-th frame of a video.
        bindings: {parameter of `Trainer` or `train`: value}.
    """

    workdir: str
    step: int
    checkpoint: str
    class_names: list
    fps: float
    fit: str
    frame_stride: int
    bindings: dict


def read_run(workdir, step=None):
    """Reads the configuration of a run, which becomes gin's.

    Args:
        workdir: the run's folder.
        step: of the checkpoint; the newest by default.

    Returns:
        `RunConfig`

    Raises:
        FileNotFoundError: there is no run, or no such checkpoint.
        ValueError: its configuration cannot be read.
    """
    own = os.path.join(workdir, "operative_config.gin")
    if not os.path.isfile(own):
        raise FileNotFoundError(
            f"{workdir!r} is no folder of a run: there is no {own}."
        )
    found = checkpoints(workdir)
    if not found:
        raise FileNotFoundError(f"There is no checkpoint in {workdir}/ckpt.")
    step = max(found) if step is None else step
    if step not in found:
        raise FileNotFoundError(
            f"There is no checkpoint of step {step} in {workdir}/ckpt; there "
            f"are {', '.join(map(str, found))}."
        )
    bindings, fps, fit, stride = config.of_run(own)
    names = _class_names(workdir, bindings)
    return RunConfig(
        workdir, step, found[step], names, fps, fit, stride, bindings
    )


def _class_names(workdir, bindings):
    """Of the network's classes, which may be more than the dataset has."""
    if not bindings.get("class_conditional", True):
        return ["video"]
    path = os.path.join(workdir, "classes.json")
    try:
        with open(path) as file:
            names = [str(name) for name in json.load(file)]
    except (OSError, ValueError) as error:
        raise ValueError(
            f"The names of the classes cannot be read from {path}: {error}"
        ) from error
    count = bindings.get("num_classes") or len(names)
    return names + [f"class {i}" for i in range(len(names), count)]


def generator_module(
    run, truncations=(1.0,), standing_batches=16, batch_size=None
):
    """The averaged generator of a run.

    Standing statistics [BigGAN] are taken for each level of truncation: over
    samples of all classes alike; in prediction over continuations of the
    run's training clips. The run's dataset is needed for the latter only.

    Args:
        run: `RunConfig`.
        truncations: levels, above 0 and at most 1.
        standing_batches: batches for the statistics of each level. 0: the
            moving statistics of the checkpoint, at level 1 only.
        batch_size: of them; that of training by default.

    Returns:
        `GeneratorModule`

    Raises:
        ValueError: a level is impossible, or the checkpoint does not fit.
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
            run.bindings["generator"], len(run.class_names)
        )
        restored.restore(run.checkpoint)
        for weight in spectral_weights(restored.network):
            weight.fold(POWER_ITERATIONS)
        batch_size = batch_size or run.bindings["batch_size"]
        sets = []
        for level in truncations:
            if standing_batches:
                clips = _clips(run, restored.network, level)
                restored.standing_statistics(
                    clips, batch_size, standing_batches
                )
            sets.append(_statistics(restored.network))
        return GeneratorModule(
            restored.network,
            TruncationStatistics(truncations, sets),
            run.class_names,
            metadata(run, restored.network, truncations, standing_batches),
        )


def discriminator_module(run):
    """Both discriminators of a run.

    Args:
        run: `RunConfig`.

    Returns:
        `DiscriminatorModule`

    Raises:
        ValueError: the checkpoint does not fit.
    """
    count = len(run.class_names)
    d_spatial = run.bindings["spatial_discriminator"](num_classes=count)
    d_temporal = run.bindings["temporal_discriminator"](num_classes=count)
    for network in (d_spatial, d_temporal):
        network.build()
        variables = {v.path: v for v in network.variables}
        checkpoint = named_variables.checkpoint_of(variables)
        named_variables.restore(
            checkpoint, variables, run.checkpoint, all_of_it=False
        )
        for weight in spectral_weights(network):
            # As in training: u is that of the last step.
            weight.fold(power_iterations=0)
    generator = run.bindings["generator"](num_classes=count)
    return DiscriminatorModule(d_spatial, d_temporal, generator)


def _clips(run, network, level):
    """What the standing statistics are taken over."""
    if not network.conditioning_frames:
        counts = [1] * network.num_classes
        return GeneratedClips(network, 1, counts, level)
    source = run.bindings["dataset"]()
    source.prepare()
    real = RealClips(source, pipeline.example)
    return PredictedClips(network, real, network.num_frames, truncation=level)


def _statistics(network):
    """The present batch norm statistics, {variable path: array}."""
    return {
        variable.path: variable.numpy()
        for norm in network.batch_norms()
        for variable in (norm.moving_mean, norm.moving_variance)
    }


def metadata(run, network, truncations, standing_batches):
    """What a module says of itself; values are those JSON has."""
    return {
        "model": "DVD-GAN-FP" if network.conditioning_frames else "DVD-GAN",
        "resolution": network.resolution,
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
