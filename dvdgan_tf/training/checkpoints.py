"""The checkpoints of a run: writing one, and reading the newest."""

import os
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from dvdgan_tf import files, named_variables, run_folder
from dvdgan_tf.regularization.regularizer import STATE_PREFIXES
from dvdgan_tf.training.schedule import check_at_least_one


class Checkpoints:
    """The checkpoints in one folder.

    What determines the rest of a run is variables and the step count: random
    draws and the position in the data are functions of the latter. Which
    checkpoints there are is seen from the files alone. TensorFlow's own list
    of them, the file `checkpoint`, is written for `tf.train.latest_checkpoint`
    of other programs.

    Args:
        trainer: a `Trainer`.
        directory: folder of the checkpoints.
        keep: number of the newest checkpoints that are kept; None keeps all.
        keep_every: checkpoints of steps that this number divides are kept, too;
            None keeps no others.
        powers_of_two: whether the first of the steps from 2**n to 2**(n + 1) -
            1 is kept, too, for each n: after an explosion found late, one of
            them is from before.

    Raises:
        ValueError: `keep` or `keep_every` is less than 1.
    """

    def __init__(
        self,
        trainer: Any,
        directory: str,
        keep: int | None = 3,
        keep_every: int | None = None,
        powers_of_two: bool = False,
    ) -> None:
        for name, value in (
            ("keep_checkpoints", keep),
            ("keep_every", keep_every),
        ):
            if value is not None:
                check_at_least_one(name, value)
        self.keep_every = keep_every
        self.powers_of_two = powers_of_two
        self.variables = trainer.variables()
        self.checkpoint = named_variables.checkpoint_of(self.variables)
        self.directory = directory
        self.keep = keep

    def restore(self, step: int | None = None) -> str | None:
        """Restores a checkpoint, if there is one.

        Args:
            step: step of the checkpoint; None for the newest that is whole.

        Returns:
            The path of that checkpoint; None where none is whole.

        Raises:
            FileNotFoundError: there is no whole checkpoint of that step.
            ValueError: another model wrote it, and no variable has been
                changed; or it cannot be read.
        """
        path = self.latest()
        if step is not None:
            _, path = run_folder.find_checkpoint(self.directory, step)
        if path is None:
            return None
        named_variables.restore(
            self.checkpoint, self.variables, path, optional=STATE_PREFIXES
        )
        return path

    def save(self, step: int, healthy_step: int | None = None) -> str:
        """Writes a checkpoint, deletes those that are no longer kept.

        Args:
            step: step of the variables.
            healthy_step: step until which training was healthy for certain: the
                newest checkpoint until then is kept, too.

        Returns:
            The path of the new one.

        Raises:
            OSError: it cannot be written.
        """
        path = os.path.join(
            self.directory, f"{run_folder.CHECKPOINT_NAME}-{step}"
        )
        try:
            os.makedirs(self.directory, exist_ok=True)
            # As `tf.train.CheckpointManager` does, whose checkpoints these
            # once were: the counter is among their variables.
            self.checkpoint.save_counter.assign_add(1)
            self.checkpoint.write(path)
            self.rotate(healthy_step)
        except (tf.errors.OpError, OSError) as error:
            raise OSError(
                f"Step {step} cannot be saved in {self.directory} "
                f"({named_variables.first_line(error)}); the last checkpoint "
                f"is {self.latest() or 'missing'}."
            ) from error
        return path

    def latest(self) -> str | None:
        """Returns the path of the newest whole checkpoint, or None."""
        newest = run_folder.newest_in(self.directory)
        return newest and newest[1]

    def rotate(self, healthy_step: int | None = None) -> None:
        """Deletes the checkpoints that are not kept, and lists the others.

        Args:
            healthy_step: see `save`.
        """
        found = run_folder.checkpoints_in(self.directory)
        kept = kept_steps(
            found, self.keep, self.keep_every, self.powers_of_two, healthy_step
        )
        names = [os.path.basename(found[step]) for step in sorted(kept)]
        lines = [f'model_checkpoint_path: "{names[-1]}"'] + [
            f'all_model_checkpoint_paths: "{name}"' for name in names
        ]
        # Before the deletion: the list never names what is not there.
        files.write_text(
            os.path.join(self.directory, "checkpoint"),
            "".join(f"{line}\n" for line in lines),
        )
        for step in found.keys() - kept:
            run_folder.delete_checkpoint(found[step])


def kept_steps(
    steps: Iterable[int],
    newest: int | None,
    every: int | None = None,
    powers_of_two: bool = False,
    healthy_step: int | None = None,
) -> set[int]:
    """The steps of the checkpoints that a run keeps.

    Args:
        steps: steps of all checkpoints.
        newest: number of the newest checkpoints that are kept; None keeps all.
        every: checkpoints of steps that this number divides are kept, too.
        powers_of_two: whether one per power of two is kept.
        healthy_step: step until which training was healthy for certain (see
            `Checkpoints.save`).
    """
    steps = sorted(steps)
    healthy = [
        s for s in steps if healthy_step is not None and s <= healthy_step
    ]
    # Step 0 is kept only until there is a later checkpoint.
    steps = [step for step in steps if step] or steps
    kept = set(steps if newest is None else steps[-newest:])
    kept.update(healthy[-1:])
    if every:
        kept.update(step for step in steps if step % every == 0)
    if powers_of_two:
        first = {step.bit_length(): step for step in reversed(steps)}
        kept.update(first.values())
    return kept


def step_of(path: str) -> int:
    """Returns the step that a checkpoint's path names."""
    return int(os.path.basename(path).rpartition("-")[2])
