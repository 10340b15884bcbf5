"""The checkpoints of a run: when they are written, and the newest one."""

import os

import tensorflow as tf

from dvdgan_tf import named_variables, runs

# State of regularisers of D, which may be switched on and off in a run.
_REGULARIZERS = ("lecam/", "adaptive_strength/")


class Checkpoints:
    """The checkpoints in one folder.

    What determines the rest of a run is variables and the step count: random
    draws and the position in the data are functions of the latter.

    Args:
        trainer: a `Trainer`.
        directory: where the checkpoints are.
        keep: how many of the newest are kept.
    """

    def __init__(self, trainer, directory, keep=3):
        self.variables = trainer.variables()
        self.checkpoint = named_variables.checkpoint_of(self.variables)
        self.manager = tf.train.CheckpointManager(
            self.checkpoint,
            directory,
            keep,
            checkpoint_name=runs.CHECKPOINT_NAME,
        )

    def restore(self):
        """Restores the newest checkpoint, if there is one.

        Returns:
            Its path, or None.

        Raises:
            ValueError: it is of another model, and no variable has been
                changed; or it cannot be read.
        """
        path = self.latest()
        if path is None:
            return None
        named_variables.restore(
            self.checkpoint, self.variables, path, optional=_REGULARIZERS
        )
        return path

    def save(self, step):
        """Writes a checkpoint and returns its path.

        Raises:
            OSError: it cannot be written.
        """
        try:
            return self.manager.save(checkpoint_number=step)
        except (tf.errors.OpError, OSError) as error:
            raise OSError(
                f"Step {step} cannot be saved in {self.manager.directory} "
                f"({named_variables.first_line(error)}); the last checkpoint "
                f"is {self.latest() or 'missing'}."
            ) from error

    def latest(self):
        """Path of the newest checkpoint that was not deleted, or None."""
        found = runs.checkpoints_in(self.manager.directory)
        return found[max(found)] if found else None


def step_of(path):
    """The step of a checkpoint's path."""
    return int(os.path.basename(path).rpartition("-")[2])
