"""Command line: turns a run's checkpoint into a module that others can use.

python -m dvdgan_tf.export --workdir=runs/demo --output=modules/demo

Exit codes: 0 when finished; 2 for what the user can mend; 1 when it fails.
"""

import argparse
import os

from dvdgan_tf.command_line import fail, sentences, truncations


def main(arguments=None):
    """Exports."""
    options = parse(arguments)
    with sentences("nothing was written"):
        run(options)


def parse(arguments):
    """The options, of a list of arguments or of the command line."""
    parser = argparse.ArgumentParser(
        "python -m dvdgan_tf.export",
        description=__doc__.split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.error = lambda message: fail(f"{message}; see --help.", 2)
    add = parser.add_argument
    add("--workdir", required=True, help="The run's folder.")
    add(
        "--output",
        required=True,
        help="What to make: a folder; a .tar.gz archive of it (saved_model); "
        "a file (tflite).",
    )
    add(
        "--format",
        default="saved_model",
        choices=["saved_model", "stablehlo", "tflite"],
        help="saved_model is what TF-Hub and TensorFlow Serving take.",
    )
    add("--step", type=int, help="Of the checkpoint; None: the newest.")
    add(
        "--truncations",
        default="1.0,0.8,0.6,0.4",
        help="Levels of truncation with standing statistics of their own; "
        "between them, statistics are interpolated.",
    )
    add(
        "--standing_batches",
        type=int,
        default=16,
        help="Batches over which each level's statistics are averaged; 0 "
        "takes the checkpoint's moving statistics, for truncation 1.0 only.",
    )
    add(
        "--discriminators",
        action="store_true",
        help="Adds the discriminators (saved_model).",
    )
    add(
        "--batch_size",
        type=int,
        default=1,
        help="Videos per call (stablehlo, tflite); else any.",
    )
    return parser.parse_args(arguments)


def run(options):
    """Exports what the options say."""
    from dvdgan_tf import config
    from dvdgan_tf.generation.from_run import generator_module

    workdir = os.path.expanduser(options.workdir)
    output = os.path.expanduser(options.output)
    levels = truncations(options.truncations)
    if options.batch_size < 1:
        raise ValueError(
            f"--batch_size must be at least 1. Received: {options.batch_size}"
        )
    if options.discriminators and options.format != "saved_model":
        raise ValueError(
            "Discriminators are part of --format=saved_model only."
        )
    if os.path.exists(output):
        raise FileExistsError(
            f"{output} exists already; choose another --output, or delete it."
        )
    print(f"Reading {workdir} ...", flush=True)
    with config.of_run(workdir, options.step) as source:
        module = generator_module(source, levels, options.standing_batches)
        describe(module.facts)
        write(source, module, output, options)
    print(f"Exported: {output}")


def describe(facts):
    """Prints what is exported."""
    listed = ", ".join(f"{level:g}" for level in facts["truncation_levels"])
    print(
        f"{facts['model']} of step {facts['step']}, "
        f"{facts['parameters']:,} parameters, {facts['num_classes']} classes, "
        f"{facts['num_frames']} frames of {facts['resolution']} pixels, "
        f"truncation {listed}.",
        flush=True,
    )


def write(source, module, output, options):
    """Writes the module in the format asked for."""
    if options.format == "stablehlo":
        from dvdgan_tf.exporting import stablehlo

        stablehlo.write(module, output, module.facts, options.batch_size)
    elif options.format == "tflite":
        from dvdgan_tf.exporting import tflite

        tflite.write(module, output, options.batch_size)
    else:
        _write_saved_model(source, module, output, options.discriminators)


def _write_saved_model(source, module, output, with_discriminators):
    import shutil

    from dvdgan_tf import archives
    from dvdgan_tf.exporting import discriminator_module, saved_model

    discriminators = None
    if with_discriminators:
        discriminators = discriminator_module.of_run(source)
    with open(source.folder.config, encoding="utf-8") as file:
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
        try:
            archives.pack(folder, output)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
