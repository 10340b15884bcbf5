import keras
import numpy as np
import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf.training.adam import Adam

SHAPES = [(3, 2), (4,), ()]


def gradients(step, replica=0):
    rng = np.random.default_rng([step, replica])
    return [rng.normal(size=shape).astype("float32") for shape in SHAPES]


def adam(beta_1, strategy):
    with strategy.scope():
        variables = [
            keras.Variable(np.full(shape, 0.5, "float32"), name=f"v{i}")
            for i, shape in enumerate(SHAPES)
        ]
        optimizer = Adam(0.01, beta_1, 0.999, 1e-8, name="optimizer")
        optimizer.build(variables)
    return optimizer, variables


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("beta_1", [0.0, 0.9])
def test_equals_the_algorithm(beta_1, replicas):
    """Kingma and Ba 2015, algorithm 1; gradients are summed over replicas."""
    strategy = tiny.mirrored() if replicas == 2 else tiny.one_device()
    optimizer, variables = adam(beta_1, strategy)

    @tf.function
    def update(*values):
        strategy.run(
            lambda *values: optimizer.apply(list(values), variables), values
        )

    w = [np.full(shape, 0.5) for shape in SHAPES]
    m, v = ([np.zeros(shape) for shape in SHAPES] for _ in range(2))
    for t in range(1, 6):
        shares = [gradients(t, r) for r in range(replicas)]
        update(
            *(
                strategy.experimental_distribute_values_from_function(
                    lambda context, i=i, shares=shares: tf.constant(
                        shares[context.replica_id_in_sync_group][i]
                    )
                )
                for i in range(len(SHAPES))
            )
        )
        for i, parts in enumerate(zip(*shares, strict=True)):
            g = np.sum(np.asarray(parts, "float64"), 0)
            m[i] = beta_1 * m[i] + (1 - beta_1) * g
            v[i] = 0.999 * v[i] + 0.001 * g**2
            m_hat = m[i] / (1 - beta_1**t)
            v_hat = v[i] / (1 - 0.999**t)
            w[i] = w[i] - 0.01 * m_hat / (np.sqrt(v_hat) + 1e-8)
    assert optimizer.iterations == 5
    for variable, expected in zip(variables, w, strict=True):
        for value in strategy.experimental_local_results(variable.value):
            np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


def test_has_the_variables_of_keras():
    """So that checkpoints do not depend on whose update it is."""
    optimizer, variables = adam(0.0, tiny.one_device())
    reference = keras.optimizers.Adam(0.01, name="optimizer")
    reference.build(variables)
    assert [v.path for v in optimizer.variables] == [
        v.path for v in reference.variables
    ]
