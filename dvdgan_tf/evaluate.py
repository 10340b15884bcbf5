"""Command line: measures a run's checkpoints, or clips of other models.

python -m dvdgan_tf.evaluate --gin_file=gin/fvd2048_16f.gin --workdir=runs/k600

The run's own configuration is read from its folder; the gin files given are
the protocol. With `--clips` it measures a folder of clips instead, and the
gin files also have to name the dataset to compare with. Exit codes: 0 when
finished; 2 for what the user can mend; 1 when measuring fails.
"""

import json
import os
import time

from absl import app, flags

from dvdgan_tf.command_line import FLAGS, check, fail, parse_flags, sentences
from dvdgan_tf.runs import RunFolder

flags.DEFINE_string(
    "clips", None, "A folder, .npy or .npz of clips to measure instead."
)
flags.DEFINE_enum(
    "checkpoints", "newest", ["newest", "all"], "Which of the run's."
)
flags.DEFINE_bool(
    "watch",
    False,
    "Measures the newest checkpoint whenever there is one, to the last step.",
)
flags.DEFINE_float("poll_seconds", 10, "Between two looks, with --watch.")
flags.DEFINE_string(
    "best",
    None,
    "Keep the best checkpoint by this metric, such as fvd256/frechet_distance.",
)
flags.DEFINE_bool("higher_is_better", False, "Of the metric of --best.")


def main(argv):
    """Parses gin, builds the evaluator, measures."""
    check(argv, "gin/fvd.gin")
    if FLAGS.strategy == "multi_worker":
        fail("Evaluation runs on one host; use --strategy=mirrored.", 2)
    with sentences("finished results are kept"):
        run(os.path.expanduser(FLAGS.workdir))


def run(workdir):
    """Measures what the flags say."""
    import tensorflow as tf

    from dvdgan_tf.data import pipeline
    from dvdgan_tf.evaluation.evaluator import Evaluator
    from dvdgan_tf.evaluation.protocol_checks import check_best
    from dvdgan_tf.evaluation.results import Results
    from dvdgan_tf.training.strategies import make_strategy

    # Of training; evaluation runs on one host.
    os.environ.pop("TF_CONFIG", None)
    # Its multiplications would move a distance on GPUs.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    last_step = configure(workdir)
    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    evaluator = Evaluator(strategy, pipeline.example)
    if FLAGS.best and not FLAGS.clips:
        check_best(FLAGS.best, evaluator.protocol)
    os.makedirs(workdir, exist_ok=True)
    results = Results(workdir)
    if FLAGS.clips:
        path = os.path.expanduser(FLAGS.clips)
        report(results, evaluator.evaluate_folder(path))
        report_baselines(results, evaluator)
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
    folder = RunFolder(workdir)
    if not FLAGS.clips:
        if FLAGS.watch:
            wait_for(folder.config)
        folder.check_is_run()
        files.insert(0, folder.config)
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
    folder = RunFolder(results.workdir)
    found = dict([folder.checkpoint()])
    if FLAGS.checkpoints == "all":
        found = folder.steps()
    for step, path in found.items():
        for rows in evaluator.evaluate_checkpoint(path, step):
            report(results, rows)
    report_baselines(results, evaluator)


def watch(evaluator, results, last_step):
    """Measures the newest checkpoint whenever there is a new one."""
    folder = RunFolder(results.workdir)
    levels = evaluator.protocol.truncations
    measured = levels_by_step(results.rows(), evaluator.protocol.name)
    done = [step for step, there in measured.items() if there >= set(levels)]
    newest = max(done, default=-1)
    baselines_are_due = True
    while newest < last_step:
        found = folder.steps()
        if max(found, default=-1) <= newest:
            time.sleep(FLAGS.poll_seconds)
            continue
        newest = max(found)
        try:
            evaluator.load_checkpoint(found[newest])
        except ValueError:
            if newest in folder.steps():
                raise
            print(f"Step {newest} was deleted meanwhile.", flush=True)
            continue
        left = [v for v in levels if v not in measured.get(newest, ())]
        for rows in evaluator.evaluate_checkpoint(found[newest], newest, left):
            report(results, rows)
        if baselines_are_due:
            report_baselines(results, evaluator)
            baselines_are_due = False


def levels_by_step(rows, name):
    """Which levels of truncation a protocol's results are of: {step: set}."""
    levels = {}
    for row in rows:
        if row["step"] is not None and row["metric"].startswith(f"{name}/"):
            levels.setdefault(row["step"], set()).add(row["truncation"])
    return levels


def report_baselines(results, evaluator):
    """Reports what predictions are compared with, once in a folder."""
    there = [row | {"gin": None} for row in results.rows()]
    for rows in evaluator.evaluate_baselines():
        new = [row for row in rows if row | {"gin": None} not in there]
        if new:
            report(results, new)


def report(results, rows):
    """Prints and writes results."""
    for row in rows:
        print(json.dumps(row | {"gin": None}), flush=True)
    results.add([row | {"gin": gin_text()} for row in rows])
    # The best is found among results without truncation.
    whole = rows[0]["step"] is not None and rows[0]["truncation"] == 1.0
    if FLAGS.best and whole:
        folder = results.keep_if_best(FLAGS.best, not FLAGS.higher_is_better)
        if folder:
            print(f"The best so far: {folder}", flush=True)


def gin_text():
    """The operative configuration, on one line of a result."""
    import gin

    return gin.operative_config_str()


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
