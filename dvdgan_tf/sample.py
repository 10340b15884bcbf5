"""Samples clips from a run, an exported module or the packaged demo.

    python -m dvdgan_tf.sample --module=demo --output=samples

Exit codes: 0 when finished; 2 for what the user can mend; 1 when it fails.
"""

from collections.abc import Iterator
from typing import Any

from absl import flags

from dvdgan_tf import command_line
from dvdgan_tf.command_line import sentences
from dvdgan_tf.quiet import import_tensorflow

FLAGS = command_line.new_flags()
flags.DEFINE_string(
    "module",
    None,
    "An exported module's folder, its archive, its URL, or demo, the weights "
    "that are part of the package.",
    flag_values=FLAGS,
)
command_line.define_folder(
    "workdir", None, "A run's folder, instead of a module.", FLAGS
)
flags.DEFINE_integer(
    "step",
    None,
    "Step of the run's checkpoint; the newest by default.",
    flag_values=FLAGS,
)
command_line.define_path(
    "output", "samples", "Folder to make for the clips.", FLAGS
)
flags.DEFINE_string(
    "classes",
    None,
    "Names or ids of classes, with commas between them; all by default.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "count", 16, "Number of clips, of all classes together.", flag_values=FLAGS
)
flags.DEFINE_integer(
    "seed", 0, "The same seed makes the same clips.", flag_values=FLAGS
)
flags.DEFINE_float(
    "truncation",
    None,
    "Factor of the latents, above 0 and at most 1; below 1 clips are likelier "
    "and less varied. By default there is no truncation.",
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "fps",
    None,
    "Frames per second of the files; those of the model by default.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "formats",
    "mp4",
    "Formats of the files, with commas between them: mp4, gif, webp, png (a "
    "strip of the frames), npz (numbers), frames (a folder of PNG).",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "interpolate",
    None,
    ["latent", "class"],
    "Makes --count clips on the way between two z and two --classes (latent), "
    "or between the classes only (class).",
    flag_values=FLAGS,
)
command_line.define_path(
    "frames",
    None,
    "A video file to continue, with a model of frame prediction.",
    FLAGS,
)
flags.DEFINE_integer(
    "num_frames",
    None,
    "Number of frames of a clip, of a continued one the given frames included; "
    "that of training by default.",
    flag_values=FLAGS,
)


def main(arguments: list[str] | None = None) -> None:
    """Samples."""
    options = parse(arguments)
    with sentences("the clips that are finished are kept"):
        check(options)
        import_tensorflow()
        run(options)


def parse(arguments: list[str] | None) -> flags.FlagValues:
    """The flags, read from a list of arguments or the command line."""
    return command_line.parse(FLAGS, __doc__, arguments)


def check(options: flags.FlagValues) -> None:
    """Raises an error for what is wrong about the flags themselves."""
    if (options.module is None) == (options.workdir is None):
        raise ValueError("Name either a --module, such as demo, or a --workdir")
    if options.step is not None and options.module:
        raise ValueError(
            "--step is of a run's checkpoint; an exported --module is of one. "
            f"Received: --step={options.step}"
        )
    command_line.check_model(options.module, options.workdir)


def run(options: flags.FlagValues) -> None:
    """Samples what the flags say."""
    from dvdgan_tf.sampling.clip_writer import ClipWriter
    from dvdgan_tf.sampling.loading import load

    level = 1.0 if options.truncation is None else options.truncation
    command_line.say_what_runs(options.module)
    print(f"Reading {options.module or options.workdir} ...", flush=True)
    model = load(options.module or options.workdir, options.step, (level,))
    clips = chosen(model, options)
    first = next(clips)
    fps = model.facts["fps"] if options.fps is None else options.fps
    writer = ClipWriter(options.output, options.formats.split(","), fps)
    write(model, writer, first, clips, options.count)
    still, moving = writer.close()
    print(f"Still grid:    {still}")
    print(f"Animated grid: {moving}")
    print(f"Clips:         {writer.folder} ({writer.count:,})")


def write(model: Any, writer: Any, first: int, clips: Any, count: int) -> None:
    """Writes clips as they come, with a progress bar."""
    import itertools

    from dvdgan_tf.progress_bar import progress_bar

    for video, label in progress_bar(
        itertools.chain([first], clips),
        total=count,
        unit="clip",
    ):
        writer.write(video, label, model.class_names[label])


def chosen(model: Any, options: flags.FlagValues) -> Iterator[Any]:
    """Yields the clips that the options ask for, and their class ids."""
    from dvdgan_tf.sampling.classes import class_ids

    classes = _listed(options.classes)
    shared = dict(
        classes=classes, seed=options.seed, truncation=options.truncation
    )
    if model.facts["conditioning_frames"]:
        if not options.frames:
            raise ValueError(
                "This model continues videos; name one with --frames."
            )
        yield from _continuations(model, options, shared)
        return
    if options.frames:
        raise ValueError("--frames is for models of frame prediction.")
    ids = class_ids(classes, model.class_names)
    if options.interpolate:
        if options.num_frames is not None:
            raise ValueError("--num_frames is not for --interpolate.")
        latent = options.interpolate == "latent"
        clips = model.interpolate(count=options.count, latent=latent, **shared)
        yield from ((clip, ids[0]) for clip in clips)
        return
    number = 0
    if (options.num_frames or 0) > model.facts["num_frames"]:
        print("Taking standing statistics of the longer clips ...", flush=True)
    for batch in model.batches(
        count=options.count, num_frames=options.num_frames, **shared
    ):
        for clip in batch:
            yield clip, ids[number % len(ids)]
            number += 1


def _continuations(model, options, shared):
    """Yields `count` continuations of the first frames of a video."""
    import numpy as np

    from dvdgan_tf.sampling.classes import class_ids
    from dvdgan_tf.sampling.conditions import first_frames

    if options.interpolate:
        raise ValueError("--interpolate is not for frame prediction.")
    if options.count < 1:
        raise ValueError(
            f"--count must be at least 1. Received: {options.count}"
        )
    frames = first_frames(
        options.frames,
        model.facts["conditioning_frames"],
        model.facts["resolution"],
        model.facts["fit"],
        model.facts["frame_stride"],
    )
    # One class for all: a list would be one for each clip.
    label = class_ids(shared.pop("classes") or [0], model.class_names)[0]
    size = model.batch_size
    for first in range(0, options.count, size):
        given = np.repeat(frames[None], min(size, options.count - first), 0)
        clips = model.predict(
            given,
            options.num_frames,
            label,
            first=first,
            **shared,
        )
        yield from ((clip, label) for clip in clips)


def _listed(text):
    """The classes that a text names, or None for all."""
    if text is None:
        return None
    return [part.strip() for part in text.split(",") if part.strip()]


if __name__ == "__main__":
    main()
