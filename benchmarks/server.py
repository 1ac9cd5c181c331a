"""Server throughput: many clients that ask for one text each, beside the library's own bulk rate, and beside infinity.

    python benchmarks/server.py ../shared/data [--clients 64] [--texts 1000] [--rounds 3] [--infinity VENV/bin/infinity_emb]

The clients are connections of one process that send the next text when the last one's vector is there, in base64 as OpenAI's
SDK asks for them; what they cost is spent on the same cores. Every round embeds the same texts with the library in one call,
then through each server, so that a busy machine hurts all alike; the best round of each counts, and of the shares of the
library's rate in the same round the median. Vectors of all servers are held against the library's. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from base64 import b64decode
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from embedding import texts_of

from cosimo.embedders import weights
from cosimo.embedders.local import LocalEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "all-MiniLM-L6-v2"
PATIENCE = 120.0  # seconds for a server to be there


class Run(NamedTuple):
    """One round of one server."""

    rate: float  # texts a second
    times: list[float]  # seconds of each request
    lowest: float  # cosine to the library's vectors


class Client(asyncio.Protocol):
    """One connection: asks, reads the answer, asks again. Bare, for its time is taken from the server's."""

    def __init__(self, requests: Iterator[tuple[int, bytes]], answers: dict[int, bytes], times: list[float]) -> None:
        self._requests, self._answers, self._times = requests, answers, times
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        found = next(self._requests, None)
        if found is None:
            self._transport.close()
            self.done.set_result(None)
            return
        self._number, request = found
        self._data, self._length = b"", 0
        self._started = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._length:
            head, end, _ = self._data.partition(b"\r\n\r\n")
            if not end:
                return
            size = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            self._length = len(head) + 4 + int(size[15:])
        if len(self._data) >= self._length:
            self._times.append(time.perf_counter() - self._started)
            self._answers[self._number] = self._data
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server closed the connection"))


async def asked(port: int, path: str, texts: list[str], clients: int) -> tuple[float, list[float], np.ndarray]:
    """Seconds for all texts, of each request, and the vectors."""
    bodies = [json.dumps({"model": MODEL, "input": text, "encoding_format": "base64"}).encode() for text in texts]
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: "
    requests = enumerate(f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies)
    answers: dict[int, bytes] = {}
    times: list[float] = []
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    connected = [
        await loop.create_connection(lambda: Client(requests, answers, times), "127.0.0.1", port) for _ in range(clients)
    ]
    await asyncio.gather(*(client.done for _, client in connected))
    seconds = time.perf_counter() - started
    return seconds, times, np.stack([_vector(answers[number]) for number in range(len(texts))])


def _vector(answer: bytes) -> np.ndarray:
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head[:20]:
        raise SystemExit(f"a server answers {answer[:500]!r}")
    found = json.loads(body)["data"][0]["embedding"]
    return np.frombuffer(b64decode(found), "<f4") if isinstance(found, str) else np.array(found, np.float32)


@contextmanager
def running(command: list[str], port: int) -> Iterator[float]:
    """A server in a process of its own, and the seconds until it answered."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"DO_NOT_TRACK": "1"}
    )
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
                break
            except OSError:
                if process.poll() is not None or time.perf_counter() - started > PATIENCE:
                    raise SystemExit(f"{command[0]} does not start") from None
                time.sleep(0.02)
        yield time.perf_counter() - started
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def one_round(port: int, path: str, texts: list[str], clients: int, expected: np.ndarray) -> Run:
    """All texts through one server."""
    seconds, times, vectors = asyncio.run(asked(port, path, texts, clients))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return Run(len(texts) / seconds, times, float((unit * expected).sum(1).min()))


def measure(kind: str, texts: list[str], clients: int, rounds: int, servers: dict[str, tuple[int, str]]) -> None:
    """Print the table of one kind of texts."""
    embedder = LocalEmbedder(MODEL)
    exact = LocalEmbedder(MODEL, precision="float32").embed(texts).vectors
    bulk, runs = [], {name: [] for name in servers}
    for port, path in servers.values():
        one_round(port, path, texts[: 4 * clients], clients, exact[: 4 * clients])  # whatever is loaded late
    embedder.embed(texts[:200])
    for _ in range(rounds):
        started = time.perf_counter()
        embedder.embed(texts)
        bulk.append(len(texts) / (time.perf_counter() - started))
        for name, (port, path) in servers.items():
            runs[name].append(one_round(port, path, texts, clients, exact))
    tokens = np.mean(np.minimum(embedder.count_tokens(texts), 256))
    print(f"\n{kind}: {len(texts)} texts of {tokens:.0f} tokens on average, {clients} clients")
    print(f"{'':28}{'texts/s':>9}{'of bulk':>9}{'p50 ms':>9}{'p99 ms':>9}  lowest cosine to float32")
    print(f"{'library, one call':28}{max(bulk):9.0f}{'100%':>9}")
    for name, each in runs.items():
        share = float(np.median([run.rate / rate for run, rate in zip(each, bulk, strict=True)]))
        p50, p99 = min(np.percentile(run.times, 50) for run in each), min(np.percentile(run.times, 99) for run in each)
        lowest = min(run.lowest for run in each)
        print(f"{name:28}{max(run.rate for run in each):9.0f}{share:9.0%}{p50 * 1e3:9.1f}{p99 * 1e3:9.1f}  {lowest:.5f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["short", "passages", "mix"])
    parser.add_argument("--infinity", type=Path, help="the program infinity_emb of an environment of its own")
    given = parser.parse_args()
    kinds = texts_of(given.data, given.texts)
    kinds = {given.only: kinds[given.only]} if given.only else kinds
    ours, theirs = free_port(), free_port()
    servers = {"cosimo serve": (ours, "/v1/embeddings")}
    with running([sys.executable, "-m", "cosimo", "serve", "--no-database", "--port", str(ours)], ours) as seconds:
        print(f"cosimo serve answers after {seconds:.2f} s")
        if given.infinity is None:
            for kind, texts in kinds.items():
                measure(kind, texts, given.clients, given.rounds, servers)
            return
        folder = str(weights.fetch(MODEL, progress=False))
        command = [str(given.infinity), "v2", "--model-id", folder, "--served-model-name", MODEL, "--engine", "torch"]
        with running([*command, "--host", "127.0.0.1", "--port", str(theirs)], theirs) as seconds:
            print(f"infinity answers after {seconds:.2f} s")
            for kind, texts in kinds.items():
                measure(kind, texts, given.clients, given.rounds, servers | {"infinity": (theirs, "/embeddings")})


if __name__ == "__main__":
    main()
