"""How fast does a configuration train, and how close to the machine's limit?

    python -m tools.benchmarks.benchmark --gin_file=gin/folder_64.gin --ch=16

Builds the real `Trainer` on random videos in memory and runs its steps.
Prints a table and, as the last line, the same as JSON; docs/performance.md
says what each figure means.
"""

import json
import os
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import gin
import tensorflow as tf
from absl import app, flags, logging

from dvdgan_tf import config
from dvdgan_tf.frame_size import compact, sides
from dvdgan_tf.training.feed import Feed
from dvdgan_tf.training.strategies import make_strategy, share_cores
from dvdgan_tf.training.summaries import count_parameters
from tools.benchmarks import breakdown, ceiling, classes, machine
from tools.flops import flops, xla_cost

FLAGS = flags.FLAGS

flags.DEFINE_multi_string("gin_file", [], "A gin file; may be repeated.")
flags.DEFINE_multi_string("gin_param", [], "A gin binding; may be repeated.")
flags.DEFINE_enum(
    "precision", None, ["float32", "mixed_bfloat16"], "Trainer.precision."
)
flags.DEFINE_bool("jit_compile", None, "Trainer.jit_compile.")
flags.DEFINE_integer("batch_size", None, "BATCH_SIZE, over all replicas.")
flags.DEFINE_integer("num_frames", None, "NUM_FRAMES.")
flags.DEFINE_integer("resolution", None, "RESOLUTION.")
flags.DEFINE_integer("ch", None, "CH.")
flags.DEFINE_integer("accumulation_steps", None, "Trainer.accumulation_steps.")
flags.DEFINE_bool("recompute", None, "RECOMPUTE: recompute activations.")
flags.DEFINE_integer("num_classes", 10, "Classes, unless NUM_CLASSES is bound.")
flags.DEFINE_integer("replicas", 1, "GPUs, or logical CPUs without a GPU.")
flags.DEFINE_integer("threads", None, "Threads of TensorFlow, all by default.")
flags.DEFINE_integer("steps", 5, "Steps timed, after one that compiles.")
flags.DEFINE_bool(
    "split", True, "Also time the update of G alone; compiles it once more."
)
flags.DEFINE_bool(
    "breakdown", False, "Also time every layer alone; compiles each."
)
flags.DEFINE_bool(
    "xla_cost", False, "Also check the arithmetic against XLA; traces again."
)
flags.DEFINE_bool(
    "turns",
    False,
    "Before each step timed, print 'ready' and wait for a line on stdin "
    "(see compare_torch.py).",
)
flags.DEFINE_integer("ceiling_shapes", 8, "Convolutions tried for the ceiling.")
flags.DEFINE_string("output", None, "A file to which the JSON line is added.")

# Flags that are gin bindings.
BINDINGS = {
    "precision": "Trainer.precision",
    "jit_compile": "Trainer.jit_compile",
    "batch_size": "BATCH_SIZE",
    "num_frames": "NUM_FRAMES",
    "resolution": "RESOLUTION",
    "ch": "CH",
    "accumulation_steps": "Trainer.accumulation_steps",
    "recompute": "RECOMPUTE",
}


def main(argv):
    """Measures one configuration."""
    if not FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    try:
        if len(argv) > 1:
            raise ValueError(f"Unknown argument {argv[1]!r}; see --help.")
        strategy = set_up()
        trainer, built = timed(lambda: build(strategy))
    except ValueError as error:
        sys.exit(f"error: {config.one_line(error)}")
    result = {"what": describe(trainer), "build_s": built}
    before = machine.peak_memory()["peak_memory_gib"]
    result["memory_before_steps_gib"] = before
    result.update(time_steps(trainer))
    result.update(machine.peak_memory())
    result.update(arithmetic(trainer, result["step_s"]))
    if FLAGS.breakdown:
        rows = breakdown.measure(trainer, flops.count(trainer))
        result["breakdown"] = rows
    if FLAGS.xla_cost:
        result["xla_cost"] = check_against_xla(trainer)
    result["machine"] = machine.describe()
    print_table(result)
    line = json.dumps(result)
    print(line)
    if FLAGS.output:
        with open(FLAGS.output, "a") as file:
            file.write(line + "\n")


def set_up():
    """Parses gin and configures TensorFlow; returns the strategy."""
    if not FLAGS.gin_file:
        raise ValueError("Name a configuration, such as gin/folder_64.gin.")
    if FLAGS.replicas < 1 or FLAGS.steps < 1:
        raise ValueError(
            "--replicas and --steps must be at least 1. Received: "
            f"--replicas={FLAGS.replicas} --steps={FLAGS.steps}"
        )
    if FLAGS.replicas > 1 and (FLAGS.breakdown or FLAGS.xla_cost):
        raise ValueError(
            "--breakdown and --xla_cost are for one replica. "
            f"Received: --replicas={FLAGS.replicas}"
        )
    bindings = [
        f"{name} = {FLAGS[flag].value!r}"
        for flag, name in BINDINGS.items()
        if FLAGS[flag].value is not None
    ]
    config.parse(FLAGS.gin_file, [*FLAGS.gin_param, *bindings])
    if FLAGS.threads:
        tf.config.threading.set_intra_op_parallelism_threads(FLAGS.threads)
        tf.config.threading.set_inter_op_parallelism_threads(FLAGS.threads)
    else:
        share_cores(config.shards())
    if FLAGS.replicas == 1:
        return make_strategy("one_device")
    return tf.distribute.MirroredStrategy(machine.devices(FLAGS.replicas))


def build(strategy):
    """The trainer that gin describes."""
    with strategy.scope():
        return gin.get_configurable("Trainer")(
            classes.number(FLAGS.num_classes)
        )


def timed(function):
    """(what it returns, seconds)."""
    start = time.perf_counter()
    value = function()
    return value, time.perf_counter() - start


def timed_in_turn(step):
    """Seconds of a step, begun when compare_torch.py says so."""
    if FLAGS.turns:
        print("ready", flush=True)
        sys.stdin.readline()
    return timed(step)[1]


def time_steps(trainer):
    """Seconds of the first step, of the others, and of the update of G."""
    iterator = Feed(random_batches, None, trainer).since(0)

    def step():
        return trainer.run(iterator, tf.constant(1)).numpy()

    _, first = timed(step)
    whole = [timed_in_turn(step) for _ in range(FLAGS.steps)]
    times = {
        "first_step_s": first,
        "step_s": statistics.median(whole),
        "step_min_s": min(whole),
    }
    if FLAGS.split:
        times["g_update_s"] = time_g_update(trainer, next(iterator))
        rest = times["step_s"] - times["g_update_s"]
        times["d_update_s"] = rest / trainer.d_steps
    return times


def time_g_update(trainer, batch):
    """Median seconds of the update of G; in prediction it takes a batch."""
    given = batch if trainer.generator.conditioning_frames else ()

    @tf.function
    def update(*given):
        step = trainer.step.read_value()
        return trainer.on_replicas(trainer.updates.of_generator, step, *given)

    seconds = [
        timed(lambda: update(*given).numpy())[1] for _ in range(FLAGS.steps + 1)
    ]
    return statistics.median(seconds[1:])


def random_batches(
    _, batch_size, seed, num_pipelines, replicas_per_pipeline, **__
):
    """One random batch for ever, as `pipeline.batches` yields them."""
    size = batch_size // (num_pipelines * replicas_per_pipeline)
    resolution, frames = (
        gin.query_parameter(f"%{name}") for name in ("RESOLUTION", "NUM_FRAMES")
    )
    shape = [size, frames, *sides(resolution), 3]
    videos = tf.random.stateless_uniform(shape, [seed, 0], 0, 256, tf.int32)
    labels = tf.zeros([size], tf.int32)
    batch = (tf.cast(videos, tf.uint8), labels)
    return tf.data.Dataset.from_tensors(batch).repeat()


def arithmetic(trainer, step_s):
    """FLOP of a step, the rate achieved, the ceiling and their ratio."""
    count = flops.count(trainer)
    drawn = flops.count(trainer, drawn=True)
    rates = ceiling.measure(
        ceiling.hot_shapes(count, FLAGS.ceiling_shapes),
        trainer.generator.compute_dtype,
        trainer.jit_compile,
        trainer.strategy.num_replicas_in_sync,
    )
    achieved = count.step / step_s / 1e9
    clips = trainer.batch_size * trainer.batches_per_step
    return {
        "clips_per_s": clips / step_s,
        "gflop": count.step / 1e9,
        "gflop_d_update": count.d_update / 1e9,
        "gflop_g_update": count.g_update / 1e9,
        "gflop_as_drawn": drawn.step / 1e9,
        "gflops": achieved,
        "ceiling_gflops": rates[0]["gflops"],
        "ceiling": rates,
        "ratio": achieved / rates[0]["gflops"],
    }


def check_against_xla(trainer):
    """Own count and XLA's, both without taps on padding, and agreement."""
    iterator = Feed(random_batches, None, trainer).since(0)
    own = flops.count(trainer, padding=False)
    d_update, g_update = xla_cost.of_trainer(trainer, next(iterator))
    xla = trainer.d_steps * d_update + g_update
    return {
        "gflop_without_padding": own.step / 1e9,
        "gflop_xla": xla / 1e9,
        "gflop_xla_d_update": d_update / 1e9,
        "gflop_xla_g_update": g_update / 1e9,
        "agreement_percent": 100 * own.step / xla,
    }


def describe(trainer):
    """What was measured: sizes, parameters and flags."""
    parameters = {n.name: count_parameters(n) for n in trainer.networks[:3]}
    return {
        "gin_file": FLAGS.gin_file,
        "gin_param": FLAGS.gin_param,
        "resolution": compact(trainer.generator.resolution),
        "num_frames": trainer.generator.num_frames,
        "conditioning_frames": trainer.generator.conditioning_frames,
        "ch": gin.query_parameter("%CH"),
        "num_classes": trainer.generator.num_classes,
        "batch_size": trainer.batch_size,
        "d_steps": trainer.d_steps,
        "precision": trainer.generator.dtype_policy.name,
        "jit_compile": trainer.jit_compile,
        "accumulation_steps": trainer.accumulation_steps,
        "recompute": trainer.generator.recompute,
        "replicas": FLAGS.replicas,
        "threads": FLAGS.threads,
        "steps": FLAGS.steps,
        "parameters": parameters,
    }


def print_table(result):
    """All figures but the description, a line each."""
    for name, value in result.items():
        if isinstance(value, float):
            print(f"{name:<20}{value:>12.4g}")
    best = result["ceiling"][0]
    print(f"ceiling at: {best['shape']}{', by XLA' if best['xla'] else ''}")
    for name, value in result.get("xla_cost", {}).items():
        print(f"{name:<24}{value:>12.5g}")
    for row in result.get("breakdown", ()):
        print(
            f"{row['layer']:<26}{row['ms']:>10.2f} ms{row['gflop']:>10.3f} "
            f"GFLOP{row['gflops']:>10.1f} GFLOP/s"
        )


if __name__ == "__main__":
    app.run(main)
