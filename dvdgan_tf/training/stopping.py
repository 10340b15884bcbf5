"""Clean stops: SIGTERM and Ctrl-C become a request that the loop obeys."""

import os
import signal
from typing import Any

import tensorflow as tf


class StopRequest:
    """While entered, turns the first SIGTERM or SIGINT into a request.

    A second one has its usual effect.

    Args:
        strategy: workers of a `MultiWorkerMirroredStrategy` stop together as
            soon as one of them is asked to.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

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
        requested = self.received is not None
        if isinstance(self.strategy, tf.distribute.MultiWorkerMirroredStrategy):
            requested = bool(self._sum(tf.constant(float(requested))))
        if requested and self.received is None:
            self.received = "another worker"
        return requested

    @tf.function(reduce_retracing=True)
    def _sum(self, flag):
        flags = self.strategy.run(tf.identity, args=(flag,))
        return self.strategy.reduce("SUM", flags, axis=None)
