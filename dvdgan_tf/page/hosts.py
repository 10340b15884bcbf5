"""The names that the page answers to.

A web site can let its own name lead to this machine (DNS rebinding), and its
scripts then reach the page as their own origin. Its name still stands in the
request.
"""

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Hosts:
    """The page's own names and addresses.

    Args:
        listens_on: name or address that the server listens on.
        others: further names, such as that of a proxy in front of it.
    """

    def __init__(self, listens_on: str, others: Sequence[str] = ()):
        self._names = {listens_on.lower(), *(name.lower() for name in others)}
        self._any_address = listens_on in ("", "0.0.0.0", "::")
        if self._any_address:
            name = socket.gethostname().lower()
            self._names |= _LOOPBACK | {name, f"{name}.local"}
        elif listens_on in _LOOPBACK:
            self._names |= _LOOPBACK

    def allow_host(self, header: str) -> bool:
        """Whether a `Host` header names the page.

        The port may be another one, as behind `ssh -L`.
        """
        return self._allow(f"//{header}", ("",))

    def allow_origin(self, header: str) -> bool:
        """Whether an `Origin` header is that of the page."""
        return self._allow(header, ("http", "https"))

    def _allow(self, url, schemes):
        try:
            parts = urlsplit(url)
            name, _ = parts.hostname, parts.port
        except ValueError:
            return False
        extra = parts.path or parts.query or parts.fragment
        if parts.scheme not in schemes or not name or extra:
            return False
        if "@" in parts.netloc or "\\" in parts.netloc:
            return False
        return name in self._names or (self._any_address and _is_address(name))


def _is_address(name):
    """Whether a name is a number, which no name server can lead astray."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
