"""Reads what gin files say before gin does any of it.

A gin file is a program: `import` runs a module, and dynamic registration lets
it call anything that a module has. A run's own file may come from a stranger,
so it is data and may only bind what networks and training are made of. Files
that the user names may import modules, but only if the user says so.
"""

import dataclasses
import graphlib
import io
import os
from collections.abc import Iterator, Sequence
from typing import Any

import gin
from gin import config_parser

from dvdgan_tf import gin_files

# What a run is made of. The other rooms load SavedModels, which are programs,
# from wherever a binding says.
_ROOMS = ("data", "layers", "networks", "regularization", "training")
_REPORT = "dvdgan_tf.evaluation.class_accuracy"

# Real files stay far below; gin takes quadratic time for a long text.
_MAX_RUN_FILE_BYTES = 1 << 16
_MAX_INCLUDES = 100
_MAX_DEPTH = 32


@dataclasses.dataclass(frozen=True)
class _Reference:
    """A reference (@) or macro (%), of which nothing is looked up yet."""

    name: str
    evaluate: bool


class _Names(config_parser.ParserDelegate):
    """Gives gin's parser names in place of what is registered."""

    def configurable_reference(
        self, scoped_configurable_name: str, evaluate: bool
    ) -> _Reference:
        return _Reference(scoped_configurable_name, evaluate)

    def macro(self, macro_name: str) -> _Reference:
        return _Reference(f"{macro_name}/gin.macro", True)


def check_run_file(path: str) -> None:
    """Makes sure that a run's own file is data.

    It may bind parameters of networks, data and training, and include files
    of this package. gin's search path has to be set.

    Args:
        path: path of the file.

    Raises:
        ValueError: one sentence about the first thing that it may not do.
        SyntaxError, tokenize.TokenError: gin cannot parse it.
    """
    if os.path.getsize(path) > _MAX_RUN_FILE_BYTES:
        raise ValueError(
            f"{path} has more than {_MAX_RUN_FILE_BYTES:,} bytes; no "
            "configuration of a run is that long."
        )
    reader = _Reader(is_data=True, allow_imports=False)
    reader.read_file(path)
    reader.finish()


def check_named_files(
    files: Sequence[str], bindings: Sequence[str], allow_imports: bool
) -> list[str]:
    """Makes sure that files of the user import only what the user allows.

    Args:
        files: paths of gin files.
        bindings: strings such as "BATCH_SIZE = 8".
        allow_imports: whether `import` and dynamic registration may stand in
            them, or in what they include.

    Returns:
        Names of the modules that they import, in their order.

    Raises:
        ValueError: one sentence: an import is not allowed, files include each
            other in a circle, or a value is nested too deeply.
        SyntaxError, tokenize.TokenError: gin cannot parse something.
    """
    reader = _Reader(is_data=False, allow_imports=allow_imports)
    for file in files:
        reader.read_file(file)
    reader.read("--gin_param", "\n".join(bindings), ())
    return reader.finish()


class _Reader:
    """Reads files and what they include, as gin will, and checks statements.

    Args:
        is_data: whether the files may come from a stranger.
        allow_imports: whether they may import.

    Attributes:
        imports: names of the modules that they import.
    """

    def __init__(self, is_data: bool, allow_imports: bool):
        self.imports: list[str] = []
        self._is_data = is_data
        self._allow_imports = allow_imports
        self._includes = 0
        # Which parameters a call needs, and which calls a parameter.
        self._needs: dict[str, set[str]] = {}

    def read_file(self, path: str, above: tuple[str, ...] = ()) -> None:
        """Reads a file of the working folder or of gin's search path."""
        found = _open(path)
        if found is None:
            if self._allow_imports:
                return  # It may lie in a package, which gin imports.
            by = f", which {above[-1]} includes" if above else ""
            raise ValueError(f"There is no gin file {path!r}{by}.")
        place, text = found
        if place in above:
            raise ValueError(
                f"{path} includes itself"
                + ("." if above[-1] == place else f", by way of {above[-1]}.")
            )
        if self._is_data and above and not _is_packaged(place):
            raise ValueError(
                f"{above[0]} includes {path!r}, and the file of a run may only "
                "include files of this package, such as 'gin/dvdgan.gin': copy "
                "its bindings into it if you trust them."
            )
        self._includes += bool(above)
        if self._includes > _MAX_INCLUDES:
            raise ValueError(
                f"{above[0]} includes more than {_MAX_INCLUDES} files."
            )
        self.read(path, text, (*above, place))

    def read(self, name: str, text: str, above: tuple[str, ...]) -> None:
        """Checks the statements of a text, and of what it includes."""
        try:
            for statement in _statements(name, text):
                if isinstance(statement, config_parser.IncludeStatement):
                    self.read_file(statement.filename, above)
                elif isinstance(statement, config_parser.ImportStatement):
                    self._import(name, statement)
                else:
                    self._binding(name, statement)
        except (RecursionError, MemoryError):
            raise _too_deep(name) from None

    def finish(self) -> list[str]:
        """Returns `imports`, or raises ValueError if a value needs itself."""
        try:
            graphlib.TopologicalSorter(self._needs).prepare()
        except graphlib.CycleError as error:
            circle = dict.fromkeys(
                node.removesuffix(".value").removesuffix("/gin.macro")
                for node in error.args[1]
            )
            raise ValueError(
                f"A gin value needs itself: {', '.join(circle)}."
            ) from None
        return self.imports

    def _import(self, name, statement):
        if self._is_data:
            raise ValueError(
                f"{name} says {statement.format()!r}, and would run that: the "
                "file of a run is data and may come from a stranger. If you "
                "trust it, delete the line, and import the module in a Python "
                "program of your own before it calls dvdgan_tf, or in a file "
                "named by --gin_file with --allow_gin_imports."
            )
        if not self._allow_imports:
            raise ValueError(
                f"{name} says {statement.format()!r}, which runs programs: add "
                "--allow_gin_imports if you trust that file and the module."
            )
        if not statement.module.startswith("__gin__."):
            self.imports.append(statement.module)

    def _binding(self, name, statement):
        is_block = isinstance(statement, config_parser.BlockDeclaration)
        references = []
        if not is_block:
            flat = _flat(statement.value, name)
            references = [v for v in flat if isinstance(v, _Reference)]
            self._keep_needs(statement, references)
        if self._is_data:
            if is_block or statement.arg_name:
                _check_is_of_a_run(name, statement.selector, "binds")
            for reference in references:
                selector = reference.name.rsplit("/", 1)[-1]
                _check_is_of_a_run(name, selector, "refers to")

    def _keep_needs(self, statement, references):
        scope, selector, parameter = statement[:3]
        call = f"{scope}/{selector}" if scope else selector
        if not parameter:
            call, parameter = f"{call}/gin.macro", "value"
        call = _whole_name(call)
        # A later binding of the same parameter wins.
        self._needs[f"{call}.{parameter}"] = {
            _whole_name(reference.name)
            for reference in references
            if reference.evaluate
        }
        self._needs.setdefault(call, set()).add(f"{call}.{parameter}")


def _whole_name(call: str) -> str:
    """A macro may be written without its module."""
    scope, slash, selector = call.rpartition("/")
    return f"{scope}/gin.macro" if slash and selector == "macro" else call


def _statements(name: str, text: str) -> Iterator[Any]:
    """Parses a text by gin's own parser."""
    file = io.StringIO(text)
    file.name = name
    return iter(config_parser.ConfigParser(file, _Names()))


def _open(path: str) -> tuple[str, str] | None:
    """Finds a plain file as gin does: its real path and its text, or None.

    gin's search path has no public name.
    """
    prefixes = gin.config._LOCATION_PREFIXES
    for prefix in [""] if os.path.isabs(path) else prefixes:
        place = os.path.join(prefix, path)
        if os.path.isfile(place):
            with open(place, "rb") as file:
                content = file.read()
            try:
                text = content.decode()
            except UnicodeDecodeError:
                text = "\0"
            if "\0" in text:
                raise ValueError(f"{path} is no gin file: it is no text.")
            return os.path.realpath(place), text
    return None


def _is_packaged(place: str) -> bool:
    """Whether a file is one of this package."""
    folder = os.path.join(gin_files.packaged_root(), "gin")
    return os.path.dirname(place) == os.path.realpath(folder)


def _flat(value: Any, name: str, depth: int = 0) -> Iterator[Any]:
    """Yields what is in a value, and raises ValueError if it is too deep."""
    if depth > _MAX_DEPTH:
        raise _too_deep(name)
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _flat(item, name, depth + 1)
    else:
        yield value


def _too_deep(name):
    return ValueError(
        f"{name} nests brackets or files more than {_MAX_DEPTH} deep, which no "
        "configuration needs."
    )


def _check_is_of_a_run(name: str, selector: str, verb: str) -> None:
    """Raises ValueError for what a run's file has no use for."""
    try:
        found = gin.get_configurable(selector)
    except (ValueError, KeyError):
        return  # gin says that there is none, or several.
    package, _, room = found.__module__.partition(".")
    if package == "gin":
        allowed = found.__name__ == "macro"
    elif package == "dvdgan_tf":
        # A call of `train` would train, wherever a binding says.
        allowed = (
            room.partition(".")[0] in _ROOMS or found.__module__ == _REPORT
        ) and not (found.__name__ == "train" and verb == "refers to")
    else:
        allowed = True  # A program of the user has registered it.
    if not allowed:
        raise ValueError(
            f"{name} {verb} {selector}, and the file of a run may only name "
            "what networks, data and training are made of; if it is your own, "
            "put that into a file named by --gin_file."
        )
