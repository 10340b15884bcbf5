"""Which rows of stored class embeddings a run takes, by class names."""

from collections.abc import Iterable, Sequence

_SHOWN = 3


def matched_rows(
    own_names: Sequence[str],
    own_count: int,
    names: Sequence[str] | None,
    count: int,
) -> tuple[dict[int, int], str]:
    """Finds the stored row that each row takes.

    Args:
        own_names: names of the dataset's classes.
        own_count: rows of this run's embeddings.
        names: names of the source's classes; None if they are not known.
        count: rows of the source's embeddings.

    Returns:
        {own row: stored row} and a sentence about it. A network of one class
        that was trained without regard to the dataset's classes has one row
        and more names.
    """
    if own_count == count == 1:
        return {0: 0}, "the one row"
    if names is None:
        if own_count == count:
            rows = {row: row for row in range(count)}
            return rows, f"{count} rows by position, without classes.json"
        return {}, f"new: no classes.json says which of {count} rows are whose"
    if own_count == 1 and len(own_names) > 1:
        return {}, "new: this run is not conditioned on classes"
    if count == 1 and len(names) != 1:
        return {}, "new: the source is not conditioned on classes"
    stored = {name: row for row, name in enumerate(names[:count])}
    rows = {
        row: stored[name]
        for row, name in enumerate(own_names)
        if name in stored
    }
    new = [name for name in own_names if name not in stored]
    new += [f"class {row}" for row in range(len(own_names), own_count)]
    sentence = f"{len(rows)} of {own_count} rows by name"
    if new:
        sentence += f", {len(new)} new ({some(new)})"
    return rows, sentence


def some(texts: Iterable[str]) -> str:
    """Lists the first of some texts, and says how many more there are."""
    texts = list(texts)
    more = len(texts) - _SHOWN
    shown = ", ".join(texts[:_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown
