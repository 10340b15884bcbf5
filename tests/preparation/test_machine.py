import os

import pytest

from dvdgan_tf.preparation import machine

MANY, PLENTY = 64, 1 << 50


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A file system of a machine with 64 processors and 1 PiB."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(MANY)))
    pages = {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": PLENTY}
    monkeypatch.setattr(os, "sysconf", pages.get)

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name
            os.makedirs(path.parent, exist_ok=True)
            path.write_text(text + "\n")
        return str(tmp_path)

    return write


def test_without_limits(root):
    assert machine.processors(root()) == MANY
    assert machine.memory(root()) == PLENTY
    assert machine.processes(root()) == MANY


CASES = {
    "version 2, at the top of a container": {
        "proc/self/cgroup": "0::/",
        "sys/fs/cgroup/cpu.max": "250000 100000",
        "sys/fs/cgroup/memory.max": "4294967296",
    },
    "version 2, the machine's path": {
        "proc/self/cgroup": "0::/docker/abc",
        "sys/fs/cgroup/cpu.max": "250000 100000",
        "sys/fs/cgroup/memory.max": "4294967296",
    },
    "version 2, the tightest of several": {
        "proc/self/cgroup": "0::/a/b",
        "sys/fs/cgroup/a/b/cpu.max": "max 100000",
        "sys/fs/cgroup/a/b/memory.max": "max",
        "sys/fs/cgroup/a/cpu.max": "500000 200000",
        "sys/fs/cgroup/a/memory.max": "4294967296",
        "sys/fs/cgroup/memory.max": "8589934592",
    },
    "version 1": {
        "proc/self/cgroup": "4:memory:/x\n1:cpu,cpuacct:/x\n0::/",
        "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "4294967296",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "250000",
        "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
    },
}


@pytest.mark.parametrize("case", CASES)
def test_limits_of_control_groups(root, case):
    folder = root(**CASES[case])
    assert machine.processors(folder) == 2  # of 2.5
    assert machine.memory(folder) == 4 << 30
    assert machine.processes(folder) == 2


def test_memory_limits_the_processes(root):
    folder = root(**{"sys/fs/cgroup/memory.max": str(6 << 30)})
    assert machine.processes(folder) == MANY  # The process is in no group.
    folder = root(**{"proc/self/cgroup": "0::/"})
    assert machine.processes(folder) == 5
    root(**{"sys/fs/cgroup/memory.max": str(100 << 20)})
    assert machine.processes(folder) == 1


def test_part_of_a_processor_is_one(root):
    folder = root(
        **{
            "proc/self/cgroup": "0::/",
            "sys/fs/cgroup/cpu.max": "20000 100000",
        }
    )
    assert machine.processors(folder) == 1


@pytest.mark.parametrize("text", ["", "x", "max", "1 0", "1:2"])
def test_nonsense_is_no_limit(root, text):
    folder = root(
        **{
            "proc/self/cgroup": text + "\n0::/",
            "sys/fs/cgroup/cpu.max": text,
            "sys/fs/cgroup/memory.max": "x",
        }
    )
    assert machine.processes(folder) == MANY


def test_this_machine():
    count = machine.processes()
    assert 1 <= count <= len(os.sched_getaffinity(0))
