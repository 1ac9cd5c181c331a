"""Run: binds the address, serves until it is stopped, and answers what is in flight before it goes."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING

import click
import httptools  # noqa: F401 - asked for here, so that the error for a missing extra comes at the start
import uvicorn

from ...core.errors import ConfigError
from .app import Application
from .connections import connections
from .settings import checked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from .settings import Settings

BACKLOG = 2048


LAST = 5.0  # seconds for what is left when all have been answered or told that they will not be


class Server(uvicorn.Server):
    """uvicorn's, which ends by itself after a signal: a stop that was asked for is no failure.

    Where a model on another server is silent, threads may wait for it for ten minutes, and Python for them: nobody is left who
    would get their answer, so the program ends without. What was committed is in the file; the rest never was.
    """

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """After the first signal all may finish, after a second one nobody."""
        seconds = LAST + (0.0 if self.should_exit else self.config.timeout_graceful_shutdown or 0.0)
        super().handle_exit(sig, frame)
        end = Timer(seconds, os._exit, [0])
        end.daemon = True
        end.start()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn does, but for raising them again afterwards."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def serve(settings: Settings, *, quiet: bool = False) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises
    ------
    ConfigError : an address that cannot be bound, or that others reach while no key is set
    Error : a model or a database that cannot be opened
    """
    checked(settings)
    with bound(settings.host, settings.port) as listener:
        _allow_files()
        app = Application(settings)
        if settings.database is not None:
            _ = app.served.database  # opened before anybody asks
        if not quiet:
            click.echo(_greeting(settings, listener), err=True)
        server(app, settings).run(sockets=[listener])


def server(app: Application, settings: Settings) -> Server:
    """The server of an application; `run` it, or `serve` it in a loop of your own."""
    config = uvicorn.Config(
        app, http=connections(settings), ws="none", lifespan="on", log_level="warning", access_log=False, server_header=False,
        proxy_headers=False, timeout_keep_alive=int(settings.idle) + 60, backlog=BACKLOG,
        timeout_graceful_shutdown=int(settings.stopping),
    )  # fmt: skip
    return Server(config)


@contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens.

    Raises
    ------
    ConfigError : the port is taken, or the address is not this machine's
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    with socket.socket(family, kind, protocol) as listener:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where SO_REUSEADDR lets two programs have one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(BACKLOG)  # from now on whoever asks waits for the answer, instead of being refused
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            what = "another program has it" if taken else str(error.strerror)
            raise ConfigError(f"cannot listen on {host}:{port}: {what}; choose another with --port") from error
        listener.setblocking(False)
        yield listener


def _greeting(settings: Settings, listener: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    what = ", ".join(settings.models)
    files = f" and the collections of {settings.database}" if settings.database else ""
    return f"{what}{files}: http://{host}:{listener.getsockname()[1]}/v1 (Ctrl-C stops the server)"


def _allow_files() -> None:
    """As many open files as the system lets us have: macOS begins with 256, and a connection is one."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if most == resource.RLIM_INFINITY else min(most, 8192)
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
