"""A process of its own: a worker of a cluster, or the command line.

python worker.py WORKDIR VALUES.npz     trains 3 steps, stores all variables
python worker.py --gin_file=...         `dvdgan_tf.train`, of 8x8 pixels, too,
                                        and of `@CheapTrainer`
"""

import sys
from unittest import mock

import gin
import keras
import numpy as np
from training import tiny

from dvdgan_tf import train
from dvdgan_tf.training.strategies import make_strategy


def worker(workdir, path):
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


def cheap_trainer(num_classes):
    arguments = {**tiny.NETWORKS, "batch_size": tiny.BATCH}
    return tiny.CheapTrainer(num_classes, **arguments)


if __name__ == "__main__":
    if sys.argv[1].startswith("-"):
        gin.external_configurable(tiny.Source, "TinySource")
        gin.external_configurable(cheap_trainer, "CheapTrainer")
        train.main()
    else:
        worker(*sys.argv[1:])
