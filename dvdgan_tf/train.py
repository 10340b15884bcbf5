"""Command line: trains a DVD-GAN.

python -m dvdgan_tf.train --gin_file=gin/k600_128.gin --workdir=runs/k600

Exit codes: 0 when finished, or stopped by a signal after saving; 2 for what
the user can mend; 1 when training fails. `--verbosity=1` shows tracebacks.
"""

import functools
import os

from absl import app, flags

from dvdgan_tf.command_line import FLAGS, check, fail, parse_flags, sentences

flags.DEFINE_string(
    "init_from",
    None,
    "A run's folder, a checkpoint, or an exported module, whose weights a new "
    "run starts with; see docs/small_data.md. Ignored when a run resumes.",
)
flags.DEFINE_string(
    "compilation_cache",
    None,
    "Folder in which XLA keeps what it has compiled, for the next start of the "
    "same configuration with Trainer.jit_compile; one per kind of machine.",
)


def main(argv):
    """Parses gin, sets up the strategy, trains."""
    check(argv, "gin/demo.gin")
    keep_compiled()
    # Imported late: a mistake on the command line is reported at once.
    from dvdgan_tf import config, stored_weights
    from dvdgan_tf.data import pipeline
    from dvdgan_tf.training import loop
    from dvdgan_tf.training.run import NonFiniteError
    from dvdgan_tf.training.strategies import make_strategy, share_cores

    with sentences("the same command goes on"):
        config.parse(FLAGS.gin_file, FLAGS.gin_param)
        share_cores(config.shards())
        strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
        try:
            workdir = os.path.expanduser(FLAGS.workdir)
            init_from = None
            if FLAGS.init_from:
                init_from = functools.partial(
                    stored_weights.opened, FLAGS.init_from
                )
            loop.train(workdir, strategy, pipeline.batches, init_from)
        except NonFiniteError as error:
            fail(config.one_line(error), 1)


def keep_compiled():
    """Names --compilation_cache to XLA, which reads its flags later, once."""
    if not FLAGS.compilation_cache:
        return
    folder = os.path.abspath(os.path.expanduser(FLAGS.compilation_cache))
    given = os.environ.get("TF_XLA_FLAGS", "")
    flag = f"--tf_xla_persistent_cache_directory={folder}"
    os.environ["TF_XLA_FLAGS"] = f"{given} {flag}".strip()


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
