"""Does a configuration fit? Builds G, D_S and D_T and runs each once.

    python -m tools.benchmarks.forward_pass --gin_file=gin/k600_256.gin

Prints parameters, seconds to build, seconds of one forward pass (the first,
without a graph) and the peak memory of the process so far.
"""

import os
import resource
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import gin
import tensorflow as tf
from absl import app, flags

from dvdgan_tf import config
from dvdgan_tf.training.summaries import count_parameters
from tools.benchmarks import classes

FLAGS = flags.FLAGS

flags.DEFINE_multi_string("gin_file", [], "A gin file; may be repeated.")
flags.DEFINE_multi_string("gin_param", [], "A gin binding; may be repeated.")
flags.DEFINE_integer("batch_size", 1, "Videos.")


def main(_):
    """Runs the three networks on noise, one after the other."""
    try:
        config.parse(FLAGS.gin_file, FLAGS.gin_param)
        networks = make_networks()
    except ValueError as error:
        sys.exit(f"error: {config.one_line(error)}")
    generator, d_spatial, d_temporal = networks
    batch = FLAGS.batch_size
    y = tf.zeros([batch], tf.int32)
    z = tf.random.normal([batch, generator.z_dim])
    # In synthesis no frame is given.
    given = tf.random.uniform([batch, *generator.given_shape()], -1.0, 1.0)
    videos = report(generator, z, y, frames=given)
    noise = tf.random.uniform([batch, generator.generated_frames])
    report(d_spatial, d_spatial.draw_frames(videos, noise), y)
    clips = tf.concat([given, videos], 1)
    place = tf.random.uniform([batch, 2])
    report(d_temporal, d_temporal.draw_crop(clips, place), y)
    print(f"parameters: {sum(map(count_parameters, networks)):,}")


def make_networks():
    """G, D_S and D_T, not yet built."""
    num_classes = classes.number(of_dataset=1)
    return [
        gin.get_configurable(name)(num_classes=num_classes)
        for name in (
            "Generator",
            "SpatialDiscriminator",
            "TemporalDiscriminator",
        )
    ]


def report(network, *inputs, **keywords):
    """Builds and runs one network, prints a line, returns its output."""
    start = time.monotonic()
    network.build()
    built = time.monotonic()
    outputs = network(*inputs, training=False, **keywords)
    done = time.monotonic()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{network.name}: {count_parameters(network):,} parameters, "
        f"output {tuple(outputs.shape)}, built in {built - start:.1f} s, "
        f"forward {done - built:.1f} s, peak memory {peak:.1f} GiB",
        flush=True,
    )
    return outputs


if __name__ == "__main__":
    app.run(main)
