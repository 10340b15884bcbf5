"""How fast are the clips of a configuration read, and is that fast enough?

    python -m tools.benchmarks.benchmark_data --gin_file=gin/k600_128.gin

Reads batches as training does, with nothing that consumes them, and decodes
frames of the same dataset from memory, which is the limit. Figures "per core"
are per second of processor time, so that other programs do not count. Prints a
table and, as the last line, the same as JSON.
"""

import itertools
import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import gin
import numpy as np
import tensorflow as tf
from absl import app, flags, logging

from dvdgan_tf import config
from dvdgan_tf.data import frames, pipeline
from dvdgan_tf.data.tfds_videos import TfdsVideos
from dvdgan_tf.frame_size import compact, sides
from dvdgan_tf.training import loop
from dvdgan_tf.training.feed import Feed
from dvdgan_tf.training.strategies import make_strategy
from tools.benchmarks import machine

FLAGS = flags.FLAGS

flags.DEFINE_multi_string("gin_file", [], "A gin file; may be repeated.")
flags.DEFINE_multi_string("gin_param", [], "A gin binding; may be repeated.")
flags.DEFINE_integer("threads", None, "Cores to run on, all by default.")
flags.DEFINE_float("seconds", 5, "Measured for each figure, after a quarter.")
flags.DEFINE_integer("turns", 3, "How often; the best of them is taken.")
flags.DEFINE_integer("batch_size", 16, "Clips read at a time.")
flags.DEFINE_bool(
    "train", False, "Also train, and time how long steps wait for clips."
)
flags.DEFINE_integer("steps", 10, "Steps timed with --train, after two.")
flags.DEFINE_string("output", None, "A file to which the JSON line is added.")

# Frames decoded in one call, to find the limit.
_TOGETHER = 16


def main(argv):
    """Measures one configuration."""
    if not FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    try:
        if len(argv) > 1:
            raise ValueError(f"Unknown argument {argv[1]!r}; see --help.")
        cores = set_up()
        source = gin.query_parameter("%DATASET").scoped_configurable_fn()
        source.prepare()
        what = describe(source)
        result = {"what": what, **measure(source, cores)}
        fed = result["clips_per_s"] / what["clips_per_step"]
        result["steps_per_s_fed"] = fed
        if FLAGS.train:
            result.update(train(source))
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: {config.one_line(error)}")
    except tf.errors.OpError as error:
        sys.exit(f"error: {config.innermost(error)}")
    result.update(machine.peak_memory())
    result["machine"] = machine.describe()
    for name, value in result.items():
        if isinstance(value, float):
            print(f"{name:<26}{value:>12.4g}")
    line = json.dumps(result)
    print(line)
    if FLAGS.output:
        with open(FLAGS.output, "a") as file:
            file.write(line + "\n")


def set_up():
    """Parses gin and binds the process to cores; returns their number."""
    if not FLAGS.gin_file:
        raise ValueError("Name a configuration, such as gin/k600_128.gin.")
    for name in ("seconds", "turns", "batch_size", "steps", "threads"):
        value = FLAGS[name].value
        if value is not None and value <= 0:
            raise ValueError(f"--{name} must be above 0. Received: {value}.")
    config.parse(FLAGS.gin_file, FLAGS.gin_param)
    cores = sorted(os.sched_getaffinity(0))
    if FLAGS.threads:
        if FLAGS.threads > len(cores):
            raise ValueError(
                f"--threads must be at most the {len(cores)} cores there are. "
                f"Received: {FLAGS.threads}."
            )
        # Threads are started by much more than the pools TensorFlow has
        # settings for; all of them stay on these cores.
        cores = cores[: FLAGS.threads]
        os.sched_setaffinity(0, cores)
        tf.config.threading.set_intra_op_parallelism_threads(len(cores))
        tf.config.threading.set_inter_op_parallelism_threads(len(cores))
    return len(cores)


def measure(source, cores):
    """Rates of reading, and of decoding if the clips are stored ones.

    The two take turns: a machine that is busy for a while slows both.
    """
    read, record, decode = [], [], []
    stored = isinstance(source, TfdsVideos)
    images = encoded_frames(source) if stored else None
    for _ in range(FLAGS.turns):
        read.append(rate(pipeline.batches(source, FLAGS.batch_size, seed=0)))
        if stored:
            record.append(rate(reading(source)))
            decode.append(rate(decoding(source, images)))
    clips_per_s, clips_per_core = (
        FLAGS.batch_size * max(column) for column in zip(*read, strict=True)
    )
    result = {
        "clips_per_s": clips_per_s,
        "frames_per_s": clips_per_s * source.num_frames,
        "frames_per_s_per_core": clips_per_core * source.num_frames,
        "cores_busy": clips_per_s / clips_per_core,
        "clip_ms": 1e3 / clips_per_core,
    }
    if stored:
        limit = _TOGETHER * max(per_core for _, per_core in decode)
        rows = _TOGETHER * max(per_core for _, per_core in record)
        result |= {
            "decode_limit_per_core": limit,
            "decode_limit": limit * cores,
            "ratio": result["frames_per_s_per_core"] / limit,
            "record_ms": 1e3 / rows,
            **clip_lengths(source),
        }
    return result


def rate(dataset):
    """Elements per second of time, and per second of processor time."""
    iterator = iter(dataset)
    until = time.perf_counter() + FLAGS.seconds / 4
    while time.perf_counter() < until:
        next(iterator)
    count, start, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < FLAGS.seconds:
        next(iterator)
        count += 1
    return (
        count / (time.perf_counter() - start),
        count / (time.process_time() - cpu),
    )


def encoded_frames(source):
    """Some frames of some clips, as they are stored: string [N]."""
    some = range(min(_TOGETHER, source.num_examples))
    read = tf.function(source.encoded)
    return tf.concat(
        [
            read(tf.constant(number, tf.int64), tf.constant([number, 0]))
            for number in some
        ],
        axis=0,
    )


def reading(source):
    """Dataset that reads and parses `_TOGETHER` records at a time."""

    def read(number):
        index = number % source.num_examples
        return source.encoded(index, tf.stack([tf.cast(number, tf.int32), 0]))

    numbers = tf.data.Dataset.range(tf.int64.max)
    return numbers.map(read, tf.data.AUTOTUNE).batch(_TOGETHER)


def decoding(source, images):
    """Dataset that decodes `_TOGETHER` images of memory on one thread.

    Of each what training decodes: a part, or the whole where it is resized.
    """
    height, width = sides(source.resolution)
    jpeg = tf.io.is_jpeg(images[0]).numpy()
    covers = jpeg and frames.just_covers(
        tf.io.extract_jpeg_shape(images[0])[:2], (height, width)
    )
    exact = dict(channels=3, dct_method="INTEGER_ACCURATE")

    def decode(image):
        if covers and source._fit == "crop":
            part = [0, 0, height, width]
            pixels = tf.io.decode_and_crop_jpeg(image, part, **exact)
        else:
            pixels = tf.io.decode_jpeg(image, **exact)
        return pixels[0, 0, 0]

    def decode_all(number):
        start = number * _TOGETHER + tf.range(_TOGETHER, dtype=tf.int64)
        chosen = tf.gather(images, start % len(images))
        return tf.stack([decode(image) for image in tf.unstack(chosen)])

    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    return tf.data.Dataset.range(10**12).map(decode_all).with_options(options)


class Part:
    """Some clips of a source, itself a source.

    Args:
        source: source of stored clips.
        chosen: int64 array, numbers of its clips.
    """

    def __init__(self, source, chosen):
        self.num_examples = len(chosen)
        self._source = source
        self._chosen = chosen

    def load(self, index, seed):
        return self._source.load(tf.gather(self._chosen, index), seed)


def clip_lengths(source):
    """Processor time for the shortest tenth of the clips and the longest."""
    order = np.argsort(source._frame_counts, kind="stable").astype(np.int64)
    tenth = max(1, len(order) // 10)
    parts = {"short": order[:tenth], "long": order[-tenth:]}
    times = {name: [] for name in parts}
    for _, (name, chosen) in itertools.product(
        range(FLAGS.turns), parts.items()
    ):
        part = Part(source, chosen)
        _, per_core = rate(pipeline.batches(part, FLAGS.batch_size, seed=0))
        times[name].append(1e3 / per_core / FLAGS.batch_size)
    result = {}
    for name, chosen in parts.items():
        result[f"{name}_clip_frames"] = float(
            source._frame_counts[chosen].mean()
        )
        result[f"{name}_clip_ms"] = min(times[name])
    return result


def train(source):
    """The share of a step's time that goes into waiting for its clips."""
    strategy = make_strategy("one_device")
    with strategy.scope():
        classes = loop.number_of_classes(
            source, gin.query_parameter("%NUM_CLASSES")
        )
        trainer = gin.get_configurable("Trainer")(classes)
    trainer.randomness.follow_labels(source.label_counts)
    iterator = Feed(pipeline.batches, source, trainer).since(0)
    step = tf.function(trainer.step_on)
    waited, worked = [], []
    for _ in range(2 + FLAGS.steps):
        start = time.perf_counter()
        batches = [next(iterator) for _ in range(trainer.batches_per_step)]
        ready = time.perf_counter()
        videos, labels = zip(*batches, strict=True)
        step(tf.stack(videos), tf.stack(labels)).numpy()
        waited.append(ready - start)
        worked.append(time.perf_counter() - ready)
    wait, work = np.mean(waited[2:]), np.mean(worked[2:])
    return {
        "step_s": float(wait + work),
        "wait_s": float(wait),
        "wait_share": float(wait / (wait + work)),
    }


def describe(source):
    """What was measured."""
    if isinstance(source, TfdsVideos):
        counts = source._frame_counts
        stored = {
            "dataset": source._builder.info.full_name,
            "frames_stored": [int(f(counts)) for f in (np.min, np.max)],
        }
    else:
        stored = {"dataset": type(source).__name__}
    batch_size = gin.query_parameter("%BATCH_SIZE")
    # In prediction the update of G takes a batch, too.
    batches = gin.query_parameter("Trainer.d_steps")
    batches += gin.query_parameter("%CONDITIONING_FRAMES") > 0
    return stored | {
        "gin_file": FLAGS.gin_file,
        "gin_param": FLAGS.gin_param,
        "clips": source.num_examples,
        "resolution": compact(source.resolution),
        "num_frames": source.num_frames,
        "batch_size": FLAGS.batch_size,
        "clips_per_step": batch_size * batches,
    }


if __name__ == "__main__":
    app.run(main)
