"""Training on frames that are not square: a 4x7 seed, 4x7 maps that D pools."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf.data import pipeline
from dvdgan_tf.layers.tsru import TSRUc
from dvdgan_tf.networks.frame_encoder import FrameEncoder
from dvdgan_tf.regularization.gradient_penalty import GradientPenalty
from dvdgan_tf.training.feed import Feed

SIZE = (8, 14)
NETWORKS = {
    name: functools.partial(network, resolution=SIZE)
    for name, network in tiny.NETWORKS.items()
}
PREDICTS = functools.partial(
    NETWORKS["generator"],
    conditioning_frames=1,
    frame_encoder=functools.partial(FrameEncoder, ch=2),
    recurrent_unit=TSRUc,
)
# As in test_xla: no first step of the gradients' signs.
SETTINGS = dict(
    learning_rate_g=1e-2,
    learning_rate_d=1e-2,
    adam_epsilon=0.1,
    gradient_penalty=functools.partial(GradientPenalty, every=1),
)


class Source(tiny.Source):
    resolution = SIZE

    def load(self, index, seed):
        shape = [tiny.FRAMES, *SIZE, 3]
        video = tf.random.stateless_uniform(shape, seed, 0, 255, tf.int32)
        return tf.cast(video, tf.uint8), tf.gather([0, 2, 2, 0, 2, 2], index)


def step(strategy=None, **changes):
    """All variables before and after a step, and its metrics by name."""
    trainer = tiny.trainer(strategy, **{**NETWORKS, **SETTINGS, **changes})
    before = tiny.values(trainer)
    feed = Feed(pipeline.batches, Source(), trainer)
    history = trainer.run(feed.since(0), tf.constant(1)).numpy()
    metrics = dict(zip(trainer.metrics, history[0], strict=True))
    return before, tiny.values(trainer), metrics


@pytest.mark.parametrize(
    "networks", [{}, {"generator": PREDICTS}], ids=["synthesis", "prediction"]
)
def test_two_replicas_and_xla_make_the_same_step(networks):
    before, expected, metrics = step(**networks)
    assert np.isfinite(list(metrics.values())).all()
    assert before["generator/4x7_block/conv1/kernel"].shape == (3, 3, 4, 4)
    moved = [np.abs(expected[k] - before[k]).max() > 1e-3 for k in expected]
    assert np.mean(moved) > 0.5
    others = (dict(strategy=tiny.mirrored()), dict(jit_compile=True))
    for other in others:
        _, found, other_metrics = step(**networks, **other)
        for name, value in metrics.items():
            # Norms are those of a replica's own gradients.
            if not name.startswith("gradient_norm"):
                np.testing.assert_allclose(
                    other_metrics[name], value, 1e-3, 1e-3, err_msg=name
                )
        for name, value in expected.items():
            np.testing.assert_allclose(
                found[name], value, rtol=1e-3, atol=2e-4, err_msg=name
            )
