"""Our own server for tests: in a thread of this process, on a port of its own."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx2

from cosimo.interfaces.server import run
from cosimo.interfaces.server.app import Application
from cosimo.interfaces.server.settings import Settings, checked

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "fake:64"


class Running:
    """A server in a thread of this process."""

    def __init__(self, settings: Settings) -> None:
        self.app = Application(settings)
        self.settings = settings
        self._bound = run.bound("127.0.0.1", 0)
        listener = self._bound.__enter__()
        self.port = int(listener.getsockname()[1])
        self.server = run.server(self.app, settings)
        self._thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]})
        self._thread.start()
        while not self.server.started:
            time.sleep(0.005)
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx2.Client(base_url=self.url, timeout=20, trust_env=False)

    def post(self, path: str, body: Any, **options: Any) -> httpx2.Response:
        return self.client.post(path, json=body, **options)

    def embed(self, given: Any, **more: Any) -> httpx2.Response:
        return self.post("/v1/embeddings", {"model": MODEL, "input": given, **more})

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()

    def close(self) -> None:
        self.client.close()
        self.stop()
        self._bound.__exit__(None, None, None)


@contextmanager
def running(**given: Any) -> Iterator[Running]:
    """A server with these settings."""
    server = Running(checked(replace(Settings(models=(MODEL,)), **given)))
    try:
        yield server
    finally:
        server.close()


def refused(reply: httpx2.Response, status: int, *, param: str | None = None) -> str:
    """The message of an error that has the shape, the status and the parameter it should have."""
    assert reply.status_code == status, reply.text
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "Traceback" not in error["message"]
    if param is not None:
        assert error["param"] == param
    return str(error["message"])
