"""Classes by name or id."""

import difflib
from collections.abc import Iterable

from dvdgan_tf.plain_text import shown

# How a caller names classes: by name or id, one or several, or all.
Classes = str | int | Iterable[str | int] | None


def class_ids(classes: Classes, names: list[str]) -> list[int]:
    """The ids of classes.

    Args:
        classes: names or ids, a list; a text that is no name may be an id.
            None: all classes.
        names: names of all classes, in the order of the ids.

    Returns:
        List of int.

    Raises:
        ValueError: there is no such class.
    """
    if classes is None:
        return list(range(len(names)))
    if isinstance(classes, (str, int)):
        classes = [classes]
    ids = [_class_id(value, names) for value in classes]
    if not ids:
        raise ValueError("Name at least one class.")
    return ids


def _class_id(value, names):
    if isinstance(value, str) and value in names:
        return names.index(value)
    try:
        number = int(value)
    except ValueError as error:
        close = difflib.get_close_matches(value, names, 3)
        hint = (
            f"did you mean {' or '.join(repr(shown(name)) for name in close)}?"
            if close
            else f"there are {', '.join(map(shown, names[:5]))}"
            + (f" and {len(names) - 5} more." if len(names) > 5 else ".")
        )
        raise ValueError(
            f"There is no class {shown(value)!r}; {hint}"
        ) from error
    if not 0 <= number < len(names):
        raise ValueError(
            f"There is no class {number}; ids are from 0 to {len(names) - 1}."
        )
    return number
