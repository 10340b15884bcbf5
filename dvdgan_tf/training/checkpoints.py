"""Checkpoints of a run: every variable under its own name.

Variables are stored by path, not by position in the object graph, so that a
reordered list of variables can never swap two optimizer slots silently.
"""

import os

import tensorflow as tf


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
        checkpoint = tf.train.Checkpoint(
            **{_key(name): _value(v) for name, v in self.variables.items()}
        )
        self.checkpoint = checkpoint
        self.manager = tf.train.CheckpointManager(
            checkpoint, directory, max_to_keep=keep, checkpoint_name="step"
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
        try:
            self._check(path)
            self.checkpoint.restore(path).assert_consumed()
        # A data file that is too short raises an IndexError.
        except (tf.errors.OpError, IndexError) as error:
            raise ValueError(
                f"The checkpoint {path} cannot be read "
                f"({_first_line(error)}); delete it to resume from the one "
                "before, or choose another --workdir."
            ) from error
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
                f"({_first_line(error)}); the last checkpoint is "
                f"{self.latest() or 'missing'}."
            ) from error

    def latest(self):
        """Path of the newest checkpoint that was not deleted, or None."""
        for path in reversed(self.manager.checkpoints):
            if tf.io.gfile.exists(f"{path}.index"):
                return path
        return None

    def _check(self, path):
        """Raises ValueError at the first variable that does not fit."""
        stored = {
            _name(key): tuple(shape)
            for key, shape in tf.train.list_variables(path)
            if key.endswith(_SUFFIX) and not key.startswith("save_counter")
        }
        own = {name: tuple(v.shape) for name, v in self.variables.items()}
        for name in [*own, *stored]:
            if own.get(name) != stored.get(name):
                raise ValueError(
                    f"The checkpoint {path} is of another model: {name} is "
                    f"{_describe(stored.get(name))} in it and "
                    f"{_describe(own.get(name))} here; use the gin files and "
                    "parameters that it was trained with, or another "
                    "--workdir."
                )


_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def _key(name):
    """The attribute of `tf.train.Checkpoint` for a variable's name."""
    return name.replace("/", "|")


def _name(key):
    """The variable's name of a key in a checkpoint."""
    return key.removesuffix(_SUFFIX).replace("|", "/")


def _value(variable):
    return variable if isinstance(variable, tf.Variable) else variable.value


def _describe(shape):
    return "missing" if shape is None else f"of shape {list(shape)}"


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]


def step_of(path):
    """The step of a checkpoint's path."""
    return int(os.path.basename(path).rpartition("-")[2])
