"""A Markdown table of a study's results."""

import statistics


def table(rows, values):
    """Makes a table with one line for each configuration and length.

    Args:
        rows: results as `study` writes them.
        values: names of the values to show, such as "class_accuracy"; where
            a row does not have one, its place stays empty.

    Returns:
        The lines of the table. Where a configuration has several seeds, each
        one's value is listed and their mean comes first.
    """
    groups = {}
    for row in rows:
        groups.setdefault(_key(row), []).append(row)
    heads = ["name", "bindings", "seeds", "steps", "CPU s", *values]
    lines = [_line(heads), _line(["---"] * 2 + ["---:"] * (len(heads) - 2))]
    for group in groups.values():
        group.sort(key=lambda row: row["seed"])
        lines.append(
            _line(
                [
                    group[0]["name"],
                    "; ".join(f"`{b}`" for b in group[0]["bindings"]),
                    ", ".join(str(row["seed"]) for row in group),
                    _range([row["steps"] for row in group]),
                    _range([row["cpu_seconds"] for row in group]),
                    *(_value(group, name) for name in values),
                ]
            )
        )
    return lines


def _key(row):
    keys = ("name", "gin_files", "bindings", "num_steps", "budget", "threads")
    return str([row[key] for key in keys])


def _line(cells):
    return f"| {' | '.join(cells)} |"


def _range(numbers):
    # The oldest rows do not say how many seconds they took.
    numbers = [round(number) for number in numbers if number is not None]
    if not numbers:
        return ""
    least, most = min(numbers), max(numbers)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _value(group, name):
    found = [row["values"][name] for row in group if name in row["values"]]
    if not found:
        return ""
    listed = ", ".join(f"{value:.4g}" for value in found)
    if len(found) == 1:
        return listed
    return f"{statistics.fmean(found):.4g} ({listed})"
