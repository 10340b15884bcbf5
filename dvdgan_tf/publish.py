"""Command line: turns an exported module into what model hubs take.

python -m dvdgan_tf.publish --module=modules/demo --card=card.toml \
    --workdir=runs/demo --output=publications/demo

Without --upload and --copy_to nothing leaves this machine. Exit codes: 0 when
finished; 2 for what the user can mend; 1 when it fails.
"""

import argparse
import functools
import os
import re

from dvdgan_tf.command_line import fail, sentences


def main(arguments=None):
    """Publishes."""
    options = parse(arguments)
    with sentences("what was not uploaded is in --output"):
        run(options)


def parse(arguments):
    """The options, of a list of arguments or of the command line."""
    parser = argparse.ArgumentParser(
        "python -m dvdgan_tf.publish",
        description=__doc__.split("\n")[0],
        allow_abbrev=False,
    )
    parser.error = lambda message: fail(f"{message}; see --help.", 2)
    add = parser.add_argument
    # Shells leave ~ alone behind "="; URLs stay as they are.
    add_path = functools.partial(add, type=os.path.expanduser)
    add_path("--module", help="Folder of a SavedModel of dvdgan_tf.export.")
    add_path("--card", help="TOML file of what no program knows of the model.")
    add_path("--write_card", help="Write an empty card to this file, and end.")
    add_path(
        "--workdir",
        help="The run's folder, whose evaluations of this step the card shows.",
    )
    add_path("--frames", help="Video of the preview, for frame prediction.")
    add_path("--output", help="Folder to make.")
    add(
        "--upload",
        metavar="HANDLE",
        help="Upload to Kaggle Models by kagglehub, such as "
        "jane-doe/dvd-gan/tensorFlow2/digits.",
    )
    add_path(
        "--copy_to",
        help="Copy to a folder or bucket, such as gs://bucket/folder.",
    )
    return parser.parse_args(arguments)


def run(options):
    """Publishes what the options say."""
    from dvdgan_tf.publishing import bundle
    from dvdgan_tf.publishing.card import TEMPLATE, read_card

    if options.write_card:
        with open(options.write_card, "x") as file:
            file.write(TEMPLATE)
        print(f"Card: {options.write_card}")
        return
    for name in ("module", "card", "output"):
        if not getattr(options, name):
            raise ValueError(f"Name the --{name}; see --help.")
    card = read_card(options.card)
    upload = _uploader(options.upload) if options.upload else None
    model, frames = _model(options)
    rows = _rows(options.workdir, model.facts["step"])
    bundle.make(options.output, options.module, model, card, rows, frames)
    print(f"Card:    {os.path.join(options.output, 'README.md')}")
    print(f"Preview: {os.path.join(options.output, 'preview.gif')}")
    if not rows:
        print("The card has no metrics: name the --workdir that has them.")
    if options.copy_to:
        bundle.copy(options.output, options.copy_to)
        print(f"Copied:  {options.copy_to}")
    if upload:
        upload(
            options.upload,
            os.path.join(options.output, "model"),
            license_name=card.license,
            version_notes=card.summary,
        )
        print(f"Uploaded: {options.upload}")
    if not (upload or options.copy_to):
        print("Nothing was uploaded: --upload or --copy_to do that.")
    print(f"Publication: {options.output}")


def _model(options):
    """The module to show, and the frames that it continues or None."""
    from dvdgan_tf.sampling.conditions import first_frames
    from dvdgan_tf.sampling.loading import load

    if not os.path.isfile(os.path.join(options.module, "saved_model.pb")):
        raise FileNotFoundError(
            f"{options.module!r} is no folder of an exported module; unpack "
            "an archive first."
        )
    model = load(options.module)
    given = model.facts["conditioning_frames"]
    if not (given and options.frames):
        return model, None
    facts = model.facts
    return model, first_frames(
        options.frames,
        given,
        facts["resolution"],
        facts["fit"],
        facts["frame_stride"],
    )


def _rows(workdir, step):
    """The run's results of this step; none without a run."""
    if workdir is None:
        return []
    from dvdgan_tf.evaluation.results import Results

    if not os.path.isdir(workdir):
        raise FileNotFoundError(f"There is no folder {workdir!r}.")
    return [row for row in Results(workdir).rows() if row["step"] == step]


def _uploader(handle):
    if not re.fullmatch(r"[\w-]+/[\w-]+/tensorFlow2/[\w-]+", handle):
        raise ValueError(
            "--upload must be OWNER/MODEL/tensorFlow2/VARIATION. "
            f"Received: {handle!r}"
        )
    try:
        import kagglehub
    except ImportError as error:
        raise ImportError(
            "--upload needs kagglehub: pip install 'dvdgan_tf[publish]'."
        ) from error
    return kagglehub.model_upload


if __name__ == "__main__":
    main()
