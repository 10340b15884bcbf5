"""The kernel distance (KID of any features): squared MMD, unbiased."""

import math

import numpy as np

from dvdgan_tf.metrics.checks import (
    Estimate,
    checked_pair,
    checked_whole_number,
)
from dvdgan_tf.metrics.tfgan import import_tensorflow_gan


def kernel_distance(a, b, num_blocks=10, seed=0):
    """Squared maximum mean discrepancy with a cubic polynomial kernel.

        k(x, y) = (x . y / D + 1)^3
        d = mean over i != j of k(a_i, a_j) + mean over i != j of k(b_i, b_j)
            - 2 mean over i, j of k(a_i, b_j)

    Binkowski et al. (2018), arXiv 1801.01401, section 4. Both sets are put
    into random order and cut into as many blocks; the value is the mean of d
    over the blocks, its standard error their deviation (ddof 1) divided by
    sqrt(blocks). Computed by tensorflow-gan, which keeps float64 and does just
    this; eagerly and on the CPU, since its blocks go wrong under XLA.

    Args:
        a: [N, D].
        b: [M, D].
        num_blocks: number of blocks, at least 2. Both sets need two rows per
            block; memory is about 5 (max(N, M) / num_blocks)^2 float64. Where
            neither set has more than (num_blocks - 1)^2 rows, blocks may be
            fewer, of equal size.
        seed: seed of the random order.

    Returns:
        `Estimate`, in the features' unit to the sixth power; unbiased at any
        count, so it may fall below 0.

    Raises:
        ValueError: if rows are too few, or a value is not finite.
    """
    num_blocks = checked_whole_number(num_blocks, 2, "num_blocks")
    a, b = checked_pair(a, b, at_least=2 * num_blocks)
    rng = np.random.default_rng(seed)
    largest = math.ceil(max(len(a), len(b)) / num_blocks)
    metrics = import_tensorflow_gan().eval
    import tensorflow as tf

    with tf.device("CPU:0"):
        estimate = metrics.kernel_classifier_distance_and_std_from_activations(
            tf.constant(rng.permutation(a)),
            tf.constant(rng.permutation(b)),
            max_block_size=largest,
        )
    return Estimate(*(float(number) for number in estimate))
