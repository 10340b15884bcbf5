"""Command line: measures a run's checkpoints, or clips of other models.

python -m dvdgan_tf.evaluate --gin_file=gin/fvd2048_16f.gin --workdir=runs/k600

The run's own configuration is read from its folder; the gin files given are
the protocol. With `--clips` it measures a folder of clips instead, and the
gin files also have to name the dataset to compare with. Exit codes: 0 when
finished; 2 for what the user can mend; 1 when measuring fails.
"""

import json
import os
import signal
import sys
import time

# TensorFlow's own start-up messages are not for the user of this command.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# TensorFlow leaves oneDNN off on some CPUs, where it halves I3D's time.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from absl import app, flags, logging

FLAGS = flags.FLAGS

flags.DEFINE_multi_string(
    "gin_file", [], "A gin file; may be repeated, later ones win."
)
flags.DEFINE_multi_string(
    "gin_param", [], "A gin binding, such as Protocol.num_clips=256."
)
flags.DEFINE_string(
    "workdir", None, "Folder of the run; results are written to it."
)
flags.DEFINE_string(
    "clips", None, "A folder, .npy or .npz of clips to measure instead."
)
flags.DEFINE_enum(
    "checkpoints", "newest", ["newest", "all"], "Which of the run's."
)
flags.DEFINE_bool(
    "watch", False, "Measures each new checkpoint until training is finished."
)
flags.DEFINE_float("poll_seconds", 10, "Between two looks, with --watch.")
flags.DEFINE_string(
    "best", None, "Keep the best checkpoint by this metric, such as fvd/kernel."
)
flags.DEFINE_bool("higher_is_better", False, "Of the metric of --best.")
flags.DEFINE_enum(
    "strategy",
    "auto",
    ["auto", "one_device", "mirrored", "tpu"],
    "As in training, but for one host.",
)
flags.DEFINE_string("tpu", "", "Address of the TPU, with --strategy=tpu.")


def main(argv):
    """Parses gin, builds the evaluator, measures."""
    if not FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    if len(argv) > 1:
        fail(f"Unknown argument {argv[1]!r}; see --help.", 2)
    if not FLAGS.gin_file:
        fail("Name a protocol, such as --gin_file=gin/fvd.gin.", 2)
    if not FLAGS.workdir:
        fail("Name the run's folder, such as --workdir=runs/demo.", 2)

    # Imported late: a mistake on the command line is reported at once.
    import tensorflow as tf

    from dvdgan_tf import config

    signal.signal(signal.SIGTERM, lambda *_: fail("Stopped by SIGTERM.", 143))
    try:
        run(FLAGS.workdir)
    except KeyboardInterrupt:
        fail("Interrupted; finished results are kept.", 130)
    except (ValueError, TypeError, OSError, ImportError) as error:
        logging.debug("The error's traceback:", exc_info=True)
        fail(config.one_line(error), 2)
    except tf.errors.OpError as error:
        fail(config.innermost(error), 1)


def run(workdir):
    """Measures what the flags say."""
    import tensorflow as tf

    from dvdgan_tf.data import pipeline
    from dvdgan_tf.evaluation.evaluator import Evaluator
    from dvdgan_tf.evaluation.results import Results
    from dvdgan_tf.training.strategies import make_strategy

    # Its multiplications would move a distance on GPUs.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    last_step = configure(workdir)
    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    evaluator = Evaluator(strategy, pipeline.example)
    os.makedirs(workdir, exist_ok=True)
    results = Results(workdir)
    if FLAGS.clips:
        report(results, evaluator.evaluate_folder(FLAGS.clips))
    elif FLAGS.watch:
        watch(evaluator, results, last_step)
    else:
        evaluate_checkpoints(evaluator, results)
    print(f"Results: {results.path}")


def configure(workdir):
    """Parses the run's configuration and the protocol.

    Returns:
        The last step of training, or None.
    """
    import gin

    from dvdgan_tf import config

    files = list(FLAGS.gin_file)
    own = os.path.join(workdir, "operative_config.gin")
    if not FLAGS.clips:
        if FLAGS.watch:
            wait_for(own)
        if not os.path.isfile(own):
            raise FileNotFoundError(
                f"{workdir!r} is no folder of a run: there is no {own}."
            )
        files.insert(0, own)
    config.parse(files, FLAGS.gin_param)
    return None if FLAGS.clips else gin.query_parameter("train.num_steps")


def wait_for(path):
    """Returns when a file is there."""
    if not os.path.exists(path):
        print(f"Waiting for {path} ...", flush=True)
    while not os.path.exists(path):
        time.sleep(FLAGS.poll_seconds)


def evaluate_checkpoints(evaluator, results):
    """Measures the newest checkpoint, or all."""
    from dvdgan_tf.evaluation.generators import checkpoints

    found = checkpoints(results.workdir)
    if not found:
        raise FileNotFoundError(
            f"There is no checkpoint in {results.workdir}/ckpt yet."
        )
    steps = list(found) if FLAGS.checkpoints == "all" else [max(found)]
    for step in steps:
        report(results, evaluator.evaluate_checkpoint(found[step], step))


def watch(evaluator, results, last_step):
    """Measures the newest checkpoint whenever there is a new one."""
    from dvdgan_tf.evaluation.generators import checkpoints

    name = evaluator.protocol.name
    done = {
        row["step"]
        for row in results.rows()
        if row["metric"].startswith(f"{name}/")
    }
    newest = max(done - {None}, default=-1)
    while newest < last_step:
        found = checkpoints(results.workdir)
        if max(found, default=-1) <= newest:
            time.sleep(FLAGS.poll_seconds)
            continue
        newest = max(found)
        try:
            rows = evaluator.evaluate_checkpoint(found[newest], newest)
        except ValueError:
            if newest in checkpoints(results.workdir):
                raise
            print(f"Step {newest} was deleted meanwhile.", flush=True)
            continue
        report(results, rows)


def report(results, rows):
    """Prints and writes results."""
    for row in rows:
        print(json.dumps(row | {"gin": None}), flush=True)
    results.add([row | {"gin": gin_text()} for row in rows])
    if FLAGS.best and rows[0]["step"] is not None:
        folder = results.keep_if_best(FLAGS.best, not FLAGS.higher_is_better)
        if folder:
            print(f"The best so far: {folder}", flush=True)


def gin_text():
    """The operative configuration, on one line of a result."""
    import gin

    return gin.operative_config_str()


def fail(sentence, code):
    """Ends the program with one sentence."""
    print(f"error: {sentence}", file=sys.stderr)
    sys.exit(code)


def parse_flags(argv):
    """Parses the flags; one sentence about the first mistake."""
    try:
        return FLAGS(argv)
    except flags.Error as error:
        fail(f"{' '.join(str(error).split())}; see --help.", 2)


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
