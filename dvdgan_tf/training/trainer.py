"""How DVD-GAN trains: one step, on any `tf.distribute` strategy."""

import functools

import gin
import keras
import tensorflow as tf

from dvdgan_tf.training import ema, losses
from dvdgan_tf.training.accumulation import map_over_parts, sum_over_parts
from dvdgan_tf.training.adam import Adam
from dvdgan_tf.training.randomness import Randomness

# What a step returns, in this order. Gradient norms are sums over replicas
# of the norms of their shares: exact on one replica, an upper bound on more.
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

# The first of them belong to an update of D, the rest to that of G.
NUM_D_METRICS = 8

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
        accumulation_steps: parts of each replica's batch that are computed
            one after the other, to save memory; the update is that of the
            whole batch (see `accumulation`, and `segments` for G).
        precision: "float32", or "mixed_bfloat16": activations in bfloat16;
            parameters, optimizer state, vectors of the spectral norm, batch
            norm statistics and losses in float32.
        jit_compile: whether each replica's updates are compiled by XLA.
        seed: of the initial weights, of z, y and the frames for D_S, and of
            the order and windows of the clips.

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
        accumulation_steps=1,
        precision="float32",
        jit_compile=False,
        seed=0,
    ):
        self.strategy = tf.distribute.get_strategy()
        self.batch_size = batch_size
        self.d_steps = d_steps
        self.ema_decay = ema_decay
        self.ema_start_step = ema_start_step
        self.orthogonal_regularization = orthogonal_regularization
        self.accumulation_steps = accumulation_steps
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
        self.randomness = Randomness(seed, batch_size, self.generator)
        self.networks = (
            self.generator,
            self.d_spatial,
            self.d_temporal,
            self.ema_generator,
        )
        for network in self.networks:
            network.build()
        self._d_variables = [
            *self.d_spatial.trainable_variables,
            *self.d_temporal.trainable_variables,
        ]
        adam = dict(beta_1=beta_1, beta_2=beta_2, epsilon=adam_epsilon)
        self.optimizer_g = Adam(learning_rate_g, name="optimizer_g", **adam)
        self.optimizer_d = Adam(learning_rate_d, name="optimizer_d", **adam)
        self.optimizer_g.build(self.generator.trainable_variables)
        self.optimizer_d.build(self._d_variables)
        self.step = tf.Variable(0, dtype=tf.int64, name="step")
        ema.copy(self.ema_generator, self.generator)

    def _check_arguments(self, precision):
        replicas = self.strategy.num_replicas_in_sync
        for name in ("accumulation_steps", "d_steps"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(
                    f"Trainer.{name} must be at least 1. "
                    f"Received: {name}={value}"
                )
        shares = replicas * self.accumulation_steps
        if self.batch_size < 1 or self.batch_size % shares:
            raise ValueError(
                "BATCH_SIZE must be a positive multiple of the number of "
                f"replicas, {replicas}, times Trainer.accumulation_steps, "
                f"{self.accumulation_steps}. "
                f"Received: batch_size={self.batch_size}"
            )
        if self.jit_compile and replicas > 1 and not _on_accelerators():
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

    def _check_frames(self):
        frames, k = self.generator.generated_frames, self.d_spatial.k
        if k > frames:
            raise ValueError(
                "SpatialDiscriminator.k must be at most the generated frames, "
                f"NUM_FRAMES - CONDITIONING_FRAMES = {frames}. "
                f"Received: k={k}"
            )
        self.d_temporal.check_num_frames(self.generator.num_frames)

    @property
    def batches_per_step(self):
        """Real batches that a step takes."""
        return self.d_steps + (1 if self.generator.conditioning_frames else 0)

    def variables(self):
        """All state of the run, by unique name: {name: variable}.

        Learning rates are configuration, not state: a resumed run has those
        of its gin files.
        """
        variables = {"step": self.step}
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

    @tf.function(reduce_retracing=True)
    def run(self, iterator, num_steps):
        """Runs steps without returning to Python between them.

        Args:
            iterator: of distributed batches (uint8 [b, T, H, W, 3], integer
                labels [b]), b examples per replica.
            num_steps: integer tensor, so that its value causes no retracing.

        Returns:
            [num_steps, len(METRICS)], float32.
        """
        history = tf.TensorArray(
            tf.float32, num_steps, element_shape=[len(METRICS)]
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
            [len(METRICS)], float32.
        """
        return self._one_step(lambda i: (videos[i], labels[i]))

    def _one_step(self, next_batch):
        """Updates of D, one of G; returns the metrics, in graph code."""
        step = self.step.read_value()
        d_metrics = tf.zeros([NUM_D_METRICS])
        # A graph loop, so that the update is traced only once.
        for i in tf.range(self.d_steps):
            d_metrics += self._on_replicas(
                self._d_update, next_batch(i), step, i
            )
        d_metrics /= float(self.d_steps)
        conditions = self.batches_per_step > self.d_steps
        batch = next_batch(self.d_steps) if conditions else ()
        g_metrics = self._on_replicas(self._g_update, step, *batch)
        self.step.assign_add(1)
        return tf.concat([d_metrics, g_metrics], 0)

    def _on_replicas(self, update, *args):
        """Runs an update on all replicas; returns the sum of its metrics."""
        update = tf.autograph.experimental.do_not_convert(update)
        if self.jit_compile:
            update = tf.function(update, jit_compile=True)
        metrics = self.strategy.run(update, args=args)
        return self.strategy.reduce("SUM", metrics, axis=None)

    def _d_update(self, batch, step, update):
        """Updates D_S and D_T; returns the first `NUM_D_METRICS` metrics."""
        z, y, real_noise, fake_noise = self.randomness.draw(step, update)
        videos, labels = batch
        labels = self._class_ids(labels)
        given = self._given(videos)
        if given:
            y = labels
        fake = self._generate(z, y, *given)
        examples = (videos, labels, real_noise, fake, y, fake_noise)
        with tf.GradientTape() as tape:
            parameters = self._d_parameters()
        flat = _flat(parameters)
        metrics, cotangents = sum_over_parts(
            functools.partial(self._d_gradients, parameters),
            examples,
            self.accumulation_steps,
            (
                tf.zeros([NUM_D_METRICS - 2]),
                [tf.zeros(p.shape, tf.float32) for p in flat],
            ),
        )
        gradients = tape.gradient(
            flat,
            [v.value for v in self._d_variables],
            output_gradients=[
                tf.cast(c, p.dtype)
                for c, p in zip(cotangents, flat, strict=True)
            ],
        )
        self.optimizer_d.apply(gradients, self._d_variables)
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
        real = _scaled(videos)
        fake = self._after(fake, *self._given(videos))
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            # One batch of real and fake: one pass through D.
            scores = self._scores(
                tf.concat([real, fake], 0),
                tf.concat([labels, y], 0),
                tf.concat([real_noise, fake_noise], 0),
                parameters,
            )
            halves = [tf.split(score, 2) for score in scores]
            terms = [
                losses.discriminator_hinge(real, fake, self.batch_size)
                for real, fake in halves
            ]
            loss = tf.add_n(terms)
        means = [
            tf.reduce_sum(half) / self.batch_size
            for pair in halves
            for half in pair
        ]
        gradients = tape.gradient(loss, _flat(parameters))
        # Parts are added up in float32 under every policy.
        gradients = [tf.cast(g, tf.float32) for g in gradients]
        return tf.stack([*terms, *means]), gradients

    def _g_update(self, step, *batch):
        """Updates G, then its average; returns the other metrics.

        Args:
            step: integer scalar.
            *batch: in frame prediction, real videos and their labels.
        """
        variables = self.generator.trainable_variables
        z, y, noise, _ = self.randomness.draw(step, self.d_steps)
        given = ()
        if batch:
            videos, labels = batch
            given, y = self._given(videos), self._class_ids(labels)
        with tf.GradientTape() as tape:
            videos = self._generate(z, y, *given)
            penalty = self._orthogonal_penalty(variables)
        parameters = self._d_parameters()
        hinge, cotangents = map_over_parts(
            functools.partial(self._g_gradients, parameters),
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
            whole = self._after(videos, *given)
            scores = self._scores(whole, y, noise, parameters)
            loss = losses.generator_hinge(tf.add_n(scores), self.batch_size)
        return loss[None], tape.gradient(loss, videos)

    def _generate(self, z, y, *given):
        return self.generator(
            z,
            y,
            training=True,
            parts=self.accumulation_steps,
            frames=given[0] if given else None,
        )

    def _given(self, videos):
        """The conditioning frames of real videos, if there are any."""
        frames = self.generator.conditioning_frames
        return (_scaled(videos[:, :frames]),) if frames else ()

    def _after(self, continuations, *given):
        """Whole videos."""
        if not given:
            return continuations
        return tf.concat([*given, continuations], 1)

    def _class_ids(self, labels):
        """The real videos' classes; all are 0 where there is one class."""
        if self.generator.num_classes == 1:
            labels = tf.zeros_like(labels)
        return tf.cast(labels, tf.int32)

    def _d_parameters(self):
        """Normalised weights of D_S and D_T, after a power iteration."""
        return tuple(
            network.parameters(training=True)
            for network in (self.d_spatial, self.d_temporal)
        )

    def _scores(self, videos, y, noise, parameters):
        """Scores of D_S on k drawn frames and of D_T on a crop, [B] each."""
        spatial, temporal = parameters
        continuations = videos[:, self.generator.conditioning_frames :]
        frames = self.d_spatial.draw_frames(continuations, noise[:, :-2])
        crops = self.d_temporal.draw_crop(videos, noise[:, -2:])
        return (
            self.d_spatial.apply(frames, y, spatial),
            self.d_temporal.apply(crops, y, temporal),
        )

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
        penalty /= self.strategy.num_replicas_in_sync
        return self.orthogonal_regularization * penalty

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
            given, y = self._given(videos), self._class_ids(labels)
        self.ema_generator.accumulate_standing_statistics(z, y, n, *given)

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


def _scaled(videos):
    """uint8 -> float32 in [-1, 1]."""
    return tf.cast(videos, tf.float32) / 127.5 - 1.0


def _on_accelerators():
    return any(tf.config.list_logical_devices(kind) for kind in ("GPU", "TPU"))


def _flat(parameters):
    return tf.nest.flatten(parameters)
