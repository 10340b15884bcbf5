"""Words of others, such as names of classes, that stay words everywhere.

Whoever makes a dataset chooses the names of its classes. Wherever one is shown,
printed or made part of a file's name, it goes through a function of this file.
"""

import html
import re
import unicodedata

# Punctuation that could begin emphasis, code, a link, a cell, or a mention.
_SPECIAL = re.compile(r"[\\`*_\[\]|~$:@.#!]")


def shown(text: str, longest: int = 100) -> str:
    """Makes a text safe to print, or to show where markup means nothing.

    Args:
        text: anything, such as the name of a class.
        longest: number of characters at most.

    Returns:
        One line without control characters, marks that turn the direction of
        reading, and lone surrogates; with an ellipsis where it is cut.
    """
    # A text may be of any length; most of it would be cut anyway.
    line = "".join(
        " " if c.isspace() else c
        for c in text[: 10 * longest]
        if c.isspace() or unicodedata.category(c)[0] != "C"
    )
    line = " ".join(line.split())
    cut = len(line) > longest or len(text) > 10 * longest
    return f"{line[: longest - 1].rstrip()}…" if cut else line


def in_markdown(text: str, longest: int = 100) -> str:
    """Makes a text safe to stand in a line of Markdown, or in a table.

    Args:
        text: anything, such as the name of a class.
        longest: number of characters at most, before they are escaped.

    Returns:
        One line that renders as `shown(text)`: no Markdown, no HTML, no link.
    """
    escaped = html.escape(shown(text, longest), quote=False)
    return _SPECIAL.sub(r"\\\g<0>", escaped)


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


def in_file_name(text: str) -> str:
    """Makes a text safe to be part of a file's name.

    Returns:
        At most 40 letters, digits, "_" and "-"; no more than 160 bytes.
    """
    return re.sub(r"[^\w-]+", "_", text[:400])[:40]
