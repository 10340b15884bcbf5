"""Halts a process before each operation that changes a file.

The kernel's seccomp user notification stops the thread that asks for such an
operation, in Python or in TensorFlow's C++, here or in a child process, until
the parent answers. So a kill can be placed between any two operations, where
one at a random moment would need luck. It works on two kinds of processors, and
where no sandbox forbids it; `available` tells.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import platform
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

# System calls by number, and which argument is the path that they change, the
# new one where there are two. None: the first is a file's descriptor.
_CALLS = {
    "x86_64": {
        1: ("write", None),
        18: ("pwrite", None),
        20: ("writev", None),
        77: ("ftruncate", None),
        82: ("rename", 1),
        83: ("mkdir", 0),
        84: ("rmdir", 0),
        86: ("link", 1),
        87: ("unlink", 0),
        257: ("openat", 1),
        258: ("mkdirat", 1),
        263: ("unlinkat", 1),
        264: ("renameat", 3),
        265: ("linkat", 3),
        316: ("renameat2", 3),
    },
    "aarch64": {
        64: ("write", None),
        68: ("pwrite", None),
        66: ("writev", None),
        46: ("ftruncate", None),
        34: ("mkdirat", 1),
        35: ("unlinkat", 1),
        37: ("linkat", 3),
        38: ("renameat", 3),
        56: ("openat", 1),
        276: ("renameat2", 3),
    },
}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_MACHINE = platform.machine()

# Of linux/filter.h, linux/seccomp.h and linux/prctl.h.
_LOAD, _IF_EQUAL, _IF_BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_SET_NO_NEW_PRIVILEGES, _SET_FILTER, _NEW_LISTENER = 38, 1, 8
_RECEIVE, _SEND, _CONTINUE = 0xC0502100, 0xC0182101, 1
_NUMBER, _THIRD_ARGUMENT = 0, 32  # Where they are in struct seccomp_data.
_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_LONGEST_PATH = 4096


class Operation(NamedTuple):
    """What a thread is about to do, and waits for.

    Attributes:
        id: the kernel's number of the question.
        name: of the system call.
        path: of the file that it changes.
    """

    id: int
    name: str
    path: str


class Listener:
    """The end of the filter at which the parent is asked.

    Args:
        descriptor: from `begin`, through a socket.
    """

    def __init__(self, descriptor: int):
        self.descriptor = descriptor

    def fileno(self) -> int:
        """The descriptor; it can be read when somebody waits."""
        return self.descriptor

    def next(self) -> Operation | None:
        """What waits for an answer; None where its process has died."""
        question = bytearray(80)
        try:
            fcntl.ioctl(self.descriptor, _RECEIVE, question)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):
                return None
            raise
        number, thread, _, call, _, _, *arguments = struct.unpack(
            "QIIiIQ6Q", question
        )
        name, position = _CALLS[_MACHINE][call]
        path = ""
        with contextlib.suppress(OSError):  # It has died meanwhile.
            path = _path(thread, name, position, arguments)
        return Operation(number, name, path)

    def allow(self, operation: Operation) -> None:
        """Lets the thread go on."""
        answer = bytearray(struct.pack("QqiI", operation.id, 0, 0, _CONTINUE))
        with contextlib.suppress(FileNotFoundError):  # Dead meanwhile.
            fcntl.ioctl(self.descriptor, _SEND, answer)

    def close(self) -> None:
        """Ends listening; whoever asks later gets an error."""
        os.close(self.descriptor)


def begin(connection: socket.socket) -> None:
    """From here on, this process and its children ask before they change files.

    Args:
        connection: the parent gets the descriptor of a `Listener` through it.

    Raises:
        OSError: the kernel does not do this.
    """
    if _MACHINE not in _CALLS:
        raise OSError(f"There is no table of system calls for {_MACHINE}.")
    libc = ctypes.CDLL(None, use_errno=True)
    program = ctypes.create_string_buffer(_program())
    header = struct.pack(
        "HxxxxxxQ", len(program) // 8, ctypes.addressof(program)
    )
    libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    descriptor = libc.syscall(
        _SECCOMP[_MACHINE], _SET_FILTER, _NEW_LISTENER, ctypes.c_char_p(header)
    )
    if descriptor < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    socket.send_fds(connection, [b"."], [descriptor])
    os.close(descriptor)


def available() -> bool:
    """Whether the kernel asks; a process is tried out."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(OSError):
            begin(theirs)
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(pid, 0)
    ours.close(), theirs.close()
    return status == 0


def _program() -> bytes:
    """The filter, instructions for the kernel's packet filter."""
    numbers = [n for n, (name, _) in _CALLS[_MACHINE].items()]
    opens = next(n for n, c in _CALLS[_MACHINE].items() if c[0] == "openat")
    numbers.remove(opens)
    # How many instructions are skipped if true, and if not.
    lines = [(_LOAD, 0, 0, _NUMBER), (_IF_EQUAL, len(numbers) + 1, 0, opens)]
    for left, number in zip(range(len(numbers), 0, -1), numbers, strict=True):
        lines.append((_IF_EQUAL, left + 3, 0, number))
    lines += [
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _THIRD_ARGUMENT),
        (_IF_BITS, 1, 0, _CHANGES),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _NOTIFY),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def _path(
    thread: int, name: str, position: int | None, arguments: Sequence[int]
) -> str:
    """The path that a waiting thread's operation changes."""
    folder = f"/proc/{thread}"
    if position is None:
        return os.readlink(f"{folder}/fd/{arguments[0]}")
    with open(f"{folder}/mem", "rb", buffering=0) as memory:
        memory.seek(arguments[position])
        path = os.fsdecode(memory.read(_LONGEST_PATH).partition(b"\0")[0])
    if os.path.isabs(path):
        return path
    base = ctypes.c_int(arguments[position - 1]).value if position else -1
    at = f"fd/{base}" if "at" in name and base >= 0 else "cwd"
    return os.path.join(os.readlink(f"{folder}/{at}"), path)
