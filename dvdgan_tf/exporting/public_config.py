"""A run's configuration as others may read it: no paths of its machine."""

import ast
import os
import re

_LITERAL = r"""(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""

# Gin breaks a long text into several literals, which Python joins.
_TEXT = re.compile(rf"{_LITERAL}(?:[\s\\]*{_LITERAL})*")

# What those of other systems begin with, too, and URLs of files.
_ELSEWHERE = re.compile(r"[A-Za-z]:[\\/]|\\\\|file:", re.IGNORECASE)


def without_paths(config: str) -> str:
    """Puts '/path' for each absolute path and each path in a home folder.

    They name users and machines, and are of no use elsewhere.

    Args:
        config: a gin configuration.

    Returns:
        Text; gin reads it as it read the other.
    """
    return _TEXT.sub(_public, config)


def _public(match):
    value = ast.literal_eval(f"({match[0]})")
    if os.path.isabs(value) or value[:1] == "~" or _ELSEWHERE.match(value):
        return "'/path'"
    return match[0]
