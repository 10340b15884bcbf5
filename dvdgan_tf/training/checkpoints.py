"""The checkpoints of a run: writing one, and reading the newest."""

import os
from typing import Any

import tensorflow as tf

from dvdgan_tf import named_variables, runs
from dvdgan_tf.regularization.regularizer import STATE_PREFIXES


class Checkpoints:
    """The checkpoints in one folder.

    What determines the rest of a run is variables and the step count: random
    draws and the position in the data are functions of the latter.

    Args:
        trainer: a `Trainer`.
        directory: folder of the checkpoints.
        keep: how many of the newest are kept.
    """

    def __init__(self, trainer: Any, directory: str, keep: int = 3):
        self.variables = trainer.variables()
        self.checkpoint = named_variables.checkpoint_of(self.variables)
        self.manager = tf.train.CheckpointManager(
            self.checkpoint,
            directory,
            keep,
            checkpoint_name=runs.CHECKPOINT_NAME,
        )

    def restore(self) -> str | None:
        """Restores the newest checkpoint, if there is one.

        Returns:
            The path of that checkpoint, or None.

        Raises:
            ValueError: another model wrote it, and no variable has been
                changed; or it cannot be read.
        """
        path = self.latest()
        if path is None:
            return None
        named_variables.restore(
            self.checkpoint, self.variables, path, optional=STATE_PREFIXES
        )
        return path

    def save(self, step: int) -> str:
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

    def latest(self) -> str | None:
        """Returns the path of the newest whole checkpoint, or None."""
        found = runs.checkpoints_in(self.manager.directory)
        return found[max(found)] if found else None


def step_of(path: str) -> int:
    """Returns the step that a checkpoint's path names."""
    return int(os.path.basename(path).rpartition("-")[2])
