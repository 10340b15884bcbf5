import keras
import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.layers.orthogonal import Orthogonal


def qr_of_the_draw(shape, seed):
    """Q of the normal matrix, by LAPACK in float64, R's diagonal positive."""
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    draw = (max(rows, columns), min(rows, columns))
    a = keras.random.normal(draw, seed=seed).numpy().astype("float64")
    q, r = np.linalg.qr(a)
    q = q * np.sign(np.diag(r))
    return (q.T if rows < columns else q).reshape(shape)


@pytest.mark.parametrize(
    "shape",
    [
        (3, 3, 32, 128),  # tall and large: by Cholesky
        (3, 3, 3, 20, 150),
        (130, 300),  # wide
        (3, 3, 16, 128),  # large, hardly taller than wide
        (3, 3, 3, 5),
        (3, 40),
    ],
)
def test_equals_the_q_of_a_qr(shape):
    value = Orthogonal(seed=3)(shape, "float32").numpy()
    np.testing.assert_allclose(value, qr_of_the_draw(shape, 3), atol=2e-5)
    matrix = value.reshape(-1, shape[-1]).astype("float64")
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    np.testing.assert_allclose(
        matrix.T @ matrix, np.eye(matrix.shape[1]), atol=5e-6
    )


def test_no_qr_of_a_large_tall_matrix(monkeypatch):
    def qr(*args, **kwargs):
        raise AssertionError("QR")

    monkeypatch.setattr(tf.linalg, "qr", qr)
    Orthogonal(seed=0)((3, 3, 32, 128), "float32")
    with pytest.raises(AssertionError, match="QR"):
        Orthogonal(seed=0)((3, 3, 3, 5), "float32")


def test_a_layer_is_drawn_again_by_its_seed():
    def draw():
        keras.utils.set_random_seed(5)
        return Orthogonal()((130, 300), "float32").numpy()

    np.testing.assert_array_equal(draw(), draw())
