"""Moving MNIST: all clips in one array."""

import os

from dvdgan_tf.preparation.listing import NO_CLASS, Clip, Listing
from dvdgan_tf.preparation.sources import Source, check_count
from dvdgan_tf.video import stills


def clips(source: Source) -> Listing | None:
    """Lists the clips of a .npy file, or of a folder with nothing but such.

    Source: Srivastava et al. 2015, arXiv 1502.04681, whose
    mnist_test_seq.npy is uint8 [20 frames, 10,000 clips, 64, 64].

    Raises:
        ValueError: an array is not uint8 [frames, clips, height, width].
    """
    if source.is_file:
        paths = [source.path]
    elif source.videos() or _has_pictures(source):
        return None
    else:
        paths = [source.join(name) for name in source.names]
    paths = [path for path in paths if path.lower().endswith(".npy")]
    if not paths:
        return None
    found = []
    for path in paths:
        name = os.path.relpath(path, source.path)
        name = os.path.basename(path) if name == "." else name
        count = stills.clips_of_array(path)
        check_count(path, count)
        found += [
            Clip(path, f"{name}/{part:05d}", NO_CLASS, "train", part)
            for part in range(count)
        ]
    others = [(n, r) for n, r in source.not_videos() if not n.endswith(".npy")]
    return Listing.of(found, others)


def _has_pictures(source):
    return any(name.lower().endswith(stills.PICTURES) for name in source.names)
