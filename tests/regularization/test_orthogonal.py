import numpy as np
import tensorflow as tf

from dvdgan_tf.regularization.orthogonal import orthogonal_regularization


def test_orthogonal_regularization_equals_numpy():
    rng = np.random.default_rng(2)
    weights = [rng.normal(size=s) for s in [(3, 3, 2, 5), (4, 3), (3, 1)]]
    expected = 0.0
    for weight in weights:
        matrix = weight.reshape(-1, weight.shape[-1])
        off = (matrix.T @ matrix) * (1 - np.eye(matrix.shape[1]))
        expected += (off**2).sum()
    actual = orthogonal_regularization(
        [tf.constant(w, tf.float32) for w in weights]
    )
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_orthogonal_regularization_leaves_the_diagonal_alone():
    columns = np.linalg.qr(np.random.default_rng(3).normal(size=(6, 4)))[0]
    scaled = tf.constant(columns * [1, 2, 3, 40], tf.float32)
    assert orthogonal_regularization([scaled]) < 1e-6
