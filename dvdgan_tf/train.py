"""Command line: trains a DVD-GAN.

python -m dvdgan_tf.train --gin_file=gin/k600_128.gin --workdir=runs/k600

Exit codes: 0 when finished, or stopped by a signal after saving; 2 for what
the user can mend; 1 when training fails. `--verbosity=1` shows tracebacks.
"""

import os
import signal
import sys

# TensorFlow's own start-up messages are not for the user of this command.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# TensorFlow leaves oneDNN off on some CPUs, where it halves a step's time.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from absl import app, flags, logging

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


def main(argv):
    """Parses gin, sets up the strategy, trains."""
    if not FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    if len(argv) > 1:
        fail(f"Unknown argument {argv[1]!r}; see --help.", 2)
    if not FLAGS.gin_file:
        fail("Name a configuration, such as --gin_file=gin/demo.gin.", 2)
    if not FLAGS.workdir:
        fail("Name the run's folder, such as --workdir=runs/demo.", 2)

    # Imported late: a mistake on the command line is reported at once.
    import tensorflow as tf

    from dvdgan_tf import config
    from dvdgan_tf.data import pipeline
    from dvdgan_tf.training import loop
    from dvdgan_tf.training.run import NonFiniteError
    from dvdgan_tf.training.strategies import make_strategy

    # Until the loop takes care of it, as while videos are decoded.
    signal.signal(signal.SIGTERM, lambda *_: fail("Stopped by SIGTERM.", 143))
    try:
        config.parse(FLAGS.gin_file, FLAGS.gin_param)
        strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
        loop.train(FLAGS.workdir, strategy, pipeline.batches)
    except KeyboardInterrupt:
        fail("Interrupted; the same command goes on.", 130)
    except (ValueError, TypeError, OSError, ImportError) as error:
        logging.debug("The error's traceback:", exc_info=True)
        fail(config.one_line(error), 2)
    except NonFiniteError as error:
        fail(config.one_line(error), 1)
    except tf.errors.OpError as error:
        fail(config.innermost(error), 1)


def parse_flags(argv):
    """Parses the flags; one sentence about the first mistake."""
    try:
        return FLAGS(argv)
    except flags.Error as error:
        fail(f"{' '.join(str(error).split())}; see --help.", 2)


def fail(sentence, code):
    """Ends the program with one sentence."""
    print(f"error: {sentence}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
