"""What the commands share: flags, help, and mistakes in one sentence."""

import contextlib
import importlib.util
import os
import re
import signal
import sys
import textwrap
from collections.abc import Iterator, Sequence

# TensorFlow's own start-up messages are not for the users of a command.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow leaves oneDNN off on some CPUs, where it halves the time or more.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from absl import flags, logging

from dvdgan_tf import archives, gin_files
from dvdgan_tf.errors import innermost, one_line
from dvdgan_tf.run_folder import RunFolder

_SMALL_ARCHIVE_BYTES = 64 * 2**20


def new_flags() -> flags.FlagValues:
    """The flags of one command.

    They are not absl's global ones, to which libraries add hundreds.
    """
    values = flags.FlagValues()
    flags.DEFINE_integer(
        "verbosity",
        -1,
        "What is logged: warnings (-1), also information (0), or also the "
        "tracebacks of errors (1).",
        flag_values=values,
    )
    return values


def define_path(
    name: str, default: str | None, text: str, values: flags.FlagValues
) -> None:
    """Defines a flag that is a path, in which `~` is the home folder.

    Shells leave `~` alone behind "=".
    """
    flags.DEFINE(
        _Path(), name, default, text, values, flags.ArgumentSerializer()
    )


def define_paths(name: str, text: str, values: flags.FlagValues) -> None:
    """Defines a flag that is a path, and may be repeated."""
    flags.DEFINE_multi(
        _Path(), flags.ArgumentSerializer(), name, [], text, values
    )


def define_folder(
    name: str, default: str | None, text: str, values: flags.FlagValues
) -> None:
    """Defines a flag that is a folder and becomes its absolute path.

    So a run's folder called "demo" is not taken for the packaged demo.
    """
    flags.DEFINE(
        _Folder(), name, default, text, values, flags.ArgumentSerializer()
    )


class _Path(flags.ArgumentParser):
    def parse(self, argument: str) -> str:
        return os.path.expanduser(argument)

    def flag_type(self) -> str:
        return "path"


class _Folder(_Path):
    def parse(self, argument: str) -> str:
        return os.path.abspath(super().parse(argument))


def define_configuration(values: flags.FlagValues, what: str) -> None:
    """Defines the flags of commands that read gin files.

    Args:
        values: the command's flags.
        what: the gin files that it needs, for the help.
    """
    flags.DEFINE_multi_string(
        "gin_file",
        [],
        f"A gin file with {what}, in the working folder or packaged with "
        "dvdgan_tf. May be repeated; later files win.",
        flag_values=values,
    )
    flags.DEFINE_multi_string(
        "gin_param",
        [],
        "A gin binding, such as BATCH_SIZE=8 or \"DATA_DIR='data'\". May be "
        "repeated; bindings win over files.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "allow_gin_imports",
        False,
        "Lets the gin files that you name import modules, which runs them. A "
        "run's own file never may.",
        flag_values=values,
    )


def define_strategy(values: flags.FlagValues) -> None:
    """Defines the flags that say on which devices a command runs."""
    flags.DEFINE_enum(
        "strategy",
        "auto",
        ["auto", "one_device", "mirrored", "multi_worker", "tpu"],
        "How tf.distribute spreads the work: on one device, on all GPUs of "
        "this machine (mirrored), on the machines that TF_CONFIG names "
        "(multi_worker), or on a TPU. auto takes multi_worker if TF_CONFIG is "
        "set, mirrored if there is more than one GPU, else one_device.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "tpu",
        "",
        "Name or address of the TPU, with --strategy=tpu; 'local' on a TPU "
        "virtual machine.",
        flag_values=values,
    )


def parse(
    values: flags.FlagValues, doc: str, arguments: Sequence[str] | None
) -> flags.FlagValues:
    """Reads a command's flags; `--help` and mistakes end the program.

    Args:
        values: the command's flags; earlier readings are forgotten.
        doc: docstring of the command.
        arguments: flags without the program's name; None: those that the
            program was started with.

    Returns:
        `values`
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if {"--help", "-help", "-h"} & set(arguments):
        print(help_text(values, doc))
        sys.exit(0)
    for name in values:
        values[name].unparse()
    try:
        rest = values(["", *arguments])[1:]
    except flags.Error as error:
        fail(f"{' '.join(str(error).split())}; see --help.", 2)
    if rest:
        fail(f"Unknown argument {rest[0]!r}; see --help.", 2)
    # absl's logging, which libraries use, waits for absl's own flags.
    flags.FLAGS.mark_as_parsed()
    logging.use_absl_handler()
    logging.set_verbosity(values["verbosity"].value)
    return values


def help_text(values: flags.FlagValues, doc: str) -> str:
    """The text of `--help`: the docstring, then all flags of the command."""
    lines = [doc.strip(), "", "Flags:"]
    for name in sorted(values, key="verbosity".__eq__):
        flag = values[name]
        # absl adds the values of an enum, and how often a flag may be given.
        text = re.sub(r"^<.*?>: |;\n.*$", "", flag.help, flags=re.DOTALL)
        if flag.default not in (None, [], "", False):
            text += f" Default: {flag.default}."
        lines.append(f"  {_shown(name, flag)}")
        lines += textwrap.wrap(
            text, 79, initial_indent=" " * 6, subsequent_indent=" " * 6
        )
    return "\n".join([*lines, "  --help", "      Shows this text, and ends."])


def _shown(name: str, flag: flags.Flag) -> str:
    """A flag with what it takes, such as --step=INTEGER."""
    kind = flag.flag_type().removeprefix("multi ")
    if kind == "bool":
        return f"--[no]{name}"
    if kind.endswith("enum"):
        values = getattr(flag.parser, "enum_values")  # noqa: B009
        return f"--{name}={'|'.join(values)}"
    words = {"string": "TEXT", "int": "INTEGER", "float": "NUMBER"}
    return f"--{name}={words.get(kind, kind.upper())}"


def check_required(values: flags.FlagValues, **examples: str) -> None:
    """Ends the program unless flags are given.

    Args:
        values: the command's flags.
        examples: {name of a flag: what it could be}.
    """
    for name, example in examples.items():
        if not values[name].value:
            fail(f"Name the --{name}, such as --{name}={example}.", 2)


def check_workdir(values: flags.FlagValues) -> None:
    """Ends the program unless --workdir is given and can be a folder."""
    check_required(values, workdir="runs/demo")
    if "://" in values.workdir:
        fail(
            "--workdir must be a folder of a mounted file system. Received: "
            f"--workdir={values.workdir}",
            2,
        )


def check_model(module: str | None, workdir: str | None) -> None:
    """Makes sure that there is something to load.

    Args:
        module: "demo", a URL, or a path of a folder or an archive; or None.
        workdir: a run's folder, or None.

    Raises:
        FileNotFoundError: there is nothing.
        ValueError: it is an archive, but of no module.
    """
    name = os.path.expanduser(workdir or module)
    if not workdir and (name == "demo" or "://" in name):
        return
    module = os.path.join(name, "saved_model.pb")
    files = (name, RunFolder(name).config, module)
    if not any(map(os.path.isfile, files)):
        raise FileNotFoundError(
            f"{name!r} is neither a run's folder (with operative_config.gin), "
            "nor an exported module's (with saved_model.pb), nor an archive of "
            "such."
        )
    # Before TensorFlow is loaded; what is larger takes a while to look at.
    if os.path.isfile(name) and os.path.getsize(name) < _SMALL_ARCHIVE_BYTES:
        archives.check(name)


def say_what_runs(module: str | None) -> None:
    """Prints a line if what is loaded could be the program of a stranger.

    Args:
        module: "demo", a URL, or a path of a folder or an archive; None where
            none is loaded. A run's folder is data.
    """
    if module in (None, "demo"):
        return
    name = os.path.expanduser(module)
    if RunFolder(name).is_run():
        return
    print(
        f"{module} is a SavedModel, which is a program and can do what you "
        "can: load only those that you trust.",
        flush=True,
    )


def check_configuration(values: flags.FlagValues, example: str) -> None:
    """Ends the program if gin files are missing; else says which are used.

    Args:
        values: the command's flags.
        example: a gin file.
    """
    check_required(values, gin_file=example)
    with sentences("nothing was begun"):
        lines = []
        for name in values.gin_file:
            gin_files.find(name)
            lines.append(gin_files.describe(name))
        gin_files.check_bindings(values.gin_param)
        _check_digits(values)
    print("\n".join(lines), flush=True)


def _check_digits(values: flags.FlagValues) -> None:
    """Raises ImportError if moving digits are asked for and cannot be made."""
    name = gin_files.dataset(values.gin_file, values.gin_param)
    if name == "MovingDigits" and not importlib.util.find_spec("sklearn"):
        raise ImportError(
            "The moving digits of the demo are made of scikit-learn's, which "
            "is not installed: pip install 'dvdgan_tf[demo]'."
        )


@contextlib.contextmanager
def sentences(interrupted: str) -> Iterator[None]:
    """Turns errors into one sentence and an exit code.

    2 for what the user can mend, 1 where TensorFlow or training fails.

    Args:
        interrupted: what Ctrl-C means for what is finished.
    """
    # Until the loop takes care of it, as while videos are decoded.
    signal.signal(signal.SIGTERM, lambda *_: fail("Stopped by SIGTERM.", 143))
    try:
        yield
    except KeyboardInterrupt:
        fail(f"Interrupted; {interrupted}.", 130)
    except (ValueError, TypeError, OSError, ImportError) as error:
        logging.debug("The error's traceback:", exc_info=True)
        fail(one_line(error), 2)
    except Exception as error:
        tensorflow = sys.modules.get("tensorflow")
        if tensorflow and isinstance(error, tensorflow.errors.OpError):
            fail(innermost(error), 1)
        raise


def truncations(text: str) -> tuple[float, ...]:
    """The levels of truncation, floats."""
    try:
        return tuple(float(level) for level in text.split(","))
    except ValueError as error:
        raise ValueError(
            f"--truncations must be numbers such as 1.0,0.5. Received: {text}"
        ) from error


def fail(sentence: str, code: int) -> None:
    """Ends the program with one sentence."""
    # It may quote data of others, which a terminal might take for commands.
    safe = "".join(c if c.isprintable() or c == "\n" else "?" for c in sentence)
    print(f"error: {safe}", file=sys.stderr)
    sys.exit(code)
