"""What the TFDS builders of video files have in common."""

import abc
import csv
import dataclasses
import os
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core.dataset_builder import FileReaderBuilder

from dvdgan_tf.data.index import index_name
from dvdgan_tf.preparation import processes, remaking, shards
from dvdgan_tf.preparation.dealing import deal
from dvdgan_tf.preparation.listing import Listing


@dataclasses.dataclass(frozen=True)
class Preparation:
    """How video files become records.

    Attributes:
        sources: folders, or for `video_folder` also files; TFDS's manual
            folder if empty.
        label_pattern: regular expression that finds the label in a path, for
            `video_folder` (see `layouts.label_pattern`).
        split_list: number of the official split list that is taken, 1 to 3, for
            UCF-101 and HMDB-51.
        short_side: height or width, whichever is shorter, of the stored
            frames in pixels.
        fps: frames per second to which time stamps are resampled; None keeps
            every frame of the file. Pictures and arrays have no time stamps:
            every frame is kept, and this is how fast they are shown.
        quality: JPEG quality of the stored frames, 1 to 100.
        damaged: "keep_readable" keeps what can be read of a damaged file,
            "drop" nothing.
        min_frames: number of frames below which a file is skipped.
        max_frames: largest number of frames in a record. Longer files become
            several records, each a clip of its own. By default 10 s at 60
            frames per second are one.
        clips_per_shard: largest number of files that one shard is made of.
        time_limit_s: seconds that the decoder may take for one frame.
    """

    sources: tuple = ()
    label_pattern: str | None = None
    split_list: int = 1
    short_side: int = 144
    fps: float | None = None
    quality: int = 95
    damaged: str = "keep_readable"
    min_frames: int = 1
    max_frames: int = 600
    clips_per_shard: int = 64
    time_limit_s: float = 60.0

    def __post_init__(self) -> None:
        limits = {
            "split_list": (1, 3),
            "short_side": (16, 4096),
            "quality": (1, 100),
            "min_frames": (1, self.max_frames),
            "max_frames": (1, 100_000),
            "clips_per_shard": (1, 100_000),
            "time_limit_s": (0.1, 86_400),
            "fps": (0.1, 1_000),
        }
        for name, (least, most) in limits.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ValueError(
                    f"{name} must be from {least} to {most}. Received: "
                    f"{name}={value}."
                )
        if self.damaged not in ("keep_readable", "drop"):
            raise ValueError(
                "damaged must be 'keep_readable' or 'drop'. Received: "
                f"{self.damaged!r}."
            )


def record_features(
    class_names: list | None = None,
) -> tfds.features.FeaturesDict:
    """What a record holds.

    Args:
        class_names: names of the labels, where they are known already.
    """
    return tfds.features.FeaturesDict(
        {
            "video": tfds.features.Video(
                shape=(None, None, None, 3), encoding_format="jpeg"
            ),
            "label": tfds.features.ClassLabel(names=class_names),
            "name": tfds.features.Text(),
            "fps": np.float32,
            "duration": np.float32,
            "start": np.int32,
        }
    )


class VideoBuilder(FileReaderBuilder):
    """Decodes video files into shards of JPEG frames.

    A shard is made of a fixed set of files by one worker, which streams their
    frames into it: nobody ever holds more than one record.
    Finished shards are kept in `work_dir` until all are there, so that a
    preparation that was interrupted goes on where it stopped. See `dealing`
    for how the files are dealt to shards.

    Args:
        preparation: a `Preparation`.
        num_workers: processes on this machine that make shards; None leaves
            it to Apache Beam with the options of TFDS's `DownloadConfig`.
        **kwargs: further arguments of `tfds.core.DatasetBuilder`.
    """

    def __init__(
        self,
        *,
        preparation: Preparation | None = None,
        num_workers: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.preparation = preparation or Preparation()
        self._num_workers = num_workers
        self._plan: tuple[Listing, dict] | None = None
        super().__init__(**kwargs)

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=record_features(),
            supervised_keys=("video", "label"),
            # Files are dealt to shards by chance already.
            disable_shuffling=True,
        )

    @abc.abstractmethod
    def _listing(self, sources):
        """The `Listing` of the files in `sources`, a list of paths."""

    @property
    def work_dir(self) -> str:
        """Folder of the finished shards, beside that of the dataset."""
        return os.path.join(self.data_dir_root, f"{self.name}.work")

    def plan(
        self, manual_dir: str | os.PathLike | None = None
    ) -> tuple[Listing, dict]:
        """Lists the files and deals them to shards, once.

        Args:
            manual_dir: the source, if the preparation has none.

        Returns:
            The `Listing`, and {split: list of `shards.Shard`}.

        Raises:
            FileNotFoundError: a source is not there.
            ValueError: no file in them looks like a clip.
        """
        if self._plan is None:
            listing = self._list(manual_dir)
            self._plan = (
                listing,
                {
                    split: self._deal(split, listing)
                    for split in sorted({clip.split for clip in listing.clips})
                },
            )
        return self._plan

    def _list(self, manual_dir):
        sources = self.preparation.sources or (manual_dir,)
        listing = self._listing([os.fspath(source) for source in sources])
        listing.check_not_empty(sources)
        return listing

    def _deal(self, split, listing):
        clips = [clip for clip in listing.clips if clip.split == split]
        return [
            shards.Shard.of(
                self.work_dir,
                split,
                dealt,
                listing.class_names,
                self.preparation,
            )
            for dealt in deal(clips, self.preparation.clips_per_shard)
        ]

    def _download_and_prepare(self, dl_manager, download_config=None):
        manual_dir = None if self.preparation.sources else dl_manager.manual_dir
        listing, plan = self.plan(manual_dir)
        shards.make_folder(self.work_dir)
        missing = [s for made in plan.values() for s in made if not s.done()]
        if missing:
            self.make(missing, listing.class_names, download_config)
        empty = set(classes_left_out(listing, plan))
        names = [name for name in listing.class_names if name not in empty]
        if not names:
            raise ValueError(_nothing_usable(listing, plan))
        self.info.features["label"].names = names
        used = {
            name: [s for s in made if s.report()["records"]]
            for name, made in plan.items()
        }
        splits = [
            self._collect(name, made) for name, made in used.items() if made
        ]
        remaking.note(self.data_dir, used)
        # TFDS moves the folder when all is there: this file, too.
        path = os.path.join(self.data_dir, "skipped.csv")
        _write_left_out(path, listing, plan)
        self.info.set_splits(tfds.core.splits.SplitDict(splits))

    def make(
        self,
        missing: list[shards.Shard],
        class_names: list[str],
        download_config: tfds.download.DownloadConfig | None = None,
    ) -> None:
        """Makes shards in `work_dir`.

        Args:
            missing: those that are not finished.
            class_names: names of the classes in the order of the labels.
            download_config: has the options of Apache Beam.
        """
        write = shards.WriteShard(record_features(class_names))
        if self._num_workers:
            # Beam's own local processes wait for ever for one that is killed.
            processes.run(write.process, missing, self._num_workers)
            return
        config = download_config or tfds.download.DownloadConfig()
        with beam.Pipeline(
            runner=config.beam_runner, options=config.beam_options
        ) as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(missing)
                | "Deal" >> beam.Reshuffle()
                | "Write" >> beam.ParDo(write)
            )

    def _collect(self, name, made):
        """Puts a split's shards and its index into the dataset's folder."""
        template = self._get_filename_template(split_name=name)
        class_names = self.info.features["label"].names
        numbers = {name: label for label, name in enumerate(class_names)}
        records = []
        for i, shard in enumerate(made):
            report = shard.report()
            target = os.fspath(
                template.sharded_filepath(shard_index=i, num_shards=len(made))
            )
            labels = {label: numbers[name] for label, name in report["classes"]}
            if all(old == new for old, new in labels.items()):
                shards.link_or_copy(shard.path, target)
                records.append(report["records"])
            else:
                records.append(shards.copy_with_labels(shard, target, labels))
        shards.index_of(records).save(
            os.path.join(self.data_dir, index_name(name, "video"))
        )
        return tfds.core.SplitInfo(
            name=name,
            shard_lengths=[len(r) for r in records],
            num_bytes=sum(n for entries in records for *_, n in entries),
            filename_template=template,
        )


def left_out(listing: Listing, plan: dict) -> tuple[list, list]:
    """Which files are not in the dataset, and which are not as a whole.

    Args:
        listing: `Listing`, see `VideoBuilder.plan`.
        plan: the shards of that listing, all finished.

    Returns:
        Those skipped and those cut short, lists of (name, reason).
    """
    reports = [shard.report() for made in plan.values() for shard in made]
    skipped, shortened = (
        [entry for report in reports for entry in report[outcome]]
        for outcome in ("skipped", "shortened")
    )
    return [*listing.skipped, *skipped], shortened


def classes_left_out(listing: Listing, plan: dict) -> list[str]:
    """Names of the classes of which no clip is usable.

    Args:
        listing: `Listing`, see `VideoBuilder.plan`.
        plan: the shards of that listing, all finished.
    """
    used = {
        name
        for made in plan.values()
        for shard in made
        for _, name in shard.report()["classes"]
    }
    unusable = [name for name in listing.class_names if name not in used]
    return [*listing.empty_classes, *unusable]


def _write_left_out(path, listing, plan):
    skipped, shortened = left_out(listing, plan)
    with tf.io.gfile.GFile(path, "w") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "outcome", "reason"])
        for outcome, entries in (
            ("skipped", skipped),
            ("shortened", shortened),
        ):
            for name, reason in entries:
                name = name.encode("utf-8", "replace").decode()
                writer.writerow([name, outcome, reason])
        for name in classes_left_out(listing, plan):
            writer.writerow([name, "class left out", "it has no usable clip"])


def _nothing_usable(listing, plan):
    skipped, _ = left_out(listing, plan)
    name, reason = skipped[0]
    return (
        f"None of the {len(skipped)} files is usable; the first, "
        f"{name!r}: {reason}."
    )
