"""What the command lines share: flags, and mistakes in one sentence."""

import contextlib
import os
import signal
import sys

# TensorFlow's own start-up messages are not for the users of a command.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# TensorFlow leaves oneDNN off on some CPUs, where it halves the time or more.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from absl import flags, logging

FLAGS = flags.FLAGS

flags.DEFINE_multi_string(
    "gin_file", [], "A gin file; may be repeated, later ones win."
)
flags.DEFINE_multi_string(
    "gin_param", [], "A gin binding, such as BATCH_SIZE=8; may be repeated."
)
flags.DEFINE_string("workdir", None, "Folder of the run.")
flags.DEFINE_enum(
    "strategy",
    "auto",
    ["auto", "one_device", "mirrored", "multi_worker", "tpu"],
    "How tf.distribute spreads the work. auto: multi_worker if TF_CONFIG is "
    "set, mirrored on more than one GPU, else one_device.",
)
flags.DEFINE_string(
    "tpu", "", "Address of the TPU for its resolver, with --strategy=tpu."
)


def check(argv, example):
    """Ends the program unless gin files and the folder are named.

    Args:
        argv: what absl leaves of the arguments.
        example: of a gin file.
    """
    if not FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    if len(argv) > 1:
        fail(f"Unknown argument {argv[1]!r}; see --help.", 2)
    if not FLAGS.gin_file:
        fail(f"Name a configuration, such as --gin_file={example}.", 2)
    if not FLAGS.workdir:
        fail("Name the run's folder, such as --workdir=runs/demo.", 2)
    if "://" in FLAGS.workdir:
        fail(
            "--workdir must be a folder of a mounted file system. Received: "
            f"--workdir={FLAGS.workdir}",
            2,
        )


@contextlib.contextmanager
def sentences(interrupted):
    """Turns errors into one sentence and an exit code.

    2 for what the user can mend, 1 where TensorFlow or training fails.

    Args:
        interrupted: what Ctrl-C means for what is finished.
    """
    import tensorflow as tf

    from dvdgan_tf import config

    # Until the loop takes care of it, as while videos are decoded.
    signal.signal(signal.SIGTERM, lambda *_: fail("Stopped by SIGTERM.", 143))
    try:
        yield
    except KeyboardInterrupt:
        fail(f"Interrupted; {interrupted}.", 130)
    except (ValueError, TypeError, OSError, ImportError) as error:
        logging.debug("The error's traceback:", exc_info=True)
        fail(config.one_line(error), 2)
    except tf.errors.OpError as error:
        fail(config.innermost(error), 1)


def parse_flags(argv):
    """Parses the flags; one sentence about the first mistake."""
    try:
        return FLAGS(argv)
    except flags.Error as error:
        fail(f"{' '.join(str(error).split())}; see --help.", 2)


def folder(path):
    """The absolute path of a folder, so that it is taken for nothing else."""
    return os.path.abspath(os.path.expanduser(path))


def truncations(text):
    """The levels of truncation, floats."""
    try:
        return tuple(float(level) for level in text.split(","))
    except ValueError as error:
        raise ValueError(
            f"--truncations must be numbers such as 1.0,0.5. Received: {text}"
        ) from error


def fail(sentence, code):
    """Ends the program with one sentence."""
    print(f"error: {sentence}", file=sys.stderr)
    sys.exit(code)
