"""Variables stored in and restored from checkpoints by their own names.

By path, not by position in the object graph, so that a reordered list of
variables can never swap two of them silently.
"""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def checkpoint_of(variables: dict[str, Any]) -> tf.train.Checkpoint:
    """The object that saves and restores variables.

    Args:
        variables: {unique name: variable of Keras or TensorFlow}.

    Returns:
        `tf.train.Checkpoint`.
    """
    return tf.train.Checkpoint(
        **{_key(name): _value(v) for name, v in variables.items()}
    )


def restore(
    checkpoint: tf.train.Checkpoint,
    variables: dict[str, Any],
    path: str,
    all_of_it: bool = True,
    optional: Iterable[str] = (),
) -> None:
    """Restores variables, if all of them fit.

    Args:
        checkpoint: what `checkpoint_of(variables)` returned.
        variables: the same as there.
        path: path of the checkpoint, without an ending.
        all_of_it: whether what else the checkpoint holds is a mistake.
        optional: beginnings of names that may be missing, in the checkpoint
            or here. What is missing in the checkpoint stays as it is.

    Raises:
        ValueError: it is of another model, and no variable has been changed;
            or it cannot be read.
    """
    try:
        same = _check(variables, path, all_of_it, tuple(optional))
        status = checkpoint.restore(path)
        if all_of_it and same:
            status.assert_consumed()
        else:
            status.expect_partial()
    # A data file that is too short raises an IndexError.
    except (tf.errors.OpError, IndexError) as error:
        raise ValueError(
            f"The checkpoint {path} cannot be read ({first_line(error)}); "
            "delete it to go on from the one before, or choose another "
            "--workdir."
        ) from error


def _check(variables, path, all_of_it, optional):
    """Raises ValueError at the first variable that does not fit.

    Returns:
        Whether the names are the same here and there.
    """
    stored = {name: shape for name, (_, shape) in stored_in(path).items()}
    own = {name: tuple(v.shape) for name, v in variables.items()}
    for name in [*own, *(stored if all_of_it else ())]:
        if name.startswith(optional) and not (name in own and name in stored):
            continue
        if own.get(name) != stored.get(name):
            raise ValueError(
                f"The checkpoint {path} is of another model: {name} is "
                f"{_describe(stored.get(name))} in it and "
                f"{_describe(own.get(name))} here; use the gin files and "
                "parameters that it was trained with, or another --workdir."
            )
    return own.keys() == stored.keys()


def stored_in(path: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The variables of a checkpoint.

    Args:
        path: path of the checkpoint, without an ending.

    Returns:
        {name: (key, shape)}; `tf.train.load_checkpoint` reads by key.

    Raises:
        tf.errors.OpError: it cannot be read.
    """
    return {
        _name(key): (key, tuple(shape))
        for key, shape in tf.train.list_variables(path)
        if key.endswith(_SUFFIX) and not key.startswith("save_counter")
    }


def first_line(error: Exception) -> str:
    """Returns the first line of an error's message."""
    return (str(error).splitlines() or [type(error).__name__])[0]


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
