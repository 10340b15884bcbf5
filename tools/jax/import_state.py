"""Writes a state that tools/jax/run_step.py saved as a checkpoint of a run.

    python -m tools.jax.import_state --gin_file=gin/k600_64.gin \
        --state=state_out.npz --workdir=runs/k600

`python -m dvdgan_tf.train` with the same gin files and folder goes on from it.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import app, flags, logging

from dvdgan_tf import config
from tools.jax.run_setup import fail, make_trainer
from tools.jax.state_file import import_state

FLAGS = flags.FLAGS

flags.DEFINE_string("state", None, "NPZ that run_step wrote with --save.")


def main(_):
    """Builds the Trainer, assigns the state, saves."""
    logging.set_verbosity(logging.WARNING)
    if not (FLAGS.gin_file and FLAGS.state and FLAGS.workdir):
        fail("Name --gin_file, --state and --workdir.")
    try:
        config.parse(FLAGS.gin_file, FLAGS.gin_param)
        trainer, _ = make_trainer()
        paths = map(os.path.expanduser, (FLAGS.state, FLAGS.workdir))
        print(import_state(trainer, *paths))
    except (ValueError, OSError) as error:
        fail(config.one_line(error))


if __name__ == "__main__":
    app.run(main)
