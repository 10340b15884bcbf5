"""What each replica does in a step: updates of D_S and D_T, and one of G."""

import dataclasses
import functools

import keras
import tensorflow as tf

from dvdgan_tf.training import ema, losses
from dvdgan_tf.training.accumulation import map_over_parts, sum_over_parts
from dvdgan_tf.training.randomness import Randomness

# What the updates return, in this order. Gradient norms are sums over
# replicas of the norms of their shares: exact on one replica, an upper bound
# on more.
D_METRICS = (
    "loss/d_spatial",
    "loss/d_temporal",
    "score/spatial_real",
    "score/spatial_fake",
    "score/temporal_real",
    "score/temporal_fake",
    "gradient_norm/d_spatial",
    "gradient_norm/d_temporal",
)
G_METRICS = ("loss/g", "gradient_norm/g")


@dataclasses.dataclass(frozen=True, eq=False)
class Updates:
    """The two updates of a step; both are called in replica context.

    Attributes:
        generator: G.
        ema_generator: its average, of the same architecture.
        d_spatial: D_S.
        d_temporal: D_T.
        optimizer_g: of G's weights.
        optimizer_d: of the weights of D_S, then those of D_T.
        randomness: draws z, y, and noise for the inputs of D.
        d_steps: updates of D before that of G.
        accumulation_steps: parts of the replica's batch, one after the other.
        ema_decay: of the averaged generator.
        ema_start_step: until this step the average is the live generator.
        orthogonal_regularization: beta of BigGAN's penalty on G; 0 for none.
    """

    generator: keras.Model
    ema_generator: keras.Model
    d_spatial: keras.Model
    d_temporal: keras.Model
    optimizer_g: keras.optimizers.Optimizer
    optimizer_d: keras.optimizers.Optimizer
    randomness: Randomness
    d_steps: int
    accumulation_steps: int
    ema_decay: float
    ema_start_step: int
    orthogonal_regularization: float

    # ----- L_D: an update of D_S and D_T -----

    def of_discriminators(self, batch, step, update):
        """Updates D_S and D_T.

        Args:
            batch: real videos, uint8 [b, T, H, W, 3], and their labels,
                integer [b]; b is this replica's share of the batch.
            step: int64 scalar.
            update: number of the update within the step, integer scalar.

        Returns:
            [len(D_METRICS)], float32; this replica's shares.
        """
        z, y, real_noise, fake_noise = self.randomness.draw(step, update)
        videos, labels = batch
        labels = class_ids(self.generator, labels)
        given = given_frames(self.generator, videos)
        if given:
            y = labels
        fake = self._generate(z, y, *given)
        examples = (videos, labels, real_noise, fake, y, fake_noise)
        variables = [
            *self.d_spatial.trainable_variables,
            *self.d_temporal.trainable_variables,
        ]
        with tf.GradientTape() as tape:
            parameters = self.d_parameters()
        flat = tf.nest.flatten(parameters)
        zeros = [tf.zeros(p.shape, tf.float32) for p in flat]
        metrics, cotangents = sum_over_parts(
            functools.partial(self._d_gradients, parameters),
            examples,
            self.accumulation_steps,
            (tf.zeros([len(D_METRICS) - 2]), zeros),
        )
        gradients = tape.gradient(
            flat,
            [v.value for v in variables],
            output_gradients=[
                tf.cast(c, p.dtype)
                for c, p in zip(cotangents, flat, strict=True)
            ],
        )
        self.optimizer_d.apply(gradients, variables)
        split = len(self.d_spatial.trainable_variables)
        norms = [
            tf.linalg.global_norm(gradients[:split]),
            tf.linalg.global_norm(gradients[split:]),
        ]
        return tf.concat([metrics, norms], 0)

    def _d_gradients(self, parameters, *examples):
        """Losses and scores of some examples; the losses' gradients.

        Returns:
            All of D's metrics but the norms, shares of the global batch; and
            the gradients for the flat `parameters`, float32.
        """
        videos, labels, real_noise, fake, y, fake_noise = examples
        batch_size = self.randomness.batch_size
        real = scaled(videos)
        fake = _after(fake, *given_frames(self.generator, videos))
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            # One batch of real and fake: one pass through D.
            scores = self.scores(
                tf.concat([real, fake], 0),
                tf.concat([labels, y], 0),
                tf.concat([real_noise, fake_noise], 0),
                parameters,
            )
            halves = [tf.split(score, 2) for score in scores]
            terms = [
                losses.discriminator_hinge(real, fake, batch_size)
                for real, fake in halves
            ]
            loss = tf.add_n(terms)
        means = [
            tf.reduce_sum(half) / batch_size for pair in halves for half in pair
        ]
        gradients = tape.gradient(loss, tf.nest.flatten(parameters))
        # Parts are added up in float32 under every policy.
        gradients = [tf.cast(g, tf.float32) for g in gradients]
        return tf.stack([*terms, *means]), gradients

    # ----- L_G: an update of G and of its average -----

    def of_generator(self, step, *batch):
        """Updates G, then its average.

        Args:
            step: int64 scalar.
            *batch: in frame prediction, as that of `of_discriminators`.

        Returns:
            [len(G_METRICS)], float32; this replica's shares.
        """
        variables = self.generator.trainable_variables
        z, y, noise, _ = self.randomness.draw(step, self.d_steps)
        given = ()
        if batch:
            videos, labels = batch
            given = given_frames(self.generator, videos)
            y = class_ids(self.generator, labels)
        with tf.GradientTape() as tape:
            videos = self._generate(z, y, *given)
            penalty = self._orthogonal_penalty(variables)
        hinge, cotangents = map_over_parts(
            functools.partial(self._g_gradients, self.d_parameters()),
            (videos, y, noise, *given),
            self.accumulation_steps,
        )
        gradients = tape.gradient(
            [videos, penalty],
            [v.value for v in variables],
            output_gradients=[cotangents, tf.ones([])],
        )
        self.optimizer_g.apply(gradients, variables)
        decay = tf.where(step < self.ema_start_step, 0.0, self.ema_decay)
        ema.update(self.ema_generator, self.generator, decay)
        norm = tf.linalg.global_norm(gradients)
        return tf.stack([tf.reduce_sum(hinge), norm])

    def _g_gradients(self, parameters, videos, y, noise, *given):
        """The loss [1] of generated videos, and its gradients [B, ...]."""
        with tf.GradientTape() as tape:
            tape.watch(videos)
            scores = self.scores(_after(videos, *given), y, noise, parameters)
            loss = losses.generator_hinge(
                tf.add_n(scores), self.randomness.batch_size
            )
        return loss[None], tape.gradient(loss, videos)

    def _orthogonal_penalty(self, variables):
        """This replica's share of BigGAN's penalty on G."""
        if not self.orthogonal_regularization:
            return tf.zeros([])
        weights = [
            tf.convert_to_tensor(v)
            for v in variables
            if len(v.shape) >= 2 and v is not self.generator.class_embedding
        ]
        penalty = losses.orthogonal_regularization(weights)
        # Gradients are summed over replicas; this term is the same on each.
        penalty /= tf.distribute.get_strategy().num_replicas_in_sync
        return self.orthogonal_regularization * penalty

    # ----- Of both -----

    def _generate(self, z, y, *given):
        return self.generator(
            z,
            y,
            training=True,
            parts=self.accumulation_steps,
            frames=given[0] if given else None,
        )

    def d_parameters(self):
        """Normalised weights of D_S and D_T, after a power iteration."""
        return tuple(
            network.parameters(training=True)
            for network in (self.d_spatial, self.d_temporal)
        )

    def scores(self, videos, y, noise, parameters):
        """Scores of D_S on k drawn frames and of D_T on its view, [B] each.

        Args:
            videos: whole clips [B, T, H, W, 3] in [-1, 1].
            y: class ids [B].
            noise: uniform [B, generated_frames + 2], of `Randomness.draw`.
            parameters: what `d_parameters` returns.
        """
        spatial, temporal = parameters
        continuations = videos[:, self.generator.conditioning_frames :]
        frames = self.d_spatial.draw_frames(continuations, noise[:, :-2])
        crops = self.d_temporal.draw_crop(videos, noise[:, -2:])
        return (
            self.d_spatial.apply(frames, y, spatial),
            self.d_temporal.apply(crops, y, temporal),
        )


def given_frames(generator, videos):
    """The conditioning frames of real videos, in a tuple; () in synthesis.

    Args:
        generator: G.
        videos: uint8 [B, T, H, W, 3].
    """
    frames = generator.conditioning_frames
    return (scaled(videos[:, :frames]),) if frames else ()


def class_ids(generator, labels):
    """The real videos' classes, int32; all 0 where G has one class."""
    if generator.num_classes == 1:
        labels = tf.zeros_like(labels)
    return tf.cast(labels, tf.int32)


def _after(continuations, *given):
    """Whole videos."""
    return tf.concat([*given, continuations], 1) if given else continuations


def scaled(videos):
    """uint8 videos as float32 in [-1, 1]."""
    return tf.cast(videos, tf.float32) / 127.5 - 1.0
