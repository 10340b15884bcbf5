"""What each replica does in a step: updates of D_S and D_T, and one of G."""

import dataclasses
import functools

import keras
import tensorflow as tf

from dvdgan_tf.layers.shards import for_shards, join, shard
from dvdgan_tf.training import ema, losses
from dvdgan_tf.training.accumulation import map_over_parts, sum_over_parts
from dvdgan_tf.training.randomness import Randomness
from dvdgan_tf.video.pixels import to_float

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

# The metrics that only a regulariser of D adds, between scores and norms.
LECAM_METRICS = ("loss/lecam_spatial", "loss/lecam_temporal")
PENALTY_METRICS = (
    "loss/gradient_penalty_spatial",
    "loss/gradient_penalty_temporal",
)
SIGN_METRICS = ("sign/spatial_real", "sign/temporal_real")


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
        loss: `Hinge` or `RelativisticPairing`.
        d_steps: updates of D before that of G.
        accumulation_steps: parts of the replica's batch, one after the other.
        shards: shards of each part, side by side (see `layers.shards`).
        ema_decay: of the averaged generator.
        ema_start_step: until this step the average is the live generator.
        orthogonal_regularization: beta of BigGAN's penalty on G; 0 for none.
        augment: a `DiffAugment` of all that D receives, or None.
        adaptive: an `AdaptiveStrength` of `augment`, or None.
        lecam: a `LeCam`, or None.
        gradient_penalty: a `GradientPenalty`, or None.
    """

    generator: keras.Model
    ema_generator: keras.Model
    d_spatial: keras.Model
    d_temporal: keras.Model
    optimizer_g: keras.optimizers.Optimizer
    optimizer_d: keras.optimizers.Optimizer
    randomness: Randomness
    loss: type
    d_steps: int
    accumulation_steps: int
    shards: int
    ema_decay: float
    ema_start_step: int
    orthogonal_regularization: float
    augment: object = None
    adaptive: object = None
    lecam: object = None
    gradient_penalty: object = None

    @property
    def d_metrics(self):
        """Names of what `of_discriminators` returns, in order."""
        extra = (
            *(LECAM_METRICS if self.lecam else ()),
            *(PENALTY_METRICS if self.gradient_penalty else ()),
            *(SIGN_METRICS if self.adaptive else ()),
        )
        return (*D_METRICS[:-2], *extra, *D_METRICS[-2:])

    # ----- L_D: an update of D_S and D_T -----

    def of_discriminators(self, batch, step, update):
        """Updates D_S and D_T.

        Args:
            batch: real videos, uint8 [b, T, H, W, 3], and their labels,
                integer [b]; b is this replica's share of the batch.
            step: int64 scalar.
            update: number of the update within the step, integer scalar.

        Returns:
            [len(self.d_metrics)], float32; this replica's shares.
        """
        z, y, real_noise, fake_noise = self.randomness.draw(step, update)
        videos, labels = batch
        labels = class_ids(self.generator, labels)
        given = given_frames(self.generator, videos)
        if given or self.loss.pairs:
            y = labels
        fake = self._generate(z, y, *given)
        number = step * self.d_steps + tf.cast(update, tf.int64)
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
            functools.partial(self._d_gradients, number, parameters),
            examples,
            self.accumulation_steps,
            (tf.zeros([len(self.d_metrics) - 2]), zeros),
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

    def _d_gradients(self, number, parameters, *examples):
        """Losses and scores of some examples; the losses' gradients.

        Args:
            number: of this update of D in the run, int64 scalar.
            parameters: what `d_parameters` returns.
            *examples: as `of_discriminators` orders them.

        Returns:
            All of D's metrics but the norms, shares of the global batch; and
            the gradients for the flat `parameters`, float32.
        """
        videos, labels, real_noise, fake, y, fake_noise = examples
        batch_size = self.randomness.batch_size
        real = scaled(videos)
        fake = _after(fake, *given_frames(self.generator, videos))
        # One batch of real and fake: one pass through D.
        views = self.views(
            tf.concat([real, fake], 0), tf.concat([real_noise, fake_noise], 0)
        )
        y = tf.concat([labels, y], 0)
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            scores = self.scores_of(views, y, parameters)
            halves = [tf.split(score, 2) for score in scores]
            terms = [
                self.loss.discriminator(real, fake, batch_size)
                for real, fake in halves
            ]
            penalties = [
                *self._lecam_penalties(halves),
                *self._gradient_penalties(number, views, y, parameters),
            ]
            loss = tf.add_n([*terms, *penalties])
        means = [
            tf.reduce_sum(half) / batch_size for pair in halves for half in pair
        ]
        signs = []
        if self.adaptive:
            signs = [
                tf.reduce_sum(tf.sign(real)) / batch_size for real, _ in halves
            ]
        gradients = tape.gradient(loss, tf.nest.flatten(parameters))
        # Parts are added up in float32 under every policy.
        gradients = [tf.cast(g, tf.float32) for g in gradients]
        return tf.stack([*terms, *means, *penalties, *signs]), gradients

    def _lecam_penalties(self, halves):
        """LeCam's term of D_S and of D_T; none where it is off."""
        if not self.lecam:
            return []
        return [
            self.lecam.penalty(i, real, fake, self.randomness.batch_size)
            for i, (real, fake) in enumerate(halves)
        ]

    def _gradient_penalties(self, number, views, y, parameters):
        """R1 and R2 of D_S and of D_T where due; none where they are off."""
        if not self.gradient_penalty:
            return []
        networks = (self.d_spatial, self.d_temporal)

        def penalty(network, view, weights):
            scores = [
                functools.partial(
                    self._score, network, y=half, parameters=weights
                )
                for half in tf.split(y, 2)
            ]
            return self.gradient_penalty.penalty(
                scores, tf.split(view, 2), self.randomness.batch_size
            )

        def penalties():
            each = zip(networks, views, parameters, strict=True)
            return [penalty(*arguments) for arguments in each]

        if self.gradient_penalty.every == 1:
            return penalties()
        due = self.gradient_penalty.due(number)
        return tf.cond(due, penalties, lambda: [tf.zeros([])] * 2)

    # ----- L_G: an update of G and of its average -----

    def of_generator(self, step, *batch):
        """Updates G, then its average.

        Args:
            step: int64 scalar.
            *batch: where G's update takes real videos (`Trainer.g_needs_real`),
                as that of `of_discriminators`.

        Returns:
            [len(G_METRICS)], float32; this replica's shares.
        """
        variables = self.generator.trainable_variables
        z, y, noise, real_noise = self.randomness.draw(step, self.d_steps)
        given = real = ()
        if batch:
            videos, labels = batch
            given = given_frames(self.generator, videos)
            y = class_ids(self.generator, labels)
            real = (videos, real_noise) if self.loss.pairs else ()
        with tf.GradientTape() as tape:
            videos = self._generate(z, y, *given)
            penalty = self._orthogonal_penalty(variables)
        loss, cotangents = map_over_parts(
            functools.partial(self._g_gradients, self.d_parameters()),
            (videos, y, noise, *given, *real),
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
        return tf.stack([tf.reduce_sum(loss), norm])

    def _g_gradients(self, parameters, videos, y, noise, *others):
        """The loss [1] of generated videos, and its gradients [B, ...].

        Args:
            parameters: what `d_parameters` returns.
            videos: generated [B, T - C, H, W, 3].
            y: class ids [B].
            noise: as `scores` takes it.
            *others: in frame prediction the given frames; for a loss of pairs
                then the real videos, uint8, and their noise.
        """
        others = list(others)
        given = [others.pop(0)] if self.generator.conditioning_frames else []
        real_scores = None
        if others:
            real, real_noise = others
            real_scores = self.scores(scaled(real), y, real_noise, parameters)
        with tf.GradientTape() as tape:
            tape.watch(videos)
            scores = self.scores(_after(videos, *given), y, noise, parameters)
            loss = self.loss.generator(
                scores, real_scores, self.randomness.batch_size
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
            shards=self.shards,
        )

    def d_parameters(self):
        """Normalised weights of D_S and D_T, after a power iteration."""
        return tuple(
            network.parameters(training=True)
            for network in (self.d_spatial, self.d_temporal)
        )

    def scores(self, videos, y, noise, parameters):
        """Scores of D_S and of D_T for whole clips, [B] each.

        Args:
            videos: clips [B, T, H, W, 3] in [-1, 1].
            y: class ids [B].
            noise: uniform [B, ...], as `Randomness.draw` makes it.
            parameters: what `d_parameters` returns.
        """
        return self.scores_of(self.views(videos, noise), y, parameters)

    def views(self, videos, noise):
        """What the discriminators receive of clips, augmented where it is on.

        Args:
            videos: clips [B, T, H, W, 3] in [-1, 1].
            noise: uniform [B, ...], as `Randomness.draw` makes it.

        Returns:
            For D_S k drawn frames, [B, k, H, W, 3]; for D_T all frames, or a
            crop of them, [B, T, h, w, 3].
        """
        frames = self.generator.generated_frames
        picks, crop, draws = tf.split(noise, [frames, 2, -1], 1)
        for_spatial, for_temporal = self._augmented(videos, draws)
        continuations = for_spatial[:, self.generator.conditioning_frames :]
        return (
            self.d_spatial.draw_frames(continuations, picks),
            self.d_temporal.draw_crop(for_temporal, crop),
        )

    def _augmented(self, videos, draws):
        """The clips for D_S and for D_T: the same draws, each its strength."""
        if not self.augment:
            return videos, videos
        if not self.adaptive:
            augmented = self.augment(videos, draws)
            return augmented, augmented
        probabilities = tf.convert_to_tensor(self.adaptive.probability)
        return [
            self.augment(videos, draws, probability)
            for probability in tf.unstack(probabilities)
        ]

    def scores_of(self, views, y, parameters):
        """Scores of D_S and of D_T, [B] each.

        Args:
            views: what `views` returns.
            y: class ids [B].
            parameters: what `d_parameters` returns.
        """
        networks = (self.d_spatial, self.d_temporal)
        return [
            self._score(network, view, y, weights)
            for network, view, weights in zip(
                networks, views, parameters, strict=True
            )
        ]

    def _score(self, network, view, y, parameters):
        def score(view, y):
            return network.apply(view, y, parameters)

        return join(
            for_shards(score, shard(view, self.shards), shard(y, self.shards))
        )

    def observe(self, d_values):
        """Lets the regularisers see an update of D; in cross-replica context.

        Args:
            d_values: what `of_discriminators` returns, summed over replicas.
        """
        values = dict(zip(self.d_metrics, tf.unstack(d_values), strict=True))
        if self.lecam:
            means = [
                [values[f"score/{name}_real"], values[f"score/{name}_fake"]]
                for name in ("spatial", "temporal")
            ]
            self.lecam.update(tf.stack(means))
        if self.adaptive:
            signs = tf.stack([values[name] for name in SIGN_METRICS])
            self.adaptive.update(signs, self.randomness.batch_size)


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
    return to_float(videos)
