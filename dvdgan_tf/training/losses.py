"""Hinge losses and orthogonal regularisation.

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
    """Temporary."""

    pairs = False
    discriminator = staticmethod(discriminator_hinge)

    @staticmethod
    def generator(fake_scores, real_scores, global_batch_size):
        """Temporary."""
        return generator_hinge(tf.add_n(fake_scores), global_batch_size)


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
