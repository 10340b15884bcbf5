"""What processes of their own do: worker of a cluster, or command line."""

from unittest import mock

import gin
import keras
import numpy as np
from training import tiny

from dvdgan_tf import train
from dvdgan_tf.training.strategies import make_strategy


def worker(workdir, path):
    """Trains 3 steps, and stores all variables."""
    strategy = make_strategy("multi_worker")
    made = []

    def factory(num_classes):
        # Each worker starts elsewhere: the strategy must make them equal.
        task = strategy.cluster_resolver.task_id
        seed = keras.utils.set_random_seed
        with mock.patch(
            "keras.utils.set_random_seed", lambda x: seed(x + task)
        ):
            made.append(tiny.trainer(strategy, num_classes))
        return made[0]

    step = tiny.train(workdir, factory, 3, strategy)
    np.savez(path, reached=step, **tiny.values(made[0]))


def train_tiny(*args):
    """The command line of training, which here knows 8x8 pixels, too."""
    gin.external_configurable(tiny.Source, "TinySource")
    train.main(list(args))
