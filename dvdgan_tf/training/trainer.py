"""How DVD-GAN trains: one step, on any `tf.distribute` strategy."""

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import gin
import keras
import tensorflow as tf

from dvdgan_tf.regularization.regularizer import Regularizer
from dvdgan_tf.training import construction, state
from dvdgan_tf.training.adam import Adam
from dvdgan_tf.training.averaged_generator import AveragedGenerator
from dvdgan_tf.training.decay import DecayedRate
from dvdgan_tf.training.losses import Hinge, Losses
from dvdgan_tf.training.randomness import Randomness
from dvdgan_tf.training.updates import G_METRICS, Updates

# What a step reports of falling learning rates: those that it had.
_RATE_METRICS = ("learning_rate/g", "learning_rate/d")
# What a step reports of `AdaptiveStrength`: the probabilities after it.
_STRENGTH_METRICS = ("augment/p_spatial", "augment/p_temporal")


@gin.register
class Trainer:
    """The networks, their optimizers, and the step that updates them.

    One step is `d_steps` updates of both discriminators and one of the
    generator, each with fresh z, y and frames for D_S. Each update of D takes
    a fresh real batch. For frame prediction that of G takes one, too: each
    fake continues the first frames of a real video, with its label. D_T sees
    them together; D_S sees continuations only.

    Everything random is a function of (seed, step), drawn for the global
    batch and sliced by replica: a run is resumed from its step count alone,
    and its numbers do not depend on the number of replicas.

    It is constructed inside `strategy.scope()`. What each replica computes is
    in `Updates`, and L_D and L_G are in `Losses`.

    Args:
        num_classes: classes that the networks distinguish.
        generator: class or factory of G, called with (num_classes, dtype).
        spatial_discriminator: class or factory of D_S, called likewise.
        temporal_discriminator: class or factory of D_T, called likewise.
        batch_size: examples per update over all replicas.
        d_steps: updates of D per update of G.
        learning_rate_g: G's learning rate.
        learning_rate_d: D's learning rate.
        learning_rate_decay: class of a function of the step by which both are
            multiplied, such as `LinearDecay`; None: they are constant.
        beta_1: decay of Adam's first moment, for G and for D.
        beta_2: decay of Adam's second moment.
        adam_epsilon: what Adam adds to the root of the second moment.
        ema_decay: share of the averaged generator that a step keeps.
        ema_start_step: step until which the average is the live generator.
        orthogonal_regularization: beta of BigGAN's penalty on G; 0 for none.
        loss: `Hinge`, the paper's, or `RelativisticPairing`.
        augment: class of a `DiffAugment` of all that D receives; None for
            none. Its `adaptive` strength is made here, too.
        lecam: class of a `LeCam` penalty of D; None for none.
        gradient_penalty: class of a `GradientPenalty` of D; None for none.
        regularizers: classes of further regularisers of D, each a
            `Regularizer`.
        frozen_d_blocks: number of blocks of D_S, and of D_T, that keep the
            weights that they start with, counted from the input (see
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
        seed: 0 to 2**32 - 1; decides the initial weights, z, y, the frames
            for D_S, and the order and windows of the clips.

    Raises:
        ValueError: an argument, or a combination of them, is impossible.
    """

    def __init__(
        self,
        num_classes: int,
        generator: Callable[..., keras.Model] = gin.REQUIRED,
        spatial_discriminator: Callable[..., keras.Model] = gin.REQUIRED,
        temporal_discriminator: Callable[..., keras.Model] = gin.REQUIRED,
        batch_size: int = 512,
        d_steps: int = 2,
        learning_rate_g: float = 1e-4,
        learning_rate_d: float = 5e-4,
        learning_rate_decay: Callable[[], Callable] | None = None,
        beta_1: float = 0.0,
        beta_2: float = 0.999,
        adam_epsilon: float = 1e-8,
        ema_decay: float = 0.9999,
        ema_start_step: int = 20_000,
        orthogonal_regularization: float = 0.0,
        loss: type = Hinge,
        augment: Callable[[], Any] | None = None,
        lecam: Callable[[], Regularizer] | None = None,
        gradient_penalty: Callable[[], Regularizer] | None = None,
        regularizers: Sequence[Callable[[], Regularizer]] = (),
        frozen_d_blocks: int = 0,
        accumulation_steps: int = 1,
        shards: int = 1,
        precision: str = "float32",
        jit_compile: bool = False,
        seed: int = 0,
    ):
        self.strategy = tf.distribute.get_strategy()
        self.batch_size = batch_size
        self.d_steps = d_steps
        self.accumulation_steps = accumulation_steps
        self.shards = 1 if jit_compile else shards
        self.seed = self.training_seed = seed
        self.jit_compile = jit_compile
        construction.check_numbers(self)
        construction.check_compiler(self.strategy, precision, jit_compile)
        self.networks = construction.networks(
            (generator, spatial_discriminator, temporal_discriminator),
            dict(num_classes=num_classes, dtype=precision),
            frozen_d_blocks,
            seed,
        )
        self.generator, self.d_spatial, self.d_temporal, self.ema_generator = (
            self.networks
        )
        self.discriminator, self.regularizers = construction.discriminator(
            self.networks[:3],
            augment,
            (lecam, gradient_penalty, *regularizers),
            self.shards,
        )
        self.randomness = Randomness(
            seed, batch_size, self.generator, self.discriminator.extra_draws
        )
        adam = dict(beta_1=beta_1, beta_2=beta_2, epsilon=adam_epsilon)
        self._full_rates = (learning_rate_g, learning_rate_d)
        self._decay = learning_rate_decay and learning_rate_decay()
        if self._decay:
            learning_rate_g = DecayedRate(learning_rate_g, self._decay, 1)
            learning_rate_d = DecayedRate(learning_rate_d, self._decay, d_steps)
        self.optimizer_g = Adam(learning_rate_g, name="optimizer_g", **adam)
        self.optimizer_d = Adam(learning_rate_d, name="optimizer_d", **adam)
        self.optimizer_g.build(self.generator.trainable_variables)
        self.optimizer_d.build(self.discriminator.trainable_variables)
        self.step = tf.Variable(0, dtype=tf.int64, name="step")
        self._make_updates(
            loss, orthogonal_regularization, ema_decay, ema_start_step
        )

    def _make_updates(
        self, loss, orthogonal_regularization, ema_decay, ema_start_step
    ):
        """Makes what runs on each replica."""
        self.losses = Losses(
            self.generator,
            self.discriminator,
            loss,
            self.regularizers,
            orthogonal_regularization,
            self.batch_size,
        )
        division = dict(
            accumulation_steps=self.accumulation_steps, shards=self.shards
        )
        self.updates = Updates(
            generator=self.generator,
            ema_generator=self.ema_generator,
            discriminator=self.discriminator,
            losses=self.losses,
            optimizer_g=self.optimizer_g,
            optimizer_d=self.optimizer_d,
            randomness=self.randomness,
            d_steps=self.d_steps,
            ema_decay=ema_decay,
            ema_start_step=ema_start_step,
            **division,
        )
        self._averaged = AveragedGenerator(
            self.strategy,
            self.ema_generator,
            self.generator,
            self.randomness,
            **division,
        )

    def train_with_seed(self, seed: int) -> None:
        """Gives the training steps another seed than `seed`.

        Standing statistics, samples and reports keep theirs, so that they can
        be compared over the whole run. It is called after
        `randomness.follow_labels`.

        Args:
            seed: decides z, y, the frames for D_S, and the clips of all steps
                from now on.
        """
        if seed == self.training_seed:
            return
        self.training_seed = seed
        randomness = copy.copy(self.randomness)
        randomness.seed = seed
        self.updates = dataclasses.replace(self.updates, randomness=randomness)
        # The seed is a constant of a step that has been traced.
        python_function = type(self).run.python_function
        self.run = tf.function(
            python_function.__get__(self), reduce_retracing=True
        )

    @property
    def g_needs_real(self) -> bool:
        """Whether G's update takes a real batch: to continue, or to pair."""
        return bool(
            self.generator.conditioning_frames or self.losses.loss.pairs
        )

    @property
    def batches_per_step(self) -> int:
        """Real batches that a step takes."""
        return self.d_steps + self.g_needs_real

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what a step returns, in order."""
        adaptive = self.discriminator.adaptive
        strength = _STRENGTH_METRICS if adaptive else ()
        rates = _RATE_METRICS if self._decay else ()
        return (*self.updates.d_metrics, *G_METRICS, *strength, *rates)

    def variables(self) -> dict[str, tf.Variable | keras.Variable]:
        """Returns all state of the run, {unique name: variable}.

        Learning rates are configuration, not state: a resumed run has those
        of its gin files.
        """
        return state.variables(
            {"step": self.step},
            self.regularizers,
            (*self.networks, self.optimizer_g, self.optimizer_d),
        )

    @tf.function(reduce_retracing=True)
    def run(self, iterator: Any, num_steps: tf.Tensor) -> tf.Tensor:
        """Runs steps without returning to Python between them.

        Args:
            iterator: gives distributed batches (uint8 [b, T, H, W, 3], integer
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

    def step_on(self, videos: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Makes one step on given batches, on one device; to be compiled.

        Args:
            videos: uint8 [batches_per_step, batch_size, T, H, W, 3].
            labels: integer [batches_per_step, batch_size].

        Returns:
            [len(self.metrics)], float32.
        """
        return self._one_step(lambda i: (videos[i], labels[i]))

    def _one_step(self, next_batch):
        """Makes the updates of D and one of G; returns the metrics."""
        step = self.step.read_value()
        d_metrics = tf.zeros([len(self.updates.d_metrics)])
        # A graph loop, so that the update is traced only once.
        for i in tf.range(self.d_steps):
            values = self.on_replicas(
                self.updates.of_discriminators, next_batch(i), step, i
            )
            self._observe(values)
            d_metrics += values
        d_metrics /= float(self.d_steps)
        batch = next_batch(self.d_steps) if self.g_needs_real else ()
        g_metrics = self.on_replicas(self.updates.of_generator, step, *batch)
        self.step.assign_add(1)
        metrics = [d_metrics, g_metrics]
        adaptive = self.discriminator.adaptive
        if adaptive:
            metrics.append(tf.convert_to_tensor(adaptive.probability))
        if self._decay:
            metrics.append(tf.constant(self._full_rates) * self._decay(step))
        return tf.concat(metrics, 0)

    # AutoGraph cannot transform a method without statements.
    @tf.autograph.experimental.do_not_convert
    def _observe(self, d_values):
        """Lets the regularisers see the metrics of an update of D."""
        names = self.updates.d_metrics
        by_name = dict(zip(names, tf.unstack(d_values), strict=True))
        for regularizer in self.regularizers:
            regularizer.observe(by_name, self.batch_size)

    def on_replicas(
        self, update: Callable[..., tf.Tensor], *args: Any
    ) -> tf.Tensor:
        """Runs an update on all replicas, and adds up their metrics.

        Args:
            update: a method of `updates`.
            *args: arguments of the update, batches per replica.
        """
        # An update is plain graph code; AutoGraph would only cost time.
        update = tf.autograph.experimental.do_not_convert(update)
        if self.jit_compile:
            update = tf.function(update, jit_compile=True)
        metrics = self.strategy.run(update, args=args)
        return self.strategy.reduce("SUM", metrics, axis=None)

    def update_standing_statistics(
        self, num_batches: tf.Tensor, iterator: Any = None
    ) -> None:
        """Recomputes the averaged generator's batch norm statistics.

        Args:
            num_batches: integer tensor, batches of `batch_size` samples.
            iterator: gives real batches, as in `run`, for frame prediction.
        """
        self._averaged.update_standing_statistics(num_batches, iterator)

    def sample(
        self,
        z: tf.Tensor,
        y: tf.Tensor,
        ema: bool = True,
        frames: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Samples in inference mode.

        Args:
            z: latents, already truncated, float32 [B, z_dim].
            y: class ids, integer [B].
            ema: whether the averaged or the live generator samples.
            frames: the given frames [B, C, H, W, 3] in [-1, 1], if any.

        Returns:
            [B, T - C, H, W, 3], float32 in [-1, 1].
        """
        return self._averaged.sample(z, y, ema, frames)
