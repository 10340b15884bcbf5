"""BigGAN's orthogonal regularisation of G.

Source: Brock et al. 2019, arXiv 1809.11096, equation 3.
"""

from collections.abc import Sequence

import tensorflow as tf


def orthogonal_regularization(weights: Sequence[tf.Tensor]) -> tf.Tensor:
    """Computes BigGAN's penalty, the sum over W of |W^T W . (1 - I)|^2.

    DVD-GAN does without it, so it is off by default.

    Args:
        weights: W, [..., C_out] each, viewed as [everything else, C_out].

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
