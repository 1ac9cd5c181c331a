"""Servers for tests: real ones on this machine, that answer as providers do, or misbehave as they are told."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from cosimo.core.http import Patience
from cosimo.embedders.fake import FakeEmbedder

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from cosimo.core.types import Vectors

DIM = 32
SHORT = Patience(connect=1.0, silence=0.4, total=1.0, tries=4, pause=0.01, longest=0.05)


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]  # names in small letters
    body: Any


@dataclass
class Answer:
    """What goes back: a status, and JSON or bytes. `stall`: half of it, then nothing until the server closes."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    stall: bool = False
    drip: bool = False  # a byte at a time, slowly

    def bytes(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Server:
    """Embeds with the fake model; `script` may answer a request in its place, by giving something else than None.

    `window`: tokens above which a text is refused. `model`: the only one there. `key`: the only one that is let in.
    """

    def __init__(
        self, script: Callable[[Asked], Answer | None] | None = None, *, window: int | None = None, model: str = "fake",
        key: str | None = None, prefix: str = "/v1", items: int = 1_000,
    ) -> None:  # fmt: skip
        self.script, self.window, self.model, self.key, self.prefix, self.items = script, window, model, key, prefix, items
        self.asked: list[Asked] = []
        self.most = 0  # requests at the same time
        self.running = 0
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.address = ""

    @property
    def texts(self) -> list[str]:
        """Every text that came, in the order of the requests."""
        return [text for each in self.asked if isinstance(each.body, dict) for text in each.body.get("input", [])]

    def answer(self, asked: Asked) -> Answer:
        """A well-behaved server's answer."""
        if self.key is not None and asked.headers.get("authorization") != f"Bearer {self.key}":
            given = asked.headers.get("authorization", "none")
            return Answer(401, {"error": {"message": f"Incorrect API key provided: {given}", "code": "invalid_api_key"}})
        if asked.path == f"{self.prefix}/models":
            return Answer(200, {"data": [{"id": self.model, "max_model_len": self.window}]})
        if asked.path != f"{self.prefix}/embeddings":
            return Answer(404, {"detail": "Not Found"})
        return self.embeddings(asked.body)

    def embeddings(self, body: Any) -> Answer:
        """OpenAI's shape, with OpenAI's refusals."""
        texts = body["input"]
        if body["model"] != self.model:
            return Answer(404, {"error": {"message": f"The model '{body['model']}' does not exist", "code": "model_not_found"}})
        if len(texts) > self.items:
            return Answer(
                422, {"error": f"batch size {len(texts)} > maximum allowed batch size {self.items}", "type": "Validation"}
            )
        if any(not text.strip() for text in texts):
            return Answer(400, {"error": {"message": "'$.input' is invalid: empty string"}})
        fake = FakeEmbedder(str(body.get("dimensions", DIM)))
        counts = [count + 2 for count in fake.count_tokens(texts)]
        if self.window and max(counts) > self.window:
            message = f"This model's maximum context length is {self.window} tokens, however you requested {max(counts)}"
            return Answer(400, {"error": {"message": message}})
        vectors = fake.embed(texts).vectors
        packed = body.get("encoding_format") == "base64"
        items = [
            {"index": n, "embedding": b64encode(v.astype("<f4").tobytes()).decode() if packed else [float(x) for x in v]}
            for n, v in enumerate(vectors)
        ]
        return Answer(200, {"data": items, "model": self.model, "usage": {"prompt_tokens": sum(counts)}})


def cohere(asked: Asked, *, dim: int = DIM, window: int = 512) -> Answer:
    """Cohere's shape: the role is a field, and the two differ."""
    body = asked.body
    fake = FakeEmbedder(str(body.get("output_dimension", dim)))
    counts = fake.count_tokens(body["texts"])
    if max(counts) > window:
        return Answer(400, {"message": f"invalid request: text is too long: {max(counts)} tokens, at most {window}"})
    vectors = fake.embed(body["texts"], role="query" if body["input_type"] == "search_query" else "document").vectors
    return Answer(
        200,
        {
            "embeddings": {"float": [[float(x) for x in vector] for vector in vectors]},
            "meta": {"billed_units": {"input_tokens": sum(counts)}},
        },
    )


def vectors_of(texts: list[str], dim: int = DIM) -> Vectors:
    """What a well-behaved server gives."""
    return FakeEmbedder(str(dim)).embed(texts).vectors


@contextmanager
def running(server: Server, *, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """The server at work, at `server.address`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes: the second would wait 40 ms for the first

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(self.path, {n.lower(): v for n, v in self.headers.items()}, json.loads(raw) if raw else None)
            with server.lock:
                server.asked.append(asked)
                server.running += 1
                server.most = max(server.most, server.running)
            try:
                self.send((server.script(asked) if server.script else None) or server.answer(asked))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                with server.lock:
                    server.running -= 1

        def send(self, answer: Answer) -> None:
            body = answer.bytes()
            self.send_response(answer.status)
            for name, value in ({"Content-Type": "application/json"} | answer.headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if answer.stall:
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                server.closing.wait(20)
            elif answer.drip:
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    if server.closing.wait(0.1):
                        break
            else:
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    with Quiet(("127.0.0.1", 0), Handler) as http:
        if tls is not None:
            http.socket = tls.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
        server.address = f"{'https' if tls else 'http'}://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            http.shutdown()
            thread.join()
