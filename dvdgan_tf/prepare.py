r"""Turns video files into a TFDS dataset of JPEG frames.

    python -m dvdgan_tf.prepare --source=clips --data_dir=data \
        --dataset=video_folder --short_side=144

Runs on all CPUs that there is memory for, or on the Beam runner of
--beam_pipeline_options. Run again after an interruption, the same command goes
on where it stopped; of a finished dataset it makes the damaged shards again.
One whose process is killed goes on with one fewer. docs/data.md says what the
sources may look like. Exit codes: 0 when finished; 2 for what the user can
mend; 1 when TensorFlow fails.
"""

import dataclasses
import importlib.util
import os
import signal
import tempfile
import time
from collections.abc import Callable
from typing import Any

from absl import flags

from dvdgan_tf import command_line
from dvdgan_tf.command_line import fail, sentences
from dvdgan_tf.plain_text import shown
from dvdgan_tf.quiet import import_tensorflow, stderr_into

# Folders that are left out, of which more are in skipped.csv.
_NAMED_FOLDERS = 10

FLAGS = command_line.new_flags()
command_line.define_paths(
    "source",
    "A folder of clips, or a file that is or lists clips. May be repeated.",
    FLAGS,
)
command_line.define_path(
    "data_dir",
    None,
    "Folder of the TFDS datasets, in which this one gets a folder.",
    FLAGS,
)
flags.DEFINE_enum(
    "dataset",
    "video_folder",
    ["video_folder", "kinetics600"],
    "What the sources are: videos in folders of classes, or the clips of "
    "Kinetics-600 with its tables.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "label_pattern",
    None,
    "Regular expression with a group 'label', and perhaps 'split', searched "
    "in each file's path in the source; instead of the folders' names.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "short_side",
    144,
    "Short side of the stored frames in pixels, 16 to 4096.",
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "fps",
    None,
    "Frames per second that are stored; all frames by default.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "quality",
    95,
    "JPEG quality of the stored frames, 1 to 100.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "split_list",
    1,
    "Number of the official split lists of UCF-101 and HMDB-51 to use, 1 to 3.",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "damaged",
    "keep_readable",
    ["keep_readable", "drop"],
    "Whether the readable part of a damaged file is kept, or nothing of it.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "min_frames",
    1,
    "Files with fewer frames than this are skipped.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "max_frames",
    600,
    "Files with more frames than this become several records.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "clips_per_shard",
    64,
    "Number of files in a shard, at most.",
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "time_limit_s",
    60.0,
    "Seconds that the decoder may take for a frame.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "num_workers",
    None,
    "Number of processes on this machine; as many as its processors and memory "
    "allow by default.",
    lower_bound=1,
    flag_values=FLAGS,
)
flags.DEFINE_multi_string(
    "beam_pipeline_options",
    [],
    "An option of Apache Beam, such as --runner=FlinkRunner, instead of the "
    "processes on this machine. May be repeated.",
    flag_values=FLAGS,
)


def main(arguments: list[str] | None = None) -> None:
    """Prepares, and prints what became of the files."""
    command_line.parse(FLAGS, __doc__, arguments)
    command_line.check_required(FLAGS, source="clips", data_dir="data")
    for module in ("apache_beam", "importlib_resources"):
        if importlib.util.find_spec(module) is None:
            fail(
                f"Preparing videos needs {module}: pip install "
                "'dvdgan_tf[prepare]'.",
                2,
            )
    with sentences("the same command goes on where it stopped"):
        # What is finished stays; only the tidying up is left to do.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        import_libraries()
        prepare()


def import_libraries() -> None:
    """Imports TensorFlow, TFDS and Beam, which tell of missing clouds."""
    import_tensorflow()
    with open(os.devnull, "w") as nowhere, stderr_into(nowhere.fileno()):
        import dvdgan_tf.preparation.running  # noqa: F401


def prepare() -> None:
    """Lists, decodes, collects, reports."""
    import tensorflow as tf

    from dvdgan_tf.preparation import running

    start = time.time()
    builder = make_builder()
    if tf.io.gfile.exists(builder.data_dir):
        repair(builder)
        return
    listing, plan = look(builder)
    path = run(
        builder,
        [shard for made in plan.values() for shard in made],
        lambda log: running.run_beam(builder, log, FLAGS.beam_pipeline_options),
    )
    running.print_table(builder, listing, plan, start)
    running.tidy_up(builder, path)
    path = os.path.join(builder.data_dir, "skipped.csv")
    print(f"Files left out or cut short: {path}")
    print(f"Dataset: {builder.data_dir}")


def look(builder: Any) -> tuple:
    """The listing of the sources and the plan of the shards."""
    print(f"Looking for files in {', '.join(FLAGS.source)} ...", flush=True)
    listing, plan = builder.plan()
    for note in listing.notes:
        print(f"Note: {note}")
    folders = listing.folders_left_out
    for name, reason in folders[:_NAMED_FOLDERS]:
        print(f"Left out: {shown(name)!r}, {reason}")
    if len(folders) > _NAMED_FOLDERS:
        print(f"Left out: {len(folders) - _NAMED_FOLDERS:,} more folders")
    return listing, plan


def run(builder: Any, planned: list, work: Callable[[str], None]) -> str:
    """Makes shards with a bar, and returns the path of the log.

    Args:
        builder: a `VideoBuilder`.
        planned: the shards.
        work: makes them, called with the path of the log.
    """
    from dvdgan_tf.preparation import running, shards

    shards.make_folder(builder.work_dir)
    clips = sum(len(shard.clips) for shard in planned)
    print(
        f"Decoding {clips:,} files into {len(planned):,} shards; the bar "
        "counts the files of finished shards.",
        flush=True,
    )
    path = os.path.join(tempfile.mkdtemp(prefix="prepare_videos."), "log.txt")
    with (
        open(path, "w") as log,
        stderr_into(log.fileno()) as stderr,
        os.fdopen(os.dup(stderr), "w") as file,
        running.progress(planned, clips, file),
    ):
        work(path)
    return path


def repair(builder: Any) -> None:
    """Makes the damaged shards of a finished dataset again."""
    from dvdgan_tf.preparation import remaking, running

    print(f"Checking the dataset in {builder.data_dir} ...", flush=True)
    damaged = remaking.find(builder)
    if not damaged:
        tidied = running.remove_shards(builder)
        raise ValueError(
            f"There is a dataset in {builder.data_dir!r} already, and it is "
            f"whole{', but had to be tidied up' * tidied}; choose another "
            "--data_dir, or delete that folder first."
        )
    for shard in damaged:
        print(f"Damaged or missing: {shard.path}")
    listing, plan = look(builder)
    every = [shard for made in plan.values() for shard in made]
    again = remaking.matching(builder, damaged, every)
    missing = [shard for shard in again if not shard.done()]
    path = run(
        builder,
        again,
        lambda _: builder.make(missing, listing.class_names),
    )
    for old, new in zip(damaged, again, strict=True):
        remaking.replace(builder, old, new)
    running.tidy_up(builder, path)
    print(f"Made {len(again):,} shards again; the others are as they were.")
    print(f"Dataset: {builder.data_dir}")


def make_builder() -> Any:
    """The builder of the flags."""
    from dvdgan_tf.preparation import machine
    from dvdgan_tf.preparation.builder import Preparation
    from dvdgan_tf.preparation.kinetics600 import Kinetics600
    from dvdgan_tf.preparation.video_folder import VideoFolder

    datasets = {"video_folder": VideoFolder, "kinetics600": Kinetics600}
    names = [f.name for f in dataclasses.fields(Preparation)]
    how = {name: FLAGS[name].value for name in names if name != "sources"}
    workers = FLAGS.num_workers or machine.processes()
    return datasets[FLAGS.dataset](
        data_dir=FLAGS.data_dir,
        preparation=Preparation(sources=tuple(FLAGS.source), **how),
        num_workers=None if FLAGS.beam_pipeline_options else workers,
    )


if __name__ == "__main__":
    main()
