"""HTTP connections that are closed where a request does not come in."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# Seconds for a request's headers, and for the slowest network to begin.
_SECONDS = 10.0

# After these, a body comes in with so many bytes per second at least.
_BYTES_PER_SECOND = 4096

# What the client owes: headers, or a body.
_WAITING = (h11.IDLE, h11.SEND_BODY)


class TimedProtocol(H11Protocol):
    """uvicorn's protocol, which waits for a half-sent request for ever.

    A connection that is silent, or sends a byte from time to time, is closed;
    one that waits for its answer stays.
    """

    def connection_made(self, transport: Any) -> None:
        """Begins to watch the connection."""
        super().connection_made(transport)
        self._owes = None
        self._since = 0.0
        self._received = 0
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Counts what comes in."""
        self._received += len(data)
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends watching."""
        self._timer.cancel()
        super().connection_lost(exc)

    def _should_upgrade_to_ws(self) -> bool:
        return False  # The page needs no WebSocket.

    def _watch(self) -> None:
        now = asyncio.get_running_loop().time()
        owes = self.conn.their_state
        # While uvicorn itself reads no more, the client owes nothing.
        if self.flow.read_paused or owes not in _WAITING:
            owes = None
        if owes != self._owes:
            self._owes, self._since, self._received = owes, now, 0
        late = now - self._since - _SECONDS
        bodies = (
            self._received / _BYTES_PER_SECOND if owes is h11.SEND_BODY else 0
        )
        if owes is not None and late > bodies:
            self.transport.abort()
            return
        self._timer = self.loop.call_later(_SECONDS / 10, self._watch)
