"""The losses of DVD-GAN, L_D and L_G.

Source: v2, objective; with D(x) the score summed over frames,

    L_D = sum over D_S, D_T of E[relu(1 - D(x, y))] + E[relu(1 + D(G(z, y), y))]
    L_G = -E[D_S(G(z, y), y)] - E[D_T(G(z, y), y)]

Expectations are over the global batch: every function takes its size, so that
sums over replicas and over parts are the losses themselves. Nothing else here
knows of replicas, parts or precisions; `accumulation` and `updates` do.
"""

from collections.abc import Sequence
from typing import Any

import gin
import keras
import tensorflow as tf

from dvdgan_tf.regularization.orthogonal import orthogonal_regularization
from dvdgan_tf.regularization.regularizer import Regularizer
from dvdgan_tf.training.dual_discriminator import DualDiscriminator
from dvdgan_tf.training.real_clips import given_frames, whole
from dvdgan_tf.video.pixels import to_float

# What L_D reports without regularisers, in this order.
_METRICS = (
    "loss/d_spatial",
    "loss/d_temporal",
    "score/spatial_real",
    "score/spatial_fake",
    "score/temporal_real",
    "score/temporal_fake",
)


class Losses:
    """L_D and L_G of some examples of a batch.

    Args:
        generator: G.
        discriminator: D_S and D_T.
        loss: `Hinge`, the paper's, or `RelativisticPairing`.
        regularizers: regularisers of D.
        orthogonal_regularization: beta of BigGAN's penalty on G; 0 for none.
        batch_size: real clips of an update, over all replicas and parts.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: DualDiscriminator,
        loss: Any,
        regularizers: Sequence[Regularizer],
        orthogonal_regularization: float,
        batch_size: int,
    ):
        self.generator = generator
        self.discriminator = discriminator
        self.loss = loss
        self.regularizers = regularizers
        self.orthogonal_regularization = orthogonal_regularization
        self.batch_size = batch_size

    @property
    def d_metrics(self) -> tuple[str, ...]:
        """Names of the metrics that `l_d` returns, in order."""
        return (*_METRICS, *(m for r in self.regularizers for m in r.metrics))

    def l_d(
        self,
        parameters: tuple,
        x: tf.Tensor,
        y: tf.Tensor,
        x_noise: tf.Tensor,
        fake: tf.Tensor,
        fake_y: tf.Tensor,
        fake_noise: tf.Tensor,
        update: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes L_D and its metrics.

        Args:
            parameters: normalised weights of D_S and D_T.
            x: real clips, uint8 [b, T, H, W, 3].
            y: classes of the real clips, int32 [b].
            x_noise: draws for what D_S and D_T receive of x, [b, ...].
            fake: G(z, fake_y), float32 [b, T - C, H, W, 3]; in frame
                prediction it continues the first C frames of x.
            fake_y: classes of the generated clips, int32 [b].
            fake_noise: draws for what D_S and D_T receive of them, [b, ...].
            update: updates of D in the run before this one, int64 scalar.

        Returns:
            L_D, a scalar, and the metrics [len(d_metrics)].
        """
        # In frame prediction, the first frames of x and G's continuation.
        fake = whole(given_frames(self.generator, x), fake)
        D_S, D_T = both = self.discriminator.score_real_and_fake(
            (to_float(x), fake), (y, fake_y), (x_noise, fake_noise), parameters
        )
        # For the paper's loss E[relu(1 - D.real)] + E[relu(1 + D.fake)].
        terms = [
            self.loss.discriminator(D_S.real, D_S.fake, self.batch_size),
            self.loss.discriminator(D_T.real, D_T.fake, self.batch_size),
        ]
        # What is not in the paper, each switched on by its own gin line.
        penalties, reported = [], []
        for regularizer in self.regularizers:
            added = regularizer.penalties(both, update, self.batch_size)
            penalties += added
            reported += added
            reported += regularizer.statistics(both, self.batch_size)
        scores = (D_S.real, D_S.fake, D_T.real, D_T.fake)
        means = [tf.reduce_sum(s) / self.batch_size for s in scores]
        l_d = tf.add_n([*terms, *penalties])
        return l_d, tf.stack([*terms, *means, *reported])

    def l_g(
        self,
        fake: tf.Tensor,
        y: tf.Tensor,
        noise: tf.Tensor,
        given: tf.Tensor | None = None,
        x: tf.Tensor | None = None,
        x_noise: tf.Tensor | None = None,
        *,
        parameters: tuple,
    ) -> tf.Tensor:
        """Computes L_G.

        Args:
            fake: G(z, y), float32 [b, T - C, H, W, 3].
            y: classes of the generated clips, int32 [b].
            noise: draws for what D_S and D_T receive of them, [b, ...].
            given: the C frames before `fake`, in frame prediction.
            x: real clips of the same classes, uint8 [b, T, H, W, 3], for a
                loss of pairs.
            x_noise: draws for what D_S and D_T receive of x.
            parameters: normalised weights of D_S and D_T.

        Returns:
            L_G but for the penalty on weights, a scalar.
        """
        D = self.discriminator
        # The paper's loss of G, -E[D_S] - E[D_T], looks at no real clip.
        real = None
        if self.loss.pairs:
            real = D.scores(to_float(x), y, x_noise, parameters)
        D_S, D_T = D.scores(whole(given, fake), y, noise, parameters)
        return self.loss.generator([D_S, D_T], real, self.batch_size)

    def penalty_on_g(self) -> tf.Tensor:
        """Computes the term of L_G that depends on G's weights alone."""
        if not self.orthogonal_regularization:
            return tf.zeros([])
        weights = [
            tf.convert_to_tensor(v)
            for v in self.generator.trainable_variables
            if len(v.shape) >= 2 and v is not self.generator.class_embedding
        ]
        penalty = orthogonal_regularization(weights)
        # Gradients are summed over replicas; this term is the same on each.
        penalty /= tf.distribute.get_strategy().num_replicas_in_sync
        return self.orthogonal_regularization * penalty


@gin.register
class Hinge:
    """The paper's losses of D and of G.

    Attributes:
        pairs: whether G's update needs real clips, and each generated clip
            the class of a real one.
    """

    pairs = False

    @staticmethod
    def discriminator(
        real_scores: tf.Tensor, fake_scores: tf.Tensor, global_batch_size: int
    ) -> tf.Tensor:
        """E[relu(1 - D(x, y))] + E[relu(1 + D(G(z, y), y))], a replica's share.

        Args:
            real_scores: D(x, y), float32 [B].
            fake_scores: D(G(z, y), y), float32 [B].
            global_batch_size: examples over all replicas.

        Returns:
            Scalar, float32.
        """
        return (
            tf.reduce_sum(tf.nn.relu(1.0 - real_scores))
            + tf.reduce_sum(tf.nn.relu(1.0 + fake_scores))
        ) / global_batch_size

    @staticmethod
    def generator(
        fake_scores: Sequence[tf.Tensor],
        real_scores: Sequence[tf.Tensor] | None,
        global_batch_size: int,
    ) -> tf.Tensor:
        """-E[D_S(G(z, y), y)] - E[D_T(G(z, y), y)], a replica's share.

        Args:
            fake_scores: scores of D_S and of D_T, float32 [B] each.
            real_scores: unused, since this loss compares with no real clips.
            global_batch_size: examples over all replicas.

        Returns:
            Scalar, float32.
        """
        return -tf.reduce_sum(tf.add_n(fake_scores)) / global_batch_size


@gin.register
class RelativisticPairing:
    """The relativistic pairing loss, for D and for G.

    Source: R3GAN (Huang et al. 2024, arXiv 2501.05441), which is trained with
    R1 and R2 beside it. Each generated clip is compared with one real clip of
    its class:

        L_D = sum over D_S, D_T of E[softplus(D(G(z, y), y) - D(x, y))]
        L_G = sum over D_S, D_T of E[softplus(D(x, y) - D(G(z, y), y))]

    Attributes:
        pairs: whether G's update needs real clips, and each generated clip
            the class of a real one.
    """

    pairs = True

    @staticmethod
    def discriminator(
        real_scores: tf.Tensor, fake_scores: tf.Tensor, global_batch_size: int
    ) -> tf.Tensor:
        """Computes one discriminator's term of L_D, this replica's share.

        Args:
            real_scores: scores of real clips, float32 [B].
            fake_scores: scores of generated clips of the same classes.
            global_batch_size: examples over all replicas.

        Returns:
            Scalar, float32.
        """
        return _mean_softplus(fake_scores - real_scores, global_batch_size)

    @staticmethod
    def generator(
        fake_scores: Sequence[tf.Tensor],
        real_scores: Sequence[tf.Tensor] | None,
        global_batch_size: int,
    ) -> tf.Tensor:
        """Computes L_G, this replica's share.

        Args:
            fake_scores: scores of D_S and of D_T, float32 [B] each.
            real_scores: scores that D_S and D_T give real clips of the same
                classes.
            global_batch_size: examples over all replicas.

        Returns:
            Scalar, float32.
        """
        return tf.add_n(
            [
                _mean_softplus(real - fake, global_batch_size)
                for real, fake in zip(real_scores, fake_scores, strict=True)
            ]
        )


def _mean_softplus(differences, global_batch_size):
    return tf.reduce_sum(tf.nn.softplus(differences)) / global_batch_size
