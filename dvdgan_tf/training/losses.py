"""Adversarial losses and orthogonal regularisation.

Source: v2, objective; with D(x) the score summed over frames,

    L_D = sum over D_S, D_T of E[relu(1 - D(x, y))] + E[relu(1 + D(G(z, y), y))]
    L_G = -E[D_S(G(z, y), y)] - E[D_T(G(z, y), y)]

Expectations are over the global batch: every function takes its size, so that
sums over replicas are the losses themselves.
"""

import gin
import tensorflow as tf


def discriminator_hinge(real_scores, fake_scores, global_batch_size):
    """One discriminator's term of L_D, this replica's share.

    Args:
        real_scores: [B], float32.
        fake_scores: [B], float32.
        global_batch_size: examples over all replicas.

    Returns:
        Scalar, float32.
    """
    return (
        tf.reduce_sum(tf.nn.relu(1.0 - real_scores))
        + tf.reduce_sum(tf.nn.relu(1.0 + fake_scores))
    ) / global_batch_size


def generator_hinge(fake_scores, global_batch_size):
    """L_G, this replica's share.

    Args:
        fake_scores: [B], float32; the sum of both discriminators' scores, in
            which the loss is linear.
        global_batch_size: examples over all replicas.

    Returns:
        Scalar, float32.
    """
    return -tf.reduce_sum(fake_scores) / global_batch_size


@gin.register
class Hinge:
    """The paper's losses of D and of G.

    Attributes:
        pairs: whether G's update needs real clips, and each generated clip
            the class of a real one.
    """

    pairs = False

    @staticmethod
    def discriminator(real_scores, fake_scores, global_batch_size):
        """One discriminator's term of L_D; see `discriminator_hinge`."""
        return discriminator_hinge(real_scores, fake_scores, global_batch_size)

    @staticmethod
    def generator(fake_scores, real_scores, global_batch_size):
        """L_G, this replica's share.

        Args:
            fake_scores: a list of both discriminators' scores, [B] each.
            real_scores: not looked at, may be None.
            global_batch_size: examples over all replicas.

        Returns:
            Scalar, float32.
        """
        return generator_hinge(tf.add_n(fake_scores), global_batch_size)


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
    def discriminator(real_scores, fake_scores, global_batch_size):
        """One discriminator's term of L_D, this replica's share.

        Args:
            real_scores: [B], float32.
            fake_scores: [B], float32, of clips of the same classes.
            global_batch_size: examples over all replicas.

        Returns:
            Scalar, float32.
        """
        return _mean_softplus(fake_scores - real_scores, global_batch_size)

    @staticmethod
    def generator(fake_scores, real_scores, global_batch_size):
        """L_G, this replica's share.

        Args:
            fake_scores: a list of both discriminators' scores, [B] each.
            real_scores: likewise, of real clips of the same classes.
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


def orthogonal_regularization(weights):
    """BigGAN's penalty, sum over W of |W^T W . (1 - I)|^2.

    Not in DVD-GAN; off by default.

    Args:
        weights: list of [..., C_out], viewed as [everything else, C_out].

    Returns:
        Scalar, float32, to be multiplied by beta.
    """
    penalty = 0.0
    for weight in weights:
        matrix = tf.reshape(weight, [-1, weight.shape[-1]])
        gram = tf.matmul(matrix, matrix, transpose_a=True)
        off_diagonal = gram - tf.linalg.diag(tf.linalg.diag_part(gram))
        penalty += tf.reduce_sum(tf.square(off_diagonal))
    return penalty
