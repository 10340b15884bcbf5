"""Runs a preparation on Beam: progress, the table at the end, tidying up."""

import collections
import contextlib
import io
import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TextIO

import tensorflow as tf
import tensorflow_datasets as tfds
from apache_beam.options.pipeline_options import PipelineOptions

from dvdgan_tf.preparation import builder as builders
from dvdgan_tf.preparation.listing import Listing
from dvdgan_tf.preparation.shards import Shard
from dvdgan_tf.progress_bar import INTERVAL, progress_bar


def run_beam(
    builder: builders.VideoBuilder, log: str, beam_options: Sequence[str] = ()
) -> None:
    """Makes the dataset; errors of its processes become one sentence.

    Args:
        builder: a `VideoBuilder`.
        log: path of the file that the processes print to.
        beam_options: options of Apache Beam.

    Raises:
        ValueError: no file can be used.
        OSError: a process failed.
    """
    config = tfds.download.DownloadConfig(
        beam_options=PipelineOptions(list(beam_options)),
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
def progress(
    planned: Sequence[Shard], total: int, file: TextIO
) -> Iterator[None]:
    """Shows a bar of the clips in finished shards.

    Beside the bar stands how much of the unfinished shards is written, since
    the first one may take minutes.

    Args:
        planned: list of `Shard`.
        total: number of clips.
        file: the text file that shows it.
    """
    waiting = {os.path.basename(s.report_path): len(s.clips) for s in planned}
    folder, done = os.path.dirname(planned[0].report_path), threading.Event()

    def finished():
        ready = waiting.keys() & set(tf.io.gfile.listdir(folder))
        return sum(waiting.pop(name) for name in ready)

    with progress_bar(
        total=total, initial=finished(), unit="clip", file=file
    ) as bar:

        def follow():
            seconds = 0
            while not done.wait(1.0):
                bar.update(finished())
                seconds += 1
                if file.isatty() or seconds % INTERVAL == 0:
                    bar.set_postfix_str(_unfinished(folder))

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            bar.set_postfix_str("", refresh=False)
            bar.update(finished())


def _unfinished(folder):
    """How many shards are being written, and what they hold."""
    sizes = []
    for path in tf.io.gfile.glob(os.path.join(folder, ".*.tfrecord")):
        # It is renamed when it is finished.
        with contextlib.suppress(tf.errors.NotFoundError):
            sizes.append(tf.io.gfile.stat(path).length)
    return f"{len(sizes)} shards begun, {sum(sizes) / 1e6:.1f} MB"


def print_table(
    builder: builders.VideoBuilder, listing: Listing, plan: dict, start: float
) -> None:
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


def tidy_up(builder: builders.VideoBuilder, log: str) -> None:
    """Removes the shards, the log, and what killed runs have left."""
    tf.io.gfile.rmtree(os.path.dirname(log))
    remove_shards(builder)


def remove_shards(builder: builders.VideoBuilder) -> bool:
    """Removes the shards of a dataset that is finished.

    Returns:
        Whether there were any.
    """
    there_were = tf.io.gfile.exists(builder.work_dir)
    if there_were:
        tf.io.gfile.rmtree(builder.work_dir)
    parent = os.path.dirname(builder.data_dir)
    for path in tf.io.gfile.glob(os.path.join(parent, "incomplete.*")):
        tf.io.gfile.rmtree(path)
    return there_were
