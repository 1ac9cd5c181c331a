"""Guard: who may ask, how much, and for how long. Stands before the routes; hands on whole bodies, answers the rest itself.

Without a key this machine alone may ask, and not every page of a browser on it: a page elsewhere can send requests to
127.0.0.1, and can have its own name mean 127.0.0.1 (DNS rebinding). So an `Origin` must be allowed, and a `Host` be ours.
"""

from __future__ import annotations

import asyncio
import logging
import time
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from ...core import http
from ...core.config import debug
from .replies import of_error, problem
from .settings import Keys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from .metrics import Metrics
    from .replies import Json
    from .settings import Settings

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

OPEN = frozenset({"/health"})  # what a load balancer asks needs no key
DRAINED = 64 << 20  # bytes of a body that is too large, which are read so that its sender gets to read why


class _Broken(Exception):
    """A body that did not come; holds what to answer."""

    def __init__(self, reply: Json | None) -> None:
        super().__init__()
        self.reply = reply


class _Unread(Exception):
    """An answer that its client does not take."""


class Guard:
    """An ASGI application around another one."""

    def __init__(self, app: App, settings: Settings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics
        self._keys = Keys(settings.keys)
        self._held = 0  # bytes of bodies in memory
        self._name, self._count = (
            uuid4().hex.encode(),
            count(),
        )  # a uuid each cost 0.2 ms: its system call gives up the GIL

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 499
        number = (b"x-request-id", b"req_%s%08x" % (self._name, next(self._count)))

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), number]
            try:
                async with asyncio.timeout(self._settings.reading):
                    await send(message)
            except TimeoutError:
                raise _Unread from None

        try:
            await self._answer(scope, receive, answer)
        except _Unread:  # gets no further one
            status = 499
        finally:
            self._metrics.request(_route(scope), status, time.monotonic() - started)

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        # routes are matched before %2F becomes a slash, so that a collection's name may have one; parameters are decoded later
        scope["path"] = scope.get("raw_path", scope["path"].encode()).decode("ascii", "replace")
        # what a page can send unasked is refused above; curl sends forms unless it is told otherwise
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
        scope["headers"].append((b"content-type", b"application/json"))
        body = bytearray()
        try:
            await self._read(headers, receive, body)
            await self._app(scope, _once(bytes(body), receive), send)
        except _Broken as broken:
            if broken.reply is not None:
                await broken.reply(scope, receive, send)
        finally:
            self._held -= len(body)

    def _refusal(self, scope: MutableMapping[str, Any], headers: dict[bytes, bytes]) -> Json | None:
        """The answer to a request that nobody looks at any closer; None lets it through."""
        origin, host = headers.get(b"origin", b"").decode("latin-1"), headers.get(b"host", b"").decode("latin-1")
        allowed = self._settings.cors
        if origin and "*" not in allowed and origin not in allowed and not (host and _named(origin) == host):
            return problem(403, f"pages of {origin[:100]} may not ask this server; allow them with --cors ORIGIN")
        if not self._keys:
            name = _named(f"//{host}").partition(":")[0].lower() if "@" not in host else host
            if host and not http.is_local(f"//{host}") and name != self._settings.host:
                message = f"without a key this server is for this machine alone, and is not called {host[:100]}; set a key"
                return problem(403, message)
            return None
        if scope["path"] in OPEN or self._keys.open(headers.get(b"authorization", b"")):
            return None
        given = "a wrong key" if b"authorization" in headers else "no key"
        message = f"{given} was given; send one of the server's in the header: Authorization: Bearer KEY"
        return problem(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})

    # -- bodies

    async def _read(self, headers: dict[bytes, bytes], receive: Receive, body: bytearray) -> None:
        """The whole body, within the limits of size and time."""
        size = headers.get(b"content-length", b"0")
        if size.isdigit() and int(size) > self._settings.largest:
            await self._too_large(receive, int(size))
        try:
            async with asyncio.timeout(self._settings.body):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Broken(None)
                    part = message.get("body", b"")
                    self._held += len(part)
                    body += part
                    if len(body) > self._settings.largest:
                        await self._too_large(receive, len(body))
                    if self._held > self._settings.held:
                        raise _Broken(_busy())
                    if not message.get("more_body"):
                        return
        except TimeoutError:
            said = f"the rest of the request did not come within {self._settings.body:g} s"
            raise _Broken(problem(408, said, headers={"Connection": "close"})) from None

    async def _too_large(self, receive: Receive, size: int) -> None:
        if size <= DRAINED:
            try:
                async with asyncio.timeout(self._settings.body):
                    while size <= 2 * DRAINED:
                        message = await receive()
                        size += len(message.get("body", b""))
                        if not message.get("more_body"):
                            break
            except TimeoutError:
                pass
        said = f"the body is larger than {self._settings.largest >> 20} MB; send fewer texts at a time"
        raise _Broken(problem(413, said, code="request_too_large", headers={"Connection": "close"}))


def caught(app: App, hidden: str = "") -> App:
    """An application around another one: what nobody foresaw is a reply, and a line in the log."""

    async def answer(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        begun = False

        async def sent(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await app(scope, receive, sent)
        except _Unread:
            raise
        except asyncio.CancelledError:  # by a server that stops, and has waited for as long as it does
            if not begun:
                message = "the server was stopped before this was done; try again in a moment"
                await problem(503, message, headers={"Retry-After": "1", "Connection": "close"})(scope, receive, sent)
        except Exception as error:  # the last door: whatever it is, a client gets an answer of ours
            if scope["type"] != "http":
                raise
            if not begun:
                await of_error(error, hidden)(scope, receive, sent)
            elif debug():
                logging.getLogger("cosimo.server").exception("after the answer had begun")

    return answer


def _once(body: bytes, receive: Receive) -> Receive:
    """The body as one message, then what the connection says."""
    given = False

    async def next_message() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return next_message


def _named(address: str) -> str:
    """Host and port of an address; nothing of what is none."""
    try:
        return urlsplit(address).netloc
    except ValueError:
        return ""


def _busy() -> Json:
    message = "the server holds as many requests as it has memory for; try again in a second"
    return problem(503, message, code="overloaded", headers={"Retry-After": "1", "Connection": "close"})


def _route(scope: MutableMapping[str, Any]) -> str:
    """The route as it is written, so that ids make no metrics of their own."""
    path = getattr(scope.get("route"), "path", None)
    return str(path) if path else "other"


def decoded(value: str) -> str:
    """A part of a path, %2F and all."""
    return unquote(value, errors="replace")
