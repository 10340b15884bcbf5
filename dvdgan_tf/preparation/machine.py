"""How many processes this machine, or this container of it, has room for."""

import math
import os
import pathlib
from collections.abc import Iterator

# A process holds TensorFlow and a record while it is made; the command itself
# is one more.
_MEMORY_EACH = 1 << 30


def processes(root: str = "/") -> int:
    """How many processes can make shards at the same time.

    As many as there are processors, but no more than there is memory for, 1
    GiB each. Both are what the control groups (cgroups of version 1 and 2)
    leave of the machine.

    Args:
        root: root of the file system, "/" except in tests.

    Returns:
        A number of at least 1.
    """
    room = math.floor(memory(root) / _MEMORY_EACH) - 1
    return max(1, min(processors(root), room))


def processors(root: str = "/") -> int:
    """How many processors this process may use, at least 1.

    Args:
        root: root of the file system, "/" except in tests.
    """
    shares = [float(len(os.sched_getaffinity(0)))]
    for folder in _folders(root, "cpu"):
        if (text := _read(folder / "cpu.max")) is not None:
            quota, _, period = text.partition(" ")
        else:
            quota = _read(folder / "cpu.cfs_quota_us") or "max"
            period = _read(folder / "cpu.cfs_period_us") or "100000"
        # Where there is no limit, the quota is "max" or -1.
        if quota.isdigit() and period.isdigit() and int(period):
            shares.append(int(quota) / int(period))
    return max(1, math.floor(min(shares)))


def memory(root: str = "/") -> int:
    """How many bytes of memory this process may use together with others.

    Args:
        root: root of the file system, "/" except in tests.
    """
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for folder in _folders(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _read(folder / name) or ""
            if text.isdigit():
                limits.append(int(text))
    return min(limits)


def _folders(root, controller) -> Iterator[pathlib.Path]:
    """The control groups that this process is in, inner ones first.

    A limit of any of them holds. In a container the path may be that of the
    machine outside, which is not there; the container's own is at the top.
    """
    top = pathlib.Path(root, "sys/fs/cgroup")
    text = _read(pathlib.Path(root, "proc/self/cgroup")) or ""
    for line in text.splitlines():
        _, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        if not controllers:
            mounts = [top, top / "unified"]
        elif controller in controllers.split(","):
            mounts = [top / controller, top / controllers]
        else:
            continue
        inner = pathlib.PurePosixPath(path.lstrip("/"))
        for mount in mounts:
            for folder in (inner, *inner.parents):
                yield mount / folder


def _read(path):
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None
