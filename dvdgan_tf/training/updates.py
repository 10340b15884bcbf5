"""What each replica does in a step: updates of D_S and D_T, and one of G."""

import dataclasses
import functools

import keras
import tensorflow as tf

from dvdgan_tf.training import ema
from dvdgan_tf.training.accumulation import (
    accumulated_gradients,
    gradients_for_examples,
)
from dvdgan_tf.training.dual_discriminator import DualDiscriminator
from dvdgan_tf.training.losses import Losses
from dvdgan_tf.training.randomness import Randomness
from dvdgan_tf.training.real_clips import class_ids, given_frames

# Gradient norms are sums over replicas of the norms of their shares: exact on
# one replica, an upper bound on more.
_D_NORMS = ("gradient_norm/d_spatial", "gradient_norm/d_temporal")
G_METRICS = ("loss/g", "gradient_norm/g")


@dataclasses.dataclass(frozen=True, eq=False)
class Updates:
    """The two updates of a step; both are called in replica context.

    They are apart from `Trainer`, which runs them on all replicas, because
    everything here sees one replica's share of a batch. Each update draws,
    generates, differentiates a loss of `losses`, and applies the gradients,
    which the optimizer sums over the replicas.

    Attributes:
        generator: G.
        ema_generator: G's average, a network of the same architecture.
        discriminator: D_S and D_T.
        losses: L_D and L_G.
        optimizer_g: updates G's weights.
        optimizer_d: updates the weights of D_S, then those of D_T.
        randomness: draws z, y, and noise for the inputs of D.
        d_steps: updates of D before that of G.
        accumulation_steps: parts of the replica's batch, one after the other.
        shards: shards of each part, side by side (see `layers.shards`).
        ema_decay: share of the average that an update of G keeps.
        ema_start_step: step until which the average is the live generator.
    """

    generator: keras.Model
    ema_generator: keras.Model
    discriminator: DualDiscriminator
    losses: Losses
    optimizer_g: keras.optimizers.Optimizer
    optimizer_d: keras.optimizers.Optimizer
    randomness: Randomness
    d_steps: int
    accumulation_steps: int
    shards: int
    ema_decay: float
    ema_start_step: int

    @property
    def d_metrics(self) -> tuple[str, ...]:
        """Names of what `of_discriminators` returns, in order."""
        return (*self.losses.d_metrics, *_D_NORMS)

    def of_discriminators(
        self,
        batch: tuple[tf.Tensor, tf.Tensor],
        step: tf.Tensor,
        update: tf.Tensor,
    ) -> tf.Tensor:
        """Updates D_S and D_T.

        Args:
            batch: real videos, uint8 [b, T, H, W, 3], and their labels,
                integer [b]; b is this replica's share of the batch.
            step: int64 scalar.
            update: number of the update within the step, integer scalar.

        Returns:
            This replica's shares of the metrics, float32 [len(d_metrics)].
        """
        z, fake_y, x_noise, fake_noise = self.randomness.draw(step, update)
        x, labels = batch
        y = class_ids(self.generator, labels)
        given = given_frames(self.generator, x)
        # A fake that continues or is paired with a real clip has its class.
        if given is not None or self.losses.loss.pairs:
            fake_y = y
        # All of the batch at once, since batch norm takes its statistics.
        fake = self._generate(z, fake_y, given)
        number = step * self.d_steps + tf.cast(update, tf.int64)
        variables = self.discriminator.trainable_variables
        metrics, gradients = accumulated_gradients(
            functools.partial(self.losses.l_d, update=number),
            self.discriminator.parameters,
            variables,
            dict(
                x=x,
                y=y,
                x_noise=x_noise,
                fake=fake,
                fake_y=fake_y,
                fake_noise=fake_noise,
            ),
            self.accumulation_steps,
            len(self.losses.d_metrics),
        )
        self.optimizer_d.apply(gradients, variables)
        d_spatial, _ = self.discriminator.networks
        split = len(d_spatial.trainable_variables)
        norms = [
            tf.linalg.global_norm(gradients[:split]),
            tf.linalg.global_norm(gradients[split:]),
        ]
        return tf.concat([metrics, norms], 0)

    def of_generator(self, step: tf.Tensor, *batch: tf.Tensor) -> tf.Tensor:
        """Updates G, then its average.

        Args:
            step: int64 scalar.
            *batch: real videos and their labels, as `of_discriminators` takes
                them, where G's update needs any (`Trainer.g_needs_real`);
                nothing otherwise.

        Returns:
            This replica's shares of the metrics, float32 [len(G_METRICS)].
        """
        z, y, noise, x_noise = self.randomness.draw(step, self.d_steps)
        given, examples = None, {}
        if batch:
            x, labels = batch
            given = given_frames(self.generator, x)
            y = class_ids(self.generator, labels)
            if given is not None:
                examples.update(given=given)
            if self.losses.loss.pairs:
                examples.update(x=x, x_noise=x_noise)
        # In two stages: L_G is differentiated for the clips, part by part,
        # and these for the weights, since G is evaluated for all at once.
        with tf.GradientTape() as tape:
            fake = self._generate(z, y, given)
            penalty = self.losses.penalty_on_g()
        loss, for_fake = gradients_for_examples(
            functools.partial(
                self.losses.l_g, parameters=self.discriminator.parameters()
            ),
            fake,
            dict(y=y, noise=noise, **examples),
            self.accumulation_steps,
        )
        variables = self.generator.trainable_variables
        gradients = tape.gradient(
            [fake, penalty],
            [v.value for v in variables],
            output_gradients=[for_fake, tf.ones([])],
        )
        self.optimizer_g.apply(gradients, variables)
        decay = tf.where(step < self.ema_start_step, 0.0, self.ema_decay)
        ema.update(self.ema_generator, self.generator, decay)
        norm = tf.linalg.global_norm(gradients)
        return tf.stack([tf.reduce_sum(loss), norm])

    def _generate(self, z, y, given):
        return self.generator(
            z,
            y,
            training=True,
            parts=self.accumulation_steps,
            frames=given,
            shards=self.shards,
        )
