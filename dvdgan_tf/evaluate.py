"""Measures a run's checkpoints, or clips of other models.

    python -m dvdgan_tf.evaluate --gin_file=gin/fvd.gin --workdir=runs/k600

The run's own configuration is read from its folder; the gin files given are
the protocol. With `--clips` it measures a folder of clips instead, and the
gin files also have to name the dataset to compare with. Exit codes: 0 when
finished; 2 for what the user can mend; 1 when measuring fails.
"""

import json
import os
import time
from typing import Any

from absl import flags

from dvdgan_tf import command_line
from dvdgan_tf.command_line import fail, sentences
from dvdgan_tf.evaluation import clip_files
from dvdgan_tf.quiet import import_tensorflow
from dvdgan_tf.run_folder import RunFolder

FLAGS = command_line.new_flags()
command_line.define_configuration(FLAGS, "the protocol")
command_line.define_path(
    "workdir",
    None,
    "Folder of the run to measure, to which the results are added.",
    FLAGS,
)
command_line.define_strategy(FLAGS)
command_line.define_path(
    "clips",
    None,
    "Clips to measure instead of checkpoints: a folder, what `sample` has "
    "written included, or a .npy or .npz file.",
    FLAGS,
)
flags.DEFINE_enum(
    "checkpoints",
    "newest",
    ["newest", "all"],
    "Which of the run's checkpoints are measured.",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "watch",
    False,
    "Measures the newest checkpoint whenever there is one, to the last step of "
    "training.",
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "poll_seconds",
    10,
    "Seconds between two looks for a checkpoint, with --watch.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "best",
    None,
    "A metric, such as fvd256/frechet_distance, by which the best checkpoint "
    "so far is kept.",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "higher_is_better",
    False,
    "Whether the best value of --best is the highest one.",
    flag_values=FLAGS,
)


def main(arguments: list[str] | None = None) -> None:
    """Parses gin, builds the evaluator, measures."""
    command_line.parse(FLAGS, __doc__, arguments)
    command_line.check_configuration(FLAGS, "gin/fvd.gin")
    command_line.check_workdir(FLAGS)
    if FLAGS.strategy == "multi_worker":
        fail("Evaluation runs on one host; use --strategy=mirrored.", 2)
    with sentences("finished results are kept"):
        if not (FLAGS.clips or FLAGS.watch):
            RunFolder(FLAGS.workdir).check_is_run()
        if FLAGS.clips:
            clip_files.check(FLAGS.clips)
        import_tensorflow()
        run(FLAGS.workdir)


def run(workdir: str) -> None:
    """Measures what the flags say."""
    import tensorflow as tf

    from dvdgan_tf import devices
    from dvdgan_tf.data import pipeline
    from dvdgan_tf.evaluation.evaluator import Evaluator
    from dvdgan_tf.evaluation.protocol_checks import check_best
    from dvdgan_tf.evaluation.results import Results
    from dvdgan_tf.training.strategies import make_strategy

    # Training's variable; evaluation runs on one host.
    os.environ.pop("TF_CONFIG", None)
    # The shorter multiplications of TF32 would move a distance on GPUs.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    last_step = configure(workdir)
    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    devices.report(strategy)
    print("Loading the feature network and the real clips ...", flush=True)
    evaluator = Evaluator(strategy, pipeline.example)
    if FLAGS.best and not FLAGS.clips:
        check_best(FLAGS.best, evaluator.protocol)
    os.makedirs(workdir, exist_ok=True)
    results = Results(workdir)
    if FLAGS.clips:
        report(results, evaluator.evaluate_folder(FLAGS.clips))
        report_baselines(results, evaluator)
    elif FLAGS.watch:
        watch(evaluator, results, last_step)
    else:
        evaluate_checkpoints(evaluator, results)
    print(f"Results: {results.path}")


def configure(workdir: str) -> int | None:
    """Parses the run's configuration and the protocol.

    Returns:
        The last step of training, or None.
    """
    import gin

    from dvdgan_tf import config

    folder = RunFolder(workdir)
    if FLAGS.watch and not FLAGS.clips:
        wait_for(folder.config)
    config.parse(
        FLAGS.gin_file,
        FLAGS.gin_param,
        None if FLAGS.clips else folder.config,
        FLAGS.allow_gin_imports,
    )
    return None if FLAGS.clips else gin.query_parameter("train.num_steps")


def wait_for(path: str) -> None:
    """Returns when a file is there."""
    if not os.path.exists(path):
        print(f"Waiting for {path} ...", flush=True)
    while not os.path.exists(path):
        time.sleep(FLAGS.poll_seconds)


def evaluate_checkpoints(evaluator: Any, results: Any) -> None:
    """Measures the newest checkpoint, or all."""
    folder = RunFolder(results.workdir)
    found = dict([folder.checkpoint()])
    if FLAGS.checkpoints == "all":
        found = folder.steps()
    for step, path in found.items():
        print(f"Measuring step {step:,} ...", flush=True)
        for rows in evaluator.evaluate_checkpoint(path, step):
            report(results, rows)
    report_baselines(results, evaluator)


def watch(evaluator: Any, results: Any, last_step: int) -> None:
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
        print(f"Measuring step {newest:,} ...", flush=True)
        for rows in evaluator.evaluate_checkpoint(found[newest], newest, left):
            report(results, rows)
        if baselines_are_due:
            report_baselines(results, evaluator)
            baselines_are_due = False


def levels_by_step(rows: list[dict], name: str) -> dict[int, set]:
    """Says which levels of truncation a protocol has measured at each step."""
    levels = {}
    for row in rows:
        if row["step"] is not None and row["metric"].startswith(f"{name}/"):
            levels.setdefault(row["step"], set()).add(row["truncation"])
    return levels


def report_baselines(results: Any, evaluator: Any) -> None:
    """Reports what predictions are compared with, once in a folder."""
    there = [row | {"gin": None} for row in results.rows()]
    for rows in evaluator.evaluate_baselines():
        new = [row for row in rows if row | {"gin": None} not in there]
        if new:
            report(results, new)


def report(results: Any, rows: list[dict]) -> None:
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


def gin_text() -> str:
    """The operative configuration, on one line of a result."""
    import gin

    return gin.operative_config_str()


if __name__ == "__main__":
    main()
