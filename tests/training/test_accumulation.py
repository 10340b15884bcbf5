import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.training.accumulation import map_over_parts, sum_over_parts


def examples(batch=6):
    rng = np.random.default_rng(0)
    return (
        tf.constant(rng.normal(size=(batch, 2, 3)).astype("float32")),
        tf.constant(rng.integers(0, 9, batch)),
    )


def sums(x, y):
    y = tf.cast(y, "float32")
    return tf.reduce_sum(x**2), [tf.einsum("bij,b->ij", x, y)]


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("parts", [1, 2, 3, 6])
def test_sums_are_those_of_the_whole_batch(parts, in_graph):
    def run():
        zeros = (tf.zeros([]), [tf.zeros([2, 3])])
        return sum_over_parts(sums, examples(), parts, zeros)

    total, (matrix,) = tf.function(run)() if in_graph else run()
    x, y = (np.asarray(e, "float64") for e in examples())
    np.testing.assert_allclose(total, (x**2).sum(), rtol=1e-5)
    expected = sum(x[i] * y[i] for i in range(6))
    np.testing.assert_allclose(matrix, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("parts", [1, 2, 3, 6])
def test_mapped_parts_are_concatenated_in_order(parts, in_graph):
    def run():
        return map_over_parts(
            lambda x, y: (
                tf.cast(y, "float32"),
                x * tf.cast(len(x), "float32"),
            ),
            examples(),
            parts,
        )

    labels, scaled = tf.function(run)() if in_graph else run()
    x, y = examples()
    np.testing.assert_array_equal(labels, np.asarray(y, "float32"))
    np.testing.assert_allclose(scaled, x * (6 // parts), rtol=1e-6)
