"""DVD-GAN in TensorFlow: the list of commands, and `dvdgan COMMAND`."""

import difflib
import importlib
import sys

import dvdgan_tf

# In the order in which one needs them.
COMMANDS = (
    "prepare",
    "train",
    "runs",
    "sample",
    "install_i3d",
    "evaluate",
    "plot",
    "export",
    "publish",
    "demo",
)


def main() -> None:
    """Runs the command that is named first, or lists all."""
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("--help", "-h"):
        print(listing())
    elif name == "--version":
        print(dvdgan_tf.__version__)
    elif name in COMMANDS:
        importlib.import_module(f"dvdgan_tf.{name}").main(arguments)
    else:
        close = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {close[0]}" if close else ", ".join(COMMANDS)
        sys.stderr.write(f"error: There is no command {name!r}; {hint}?\n")
        sys.exit(2)


def listing() -> str:
    """The text that lists the commands."""
    lines = ["Commands of dvdgan_tf:", ""]
    for name in COMMANDS:
        doc = importlib.import_module(f"dvdgan_tf.{name}").__doc__
        lines.append(f"  {name:<12} {doc.splitlines()[0]}")
    lines += [
        "",
        "dvdgan COMMAND --help, or python -m dvdgan_tf.COMMAND --help, shows "
        "the flags.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
