"""Turns a run's checkpoint into a module that others can use.

    python -m dvdgan_tf.export --workdir=runs/demo --output=modules/demo

Exit codes: 0 when finished; 2 for what the user can mend; 1 when it fails.
"""

import os
from typing import Any

from absl import flags

from dvdgan_tf import command_line
from dvdgan_tf.command_line import sentences, truncations
from dvdgan_tf.frame_size import of_video
from dvdgan_tf.quiet import import_tensorflow
from dvdgan_tf.run_folder import RunFolder

FLAGS = command_line.new_flags()
command_line.define_path("workdir", None, "The run's folder.", FLAGS)
command_line.define_path(
    "output",
    None,
    "What to make: a folder, or a .tar.gz archive of it (saved_model), or a "
    "file (tflite).",
    FLAGS,
)
flags.DEFINE_enum(
    "format",
    "saved_model",
    ["saved_model", "stablehlo", "tflite"],
    "Format of the module; saved_model is what TF-Hub and TensorFlow Serving "
    "take.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "step",
    None,
    "Step of the checkpoint; the newest by default.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "truncations",
    "1.0,0.8,0.6,0.4",
    "Levels of truncation with standing statistics of their own, with commas "
    "between them; statistics between two levels are interpolated.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "standing_batches",
    16,
    "Number of batches over which each level's statistics are averaged; 0 "
    "takes the checkpoint's moving statistics, for truncation 1.0 only.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "num_frames",
    None,
    "Number of frames of the clips that the module makes; that of training by "
    "default. The recurrence of a longer one runs on.",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "discriminators",
    False,
    "Adds the discriminators (saved_model).",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "batch_size",
    1,
    "Number of videos per call (stablehlo, tflite); a saved_model takes any.",
    flag_values=FLAGS,
)


def main(arguments: list[str] | None = None) -> None:
    """Exports."""
    options = command_line.parse(FLAGS, __doc__, arguments)
    command_line.check_required(
        options, workdir="runs/demo", output="modules/demo"
    )
    with sentences("nothing was written"):
        check(options)
        import_tensorflow()
        run(options)


def check(options: flags.FlagValues) -> None:
    """Raises an error for what is wrong about the flags themselves."""
    if options.batch_size < 1:
        raise ValueError(
            f"--batch_size must be at least 1. Received: {options.batch_size}"
        )
    if options.num_frames is not None and options.num_frames < 1:
        raise ValueError(
            f"--num_frames must be at least 1. Received: {options.num_frames}"
        )
    if options.discriminators and options.format != "saved_model":
        raise ValueError(
            "Discriminators are part of --format=saved_model only."
        )
    if os.path.exists(options.output):
        raise FileExistsError(
            f"{options.output} exists already; choose another --output, or "
            "delete it."
        )
    truncations(options.truncations)
    RunFolder(options.workdir).check_is_run()


def run(options: flags.FlagValues) -> None:
    """Exports what the flags say."""
    from dvdgan_tf import config
    from dvdgan_tf.generation.from_run import generator_module

    levels = truncations(options.truncations)
    print(f"Reading {options.workdir} ...", flush=True)
    with config.of_run(options.workdir, options.step) as source:
        count = len(levels) * options.standing_batches
        print(
            f"Taking standing statistics: {count} batches, {len(levels)} "
            "levels of truncation ...",
            flush=True,
        )
        module = generator_module(
            source,
            levels,
            options.standing_batches,
            num_frames=options.num_frames,
        )
        describe(module.facts)
        print(f"Writing {options.format} ...", flush=True)
        write(source, module, options.output, options)
    print(f"Exported: {options.output}")


def describe(facts: dict) -> None:
    """Prints what is exported."""
    listed = ", ".join(f"{level:g}" for level in facts["truncation_levels"])
    print(
        f"{facts['model']} of step {facts['step']}, "
        f"{facts['parameters']:,} parameters, {facts['num_classes']} classes, "
        f"{facts['num_frames']} frames of {of_video(facts['resolution'])} "
        "pixels, "
        f"truncation {listed}.",
        flush=True,
    )


def write(
    source: Any, module: Any, output: str, options: flags.FlagValues
) -> None:
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

    from dvdgan_tf import archives, files
    from dvdgan_tf.exporting import discriminator_module, saved_model

    discriminators = None
    if with_discriminators:
        discriminators = discriminator_module.of_run(source)
    with open(source.folder.config, encoding="utf-8") as file:
        config = file.read()
    parts = (source.class_names, module.facts, config, discriminators)
    if not output.endswith((".tar.gz", ".tgz")):
        saved_model.write(module, output, *parts)
        return
    # A kill once the archive is there leaves nothing else.
    with files.replacing(output) as archive:
        folder = files.beside(output)
        try:
            saved_model.write(module, folder, *parts)
            archives.pack(folder, archive)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
