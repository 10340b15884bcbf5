import pytest
import tensorflow as tf
from training import tiny


@pytest.fixture(scope="session")
def _traced():
    trainer = tiny.trainer(
        learning_rate_g=1e-3,
        learning_rate_d=5e-3,
        ema_decay=0.75,
        ema_start_step=2,
    )
    trainer.randomness.follow_labels(tiny.Source.label_counts)
    return trainer, tiny.values(trainer)


@pytest.fixture
def trainer(_traced):
    """One trainer for all tests, as new: a step is traced only once."""
    trainer, initial = _traced
    tiny.assign(trainer, initial)
    trainer.optimizer_g.learning_rate.assign(1e-3)
    trainer.optimizer_d.learning_rate.assign(5e-3)
    return trainer


@pytest.fixture
def eagerly():
    """Steps run without tracing: faster where they are few."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
