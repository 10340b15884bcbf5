"""What comes between strangers and gradio: paths, sizes, hosts, limits."""

import json
import re
from collections.abc import Awaitable, Callable

from dvdgan_tf.page.hosts import Hosts
from dvdgan_tf.page.limits import Limits, client_of

# What the page's own scripts ask for. Gradio serves some fifty other paths,
# which write files, edit the page, or call functions past its queue. A file
# is one of this machine: where a URL follows `file=`, gradio fetches that.
_PATHS = re.compile(
    r"/|/(config|theme\.css|favicon\.ico|manifest\.json)"
    r"|/(assets|static)/.+"
    r"|/gradio_api/(queue/join|queue/data|startup-events|upload"
    r"|upload_progress|file=/[^/].*)"
)

# Size of a request that is no upload: a list of all classes has room.
_MAX_JSON_BYTES = 1 << 16

# Size of the form around an uploaded file.
_MARGIN_BYTES = 1 << 12

# As much is read of a refused request: a client that is still sending reads
# no answer.
_MAX_DRAINED_BYTES = 1 << 22

_TOO_MANY = (429, "Too many requests at once: wait a little.")

# Whatever a page of gradio names, the browser asks nobody but this server.
_POLICY = (
    b"default-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    b"script-src 'self' 'unsafe-inline' 'unsafe-eval'; object-src 'none'"
)


class Gate:
    """ASGI middleware: refuses what the page does not need.

    Args:
        app: ASGI application.
        max_upload_bytes: size of an uploaded file at most; 0 where none is
            taken.
        hosts: the page's own names.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        max_upload_bytes: int,
        hosts: Hosts,
    ) -> None:
        self._app = app
        self._max_upload_bytes = max_upload_bytes
        self._hosts = hosts
        self._limits = Limits(max_upload_bytes)

    async def __call__(
        self, scope: dict, receive: Callable, send: Callable
    ) -> None:
        """Answers, or lets the application answer."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # The page needs no WebSocket.
            await send({"type": "websocket.close", "code": 1008})
            return
        client = client_of(scope)
        if not self._limits.begin(client):
            await _drain(receive)
            await _answer(send, *_TOO_MANY)
            return
        try:
            await self._pass(scope, receive, send)
        finally:
            self._limits.end(client)

    async def _pass(self, scope, receive, send):
        refusal, receive = await self._refusal(scope, receive)
        if refusal:
            await _drain(receive)
            await _answer(send, *refusal)
            return

        async def send_with_policy(message):
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", _POLICY)
                message["headers"] = [*message.get("headers", ()), policy]
            await send(message)

        await self._app(scope, receive, send_with_policy)

    async def _refusal(self, scope, receive):
        """Status and sentence, or None; and how to go on receiving."""
        if not self._is_addressed(scope):
            return (403, "This is not the address of this page."), receive
        if not _PATHS.fullmatch(_path(scope)):
            return (404, "There is no such page."), receive
        if scope["method"] in ("GET", "HEAD"):
            return None, receive
        if scope["method"] != "POST":
            return (405, "Only GET and POST are answered."), receive
        is_upload = _path(scope) == "/gradio_api/upload"
        limit = _MAX_JSON_BYTES
        if is_upload:
            limit = self._max_upload_bytes
            if not limit:
                return (404, "This page takes no files."), receive
            limit += _MARGIN_BYTES
        length = _content_length(scope)
        if length is None:
            return (411, "Say how long the request is."), receive
        if length > limit:
            return (413, f"A request has at most {limit:,} bytes."), receive
        client = client_of(scope)
        if is_upload:
            allowed = self._limits.upload(client, length)
            return (None if allowed else _TOO_MANY), receive
        if not self._limits.work(client):
            return _TOO_MANY, receive
        body = await _body(receive)
        receive = _again(body, receive)
        try:
            if _names_a_url(body):
                return (400, "Files have to be uploaded, not linked."), receive
        except (ValueError, RecursionError):
            return (400, "The request is no JSON."), receive
        return None, receive

    def _is_addressed(self, scope):
        """Whether a request is for this page, and from no other's script."""

        def values(header):
            return [
                v.decode("latin-1") for k, v in scope["headers"] if k == header
            ]

        hosts = values(b"host")
        return (
            len(hosts) == 1
            and self._hosts.allow_host(hosts[0])
            and all(map(self._hosts.allow_origin, values(b"origin")))
        )


def _path(scope):
    # Starlette's applications are mounted below root_path.
    return scope["path"].removeprefix(scope.get("root_path", "")) or "/"


def _content_length(scope):
    """The bytes announced, which the server enforces; None if none are."""
    headers = dict(scope["headers"])
    if b"transfer-encoding" in headers:
        return None
    try:
        return int(headers[b"content-length"])
    except (KeyError, ValueError):
        return None


async def _body(receive):
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _drain(receive):
    """Reads and forgets what a client sends, up to a bound."""
    left, more = _MAX_DRAINED_BYTES, True
    while more and left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        more = message.get("more_body", False)


def _again(body, receive):
    """A `receive` that gives the body first."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again():
        return waiting.pop() if waiting else await receive()

    return receive_again


def _names_a_url(body):
    """Whether gradio might fetch a file from elsewhere for a client."""
    found = []

    def look(pairs):
        found.extend(
            key == "path" and isinstance(value, str) and "://" in value
            for key, value in pairs
        )

    json.loads(body, object_pairs_hook=look)
    return any(found)


async def _answer(send, status, sentence):
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    start = {"type": "http.response.start", "status": status}
    await send({**start, "headers": headers})
    await send({"type": "http.response.body", "body": sentence.encode()})
