"""The first frames of a video from a stranger, read by another process.

    python -m dvdgan_tf.page.upload PATH COUNT RESOLUTION FIT

writes them to standard output as bare bytes, or says what is wrong with the
file and ends with code 2. A file made to harm, or to keep a decoder busy for
ever, ends that process and not the page. No TensorFlow here.
"""

import os
import resource
import subprocess
import sys

import numpy as np

import dvdgan_tf

_TIME_LIMIT_S = 60

# Of address space. Decoded frames of 8K take 0.2 GB each, and decoders hold
# some of them.
_MEMORY_BYTES = 8 << 30


def first_frames(path, count, resolution, fit, stride=1):
    """As `sampling.conditions.first_frames`, at a distance.

    Args:
        path: of the file.
        count: how many frames.
        resolution: height and width.
        fit: "crop" or "squash".
        stride: every n-th frame is taken.

    Returns:
        uint8 [count, resolution, resolution, 3]

    Raises:
        ValueError: it is no video, too short, or cannot be decoded.
    """
    root = os.path.dirname(os.path.dirname(dvdgan_tf.__file__))
    paths = [root, os.environ.get("PYTHONPATH", "")]
    words = map(str, (path, count, resolution, fit, stride))
    name = os.path.basename(path)
    try:
        result = subprocess.run(
            [sys.executable, "-P", "-m", __name__, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIME_LIMIT_S,
            env=os.environ
            | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(
            f"{name!r} was not decoded within {_TIME_LIMIT_S} s; try another "
            "video."
        ) from error
    shape = (count, resolution, resolution, 3)
    if result.returncode == 2:
        lines = result.stderr.decode(errors="replace").strip().splitlines()
        raise ValueError(lines[-1].replace(path, name))
    if result.returncode or len(result.stdout) != np.prod(shape):
        raise ValueError(
            f"{name!r} made its decoder fail (code {result.returncode}); try "
            "another video."
        )
    return np.frombuffer(result.stdout, np.uint8).reshape(shape)


def main(path, count, resolution, fit, stride):
    """Reads in this process; all arguments are texts."""
    from dvdgan_tf.sampling import conditions

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    try:
        frames = conditions.first_frames(
            path, int(count), int(resolution), fit, int(stride)
        )
    except (ValueError, OSError) as error:
        print(f"{error}", file=sys.stderr)
        sys.exit(2)
    sys.stdout.buffer.write(frames.tobytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
