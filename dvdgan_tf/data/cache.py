"""The cache of decoded clips: one .npy file for each video.

No TensorFlow here: the worker processes import this module alone.
"""

import contextlib
import functools
import hashlib
import multiprocessing
import os
import signal
import sys
import tokenize
import types
import uuid
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor

import numpy as np
from tqdm import tqdm

from dvdgan_tf import video_io

# Part of every entry's name. Raise it when the stored pixels change.
_VERSION = 1

# What numpy raises for a file that is absent or damaged.
_DAMAGED = (OSError, EOFError, ValueError, SyntaxError, tokenize.TokenError)

# Clips handed to a process at a time: half a million of them, one by one,
# would fill the memory with bookkeeping.
_CHUNK = 4


def target_size(height, width, resolution, fit):
    """The size that a frame is stored at.

    Args:
        height: of the source in pixels.
        width: of the source in pixels.
        resolution: of the clips in pixels.
        fit: "crop" keeps the shape and makes the shorter side `resolution`;
            "squash" makes both sides `resolution`.

    Returns:
        (height, width) in pixels.
    """
    if fit == "squash":
        return resolution, resolution
    scale = resolution / min(height, width)
    return round(height * scale), round(width * scale)


def entry_path(cache_dir, source, resolution, fit):
    """The cache file of a video; its name holds all that its pixels depend on.

    Args:
        cache_dir: the cache folder.
        source: path of the video.
        resolution: see `target_size`.
        fit: see `target_size`.

    Returns:
        A path, whether or not the file is there.
    """
    source = os.path.abspath(source)
    status = os.stat(source)
    facts = (status.st_size, status.st_mtime_ns, resolution, fit, _VERSION)
    key = os.fsencode(source) + repr(facts).encode()
    return os.path.join(cache_dir, hashlib.sha256(key).hexdigest() + ".npy")


def frame_count(entry):
    """Counts the frames in a cache file from its header.

    Args:
        entry: path of the cache file.

    Returns:
        The number of frames; None where the file is absent or not whole.
    """
    try:
        with open(entry, "rb") as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                return None
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            whole = os.fstat(file.fileno()).st_size == file.tell() + np.prod(
                shape, dtype=np.int64
            )
    except _DAMAGED:
        return None
    fits = len(shape) == 4 and shape[-1] == 3 and dtype == np.uint8
    return shape[0] if fits and whole else None


def read_window(entry, start, num_frames, stride):
    """Reads a run of frames from a cache file, and no others.

    Args:
        entry: path of the cache file.
        start: number of the first frame.
        num_frames: frames to take.
        stride: distance between them in frames.

    Returns:
        uint8 [num_frames, h, w, 3].

    Raises:
        ValueError: the file is gone or damaged.
    """
    try:
        # numpy would take a file that is no array for a pickle; refused.
        frames = np.load(entry, mmap_mode="r", allow_pickle=False)
        window = frames[start : start + num_frames * stride : stride]
        if len(window) == num_frames:
            return np.array(window[:num_frames])
        reason = f"it holds {len(frames)} frames"
    except _DAMAGED as error:
        reason = str(error).splitlines()[0]
    raise ValueError(
        f"Cannot read the cached clip {entry!r} ({reason}); start again, and "
        "it is decoded again if it is gone or damaged."
    )


def store(source, entry, resolution, fit):
    """Decodes a video into a cache file, frame by frame.

    The file appears when it is whole. A video that is damaged half way is
    stored up to there.

    Args:
        source: path of the video.
        entry: path of the cache file.
        resolution: see `target_size`.
        fit: see `target_size`.

    Returns:
        (frames stored, why there are no more); the reason is None at the
        regular end of the video.

    Raises:
        OSError: the cache file cannot be written.
    """
    reasons = []
    size = functools.partial(target_size, resolution=resolution, fit=fit)
    frames = _readable(video_io.read_frames(source, size), reasons)
    temporary = f"{entry}.{uuid.uuid4().hex}.tmp"
    try:
        with open(temporary, "xb") as file:
            count = _append(frames, file)
        if count:
            os.replace(temporary, entry)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
    if not count and not reasons:
        reasons.append(f"There is no frame in {source!r}; is it a video?")
    return count, next(iter(reasons), None)


def _readable(frames, reasons):
    # Only what reading raises: an error of the cache file is not the video's.
    while True:
        try:
            frame = next(frames)
        except StopIteration:
            return
        except (OSError, ValueError) as error:
            reasons.append(" ".join(str(error).split()))
            return
        yield frame


def _append(frames, file):
    count = 0
    for frame in frames:
        if not count:
            _write_header(file, (0, *frame.shape))
            first_byte = file.tell()
        file.write(frame.tobytes())
        count += 1
    if count:
        # numpy pads the header so that the first axis can grow in place.
        file.seek(0)
        _write_header(file, (count, *frame.shape))
        assert file.tell() == first_byte, "the .npy header changed its length"
    return count


def _write_header(file, shape):
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )


def store_all(jobs, num_workers):
    """Decodes many videos in processes of their own, with a progress bar.

    Args:
        jobs: list of the arguments of `store`; nothing is started for none.
        num_workers: processes.

    Returns:
        List of what `store` returns, in order.

    Raises:
        OSError: the cache cannot be written.
        ChildProcessError: a process died.
    """
    if not jobs:
        return []
    num_workers = min(num_workers, len(jobs))
    results = []
    # TensorFlow's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    try:
        # Interrupts are this process's business; the others finish a chunk.
        with ProcessPoolExecutor(
            num_workers,
            mp_context=context,
            initializer=signal.signal,
            initargs=(signal.SIGINT, signal.SIG_IGN),
        ) as pool:
            with _bare_main():
                done = pool.map(_store, jobs, chunksize=_CHUNK)
            try:
                results.extend(tqdm(done, "decoding", len(jobs), unit="clip"))
            except BaseException:
                # Interrupted: do not wait for all the other videos.
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    except BrokenProcessPool as error:
        raise ChildProcessError(
            "A decoding process died (out of memory, or a file that crashes "
            f"the decoder) at or soon after {jobs[len(results)][0]!r}; what "
            "is decoded is kept, so try again with VideoFolder.num_workers=1."
        ) from error
    return results


def _store(job):
    return store(*job)


@contextlib.contextmanager
def _bare_main():
    # Spawned processes import the parent's main module. Here that would be
    # the training program and TensorFlow, for nothing, in each of them.
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
