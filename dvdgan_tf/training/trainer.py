"""How DVD-GAN trains: one step, on any `tf.distribute` strategy."""

import gin
import keras
import tensorflow as tf

from dvdgan_tf.training import ema
from dvdgan_tf.training.adam import Adam
from dvdgan_tf.training.losses import Hinge
from dvdgan_tf.training.randomness import Randomness
from dvdgan_tf.training.updates import (
    D_METRICS,
    G_METRICS,
    Updates,
    class_ids,
    given_frames,
)

# What a step returns without regularisers, in this order; those of D are means
# over its updates.
METRICS = D_METRICS + G_METRICS

# The probabilities at which `AdaptiveStrength` augments, where it is on.
STRENGTH_METRICS = ("augment/p_spatial", "augment/p_temporal")

PRECISIONS = ("float32", "mixed_bfloat16")


@gin.register
class Trainer:
    """The networks, their optimizers, and the step that updates them.

    One step is `d_steps` updates of both discriminators and one of the
    generator, each with fresh z, y and frames for D_S, the former each with a
    fresh real batch. For frame prediction the latter has one, too: each fake
    continues the first frames of a real video, with its label. D_T sees them
    together; D_S sees continuations only.

    Everything random is a function of (seed, step), drawn for the global
    batch and sliced by replica: a run is resumed from its step count alone,
    and its numbers do not depend on the number of replicas.

    To be constructed inside `strategy.scope()`.

    Args:
        num_classes: of the networks.
        generator: class or factory of G, called with (num_classes, dtype).
        spatial_discriminator: of D_S, likewise.
        temporal_discriminator: of D_T, likewise.
        batch_size: examples per update over all replicas.
        d_steps: updates of D per update of G.
        learning_rate_g: Adam's, constant.
        learning_rate_d: Adam's, constant.
        beta_1: Adam's.
        beta_2: Adam's.
        adam_epsilon: Adam's.
        ema_decay: of the averaged generator.
        ema_start_step: until this step the average is the live generator.
        orthogonal_regularization: beta of BigGAN's penalty on G; 0 for none.
        loss: `Hinge`, the paper's, or `RelativisticPairing`.
        augment: class of a `DiffAugment` of all that D receives; None for
            none. Its `adaptive` strength is made here, too.
        lecam: class of a `LeCam` penalty of D; None for none.
        gradient_penalty: class of a `GradientPenalty` of D; None for none.
        frozen_d_blocks: how many of the first blocks of D_S, and of D_T, keep
            the weights that they start with (see
            `Discriminator.freeze_blocks`).
        accumulation_steps: parts of each replica's batch that are computed
            one after the other, to save memory; the update is that of the
            whole batch (see `accumulation`, and `rematerialization` for G).
        shards: shards of each part that are computed side by side, for the
            cores of a CPU (see `shards`); the update is that of the whole
            batch. XLA, which schedules for itself, is given one.
        precision: "float32", or "mixed_bfloat16": activations in bfloat16;
            parameters, optimizer state, vectors of the spectral norm, batch
            norm statistics and losses in float32.
        jit_compile: whether each replica's updates are compiled by XLA.
        seed: from 0 to 2**32 - 1; of the initial weights, of z, y and the
            frames for D_S, and of the order and windows of the clips.

    Raises:
        ValueError: an argument, or a combination of them, is impossible.
    """

    def __init__(
        self,
        num_classes,
        generator=gin.REQUIRED,
        spatial_discriminator=gin.REQUIRED,
        temporal_discriminator=gin.REQUIRED,
        batch_size=512,
        d_steps=2,
        learning_rate_g=1e-4,
        learning_rate_d=5e-4,
        beta_1=0.0,
        beta_2=0.999,
        adam_epsilon=1e-8,
        ema_decay=0.9999,
        ema_start_step=20_000,
        orthogonal_regularization=0.0,
        loss=Hinge,
        augment=None,
        lecam=None,
        gradient_penalty=None,
        frozen_d_blocks=0,
        accumulation_steps=1,
        shards=1,
        precision="float32",
        jit_compile=False,
        seed=0,
    ):
        self.strategy = tf.distribute.get_strategy()
        self.batch_size = batch_size
        self.d_steps = d_steps
        self.accumulation_steps = accumulation_steps
        self.shards = 1 if jit_compile else shards
        self.loss = loss
        self.seed = seed
        self.jit_compile = jit_compile
        self._check_arguments(precision)
        keras.utils.set_random_seed(seed)
        shared = dict(num_classes=num_classes, dtype=precision)
        self.generator = generator(name="generator", **shared)
        self.ema_generator = generator(name="ema_generator", **shared)
        self.d_spatial = spatial_discriminator(**shared)
        self.d_temporal = temporal_discriminator(**shared)
        self._check_frames()
        self.augment = augment() if augment else None
        adaptive = self.augment and self.augment.adaptive
        self.adaptive = adaptive() if adaptive else None
        self.lecam = lecam() if lecam else None
        self.gradient_penalty = gradient_penalty() if gradient_penalty else None
        self._check_second_derivatives()
        draws = self.augment.num_draws if self.augment else 0
        self.randomness = Randomness(seed, batch_size, self.generator, draws)
        self.networks = (
            self.generator,
            self.d_spatial,
            self.d_temporal,
            self.ema_generator,
        )
        for network in self.networks:
            network.build()
        for network in (self.d_spatial, self.d_temporal):
            network.freeze_blocks(frozen_d_blocks)
        adam = dict(beta_1=beta_1, beta_2=beta_2, epsilon=adam_epsilon)
        self.optimizer_g = Adam(learning_rate_g, name="optimizer_g", **adam)
        self.optimizer_d = Adam(learning_rate_d, name="optimizer_d", **adam)
        self.optimizer_g.build(self.generator.trainable_variables)
        self.optimizer_d.build(
            self.d_spatial.trainable_variables
            + self.d_temporal.trainable_variables
        )
        self.step = tf.Variable(0, dtype=tf.int64, name="step")
        ema.copy(self.ema_generator, self.generator)
        self.updates = Updates(
            generator=self.generator,
            ema_generator=self.ema_generator,
            d_spatial=self.d_spatial,
            d_temporal=self.d_temporal,
            optimizer_g=self.optimizer_g,
            optimizer_d=self.optimizer_d,
            randomness=self.randomness,
            loss=loss,
            d_steps=d_steps,
            accumulation_steps=accumulation_steps,
            shards=self.shards,
            ema_decay=ema_decay,
            ema_start_step=ema_start_step,
            orthogonal_regularization=orthogonal_regularization,
            augment=self.augment,
            adaptive=self.adaptive,
            lecam=self.lecam,
            gradient_penalty=self.gradient_penalty,
        )

    def _check_arguments(self, precision):
        replicas = self.strategy.num_replicas_in_sync
        for name in ("accumulation_steps", "d_steps", "shards"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(
                    f"Trainer.{name} must be at least 1. "
                    f"Received: {name}={value}"
                )
        shares = replicas * self.accumulation_steps * self.shards
        if self.batch_size < 1 or self.batch_size % shares:
            raise ValueError(
                "BATCH_SIZE must be a positive multiple of the number of "
                f"replicas, {replicas}, times Trainer.accumulation_steps, "
                f"{self.accumulation_steps}, times Trainer.shards, "
                f"{self.shards}. "
                f"Received: batch_size={self.batch_size}"
            )
        if self.jit_compile and replicas > 1 and not _on_accelerators():
            raise ValueError(
                "Trainer.jit_compile compiles each replica's update for its "
                "own device, which XLA cannot do for several logical CPUs. "
                "Received: jit_compile=True"
            )
        if not 0 <= self.seed < 2**32:
            raise ValueError(
                "Trainer.seed must be at least 0 and less than 2**32. "
                f"Received: seed={self.seed}"
            )
        if precision not in PRECISIONS:
            raise ValueError(
                f"Trainer.precision must be one of {', '.join(PRECISIONS)}. "
                f"Received: precision={precision!r}"
            )

    def _check_frames(self):
        frames, k = self.generator.generated_frames, self.d_spatial.k
        if k > frames:
            raise ValueError(
                "SpatialDiscriminator.k must be at most the generated frames, "
                f"NUM_FRAMES - CONDITIONING_FRAMES = {frames}. "
                f"Received: k={k}"
            )
        self.d_temporal.check_num_frames(self.generator.num_frames)

    def _check_second_derivatives(self):
        recompute = self.d_spatial.recompute or self.d_temporal.recompute
        if self.gradient_penalty and recompute:
            raise ValueError(
                "Trainer.gradient_penalty needs second derivatives, which "
                "recomputed blocks of D do not have; set RECOMPUTE = False, "
                "or for G alone, SpatialDiscriminator.recompute = False and "
                "TemporalDiscriminator.recompute = False."
            )

    @property
    def g_needs_real(self):
        """Whether G's update takes a real batch: to continue, or to pair."""
        return bool(self.generator.conditioning_frames or self.loss.pairs)

    @property
    def batches_per_step(self):
        """Real batches that a step takes."""
        return self.d_steps + self.g_needs_real

    @property
    def metrics(self):
        """Names of what a step returns, in order."""
        strength = STRENGTH_METRICS if self.adaptive else ()
        return (*self.updates.d_metrics, *G_METRICS, *strength)

    def variables(self):
        """All state of the run, by unique name: {name: variable}.

        Learning rates are configuration, not state: a resumed run has those
        of its gin files.
        """
        variables = {"step": self.step}
        variables.update(self.regularizer_variables())
        for owner in (*self.networks, self.optimizer_g, self.optimizer_d):
            for variable in owner.variables:
                if variable.path.endswith("/learning_rate"):
                    continue
                if variable.path in variables:
                    raise ValueError(
                        f"Two variables are named {variable.path!r}; give "
                        "each layer of a network its own name."
                    )
                variables[variable.path] = variable
        return variables

    def regularizer_variables(self):
        """State of the regularisers of D: {name: variable}.

        A run may be resumed with others than before: this state may be
        missing in its checkpoint, or be there for nothing.
        """
        used = [r for r in (self.lecam, self.adaptive) if r]
        return {k: v for r in used for k, v in r.variables.items()}

    @tf.function(reduce_retracing=True)
    def run(self, iterator, num_steps):
        """Runs steps without returning to Python between them.

        Args:
            iterator: of distributed batches (uint8 [b, T, H, W, 3], integer
                labels [b]), b examples per replica.
            num_steps: integer tensor, so that its value causes no retracing.

        Returns:
            [num_steps, len(self.metrics)], float32.
        """
        history = tf.TensorArray(
            tf.float32, num_steps, element_shape=[len(self.metrics)]
        )
        for i in tf.range(num_steps):
            metrics = self._one_step(lambda _: next(iterator))
            history = history.write(i, metrics)
        return history.stack()

    def step_on(self, videos, labels):
        """One step on given batches, on one device; to be compiled.

        Args:
            videos: uint8 [batches_per_step, batch_size, T, H, W, 3].
            labels: integer [batches_per_step, batch_size].

        Returns:
            [len(self.metrics)], float32.
        """
        return self._one_step(lambda i: (videos[i], labels[i]))

    def _one_step(self, next_batch):
        """Updates of D, one of G; returns the metrics, in graph code."""
        step = self.step.read_value()
        d_metrics = tf.zeros([len(self.updates.d_metrics)])
        # A graph loop, so that the update is traced only once.
        for i in tf.range(self.d_steps):
            values = self.on_replicas(
                self.updates.of_discriminators, next_batch(i), step, i
            )
            self.updates.observe(values)
            d_metrics += values
        d_metrics /= float(self.d_steps)
        batch = next_batch(self.d_steps) if self.g_needs_real else ()
        g_metrics = self.on_replicas(self.updates.of_generator, step, *batch)
        self.step.assign_add(1)
        metrics = [d_metrics, g_metrics]
        if self.adaptive:
            metrics.append(tf.convert_to_tensor(self.adaptive.probability))
        return tf.concat(metrics, 0)

    def on_replicas(self, update, *args):
        """Runs an update on all replicas; returns the sum of its metrics.

        Args:
            update: a method of `updates`.
            *args: its arguments, batches per replica.
        """
        update = tf.autograph.experimental.do_not_convert(update)
        if self.jit_compile:
            update = tf.function(update, jit_compile=True)
        metrics = self.strategy.run(update, args=args)
        return self.strategy.reduce("SUM", metrics, axis=None)

    @tf.function(reduce_retracing=True)
    def update_standing_statistics(self, num_batches, iterator=None):
        """Recomputes the averaged generator's batch norm statistics.

        Args:
            num_batches: integer tensor, batches of `batch_size` samples.
            iterator: as that of `run`; for frame prediction.
        """
        for i in tf.range(num_batches):
            batch = () if iterator is None else (next(iterator),)
            self.strategy.run(self._accumulate, args=(i, *batch))

    def _accumulate(self, i, batch=None):
        # Negative step numbers: draws that no training step makes.
        z, y, _, _ = self.randomness.draw(-1 - tf.cast(i, tf.int64), 0)
        n = tf.cast(i + 1, tf.float32)
        given = ()
        if batch:
            videos, labels = batch
            given = given_frames(self.ema_generator, videos)
            y = class_ids(self.ema_generator, labels)
        self.ema_generator.accumulate_standing_statistics(
            z,
            y,
            n,
            *given,
            parts=self.accumulation_steps,
            shards=self.shards,
        )

    def sample(self, z, y, ema=True, frames=None):
        """Samples in inference mode.

        Args:
            z: [B, z_dim], already truncated.
            y: class ids, integer [B].
            ema: whether the averaged or the live generator samples.
            frames: the given frames [B, C, H, W, 3] in [-1, 1], if any.

        Returns:
            [B, T - C, H, W, 3], float32 in [-1, 1].
        """
        run = self._sample_ema if ema else self._sample_live
        videos = self.strategy.run(run, args=(z, y, frames))
        return self.strategy.experimental_local_results(videos)[0]

    @tf.function(reduce_retracing=True)
    def _sample_ema(self, z, y, frames):
        return self.ema_generator(z, y, training=False, frames=frames)

    @tf.function(reduce_retracing=True)
    def _sample_live(self, z, y, frames):
        return self.generator(z, y, training=False, frames=frames)


def _on_accelerators():
    return any(tf.config.list_logical_devices(kind) for kind in ("GPU", "TPU"))
