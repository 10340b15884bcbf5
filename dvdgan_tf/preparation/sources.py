"""A place that is searched for clips, and careful reading of its lists."""

import dataclasses
import json
import os
import posixpath
from typing import Any

from dvdgan_tf.preparation.folders import not_a_video
from dvdgan_tf.video import stills
from dvdgan_tf.video.clip_folders import files

# The largest official list, of frames, has some 80 MB.
_MAX_LIST_BYTES = 128 << 20

# A clip is a string of some 100 bytes and an object of some 300.
_MAX_ENTRIES = 10_000_000


@dataclasses.dataclass(frozen=True)
class Source:
    """A file or a folder that the user named, searched once.

    Attributes:
        path: the file or the folder.
        names: paths of all files relative to the folder, with "/", sorted;
            empty where the source is a file.
        skipped: tuple of (name, reason) of the folders left out.
        label_pattern: regular expression for labels, or None.
        split_list: number of the official split list that is taken, 1 to 3.
    """

    path: str
    names: tuple = ()
    skipped: tuple = ()
    label_pattern: str | None = None
    split_list: int = 1

    @classmethod
    def find(
        cls, path: str, label_pattern: str | None = None, split_list: int = 1
    ) -> "Source":
        """Looks for the files of a source.

        Raises:
            FileNotFoundError: there is nothing at `path`.
        """
        path = os.fspath(path)
        if os.path.isfile(path):
            return cls(path, (), (), label_pattern, split_list)
        names, skipped = files(path)
        return cls(
            path, tuple(names), tuple(skipped), label_pattern, split_list
        )

    @property
    def is_file(self) -> bool:
        """Whether the source is one file."""
        return os.path.isfile(self.path)

    def join(self, name: str) -> str:
        """The path of a file in the source."""
        return os.path.join(self.path, name)

    def videos(self) -> list[str]:
        """Names of the files that may be videos."""
        return [name for name in self.names if not not_a_video(name)]

    def frame_folders(self) -> set[str]:
        """The folders that hold pictures; none where there are videos.

        Sidecars of videos are pictures, too.
        """
        if any(posixpath.splitext(name)[1] for name in self.videos()):
            return set()
        return {
            posixpath.dirname(name)
            for name in self.names
            if name.lower().endswith(stills.PICTURES)
            and not posixpath.basename(name).startswith(".")
        }

    def not_videos(self) -> list[tuple[str, str]]:
        """(name, reason) of all folders and files that are no videos."""
        reasons = ((name, not_a_video(name)) for name in self.names)
        return [*self.skipped, *(pair for pair in reasons if pair[1])]


def read_text(path: str) -> str:
    """Reads a list, which anybody may have written.

    Raises:
        ValueError: it is no regular file, too large, or not UTF-8.
    """
    if not os.path.isfile(path):  # A named pipe would wait for its writer.
        raise ValueError(f"{path!r} is not a regular file.")
    with open(path, "rb") as file:
        data = file.read(_MAX_LIST_BYTES + 1)
    if len(data) > _MAX_LIST_BYTES:
        raise ValueError(
            f"{path!r} has more than {_MAX_LIST_BYTES >> 20} MiB; that is no "
            "list of clips."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path!r} is not UTF-8 text ({error}).") from error


def read_lines(path: str) -> list[str]:
    """The lines of a list without spaces around them and empty ones."""
    lines = (line.strip() for line in read_text(path).split("\n"))
    return [line for line in lines if line]


def read_json(path: str) -> Any:
    """Reads a JSON file with the care of `read_text`.

    Raises:
        ValueError: it is too large, too deep, or no JSON.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError(f"{path!r} is nested too deeply.") from error
    except ValueError as error:  # This includes numbers with too many digits.
        raise ValueError(f"{path!r} is not JSON ({error}).") from error


def inside(folder: str, name: str) -> str | None:
    """The path of a file that a list names, or None if it is elsewhere.

    Args:
        folder: folder that the file must be in, in whatever depth.
        name: path relative to `folder`, or absolute.

    Returns:
        The path relative to `folder`, without "." and ".."; None if it leads
        out of `folder` or has a zero byte.
    """
    if "\0" in name:
        return None
    whole = posixpath.normpath(posixpath.join(os.path.abspath(folder), name))
    prefix = os.path.abspath(folder).rstrip("/") + "/"
    return whole.removeprefix(prefix) if whole.startswith(prefix) else None


def check_count(path: str, count: int) -> None:
    """Refuses more clips than any collection has.

    Raises:
        ValueError: there are too many.
    """
    if count > _MAX_ENTRIES:
        raise ValueError(f"{path!r} names {count:,} clips; too many.")
