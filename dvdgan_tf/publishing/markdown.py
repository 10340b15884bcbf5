"""The table of results in a model card."""

import re

from dvdgan_tf.plain_text import in_markdown


def metrics_table(rows: list[dict]) -> str:
    """Makes a table of results with the protocol of each.

    Args:
        rows: results of `evaluations.jsonl`.

    Returns:
        A table, or a sentence where there are no results.
    """
    if not rows:
        return "None were measured."
    lines = [
        "| metric | value | truncation | clips | real clips | data | network |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        error = row.get("standard_error")
        value = f"{row['value']:.4g}" + (f" ± {error:.2g}" if error else "")
        cells = (
            _metric(str(row["metric"])),
            value,
            f"{row['truncation']:g}",
            row.get("clips", ""),
            row.get("real_clips", ""),
            in_markdown(f"{row.get('dataset', '')}, {row.get('split', '')}"),
            in_markdown(str(row.get("network", ""))),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _metric(name: str) -> str:
    """The names of metrics have underscores, which do nothing inside words."""
    usual = re.fullmatch(r"[a-z0-9]+([_/][a-z0-9]+)*", name)
    return name if usual and len(name) <= 100 else in_markdown(name)
