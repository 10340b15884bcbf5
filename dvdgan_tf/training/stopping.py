"""Clean stops: some signals become a request that the loop obeys."""

import os
import signal
from typing import Any

import tensorflow as tf

from dvdgan_tf.training.strategies import sum_over_replicas


class StopRequest:
    """While entered, turns the first of some signals into a request.

    SIGINT is Ctrl-C, SIGTERM comes from machines that shut down and from
    schedulers; SIGUSR1 and SIGUSR2 are what schedulers are usually told to
    send some time before they end a job. The next signal has its usual effect.

    Args:
        strategy: workers of a `MultiWorkerMirroredStrategy` stop together as
            soon as one of them is asked to.
    """

    SIGNALS = (
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGUSR1,
        signal.SIGUSR2,
    )

    def __init__(self, strategy: tf.distribute.Strategy):
        self.strategy = strategy
        self.received: str | None = None
        self._previous = {}

    def __enter__(self) -> "StopRequest":
        for number in self.SIGNALS:
            self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: Any) -> None:
        self._restore()

    def _receive(self, number, _):
        self.received = signal.Signals(number).name
        # A handler may interrupt a print, which must not be entered twice.
        line = f"{self.received}: will save and stop after this loop.\n"
        os.write(1, line.encode())
        self._restore()

    def _restore(self):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def agreed(self) -> bool:
        """Says whether to stop now: the same on all workers."""
        own = float(self.received is not None)
        requested = bool(sum_over_replicas(self.strategy, [own]).any())
        if requested and self.received is None:
            self.received = "another worker"
        return requested
