"""What one client may ask for in a time, and at once."""

import ipaddress
import time
from collections.abc import Callable

# Beyond that many clients the ones seen first are forgotten.
_MAX_CLIENTS = 10_000


class Allowance:
    """Lets each client have so much at once, and so much more per second.

    Args:
        most: what a client may have after a pause.
        per_second: what it gets back per second.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        most: float,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._most, self._per_second, self._clock = most, per_second, clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, client: str, amount: float = 1) -> bool:
        """Takes an amount if the client has as much left, and says so."""
        now = self._clock()
        left, since = self._left.pop(client, (self._most, now))
        left = min(self._most, left + (now - since) * self._per_second)
        enough = amount <= left
        self._left[client] = (left - amount * enough, now)
        if len(self._left) > _MAX_CLIENTS:
            del self._left[next(iter(self._left))]
        return enough


class Limits:
    """The limits of the page for each client.

    A page with its parts is some hundred requests, of which browsers send six
    at once; a press of a button is one request of work.

    Args:
        max_upload_bytes: size of an uploaded file at most.
    """

    def __init__(self, max_upload_bytes: int):
        self._at_once = 24
        self._in_flight: dict[str, int] = {}
        self._requests = Allowance(1_000, 20)
        self._work = Allowance(12, 0.5)
        # Uploads stay for an hour.
        most = 8 * max_upload_bytes
        self._bytes = Allowance(most, most / 3600)

    def begin(self, client: str) -> bool:
        """Counts a request as in flight; False if there are too many."""
        if self._in_flight.get(client, 0) >= self._at_once:
            return False
        if not self._requests.take(client):
            return False
        self._in_flight[client] = self._in_flight.get(client, 0) + 1
        return True

    def end(self, client: str) -> None:
        """Ends a request for which `begin` was true."""
        self._in_flight[client] -= 1
        if not self._in_flight[client]:
            del self._in_flight[client]

    def work(self, client: str) -> bool:
        """Whether the client may ask for clips once more."""
        return self._work.take(client)

    def upload(self, client: str, size: int) -> bool:
        """Whether the client may upload so many bytes more."""
        return self._bytes.take(client, size)


def client_of(scope: dict) -> str:
    """Who sends a request: an address, of IPv6 the network of a household."""
    host = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
