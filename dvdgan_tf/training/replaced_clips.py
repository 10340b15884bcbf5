"""What a log says about damaged clips that other clips have replaced."""

from __future__ import annotations


def report(*sources) -> tuple[dict[str, float], list[str]]:
    """Asks the sources of a run which clips they have replaced.

    Args:
        *sources: sources of clips (see `data.pipeline`); those that replace
            nothing, and None, are not asked.

    Returns:
        {name: value}, the scalar to write, which counts the clips that this
        process has replaced since it was started; empty if no source
        replaces clips. And lines to print, one for each damaged record that
        no earlier report has named.
    """
    asked = [s for s in sources if getattr(s, "skips_damaged", False)]
    if not asked:
        return {}, []
    reports = [source.replaced() for source in asked]
    count = sum(count for count, _ in reports)
    lines = [line for _, lines in reports for line in lines]
    return {"data/replaced_clips": float(count)}, lines
