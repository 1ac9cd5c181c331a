"""Connections: uvicorn's, with an end to what it would wait for for ever: heads that never come, and heads without end.

uvicorn times out a connection between two requests, not one that has sent none or half of one; a thousand of those cost a
client nothing. They stand in a lobby here: after some seconds, or when it is full, who has waited longest goes.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .replies import problem

if TYPE_CHECKING:
    from .settings import Settings

HEAD = 64 << 10  # bytes of a request's first line and headers
LOBBY = 1024  # connections without a whole head; of each, some kB of memory
TICK = 0.5


class Lobby:
    """Connections that owe us something, and until when."""

    def __init__(self, most: int = LOBBY) -> None:
        self._most = most
        self._until: dict[Connection, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._until)

    def __contains__(self, connection: object) -> bool:
        return connection in self._until

    def enter(self, connection: Connection, seconds: float) -> None:
        """Give it so long from now on."""
        self._until.pop(connection, None)  # to the end
        self._until[connection] = time.monotonic() + seconds
        if len(self._until) > self._most:
            self._end(next(iter(self._until)))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK, self._sweep)

    def leave(self, connection: Connection) -> None:
        """It has done what it owed, or is gone."""
        self._until.pop(connection, None)

    def _sweep(self) -> None:
        now = time.monotonic()
        for connection in [each for each, until in self._until.items() if until < now]:
            self._end(connection)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK, self._sweep) if self._until else None

    def _end(self, connection: Connection) -> None:
        self._until.pop(connection, None)
        connection.transport.abort()


class Connection(HttpToolsProtocol):
    """One connection. `connections` sets what all of a server share."""

    lobby: Lobby
    settings: Settings

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._bytes = 0  # of a head that is not whole yet
        self._heads = 0  # that were whole
        self._whole = True  # the last request's body has come to its end

    def connection_made(self, transport: Any) -> None:
        """It begins, and owes a request."""
        super().connection_made(transport)
        self.lobby.enter(self, self.settings.head)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self.lobby.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request."""
        heads, between = self._heads, self._whole
        if between and not self._bytes and self in self.lobby:
            self.lobby.enter(self, self.settings.head)  # a further request has begun
        super().data_received(data)
        if between and heads == self._heads:
            self._bytes += len(data)
            if self._bytes > HEAD and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP, refused as everything else is: uvicorn's own answer is a bare line."""
        body = problem(400, msg, headers={"Connection": "close"})
        head = b"".join(b"%s: %s\r\n" % pair for pair in body.raw_headers)
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + bytes(body.body))
        self.transport.close()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._bytes, self._whole = 0, False
        self._heads += 1
        self.lobby.leave(self)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is whole."""
        self._whole = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It is answered; what comes next has to come soon: the answer read, the rest of a body, a further request."""
        super().on_response_complete()
        if not self.pipeline:
            unread = self.transport.get_write_buffer_size() > 0
            seconds = self.settings.reading if unread else self.settings.idle if self._whole else self.settings.body
            self.lobby.enter(self, seconds)


def connections(settings: Settings) -> type[Connection]:
    """The class of a server's connections, with a lobby of its own."""
    return type("Connection", (Connection,), {"lobby": Lobby(), "settings": settings})
