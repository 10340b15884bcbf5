"""Command line: turns a run's checkpoint into a module that others can use.

python -m dvdgan_tf.export --workdir=runs/demo --output=modules/demo

Exit codes: 0 when finished; 2 for what the user can mend; 1 when it fails.
"""

import os

from absl import app, flags, logging

from dvdgan_tf.command_line import fail, parse_flags, sentences

FLAGS = flags.FLAGS

flags.DEFINE_string(
    "output",
    None,
    "What to make: a folder; a .tar.gz archive of it (saved_model); a file "
    "(tflite).",
)
flags.DEFINE_enum(
    "format",
    "saved_model",
    ["saved_model", "stablehlo", "tflite"],
    "saved_model is what TF-Hub and TensorFlow Serving take.",
)
flags.DEFINE_integer("step", None, "Of the checkpoint; the newest by default.")
flags.DEFINE_list(
    "truncations",
    ["1.0", "0.8", "0.6", "0.4"],
    "Levels of truncation with standing statistics of their own; between "
    "them, statistics are interpolated.",
)
flags.DEFINE_integer(
    "standing_batches",
    16,
    "Batches over which each level's statistics are averaged; 0 takes the "
    "checkpoint's moving statistics, for --truncations=1.0 only.",
)
flags.DEFINE_bool(
    "discriminators", False, "Adds the discriminators (saved_model)."
)
flags.DEFINE_integer(
    "batch_size", 1, "Videos per call (stablehlo, tflite); else any.", 1
)


def main(argv):
    """Exports."""
    if not FLAGS["verbosity"].present:
        logging.set_verbosity(logging.ERROR)
    if len(argv) > 1:
        fail(f"Unknown argument {argv[1]!r}; see --help.", 2)
    for name, example in (("workdir", "runs/demo"), ("output", "modules/demo")):
        if not FLAGS[name].value:
            fail(f"Name the --{name}, such as --{name}={example}.", 2)
    with sentences("nothing was written"):
        run(os.path.expanduser(FLAGS.workdir), os.path.expanduser(FLAGS.output))


def run(workdir, output):
    """Exports what the flags say."""
    from dvdgan_tf.exporting import from_run

    truncations = _truncations()
    if FLAGS.discriminators and FLAGS.format != "saved_model":
        raise ValueError(
            "Discriminators are part of --format=saved_model only."
        )
    if os.path.exists(output):
        raise FileExistsError(
            f"{output} exists already; choose another --output, or delete it."
        )
    print(f"Reading {workdir} ...", flush=True)
    source = from_run.read_run(workdir, FLAGS.step)
    module = from_run.generator_module(
        source, truncations, FLAGS.standing_batches
    )
    facts = module.facts
    levels = ", ".join(f"{level:g}" for level in facts["truncation_levels"])
    print(
        f"{facts['model']} of step {facts['step']}, "
        f"{facts['parameters']:,} parameters, {facts['num_classes']} classes, "
        f"{facts['num_frames']} frames of {facts['resolution']} pixels, "
        f"truncation {levels}.",
        flush=True,
    )
    write(source, module, output)
    print(f"Exported: {output}")


def write(source, module, output):
    """Writes the module in the format asked for."""
    if FLAGS.format == "stablehlo":
        from dvdgan_tf.exporting import stablehlo

        stablehlo.write(module, output, module.facts, FLAGS.batch_size)
    elif FLAGS.format == "tflite":
        from dvdgan_tf.exporting import tflite

        tflite.write(module, output, FLAGS.batch_size)
    else:
        _write_saved_model(source, module, output)


def _write_saved_model(source, module, output):
    import shutil

    from dvdgan_tf.exporting import from_run, saved_model

    discriminators = None
    if FLAGS.discriminators:
        discriminators = from_run.discriminator_module(source)
    with open(os.path.join(source.workdir, "operative_config.gin")) as file:
        config = file.read()
    packed = output.endswith((".tar.gz", ".tgz"))
    folder = f"{output}.folder" if packed else output
    saved_model.write(
        module,
        folder,
        source.class_names,
        module.facts,
        config,
        discriminators,
    )
    if packed:
        saved_model.write_archive(folder, output)
        shutil.rmtree(folder)


def _truncations():
    """The levels of truncation, floats."""
    try:
        return tuple(float(text) for text in FLAGS.truncations)
    except ValueError as error:
        raise ValueError(
            "--truncations must be numbers such as 1.0,0.5. "
            f"Received: {','.join(FLAGS.truncations)}"
        ) from error


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
