"""Reads a state that tools/jax/run_step.py saved, and checks it."""

import numpy as np
import tensorflow as tf

from dvdgan_tf.run_folder import RunFolder
from dvdgan_tf.training.checkpoints import Checkpoints, step_of
from tools.jax.npz_file import read_npz


def import_state(trainer, path, workdir):
    """Writes a checkpoint of a state.

    Args:
        trainer: a `Trainer`, whose variables are assigned.
        path: NPZ of {name in `Trainer.variables()`: array}.
        workdir: folder of the run.

    Returns:
        The path of the checkpoint.

    Raises:
        ValueError: the state is not one of this model, or not finite, or the
            run is further already; nothing has been written then.
    """
    state = read_npz(path)
    variables = trainer.variables()
    check(path, state, variables)
    checkpoints = Checkpoints(trainer, RunFolder(workdir).checkpoints)
    step, latest = int(state["step"]), checkpoints.latest()
    if latest and step_of(latest) >= step:
        raise ValueError(
            f"{path} is of step {step}, and {workdir} has step "
            f"{step_of(latest)} already; choose another --workdir."
        )
    for name, variable in variables.items():
        variable.assign(state[name])
    return checkpoints.save(step)


def check(path, state, variables):
    """Raises ValueError at the first array that is not as its variable."""
    for name in sorted(variables.keys() | state.keys()):
        if name not in state or name not in variables:
            places = (path, "the model")
            having, lacking = places if name in state else places[::-1]
            raise ValueError(
                f"{lacking} lacks {name}, which {having} has; use the gin "
                "files and parameters that the state was exported with."
            )
        array, variable = state[name], variables[name]
        own = _describe(tf.as_dtype(variable.dtype).name, variable.shape)
        found = _describe(array.dtype, array.shape)
        if found != own:
            raise ValueError(
                f"{name} is {found} in {path} and {own} in the model; use "
                "the gin files and parameters that the state was exported "
                "with."
            )
        if not np.all(np.isfinite(array)):
            raise ValueError(
                f"{name} in {path} has values that are not finite."
            )


def _describe(dtype, shape):
    return f"{dtype} {list(shape)}"
