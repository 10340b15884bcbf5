"""The smallest DVD-GAN, shared by the tests of training.

Tracing a step takes far longer than running it, so these networks have one
group at 4x4 -> 8x8: a resolution that `widths` does not know and gets here.
"""

import functools

import numpy as np
import tensorflow as tf

from dvdgan_tf.data import pipeline
from dvdgan_tf.networks import widths
from dvdgan_tf.networks.discriminators import (
    SpatialDiscriminator,
    TemporalDiscriminator,
)
from dvdgan_tf.networks.generator import Generator
from dvdgan_tf.training import loop
from dvdgan_tf.training.feed import Feed
from dvdgan_tf.training.samples import SampleGrid
from dvdgan_tf.training.trainer import Trainer

widths.GENERATOR_MULTIPLIERS.setdefault(8, (2, 1))
widths.DISCRIMINATOR_MULTIPLIERS.setdefault(8, (1, 2))

CLASSES, FRAMES, BATCH = 3, 4, 4
# What a step reports without regularisers, in this order.
METRICS = (
    "loss/d_spatial",
    "loss/d_temporal",
    "score/spatial_real",
    "score/spatial_fake",
    "score/temporal_real",
    "score/temporal_fake",
    "gradient_norm/d_spatial",
    "gradient_norm/d_temporal",
    "loss/g",
    "gradient_norm/g",
)
NETWORKS = dict(
    generator=functools.partial(
        Generator,
        resolution=8,
        num_frames=FRAMES,
        ch=2,
        z_dim=4,
        embedding_dim=3,
    ),
    spatial_discriminator=functools.partial(
        SpatialDiscriminator, resolution=8, k=2, ch=2
    ),
    temporal_discriminator=functools.partial(
        TemporalDiscriminator, resolution=8, ch=2, num_3d_blocks=1
    ),
)


class Mirrored(tf.distribute.MirroredStrategy):
    # Several strategies in a process number their collective operations
    # alike, and mix them up: this one is to be alone with its numbers.
    _collective_key_base = 1000


@functools.cache
def one_device():
    return tf.distribute.OneDeviceStrategy("CPU:0")


@functools.cache
def mirrored():
    return Mirrored(["CPU:0", "CPU:1"])


def trainer(strategy=None, num_classes=CLASSES, **changes):
    with (strategy or one_device()).scope():
        return Trainer(
            num_classes, **{**NETWORKS, "batch_size": BATCH, **changes}
        )


class CheapTrainer(Trainer):
    """Its step is as random and as fed as a real one, and takes no time."""

    @tf.function(reduce_retracing=True)
    def run(self, iterator, num_steps):
        history = tf.TensorArray(tf.float32, num_steps, element_shape=[10])
        weight = self.d_temporal.trainable_variables[-1]
        for i in tf.range(num_steps):
            for _ in range(self.batches_per_step):
                batch = next(iterator)
                change = self.on_replicas(self._change, *batch, self.step)
                weight.assign_add(tf.fill(weight.shape, change))
            self.step.assign_add(1)
            loss = 100 / (1 + tf.square(tf.reduce_mean(weight)))
            history = history.write(i, tf.fill([10], loss))
        return history.stack()

    def _change(self, videos, labels, step):
        z, *_ = self.updates.randomness.draw(step, 0)
        pixels = tf.reduce_mean(tf.cast(videos, tf.float32)) / 255
        replicas = self.strategy.num_replicas_in_sync
        return (pixels + tf.reduce_mean(z)) / replicas

    def update_standing_statistics(self, num_batches, iterator=None):
        pass


class Source:
    """Uniform noise, brighter for higher classes; class 1 has no example."""

    num_examples = 6
    num_frames = FRAMES
    resolution = 8
    class_names = ("a", "b", "c")
    label_counts = np.array([2, 0, 4])

    def prepare(self):
        pass

    def load(self, index, seed):
        label = tf.gather([0, 2, 2, 0, 2, 2], index)
        shape = [FRAMES, 8, 8, 3]
        video = tf.random.stateless_uniform(shape, seed, 0, 190, tf.int32)
        return tf.cast(video + 30 * label, tf.uint8), label


def values(trainer):
    """Copies of all variables of a trainer, by name."""
    return {k: v.numpy() for k, v in trainer.variables().items()}


def assign(trainer, values):
    for name, variable in trainer.variables().items():
        variable.assign(values[name])


def batches(trainer, number=0):
    """The iterator that the loop makes, from a batch on."""
    return Feed(pipeline.batches, Source(), trainer).since(number)


def train(workdir, trainer, num_steps, strategy=None, **changes):
    """`loop.train` with a `Trainer` that exists already, or a factory."""
    arguments = dict(
        dataset=Source,
        trainer=trainer if callable(trainer) else lambda _: trainer,
        num_steps=num_steps,
        steps_per_loop=2,
        sample_every=100,
        checkpoint_every=100,
        standing_statistics_batches=2,
        sample_grid=functools.partial(
            SampleGrid, num_classes=3, samples_per_class=2
        ),
    )
    return loop.train(
        str(workdir),
        strategy or one_device(),
        pipeline.batches,
        **{**arguments, **changes},
    )
