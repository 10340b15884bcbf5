"""Exports a train step and the sampler for machines without TensorFlow.

    python -m tools.jax.export_step --gin_file=gin/k600_64.gin --output=export

writes a folder that `tools/jax/run_step.py`, which needs only JAX, runs on any
device of the latter; `tools/jax/import_state.py` brings the state back. With
--workdir the newest checkpoint of that run is exported.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import gin
from absl import app, flags, logging

from dvdgan_tf import config
from dvdgan_tf.run_folder import RunFolder
from dvdgan_tf.training.checkpoints import Checkpoints
from dvdgan_tf.training.rollbacks import Rollbacks
from tools.jax.run_setup import fail, make_trainer
from tools.jax.stablehlo_export import (
    describe_fresh,
    export,
    write_batches,
    write_manifest,
)

FLAGS = flags.FLAGS

flags.DEFINE_string("output", None, "Folder to write; created if missing.")
flags.DEFINE_integer(
    "num_batches", 0, "Steps of real clips written to batches.npz."
)
flags.DEFINE_integer("sample_batch", 2, "Videos per call of the sampler.")


def main(_):
    """Builds the Trainer, restores it if it can, writes the folder."""
    logging.set_verbosity(logging.WARNING)
    if not FLAGS.gin_file or not FLAGS.output:
        fail("Name a configuration and a folder: --gin_file and --output.")
    output = os.path.expanduser(FLAGS.output)
    try:
        config.parse(FLAGS.gin_file, FLAGS.gin_param)
        trainer, source = make_trainer()
        fresh = describe_fresh(trainer)
        path = restore(trainer, FLAGS.workdir)
        print(f"State: {path or 'fresh'}, step {int(trainer.step.numpy())}.")
        source.prepare()
        one_class = trainer.generator.num_classes == 1
        counts = [1] if one_class else source.label_counts
        trainer.randomness.follow_labels(counts)
        if path:
            record = RunFolder(os.path.expanduser(FLAGS.workdir)).rollbacks
            trainer.train_with_seed(Rollbacks(record).seed(trainer.seed))
        manifest = export(trainer, output, fresh, FLAGS.sample_batch)
        manifest["config"] = gin.operative_config_str()
        write_manifest(manifest, output)
        if FLAGS.num_batches:
            write_batches(trainer, source, FLAGS.num_batches, output)
    except (ValueError, OSError) as error:
        fail(config.one_line(error))
    for name in sorted(os.listdir(output)):
        size = os.path.getsize(os.path.join(output, name))
        print(f"{os.path.join(output, name)}: {size / 1e6:.1f} MB")


def restore(trainer, workdir):
    """Restores a run's newest checkpoint; returns its path, or None."""
    if not workdir:
        return None
    workdir = os.path.expanduser(workdir)
    return Checkpoints(trainer, RunFolder(workdir).checkpoints).restore()


if __name__ == "__main__":
    app.run(main)
