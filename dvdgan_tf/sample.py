"""Command line: samples clips from a run, an exported module or the demo.

python -m dvdgan_tf.sample --module=demo --output=samples

Exit codes: 0 when finished; 2 for what the user can mend; 1 when it fails.
"""

import argparse
import os

from dvdgan_tf.command_line import fail, folder, sentences


def main(arguments=None):
    """Samples."""
    options = parse(arguments)
    with sentences("the clips that are finished are kept"):
        run(options)


def parse(arguments):
    """The options, of a list of arguments or of the command line."""
    parser = argparse.ArgumentParser(
        "python -m dvdgan_tf.sample",
        description=__doc__.split("\n")[0],
        allow_abbrev=False,
    )
    parser.error = lambda message: fail(f"{message}; see --help.", 2)
    add = parser.add_argument
    add("--module", help='An exported module, its archive, a URL, or "demo".')
    add("--workdir", type=folder, help="A run's folder, instead of a module.")
    add("--step", type=int, help="Of the run's checkpoint; default: newest.")
    add("--output", default="samples", help="Folder to make.")
    add("--classes", help="Names or ids, with commas; all by default.")
    add("--count", type=int, default=16, help="Clips in all.")
    add("--seed", type=int, default=0, help="The same seed, the same clips.")
    add("--truncation", type=float, help="Below 1: likelier, less varied.")
    add("--fps", type=float, help="Frames per second; the module's own.")
    add(
        "--formats",
        default="mp4",
        help="mp4, gif, webp, png (a strip), npz, frames; with commas.",
    )
    add(
        "--interpolate",
        choices=["latent", "class"],
        help="--count clips on the way between two z and two --classes, or "
        "between the classes only.",
    )
    add(
        "--frames",
        type=os.path.expanduser,
        help="A video file to continue, for prediction.",
    )
    add("--num_frames", type=int, help="Of a whole clip, for prediction.")
    return parser.parse_args(arguments)


def run(options):
    """Samples what the options say."""
    if (options.module is None) == (options.workdir is None):
        raise ValueError("Name either a --module, such as demo, or a --workdir")
    if options.step is not None and options.module:
        raise ValueError(
            "--step is of a run's checkpoint; an exported --module is of one. "
            f"Received: --step={options.step}"
        )
    from dvdgan_tf.sampling.clip_writer import ClipWriter
    from dvdgan_tf.sampling.loading import load

    output = os.path.expanduser(options.output)
    level = 1.0 if options.truncation is None else options.truncation
    model = load(options.module or options.workdir, options.step, (level,))
    clips = chosen(model, options)
    first = next(clips)
    fps = model.facts["fps"] if options.fps is None else options.fps
    writer = ClipWriter(output, options.formats.split(","), fps)
    write(model, writer, first, clips, options.count)
    still, moving = writer.close()
    print(f"Still grid:    {still}")
    print(f"Animated grid: {moving}")
    print(f"Clips:         {writer.folder} ({writer.count:,})")


def write(model, writer, first, clips, count):
    """Writes clips as they come, with a progress bar."""
    import itertools

    import tqdm

    for video, label in tqdm.tqdm(
        itertools.chain([first], clips), total=count, unit="clip"
    ):
        writer.write(video, label, model.class_names[label])


def chosen(model, options):
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
    if options.frames or options.num_frames is not None:
        raise ValueError(
            "--frames and --num_frames are for models of frame prediction."
        )
    ids = class_ids(classes, model.class_names)
    if options.interpolate:
        latent = options.interpolate == "latent"
        clips = model.interpolate(count=options.count, latent=latent, **shared)
        yield from ((clip, ids[0]) for clip in clips)
        return
    number = 0
    for batch in model.batches(count=options.count, **shared):
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
