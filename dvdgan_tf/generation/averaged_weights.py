"""The averaged generator of a run's checkpoint, ready to sample."""

import os
import re

import tensorflow as tf

from dvdgan_tf import named_variables

# Examples of a replica that are inside of a segment of G at a time, where
# standing statistics are taken of a training batch on fewer devices.
_AT_ONCE = 16

_CHECKPOINT = re.compile(r"(step-(\d+))\.index")


def checkpoints(workdir):
    """The checkpoints of a run, oldest first.

    Args:
        workdir: the run's folder.

    Returns:
        {step: path}.
    """
    folder = os.path.join(workdir, "ckpt")
    names = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
    found = [match for name in names if (match := _CHECKPOINT.fullmatch(name))]
    found.sort(key=lambda match: int(match[2]))
    return {int(m[2]): os.path.join(folder, m[1]) for m in found}


class CheckpointedGenerator:
    """A generator whose weights are those of one checkpoint after another.

    To be constructed inside `strategy.scope()`.

    Args:
        make: class or factory of G, called with (num_classes, name).
        num_classes: as in training.

    Attributes:
        network: the generator.
    """

    def __init__(self, make, num_classes):
        self._strategy = tf.distribute.get_strategy()
        # The name under which the trainer stores the average.
        self.network = make(num_classes=num_classes, name="ema_generator")
        self.network.build()
        self._variables = {v.path: v for v in self.network.variables}
        self._checkpoint = named_variables.checkpoint_of(self._variables)
        self._path, self._values = None, None

    def restore(self, path):
        """Takes the averaged weights of a checkpoint.

        The one restored last is kept in memory: training may delete it.

        Args:
            path: of the checkpoint.

        Raises:
            ValueError: it is of another model, or cannot be read.
        """
        variables = self._variables.values()
        if path == self._path:
            for variable, value in zip(variables, self._values, strict=True):
                variable.assign(value)
            return
        named_variables.restore(
            self._checkpoint, self._variables, path, all_of_it=False
        )
        self._path = path
        self._values = [v.numpy() for v in variables]

    def standing_statistics(self, clips, batch_size, num_batches):
        """Takes the batch norm statistics over samples [BigGAN].

        Args:
            clips: `GeneratedClips` or `PredictedClips` of this generator: the
                statistics hold for its truncation and labels, and for given
                frames of its dataset.
            batch_size: over all replicas.
            num_batches: over which the statistics are averaged.
        """
        inputs = clips.standing_inputs(num_batches * batch_size).batch(
            batch_size, drop_remainder=True
        )
        batches = self._strategy.experimental_distribute_dataset(inputs)
        for n, batch in enumerate(batches, start=1):
            self._accumulate(tf.constant(n, tf.float32), *batch)

    @tf.function(reduce_retracing=True)
    def _accumulate(self, n, z, y, *frames):
        self._strategy.run(
            tf.autograph.experimental.do_not_convert(self._accumulate_on),
            args=(n, z, y, *frames),
        )

    def _accumulate_on(self, n, z, y, *frames):
        self.network.accumulate_standing_statistics(
            z, y, n, *frames, parts=_parts_of(z.shape[0])
        )


def _parts_of(examples):
    """Fewest equal parts of at most `_AT_ONCE` examples each."""
    if examples is None:
        return 1
    least = -(-examples // _AT_ONCE)
    return next(n for n in range(least, examples + 1) if examples % n == 0)
