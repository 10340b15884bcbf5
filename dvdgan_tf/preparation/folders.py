"""Which files a folder holds."""

import os

from dvdgan_tf.video.stills import PICTURES

# Often beside videos, and never one.
_NOT_VIDEOS = {
    *(".txt", ".md", ".json", ".csv", ".xml", ".html", ".py", ".srt", ".vtt"),
    *(".tsv", ".yaml", ".yml", ".pdf", ".log", ".sh", ".url", ".ini", ".lst"),
    *(".npy", ".npz", ".mat", ".pkl", ".pt", ".pth", ".h5", ".hdf5", ".ass"),
    *(".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".rar", ".7z", ".part"),
    *(".wav", ".mp3", ".m4a", ".flac", ".aac", ".db", ".exe", ".tfrecord"),
    *PICTURES,
    # Pictures in formats that no collection of frames is in.
    *(".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif", ".jp2"),
    *(".jxl", ".svg", ".ico", ".ppm", ".pgm", ".pbm", ".tga", ".exr", ".dng"),
}


def files(source: str) -> tuple[list, list]:
    """Finds all files in a folder and in its folders.

    Links are followed, also several to one folder, but not in circles.

    Args:
        source: folder.

    Returns:
        The files' paths relative to `source`, with "/", sorted; and a list of
        (path, reason) of the folders left out.

    Raises:
        FileNotFoundError: there is no such folder.
        OSError: the folder itself may not be read, or the drive fails.
    """
    if not os.path.isdir(source):
        raise FileNotFoundError(
            f"There is no folder {source!r}; it is expected to hold the video "
            "files."
        )
    source = os.fspath(source)
    names, skipped = [], []
    # Each folder's real path, and those of the folders that it is in.
    above: dict[str, tuple[str, ...]] = {source: (os.path.realpath(source),)}

    def unreadable(error):
        # Whatever else fails is this machine's trouble, not the folder's.
        ours = isinstance(error, PermissionError | FileNotFoundError)
        if not ours or error.filename in (None, source):
            raise error
        name = os.path.relpath(error.filename, source).replace(os.sep, "/")
        reason = f"a folder that cannot be read ({error.strerror})"
        skipped.append((name, reason))

    for folder, folders, here in os.walk(
        source, onerror=unreadable, followlinks=True
    ):
        relative = os.path.relpath(folder, source).replace(os.sep, "/")
        prefix = "" if relative == "." else relative + "/"
        names += [prefix + name for name in here]
        parents, kept = above.pop(folder), []
        for name in sorted(folders):
            path = os.path.join(folder, name)
            real = os.path.realpath(path)
            if name.startswith("."):
                skipped.append((prefix + name, "hidden folder"))
            elif real in parents:
                reason = "a link back to a folder that it is in"
                skipped.append((prefix + name, reason))
            else:
                kept.append(name)
                above[path] = (*parents, real)
        folders[:] = kept
    return sorted(names), skipped


def not_a_video(name: str) -> str | None:
    """Why a file is not worth opening; None if it is."""
    base = name.rsplit("/", 1)[-1]
    if base.startswith("."):
        return "hidden file"
    extension = os.path.splitext(base)[1].lower()
    if extension in _NOT_VIDEOS:
        return f"not a video ({extension})"
    return None
