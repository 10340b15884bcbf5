"""Which files are not worth opening."""

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


def not_a_video(name: str) -> str | None:
    """Why a file is not worth opening; None if it is."""
    base = name.rsplit("/", 1)[-1]
    if base.startswith("."):
        return "hidden file"
    extension = os.path.splitext(base)[1].lower()
    if extension in _NOT_VIDEOS:
        return f"not a video ({extension})"
    return None
