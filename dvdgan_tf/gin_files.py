"""Finds gin files, and their mistakes that can be seen without TensorFlow.

A file of the working folder comes before one of the same name that is packaged
with dvdgan_tf; for the files that it includes the same holds.
"""

import ast
import contextlib
import difflib
import os
import re
from collections.abc import Iterator, Sequence

import dvdgan_tf
from dvdgan_tf import frame_size
from dvdgan_tf.networks import sizes

# The two statements that `dataset` reads.
_DATASET = re.compile(r"DATASET\s*=\s*@([\w./]+)")
_INCLUDE = re.compile(r"""include\s+(['"])(.+?)\1""")

# Text without quotes, such as data/clips; gin takes it for nothing.
_BARE_TEXT = re.compile(r"[\w./~:$+-][\w./~:$+ -]*")


def packaged_root() -> str:
    """The folder in which the packaged `gin/` lies.

    That is the package's own folder where a wheel is installed, and in a
    source checkout the folder above it. Both are looked for under a name that
    only this project has: beside an installed package, `gin/` is the library.
    """
    package = os.path.dirname(os.path.abspath(dvdgan_tf.__file__))
    inside = os.path.isfile(os.path.join(package, "gin", "dvdgan.gin"))
    return package if inside else os.path.dirname(package)


def find(name: str) -> str:
    """Finds a gin file.

    Args:
        name: a path, or the name of a packaged file, such as "gin/demo.gin".

    Returns:
        A path that can be opened from the working folder.

    Raises:
        ValueError: there is no such file; one sentence.
    """
    path = os.path.expanduser(name)
    if os.path.isfile(path):
        return path
    packaged = os.path.join(packaged_root(), path)
    if _is_packaged_name(path) and os.path.isfile(packaged):
        return packaged
    folder = os.path.join(packaged_root(), "gin")
    known = [f"gin/{file}" for file in sorted(os.listdir(folder))]
    close = difflib.get_close_matches(name, known, 1, 0.7)
    hint = f"did you mean {close[0]}?" if close else f"such as {known[0]}."
    raise ValueError(
        f"There is no gin file {name!r} in {os.getcwd()}, nor among the "
        f"packaged ones; {hint}"
    )


def describe(name: str) -> str:
    """A line that says which file `find` has taken for a name."""
    packaged = (
        ""
        if os.path.isfile(os.path.expanduser(name))
        else (" (packaged with dvdgan_tf)")
    )
    return f"Configuration: {name}{packaged}"


def dataset(files: Sequence[str], bindings: Sequence[str]) -> str | None:
    """Reads which dataset a configuration names, without gin.

    Args:
        files: paths, or names of packaged files; later ones win.
        bindings: bindings as the flag --gin_param takes them.

    Returns:
        The name that DATASET is bound to last, such as "MovingDigits"; None
        where it is bound to none.
    """
    lines = [line for file in files for line in _lines(file)]
    matches = map(_DATASET.match, (*lines, *bindings))
    names = [match[1] for match in matches if match]
    return names[-1].rpartition(".")[2] if names else None


def _lines(name: str, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yields the lines of a gin file, those of its includes in their place."""
    try:
        path = find(name)
        with open(path) as file:
            lines = file.read().splitlines()
    except ValueError:
        return  # There is no such file, or it is no text: gin will say so.
    for line in lines:
        include = _INCLUDE.match(line)
        # A circle of includes is an error that is found later.
        if include and path not in above:
            yield from _lines(include[2], (*above, path))
        yield line


def check_bindings(bindings: Sequence[str]) -> None:
    """Raises ValueError for bindings that the command line cannot mean.

    Args:
        bindings: bindings as the flag --gin_param takes them, such as
            "BATCH_SIZE = 8".
    """
    for binding in bindings:
        name, equals, value = (part.strip() for part in binding.partition("="))
        if not equals:
            continue
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            # References (@) and macros (%) are gin's to read.
            if _BARE_TEXT.fullmatch(value):
                raise ValueError(
                    f"The text of {name} is not in quotes; write "
                    f"--gin_param=\"{name}='{value}'\". Received: "
                    f"--gin_param={binding}"
                ) from None
            continue
        if name == "RESOLUTION" or name.endswith(".resolution"):
            frame_size.sides(value, name)


def check_trained_size(bindings: Sequence[str]) -> None:
    """Raises ValueError for a size of frames that no network can make.

    Args:
        bindings: bindings as the flag --gin_param takes them, which
            `check_bindings` accepts.
    """
    for binding in bindings:
        name, _, value = (part.strip() for part in binding.partition("="))
        if name == "RESOLUTION":
            with contextlib.suppress(SyntaxError):
                sizes.seed_and_doublings(ast.literal_eval(value))


def _is_packaged_name(path: str) -> bool:
    return os.path.dirname(path) == "gin" and path.endswith(".gin")
