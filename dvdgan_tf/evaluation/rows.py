"""Rows of the table of results: metrics of clips and how they were measured."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from absl import logging

from dvdgan_tf.evaluation.activations import Activations
from dvdgan_tf.evaluation.protocol import Protocol


def make_rows(
    protocol: Protocol,
    real: Activations,
    fakes: Iterable[Activations],
    facts: dict[str, Any],
    class_names: Sequence[str],
) -> list[dict[str, Any]]:
    """Applies a protocol's measures.

    Args:
        protocol: a `Protocol`.
        real: `Activations` of the reference.
        fakes: iterable of `Activations`, one for each repeat.
        facts: dict of what is measured, and how; in every row.
        class_names: list of str.

    Returns:
        A list of one dict for each metric: `metric` is "protocol/name",
        `value` the mean over repeats, `standard_error` that mean's, or
        without repeats the estimate's, if it is known; `by_class` and
        `by_frame`, of the first repeat, where the metric has such.

    Raises:
        ValueError: no measure could be computed.
    """
    measured = {}
    for repeats, fake in enumerate(fakes, start=1):
        facts = facts | {"clips": fake.count, "repeats": repeats}
        for name, result in _results(protocol.measures, real, fake):
            measured.setdefault(name, []).append(result)
    if not measured:
        raise ValueError(
            f"No measure of the protocol {protocol.name!r} could be computed; "
            "see the warnings."
        )
    return [
        {
            "metric": f"{protocol.name}/{name}",
            **_summary(results, class_names),
            **facts,
            "seed": protocol.seed,
        }
        for name, results in measured.items()
    ]


def _results(measures, real, fake):
    """Yields (name, `Measured`); if a measure fails, the others go on."""
    for function in measures:
        try:
            yield from function(real, fake).items()
        except ValueError as error:
            logging.warning("%s is left out: %s", function, error)
        except KeyError as error:
            logging.warning(
                "%s is left out: the network has no output %s, only %s.",
                function,
                error,
                ", ".join(fake.outputs),
            )


def _summary(results, class_names):
    values = np.array([result.value for result in results], np.float64)
    error = results[0].standard_error
    if len(values) > 1:
        error = float(values.std(ddof=1) / np.sqrt(len(values)))
    summary = {"value": float(values.mean()), "standard_error": error}
    if results[0].by_class:
        summary["by_class"] = {
            class_names[label]: value
            for label, value in results[0].by_class.items()
        }
    if results[0].by_frame:
        summary["by_frame"] = results[0].by_frame
    return summary
