"""A whole train step with a unit that warps, compiled by XLA."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf.layers.tsru import TSRUs

pytestmark = pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*")

# See test_xla.py for Adam's epsilon.
SETTINGS = dict(
    learning_rate_g=1e-2,
    learning_rate_d=1e-2,
    adam_epsilon=0.1,
    ema_decay=0.75,
    ema_start_step=0,
    d_steps=1,
)


def step(**changes):
    """Metrics, and variables before and after a step."""
    generator = functools.partial(
        tiny.NETWORKS["generator"],
        recurrent_unit=TSRUs,
    )
    trainer = tiny.trainer(generator=generator, **SETTINGS, **changes)
    before = tiny.values(trainer)
    metrics = trainer.run(tiny.batches(trainer), tf.constant(1)).numpy()[0]
    return metrics, before, tiny.values(trainer)


# One unit of three: compiling a step takes long. Each alone: test_tsru.py.
def test_step_under_xla_is_the_step_without():
    metrics, before, after = step(jit_compile=True)
    tf.config.run_functions_eagerly(True)
    try:
        expected_metrics, _, expected = step()
    finally:
        tf.config.run_functions_eagerly(False)
    np.testing.assert_allclose(
        metrics, expected_metrics, rtol=1e-4, atol=1e-4, err_msg=tiny.METRICS
    )
    for name, value in expected.items():
        np.testing.assert_allclose(
            after[name], value, rtol=1e-3, atol=1e-4, err_msg=name
        )
    kernels = [n for n in after if "recurrent" in n and n.endswith("kernel")]
    flows = [n for n in kernels if "flow" in n]
    assert len(flows) == len(kernels) / 2
    for name in kernels:
        assert np.abs(after[name] - before[name]).max() > 1e-5, name
