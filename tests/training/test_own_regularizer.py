"""A regulariser of D that only a gin line names: terms, metrics and state."""

import functools

import gin
import numpy as np
import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf.regularization.gradient_penalty import GradientPenalty
from dvdgan_tf.regularization.regularizer import Regularizer
from dvdgan_tf.training.checkpoints import Checkpoints
from dvdgan_tf.training.trainer import Trainer

pytestmark = pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*")


@gin.register
class SquaredScores(Regularizer):
    """weight n E[D(x)^2] at the n-th update, weight moved by what D scores."""

    metrics = ("loss/squares_spatial", "loss/squares_temporal", "score/most")

    def __init__(self, name="regularizer/squares/weight"):
        self.name = name
        self.weight = tf.Variable(0.5, trainable=False, name=name)

    @property
    def variables(self):
        return {self.name: self.weight}

    def penalties(self, scored, update, batch_size):
        factor = self.weight.read_value() * (tf.cast(update, tf.float32) + 1.0)
        return [factor * tf.reduce_sum(d.real**2) / batch_size for d in scored]

    def statistics(self, scored, batch_size):
        return [tf.reduce_sum(scored[1].fake) / batch_size]

    def observe(self, metrics, batch_size):
        self.weight.assign(metrics["score/temporal_fake"])


@pytest.fixture
def configured():
    gin.clear_config()
    gin.parse_config("Trainer.regularizers = [@SquaredScores]")
    with tiny.one_device().scope():
        yield gin.get_configurable(Trainer)(
            tiny.CLASSES, **tiny.NETWORKS, batch_size=tiny.BATCH, d_steps=1
        )
    gin.clear_config()


def gradients(trainer, monkeypatch):
    """The gradients of each update of D, filled as they are applied."""
    recorded = []
    apply = trainer.optimizer_d.apply

    def record(gradients, variables):
        recorded.append([g.numpy() for g in gradients])
        apply(gradients, variables)

    monkeypatch.setattr(trainer.optimizer_d, "apply", record)
    return recorded


def test_one_gin_line_is_enough(configured, monkeypatch, eagerly):
    plain = tiny.trainer(d_steps=1)
    # Their seed is the same, and so are their weights.
    found, expected = (gradients(t, monkeypatch) for t in (configured, plain))
    history = configured.run(tiny.batches(configured), tf.constant(2)).numpy()
    plain.run(tiny.batches(plain), tf.constant(1))
    assert configured.metrics == (
        *tiny.METRICS[:6],
        *SquaredScores.metrics,
        *tiny.METRICS[6:],
    )
    first, second = (
        dict(zip(configured.metrics, row, strict=True)) for row in history
    )
    # By Jensen's inequality a mean square is at least the squared mean.
    for name in ("spatial", "temporal"):
        squares = first[f"loss/squares_{name}"]
        assert squares >= 0.5 * first[f"score/{name}_real"] ** 2 - 1e-5
    assert first["score/most"] == first["score/temporal_fake"]
    weight = second["score/temporal_fake"]
    np.testing.assert_allclose(configured.regularizers[0].weight, weight)
    # The weight that the first update left behind, at update 1.
    assert np.sign(second["loss/squares_spatial"]) == np.sign(
        first["score/temporal_fake"]
    )
    assert any(
        np.abs(a - b).max() > 1e-4
        for a, b in zip(found[0], expected[0], strict=True)
    )


def test_its_state_may_come_and_go(configured, tmp_path):
    plain = tiny.trainer(d_steps=1)
    Checkpoints(plain, str(tmp_path / "plain")).save(1)
    Checkpoints(configured, str(tmp_path / "plain")).restore()
    configured.regularizers[0].weight.assign(3.0)
    Checkpoints(configured, str(tmp_path / "own")).save(1)
    configured.regularizers[0].weight.assign(0.0)
    Checkpoints(configured, str(tmp_path / "own")).restore()
    assert configured.regularizers[0].weight.numpy() == 3.0
    Checkpoints(plain, str(tmp_path / "own")).restore()


@pytest.mark.parametrize(
    "names", [["generator/squares"], ["regularizer/a", "regularizer/a"]]
)
def test_names_of_its_state(names):
    trainer = tiny.trainer(
        regularizers=[functools.partial(SquaredScores, name) for name in names]
    )
    with pytest.raises(ValueError, match="begins with 'regularizer/'") as error:
        trainer.variables()
    assert repr(names[-1]) in str(error.value)


def test_second_derivatives_need_blocks_that_are_kept():
    networks = {
        name: functools.partial(network, recompute=True)
        for name, network in tiny.NETWORKS.items()
    }
    with pytest.raises(ValueError, match="GradientPenalty needs second"):
        tiny.trainer(regularizers=[GradientPenalty], **networks)
