"""What is otherwise than at a run's last start: its configuration, classes."""

import difflib
from collections.abc import Sequence

from dvdgan_tf.run_folder import RunFolder
from dvdgan_tf.training import leftovers


def check_class_names(folder: RunFolder, class_names: Sequence[str]) -> None:
    """Raises ValueError if a run was started with other classes.

    Args:
        folder: the run's folder.
        class_names: the dataset's classes, in the order of the labels.
    """
    old = folder.class_names()
    if old is not None and old != list(class_names):
        raise ValueError(
            f"The dataset's classes are not those of {folder.classes}: "
            f"{len(class_names)} now, {len(old)} then, or in another order; "
            "labels would change their meaning. Use the same classes, or "
            "another --workdir."
        )


def of_configuration(folder: RunFolder, config: str) -> list[str]:
    """Lines that say how the configuration differs from the earlier one.

    Args:
        folder: the run's folder. A configuration in it that is no text is
            kept under another name.
        config: the operative gin configuration.

    Returns:
        The lines; none where there is no difference.
    """
    try:
        with open(folder.config, encoding="utf-8") as file:
            old = file.read()
    except FileNotFoundError:
        return []
    except ValueError as error:
        copy = leftovers.keep_copy(folder, folder.config)
        return [
            f"{folder.config} is no text ({error}); it is written anew, and "
            f"what it was is {copy}."
        ]
    differences = [
        f"  {line}"
        for line in difflib.ndiff(_bindings(old), _bindings(config))
        if line[0] in "+-"
    ]
    if not differences:
        return []
    return [
        "The configuration differs from this run's earlier one:",
        *differences,
    ]


def _bindings(config: str) -> list[str]:
    """The lines of a gin config that are not comments, sorted."""
    lines = (line.strip() for line in config.splitlines())
    return sorted(line for line in lines if line and line[0] != "#")
