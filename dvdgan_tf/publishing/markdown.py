"""Markdown in which the words of others stay words."""

import html
import re
import unicodedata

# Punctuation that could begin emphasis, code, a link, a cell, or a mention.
_SPECIAL = re.compile(r"[\\`*_\[\]|~$:@.#!]")


def escaped(text: str) -> str:
    """Makes a text safe to stand in a line of Markdown, or in a table.

    Args:
        text: anything, such as the name of a class.

    Returns:
        One line that renders as the text, without control characters: no
        Markdown, no HTML, no link.
    """
    line = "".join(
        " " if c.isspace() else c
        for c in text
        if c.isspace() or unicodedata.category(c)[0] != "C"
    )
    escaped_html = html.escape(" ".join(line.split()), quote=False)
    return _SPECIAL.sub(r"\\\g<0>", escaped_html)


def fenced(text: str, language: str = "") -> str:
    """Puts a text into a block of code that it cannot end.

    Args:
        text: lines of code.
        language: name of the language, for colours.

    Returns:
        The block; its fence is longer than any run of backticks inside.
    """
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.strip()}\n{fence}"


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
            row["metric"],
            value,
            f"{row['truncation']:g}",
            row.get("clips", ""),
            row.get("real_clips", ""),
            escaped(f"{row.get('dataset', '')}, {row.get('split', '')}"),
            escaped(str(row.get("network", ""))),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)
