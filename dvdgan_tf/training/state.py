"""All that a run's checkpoints hold, by unique names."""

from collections.abc import Iterable
from typing import Any

from dvdgan_tf.regularization.regularizer import STATE_PREFIXES, Regularizer


def variables(
    first: dict[str, Any],
    regularizers: Iterable[Regularizer],
    owners: Iterable[Any],
) -> dict[str, Any]:
    """Collects variables by name.

    Args:
        first: {name: variable} of what has no owner.
        regularizers: the regularisers of D. A run may be resumed with others
            than before, hence the rule for the names of their variables.
        owners: networks and optimizers. Learning rates are left out.

    Returns:
        {unique name: variable}.

    Raises:
        ValueError: two variables have one name, or that of a regulariser's
            variable begins otherwise than it should.
    """
    found = dict(first)
    for regularizer in regularizers:
        for name, variable in regularizer.variables.items():
            if not name.startswith(STATE_PREFIXES) or name in found:
                raise ValueError(
                    "A variable of a regulariser needs a name of its own that "
                    f"begins with {STATE_PREFIXES[0]!r}. "
                    f"Received: {name!r} of {type(regularizer).__name__}"
                )
            found[name] = variable
    for owner in owners:
        for variable in owner.variables:
            # Configuration, not state: a resumed run has its gin files' rate.
            if variable.path.endswith("/learning_rate"):
                continue
            if variable.path in found:
                raise ValueError(
                    f"Two variables are named {variable.path!r}; give "
                    "each layer of a network its own name."
                )
            found[variable.path] = variable
    return found
