r"""Turns an exported module into what model hubs take.

    python -m dvdgan_tf.publish --module=modules/demo --card=card.toml \
        --workdir=runs/demo --output=publications/demo

Without --upload and --copy_to nothing leaves this machine. Exit codes: 0 when
finished; 2 for what the user can mend; 1 when it fails.
"""

import os
import re

from absl import flags

from dvdgan_tf import command_line
from dvdgan_tf.command_line import sentences
from dvdgan_tf.quiet import import_tensorflow

FLAGS = command_line.new_flags()
for name, text in (
    ("module", "Folder of a SavedModel that dvdgan_tf.export has made."),
    ("card", "TOML file that says of the model what no program knows."),
    ("write_card", "File to which an empty card is written; that is all then."),
    (
        "workdir",
        "The run's folder, whose evaluations of the module's step the card "
        "shows.",
    ),
    (
        "frames",
        "Video that the preview continues, with a model of frame prediction.",
    ),
    ("output", "Folder to make."),
    (
        "copy_to",
        "Folder or bucket to copy the publication to, such as "
        "gs://bucket/folder.",
    ),
):
    command_line.define_path(name, None, text, FLAGS)
flags.DEFINE_string(
    "upload",
    None,
    "Handle on Kaggle Models to which kagglehub uploads the module, such as "
    "jane-doe/dvd-gan/tensorFlow2/digits.",
    flag_values=FLAGS,
)


def main(arguments: list[str] | None = None) -> None:
    """Publishes."""
    options = parse(arguments)
    with sentences("what was not uploaded is in --output"):
        if options.write_card:
            write_card(options.write_card)
        else:
            run(options)


def parse(arguments: list[str] | None) -> flags.FlagValues:
    """The flags, read from a list of arguments or the command line."""
    return command_line.parse(FLAGS, __doc__, arguments)


def write_card(path: str) -> None:
    """Writes an empty card."""
    from dvdgan_tf.publishing.card import TEMPLATE

    with open(path, "x") as file:
        file.write(TEMPLATE)
    print(f"Card: {path}")


def run(options: flags.FlagValues) -> None:
    """Publishes what the flags say."""
    from dvdgan_tf.publishing.card import read_card

    for name in ("module", "card", "output"):
        if not getattr(options, name):
            raise ValueError(f"Name the --{name}; see --help.")
    card = read_card(options.card)
    upload = _uploader(options.upload) if options.upload else None
    _check_module(options.module)
    import_tensorflow()
    from dvdgan_tf.publishing import bundle

    print("Drawing the preview ...", flush=True)
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


def _check_module(folder: str) -> None:
    if not os.path.isfile(os.path.join(folder, "saved_model.pb")):
        raise FileNotFoundError(
            f"{folder!r} is no folder of an exported module; unpack an "
            "archive first."
        )


def _model(options):
    """The module to show, and the frames that it continues or None."""
    from dvdgan_tf.sampling.conditions import first_frames
    from dvdgan_tf.sampling.loading import load

    command_line.say_what_runs(options.module)
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
