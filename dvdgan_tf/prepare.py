"""Turns video files into a TFDS dataset of JPEG frames.

    python -m dvdgan_tf.prepare --source=clips --data_dir=data \
        --dataset=video_folder --short_side=144

Runs on all CPUs that there is memory for, or on the Beam runner of
`--beam_pipeline_options`. Run again after an interruption, the same command
goes on where it stopped. One whose process is killed goes on with one fewer.
docs/data.md says what the sources may look like.
"""

import collections
import contextlib
import dataclasses
import io
import os
import re
import signal
import sys
import tempfile
import threading
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def quiet(log):
    """Sends what libraries and processes print to stderr into a file.

    Args:
        log: path of the file.

    Yields:
        A text file that is the old stderr.
    """
    sys.stderr.flush()
    stderr = os.fdopen(os.dup(2), "w")
    with open(log, "w") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield stderr
    finally:
        sys.stderr.flush()
        os.dup2(stderr.fileno(), 2)
        stderr.close()


try:
    # They tell of GPUs and clouds that are not there.
    with quiet(os.devnull):
        import tensorflow as tf
        import tensorflow_datasets as tfds
        from absl import app, flags, logging
        from apache_beam.options.pipeline_options import PipelineOptions
        from tqdm import tqdm

        from dvdgan_tf.preparation import builder as builders
        from dvdgan_tf.preparation import machine, shards
        from dvdgan_tf.preparation.kinetics600 import Kinetics600
        from dvdgan_tf.preparation.video_folder import VideoFolder
except ImportError as error:
    sys.exit(f"error: {error}; run pip install -e '.[prepare]'.")

FLAGS = flags.FLAGS
DATASETS = {"video_folder": VideoFolder, "kinetics600": Kinetics600}

flags.DEFINE_multi_string(
    "source", [], "A folder of clips, or a file; may be repeated."
)
flags.DEFINE_string("data_dir", None, "Folder of the TFDS datasets.")
flags.DEFINE_enum("dataset", "video_folder", list(DATASETS), "Its builder.")
flags.DEFINE_string(
    "label_pattern",
    None,
    "Regular expression with a group 'label', and perhaps 'split', searched "
    "in each file's path in the source; instead of the folders' names.",
)
flags.DEFINE_integer(
    "split_list", 1, "Official split lists of UCF-101 and HMDB-51, 1 to 3."
)
flags.DEFINE_integer("short_side", 144, "Of the stored frames, in pixels.")
flags.DEFINE_float("fps", None, "Frames per second stored; all by default.")
flags.DEFINE_integer("quality", 95, "Of the JPEG frames, 1 to 100.")
flags.DEFINE_enum(
    "damaged",
    "keep_readable",
    ["keep_readable", "drop"],
    "What is kept of a file that is damaged half-way.",
)
flags.DEFINE_integer("min_frames", 1, "Files with fewer are skipped.")
flags.DEFINE_integer("max_frames", 600, "Longer files become several records.")
flags.DEFINE_integer("clips_per_shard", 64, "Files in a shard, at most.")
flags.DEFINE_float(
    "time_limit_s", 60.0, "Seconds that the decoder may take for a frame."
)
flags.DEFINE_integer(
    "num_workers",
    None,
    "Processes on this machine; as many as its processors and memory allow if "
    "unset.",
    lower_bound=1,
)
flags.DEFINE_multi_string(
    "beam_pipeline_options",
    [],
    "An option of Apache Beam, such as --runner=FlinkRunner; may be repeated. "
    "Instead of the processes on this machine.",
)


def main(argv):
    """Prepares, and prints what became of the files."""
    logging.set_verbosity(logging.ERROR)
    # What is finished stays; only the tidying up is left to do.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if len(argv) > 1:
            raise ValueError(f"Unknown argument {argv[1]!r}; see --help.")
        prepare()
    except (ValueError, OSError, tf.errors.OpError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("Stopped. The same command goes on where it stopped.")


def prepare():
    """Lists, decodes, collects, reports."""
    if not FLAGS.source or not FLAGS.data_dir:
        raise ValueError("Give the videos as --source and --data_dir.")
    start = time.time()
    builder = make_builder()
    print(f"Looking for files in {', '.join(FLAGS.source)} ...", flush=True)
    listing, plan = builder.plan()
    for note in listing.notes:
        print(f"Note: {note}")
    planned = [shard for made in plan.values() for shard in made]
    if tf.io.gfile.exists(builder.data_dir):
        raise ValueError(
            f"There is a dataset in {builder.data_dir!r} already; choose "
            "another --data_dir, or delete that folder first."
        )
    shards.make_folder(builder.work_dir)
    log = os.path.join(tempfile.mkdtemp(prefix="prepare_videos."), "log.txt")
    with (
        quiet(log) as stderr,
        progress(planned, len(listing.clips), stderr),
    ):
        run_beam(builder, log)
    print_table(builder, listing, plan, start)
    tidy_up(builder, log)
    path = os.path.join(builder.data_dir, "skipped.csv")
    print(f"Files left out or cut short: {path}")
    print(f"Dataset: {builder.data_dir}")


def tidy_up(builder, log):
    """Removes the shards, the log, and what killed runs have left."""
    tf.io.gfile.rmtree(os.path.dirname(log))
    tf.io.gfile.rmtree(builder.work_dir)
    parent = os.path.dirname(builder.data_dir)
    for path in tf.io.gfile.glob(os.path.join(parent, "incomplete.*")):
        tf.io.gfile.rmtree(path)


def make_builder():
    """The builder of the flags."""
    names = [f.name for f in dataclasses.fields(builders.Preparation)]
    how = {name: FLAGS[name].value for name in names if name != "sources"}
    sources = tuple(os.path.expanduser(source) for source in FLAGS.source)
    workers = FLAGS.num_workers or machine.processes()
    return DATASETS[FLAGS.dataset](
        data_dir=os.path.expanduser(FLAGS.data_dir),
        preparation=builders.Preparation(sources=sources, **how),
        num_workers=None if FLAGS.beam_pipeline_options else workers,
    )


def run_beam(builder, log):
    """Makes the dataset; errors of its processes become one sentence.

    Args:
        builder: a `VideoBuilder`.
        log: path of the file that the processes print to.
    """
    config = tfds.download.DownloadConfig(
        beam_options=PipelineOptions(FLAGS.beam_pipeline_options),
        try_download_gcs=False,
        compute_stats=tfds.download.ComputeStatsMode.SKIP,
    )
    try:
        # TFDS announces downloads, of which there are none.
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare(
                download_dir=builder.work_dir, download_config=config
            )
    except ValueError:
        raise
    except Exception as error:
        found = re.search(
            r"CannotWriteError: (.*?)(?: \[while running|$)",
            str(error),
            re.MULTILINE,
        )
        lines = str(error).strip().splitlines() or [type(error).__name__]
        what = found[1] if found else lines[-1]
        what = what.partition(" [while running")[0]
        raise OSError(
            f"{what} What is finished is kept; the same command goes on. What "
            f"the processes printed is in {log}."
        ) from error


@contextlib.contextmanager
def progress(planned, total, file):
    """A bar of the clips in finished shards, which are looked for."""
    waiting = {os.path.basename(s.report_path): len(s.clips) for s in planned}
    folder, done = os.path.dirname(planned[0].report_path), threading.Event()

    def finished():
        ready = waiting.keys() & set(tf.io.gfile.listdir(folder))
        return sum(waiting.pop(name) for name in ready)

    with tqdm(total=total, initial=finished(), unit="clip", file=file) as bar:

        def follow():
            while not done.wait(1.0):
                bar.update(finished())

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            bar.update(finished())


def print_table(builder, listing, plan, start):
    """What was read, written and skipped, and how fast."""
    skipped, shortened = builders.left_out(listing, plan)
    reports = [shard.report() for made in plan.values() for shard in made]
    records = [r for report in reports for r in report["records"]]
    seconds = time.time() - start
    rows = {
        "files found": len(listing.clips) + len(listing.skipped),
        "files read": len(listing.clips),
        "files written": sum(report["written"] for report in reports),
        "  of these cut short": len(shortened),
        "files skipped": len(skipped),
    }
    for reason, count in collections.Counter(
        reason for _, reason in skipped
    ).most_common(12):
        rows[f"  {reason[:50]}"] = count
    rows |= {
        "records": len(records),
        "frames": sum(frames for _, frames, _ in records),
        "classes": builder.info.features["label"].num_classes,
        "MB": round(sum(n for *_, n in records) / 1e6, 2),
        "seconds": round(seconds, 1),
        "files per second": round(len(listing.clips) / seconds, 2),
    }
    for split in builder.info.splits.values():
        rows[f"records of {split.name}"] = split.num_examples
    for name, value in rows.items():
        print(f"{name:<54}{value:>12,}")
    empty = builders.classes_left_out(listing, plan)
    if empty:
        some = ", ".join(map(repr, empty[:10])) + ", ..." * (len(empty) > 10)
        print(f"Classes without a usable clip, left out: {len(empty)} ({some})")


if __name__ == "__main__":
    app.run(main)
