"""Trains a DVD-GAN.

    python -m dvdgan_tf.train --gin_file=gin/k600_128.gin --workdir=runs/k600

The same command again goes on at the newest checkpoint. Exit codes: 0 when
finished, or stopped by a signal after saving; 2 for what the user can mend; 1
when training fails; 75 when another worker of the run is lost.
"""

import functools
import os

from absl import flags

from dvdgan_tf import command_line, gin_files
from dvdgan_tf.command_line import fail, sentences
from dvdgan_tf.errors import one_line
from dvdgan_tf.quiet import import_tensorflow

FLAGS = command_line.new_flags()
command_line.define_configuration(FLAGS, "the model and its data")
command_line.define_path(
    "workdir", None, "Folder of the run; created if it is not there.", FLAGS
)
command_line.define_strategy(FLAGS)
command_line.define_path(
    "init_from",
    None,
    "A run's folder, a checkpoint, or an exported module, whose weights a new "
    "run starts with; see docs/small_data.md. Ignored when a run resumes.",
    FLAGS,
)
flags.DEFINE_integer(
    "step",
    None,
    "Step of the checkpoint to resume from; what the run has beyond it is set "
    "aside. By default the newest.",
    lower_bound=0,
    flag_values=FLAGS,
)
command_line.define_path(
    "compilation_cache",
    None,
    "Folder in which XLA keeps what it has compiled, for the next start of the "
    "same configuration with Trainer.jit_compile; one per kind of machine.",
    FLAGS,
)


def main(arguments: list[str] | None = None) -> None:
    """Parses gin, sets up the strategy, trains."""
    command_line.parse(FLAGS, __doc__, arguments)
    command_line.check_configuration(FLAGS, "gin/demo.gin")
    with sentences("nothing was begun"):
        gin_files.check_trained_size(FLAGS.gin_param)
    command_line.check_workdir(FLAGS)
    keep_compiled()
    # A mistake on the command line is reported before these seconds.
    import_tensorflow()
    from dvdgan_tf.training.watch import DivergenceError
    from dvdgan_tf.training.workers import WorkerLostError

    with sentences("the same command goes on"):
        try:
            run(FLAGS.workdir, FLAGS.init_from, FLAGS.step)
        except DivergenceError as error:
            fail(one_line(error), 1)
        except WorkerLostError as error:
            fail(one_line(error), os.EX_TEMPFAIL)


def run(workdir: str, init_from: str | None, step: int | None = None) -> None:
    """Trains what the gin files say."""
    from dvdgan_tf import config, devices, stored_weights
    from dvdgan_tf.data import pipeline
    from dvdgan_tf.training import loop
    from dvdgan_tf.training.strategies import make_strategy, share_cores

    config.parse(
        FLAGS.gin_file,
        FLAGS.gin_param,
        allow_imports=FLAGS.allow_gin_imports,
    )
    share_cores(config.shards())
    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    devices.report(strategy)
    opened = None
    if init_from:
        opened = functools.partial(stored_weights.opened, init_from)
    loop.train(workdir, strategy, pipeline.batches, opened, step)


def keep_compiled() -> None:
    """Names --compilation_cache to XLA, which reads its flags later, once."""
    if not FLAGS.compilation_cache:
        return
    folder = os.path.abspath(FLAGS.compilation_cache)
    given = os.environ.get("TF_XLA_FLAGS", "")
    flag = f"--tf_xla_persistent_cache_directory={folder}"
    os.environ["TF_XLA_FLAGS"] = f"{given} {flag}".strip()


if __name__ == "__main__":
    main()
