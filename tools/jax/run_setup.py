"""What tools share that build the Trainer which `dvdgan_tf.train` would."""

import sys

import gin
from absl import flags

from dvdgan_tf.training.strategies import make_strategy
from tools.benchmarks import classes

flags.DEFINE_multi_string("gin_file", [], "A gin file; may be repeated.")
flags.DEFINE_multi_string("gin_param", [], "A gin binding; may be repeated.")
flags.DEFINE_string("workdir", None, "Folder of a run.")


def make_trainer():
    """The Trainer and the dataset that `dvdgan_tf.train` would use.

    Returns:
        A `Trainer` on one device, and the clips' source, not yet prepared.
    """
    bindings = gin.get_bindings("train")
    source = bindings["dataset"]()
    num_classes = classes.number(len(source.class_names))
    with make_strategy("one_device").scope():
        return bindings["trainer"](num_classes), source


def fail(sentence):
    """Ends the program with one sentence."""
    print(f"error: {sentence}", file=sys.stderr)
    sys.exit(2)
