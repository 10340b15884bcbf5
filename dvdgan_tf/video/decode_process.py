"""The process that decodes videos, as its parent sees it."""

import contextlib
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import time

from dvdgan_tf.video import decode_worker

# -P: the folder that the program was started in may be full of videos, and
# nothing in it is to be imported.
COMMAND = (sys.executable, "-P", "-m", decode_worker.__name__)

# Importing from a slow network drive on a busy machine takes that long.
_START_LIMIT_S = 120

# More than any answer has; a process whose memory is damaged says anything.
_MAX_HEADER, _MAX_DATA = 1 << 16, 1 << 28

_READ_SIZE = 1 << 16

_FROM_OUTSIDE = ("SIGKILL", "SIGTERM", "SIGHUP")


class DiedError(EOFError):
    """The process has ended, or no longer makes sense.

    Attributes:
        killed: whether by a signal that comes from outside, such as SIGKILL
            where memory is short, and not by one that says it crashed.
        was_idle: whether it had answered earlier requests, and nothing yet
            to the last one. It may have died before that.
    """

    def __init__(self, reason: str, killed: bool, was_idle: bool) -> None:
        super().__init__(reason)
        self.killed = killed
        self.was_idle = was_idle


class DecodeProcess:
    """A process of `decode_worker`, ready for requests.

    Raises:
        ChildProcessError: it cannot be started.
    """

    def __init__(self) -> None:
        self._requests = 0
        self._answered = True
        # The folder that the package is in.
        root = pathlib.Path(__file__).parents[2]
        paths = [str(root), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            # Nothing here multiplies matrices; a pool of threads for each of
            # many processes is waste.
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        failure = "The process that decodes videos cannot be started"
        try:
            self._process = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env=environment,
            )
        except OSError as error:
            raise ChildProcessError(
                f"{failure} ({COMMAND[0]!r}: {error.strerror})."
            ) from error
        self._answers = self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        try:
            self.receive(_START_LIMIT_S)
        except (DiedError, TimeoutError) as error:
            self.kill()
            raise ChildProcessError(
                f"{failure} ({error}); what it printed says why."
            ) from error

    def is_alive(self) -> bool:
        """Says whether the process runs, though it may die right after."""
        # Between files it has nothing to say: its end hangs up the pipe, and
        # that is seen before the end itself while it still has threads.
        return self._process.poll() is None and not self._poll.poll(0)

    def kill(self) -> None:
        """Ends the process."""
        # It owns nothing that needs tidying up, and may be past listening.
        self._process.kill()
        # Not for ever: it may wait for a network drive that is gone.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._process.stdin.close()
        self._process.stdout.close()

    def send(self, request: dict) -> None:
        """Sends a request.

        Raises:
            DiedError: there is no process to read it.
        """
        self._requests += 1
        self._answered = False
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            raise self._death() from None

    def receive(self, limit_s: float) -> tuple[dict, bytes]:
        """Waits for an answer.

        Args:
            limit_s: seconds to wait.

        Returns:
            The header and its data.

        Raises:
            DiedError: there will be none.
            TimeoutError: there was none in time.
        """
        deadline = time.monotonic() + limit_s
        prefix = decode_worker.HEADER_LENGTH
        try:
            (length,) = prefix.unpack(self._read(prefix.size, deadline))
            if length > _MAX_HEADER:
                raise ValueError
            header = json.loads(self._read(length, deadline))
            length = header.get("bytes", 0)
            if not 0 <= length <= _MAX_DATA:
                raise ValueError
            data = self._read(length, deadline)
        except TimeoutError:
            raise TimeoutError(f"no frame within {limit_s:g} s") from None
        except ValueError:
            raise self._error("its decoder went astray") from None
        self._answered = True
        return header, data

    def _read(self, size, deadline):
        data = bytearray()
        while len(data) < size:
            left_ms = max(0, deadline - time.monotonic()) * 1000
            if not self._poll.poll(left_ms):
                raise TimeoutError
            part = os.read(self._answers, min(size - len(data), _READ_SIZE))
            if not part:
                raise self._death()
            data += part
        return bytes(data)

    def _death(self):
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return self._error("its decoder stopped answering")
        if status >= 0:
            return self._error(f"its decoder ended with status {status}")
        name = signal.Signals(-status).name
        hint = ", perhaps out of memory" if name == "SIGKILL" else ""
        return self._error(
            f"its decoder died of {name}{hint}", name in _FROM_OUTSIDE
        )

    def _error(self, reason, killed=False):
        was_idle = self._requests > 1 and not self._answered
        return DiedError(reason, killed, was_idle)
