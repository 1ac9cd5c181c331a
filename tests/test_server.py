"""The server: OpenAI's routes, batching, who may ask, and what bad requests end in. Real sockets, on this machine."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import threading
import time
from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest
import servers

import cosimo
from cosimo.core.errors import ConfigError, DataError
from cosimo.embedders.fake import FakeEmbedder

pytest.importorskip("fastapi", reason="needs the extra server")
from serving import MODEL, Running, refused, running

from cosimo.interfaces.server import run, vocabulary
from cosimo.interfaces.server.app import Application
from cosimo.interfaces.server.batching import Batcher, Full
from cosimo.interfaces.server.settings import Settings, checked, read_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cosimo.core.types import Content, Embedded, Role

KEY = "a-key-that-nobody-guesses"


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """One without a key or a database, for tests that leave it as it is."""
    with running(aliases=("text-embedding-3-small",)) as found:
        yield found


def fake(texts: list[str], role: Role = "document") -> np.ndarray:
    return FakeEmbedder("64").embed(texts, role=role).vectors


def vectors(reply: httpx2.Response) -> np.ndarray:
    assert reply.status_code == 200, reply.text
    return np.array([item["embedding"] for item in reply.json()["data"]], np.float32)


# -- embeddings


@pytest.mark.parametrize("given", ["one text", ["one text"], ["b", "a", "b"], ["", "中文", "\U0001f600"]])
def test_texts_come_back_as_the_librarys_vectors_in_the_order_asked(server: Running, given: Any) -> None:
    reply = server.embed(given)
    texts = [given] if isinstance(given, str) else given
    np.testing.assert_array_equal(vectors(reply), fake(texts))
    body = reply.json()
    assert [item["index"] for item in body["data"]] == list(range(len(texts)))
    assert body["object"] == "list"
    assert body["model"] == MODEL
    assert body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] > 0 or texts == [""]


def test_base64_is_little_endian_float32(server: Running) -> None:
    packed = server.embed(["a", "b"], encoding_format="base64").json()["data"]
    np.testing.assert_array_equal(
        np.stack([np.frombuffer(b64decode(each["embedding"]), "<f4") for each in packed]), fake(["a", "b"])
    )


@pytest.mark.parametrize(("name", "word", "role"), [
    ("input_type", "query", "query"), ("input_type", "search_query", "query"), ("task", "retrieval.query", "query"),
    ("input_type", "passage", "document"), ("input_type", "document", "document"),
])  # fmt: skip
def test_the_role_has_the_names_that_providers_give_it(server: Running, name: str, word: str, role: Role) -> None:
    np.testing.assert_array_equal(vectors(server.embed("some words", **{name: word})), fake(["some words"], role))


def test_models_are_listed_and_known_by_alias_or_left_out(server: Running) -> None:
    listed = server.client.get("/v1/models").json()
    assert [each["id"] for each in listed["data"]] == [MODEL, "text-embedding-3-small"]
    assert server.client.get("/v1/models/text-embedding-3-small").json()["object"] == "model"
    refused(server.client.get("/v1/models/gpt-7"), 404)
    assert server.client.get("/v1/models/fake%3A64").json()["id"] == MODEL
    for body in ({"input": "x"}, {"input": "x", "model": "text-embedding-3-small", "user": "me", "truncate": True}):
        np.testing.assert_array_equal(vectors(server.post("/v1/embeddings", body)), fake(["x"]))


@pytest.mark.parametrize(("body", "status", "param"), [
    ({"model": MODEL}, 400, "input"), ({"model": MODEL, "input": []}, 400, "input"),
    ({"model": MODEL, "input": 7}, 400, "input"),
    ({"model": MODEL, "input": {"text": "x"}}, 400, "input"), ({"model": MODEL, "input": ["x", None]}, 400, "input[1]"),
    ({"model": MODEL, "input": [["x"]]}, 400, "input[0]"), ({"model": MODEL, "input": ["x"] * 2049}, 400, "input"),
    ({"model": "gpt-7", "input": "x"}, 404, None), ({"model": 7, "input": "x"}, 400, "model"),
    ({"model": "\0", "input": "x"}, 404, None), ({"model": "", "input": "x"}, 404, None),
    ({"model": MODEL, "input": "x", "encoding_format": "int8"}, 400, "encoding_format"),
    ({"model": MODEL, "input": "x", "encoding_format": {}}, 400, "encoding_format"),
    ({"model": MODEL, "input": "x", "input_type": "poem"}, 400, "input_type"),
    ({"model": MODEL, "input": "x", "dimensions": 32}, 400, "dimensions"),
    ({"model": MODEL, "input": "x", "dimensions": 0}, 400, "dimensions"),
    ({"model": MODEL, "input": "x", "dimensions": "64"}, 400, "dimensions"),
    ([], 400, None), ("text", 400, None), (None, 400, None),
])  # fmt: skip
def test_what_cannot_be_embedded_is_an_error_in_openais_shape(
    server: Running, body: Any, status: int, param: str | None
) -> None:
    message = refused(server.post("/v1/embeddings", body), status, param=param)
    assert message


def test_an_unknown_model_has_the_code_that_clients_look_for(server: Running) -> None:
    error = server.post("/v1/embeddings", {"model": "gpt-7", "input": "x"}).json()["error"]
    assert error["code"] == "model_not_found"
    assert MODEL in error["message"]


def test_vectors_are_shortened_for_models_that_are_made_for_it(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.app.served, "lengths", lambda model: ((32, 16), False))
    found = vectors(server.embed("some words here", dimensions=32))
    expected = fake(["some words here"])[:, :32]
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-6)
    assert "32, 16" in refused(server.embed("x", dimensions=24), 400, param="dimensions")
    assert vectors(server.embed("x", dimensions=64)).shape == (1, 64)


def test_which_lengths_mean_something_the_catalogue_says() -> None:
    from cosimo.interfaces.server.served import Served

    assert Served.lengths("openai:text-embedding-3-small")[1]
    assert Served.lengths("all-MiniLM-L6-v2") == ((), False)
    assert Served.lengths("http://127.0.0.1:1/v1#nobody-knows") == ((), False)


# -- token ids


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """A small vocabulary, where tiktoken would keep the real one."""
    import hashlib

    tokens = [b"Hello", b" world", b"\xe4\xb8", b"\xad", b"!"]
    data = b"\n".join(b64encode(token) + b" %d" % number for number, token in enumerate(tokens))
    (tmp_path / vocabulary.NAME).write_bytes(data)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(vocabulary, "SHA256", hashlib.sha256(data).hexdigest())
    return tokens


def test_token_ids_are_embedded_as_the_text_they_stand_for(words: list[bytes]) -> None:
    with running() as server:
        np.testing.assert_array_equal(vectors(server.embed([0, 1])), fake(["Hello world"]))
        np.testing.assert_array_equal(vectors(server.embed([[0, 1], [2, 3, 4]])), fake(["Hello world", "中!"]))
        np.testing.assert_array_equal(vectors(server.embed([[2]])), fake(["\ufffd"]))  # half a character, cut by the client
        assert vectors(server.embed([[100257, 0]])).shape == (1, 64)


@pytest.mark.parametrize("ids", [[5], [[0], [-1]], [[100256]], [[0, 10**30]], [[]], [[0, 1.5]], [True], [[None]]])
def test_token_ids_out_of_range_are_refused(words: list[bytes], ids: Any) -> None:
    with running() as server:
        assert "input" in refused(server.embed(ids), 400)


def test_without_the_vocabulary_the_error_names_the_clients_switch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(vocabulary, "_places", lambda: iter([tmp_path / "nothing"]))
    with running() as server:
        assert "check_embedding_ctx_length=False" in refused(server.embed([1, 2, 3]), 400, param="input")


def test_a_damaged_vocabulary_is_not_used(words: list[bytes], tmp_path: Path) -> None:
    with (tmp_path / vocabulary.NAME).open("ab") as file:
        file.write(b"\nISE= 5")
    with running() as server:
        refused(server.embed([5]), 400)


# -- batching


class Slow(FakeEmbedder):
    """Waits before each batch; refuses some texts."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__("64")
        self.seconds = seconds
        self.sizes: list[int] = []
        self.go = threading.Event()
        self.go.set()

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        self.go.wait(20)
        time.sleep(self.seconds)
        self.sizes.append(len(contents))
        if "poison" in contents:
            raise DataError("'poison' cannot be embedded")
        if "crash" in contents:
            raise ZeroDivisionError("of nobody's making")
        return super().embed(contents, role=role)


def test_many_requests_become_few_batches_and_each_gets_its_own() -> None:
    slow = Slow(0.02)
    batcher = Batcher(lambda: slow)
    texts = [f"text {number}" for number in range(200)]
    futures = [batcher.submit([text], "query" if number % 3 else "document") for number, text in enumerate(texts)]
    for number, future in enumerate(futures):
        expected = fake([texts[number]], "query" if number % 3 else "document")
        np.testing.assert_array_equal(future.result(20).vectors, expected)
        assert future.result().tokens > 0
    assert len(slow.sizes) < 20
    assert sum(slow.sizes) == 200
    batcher.close()


def test_a_small_request_does_not_wait_for_a_large_one() -> None:
    slow = Slow(0.01)
    batcher = Batcher(lambda: slow, workers=1)
    large = batcher.submit([f"text {number}" for number in range(2000)], "document")
    small = batcher.submit(["me too"], "document")
    small.result(20)
    assert not large.done()
    assert large.result(20).vectors.shape == (2000, 64)
    np.testing.assert_array_equal(large.result().vectors, fake([f"text {number}" for number in range(2000)]))
    batcher.close()


def test_a_text_that_is_refused_fails_its_own_request_alone() -> None:
    slow = Slow()
    slow.go.clear()
    batcher = Batcher(lambda: slow, workers=1)
    futures = [batcher.submit([text], "document") for text in ("first", "good", "poison", "fine")]
    slow.go.set()
    for text, future in zip(("first", "good", "poison", "fine"), futures, strict=True):
        if text == "poison":
            with pytest.raises(DataError, match="poison"):
                future.result(20)
        else:
            np.testing.assert_array_equal(future.result(20).vectors, fake([text]))
    batcher.close()


def test_a_full_queue_refuses_and_says_when_to_come_again() -> None:
    slow = Slow()
    slow.go.clear()
    batcher = Batcher(lambda: slow, waiting=10, workers=1)
    first = batcher.submit(["x"] * 300, "document")  # more than may wait, but nobody else does
    while batcher.waiting > 50:
        time.sleep(0.001)
    with pytest.raises(Full) as full:
        batcher.submit(["y"] * 8, "document")
    assert full.value.seconds >= 1
    slow.go.set()
    assert first.result(20).vectors.shape == (300, 64)
    batcher.close()


def test_nobody_computes_for_who_went_away() -> None:
    slow = Slow()
    slow.go.clear()
    batcher = Batcher(lambda: slow, workers=1)
    kept = batcher.submit(["kept"], "document")
    while batcher.waiting:
        time.sleep(0.001)
    gone = [batcher.submit([f"gone {number}"], "document") for number in range(50)]
    assert all(future.cancel() for future in gone)
    slow.go.set()
    kept.result(20)
    batcher.close()
    assert sum(slow.sizes) == 1


def test_a_thread_waits_for_room_and_a_closed_batcher_finishes_what_waits() -> None:
    slow = Slow(0.01)
    batcher = Batcher(lambda: slow, waiting=4, workers=1)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: batcher.embed([f"text {number}"] * 3), range(16)))
    assert all(len(each.vectors) == 3 for each in found)
    last = batcher.submit(["last"], "document")
    batcher.close()
    assert last.result(0).vectors.shape == (1, 64)
    assert batcher.embed([]).vectors.shape == (0, 64)


def served_by(server: Running, embedder: Slow, **options: Any) -> None:
    """Have a server's model be this one."""
    server.app.served._batchers[MODEL] = Batcher(lambda: embedder, **options)


def test_over_http_a_full_queue_is_429_with_retry_after() -> None:
    slow = Slow()
    slow.go.clear()
    with running() as server, ThreadPoolExecutor(8) as pool:
        served_by(server, slow, waiting=4, workers=1)
        replies = [pool.submit(server.embed, ["x"] * 4) for _ in range(8)]
        while sum(reply.done() for reply in replies) < 6:  # one is computed, one waits
            time.sleep(0.005)
        slow.go.set()
        found = [reply.result() for reply in replies]
    assert sorted(reply.status_code for reply in found) == [200, 200, *[429] * 6]
    busy = next(reply for reply in found if reply.status_code == 429)
    assert int(busy.headers["retry-after"]) >= 1
    assert busy.json()["error"]["type"] == "rate_limit_error"


def test_what_nobody_foresaw_is_an_error_without_its_inside() -> None:
    with running() as server:
        served_by(server, Slow())
        message = refused(server.embed("crash"), 500)
        assert "nobody's making" not in message
        assert vectors(server.embed("fine")).shape == (1, 64)


def test_requests_in_flight_are_answered_when_the_server_stops() -> None:
    slow = Slow()
    slow.go.clear()
    with running() as server, ThreadPoolExecutor(8) as pool:
        served_by(server, slow)
        replies = [pool.submit(server.embed, f"text {number}") for number in range(8)]
        while len(server.server.server_state.tasks) < 8:
            time.sleep(0.005)
        server.server.should_exit = True
        time.sleep(0.2)
        slow.go.set()
        assert [reply.result().status_code for reply in replies] == [200] * 8
        server.stop()
        with pytest.raises(httpx2.ConnectError):
            server.embed("too late")


STOPPED = """
import sys
from pathlib import Path
from cosimo.interfaces.server.run import serve
from cosimo.interfaces.server.settings import Settings
serve(Settings(models=(sys.argv[1],), database=Path(sys.argv[2]), port=0, stopping=1.0))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM that a program can answer to")
def test_a_model_that_is_silent_keeps_no_server_from_ending(tmp_path: Path) -> None:
    def silent(asked: servers.Asked) -> servers.Answer:
        upstream.closing.wait(30)
        return servers.Answer(500)

    with servers.running(servers.Server(silent)) as upstream, ThreadPoolExecutor(2) as pool:
        program = subprocess.Popen(
            [sys.executable, "-c", STOPPED, f"{upstream.address}/v1#fake@32", str(tmp_path / "notes.db")],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert program.stderr is not None
        address = re.search(r"http://127\.0\.0\.1:\d+(?=/v1 )", program.stderr.readline())
        assert address is not None
        bodies = ("embeddings", {"input": "a"}), ("collections/c/add", {"documents": [{"id": "1", "content": "b"}]})
        with httpx2.Client(base_url=f"{address[0]}/v1/", timeout=20, trust_env=False) as client:
            replies = [pool.submit(client.post, path, json=body) for path, body in bodies]
            while len(upstream.asked) < 2:
                time.sleep(0.01)
            started = time.monotonic()
            program.terminate()
            assert "stopped" in refused(replies[0].result(), 503)  # no thread has to be waited for
            with suppress(httpx2.TransportError):
                refused(replies[1].result(), 503)
        assert program.wait(20) == 0
        assert time.monotonic() - started < 12
        assert "Traceback" not in program.stderr.read()


# -- who may ask


def test_with_a_key_nothing_but_health_is_open() -> None:
    with running(keys=(KEY, "another-key-of-the-server")) as server:
        assert server.client.get("/health").json()["status"] == "ok"
        for path in ("/v1/models", "/metrics", "/openapi.json", "/nothing", "/health/", "/v1/health"):
            message = refused(server.client.get(path), 401)
            assert "no key" in message
        for header in (KEY, f"Basic {KEY}", "Bearer", f"Bearer {KEY[:-1]}", f"Bearer {KEY}x", "Bearer \xff"):
            reply = server.client.get("/v1/models", headers=[(b"authorization", header.encode("latin-1"))])
            assert "wrong key" in refused(reply, 401)
            assert KEY not in reply.text
        for good in (f"Bearer {KEY}", "bearer another-key-of-the-server"):
            assert server.client.get("/v1/models", headers={"Authorization": good}).status_code == 200


def test_a_thousand_guesses_open_nothing_and_stop_nobody() -> None:
    with running(keys=(KEY,)) as server:
        statuses = [
            server.client.get("/v1/models", headers={"Authorization": f"Bearer guess-{number:04}"}).status_code
            for number in range(1000)
        ]
        assert set(statuses) == {401}
        reply = server.post("/v1/embeddings", {"input": "x"}, headers={"Authorization": f"Bearer {KEY}"})
        assert vectors(reply).shape == (1, 64)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_address_that_others_reach_is_refused_without_a_good_key(host: str) -> None:
    with pytest.raises(ConfigError, match="key"):
        checked(Settings(models=(MODEL,), host=host))
    with pytest.raises(ConfigError, match="guessed"):
        checked(Settings(models=(MODEL,), host=host, keys=(KEY, "short")))
    checked(Settings(models=(MODEL,), host=host, keys=(KEY,)))


def test_keys_are_read_from_a_file_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"# ours\n{KEY}\n\n  other-key-of-ours  \n")
    assert read_keys(tmp_path / "keys") == [KEY, "other-key-of-ours"]
    assert KEY not in repr(Settings(models=(MODEL,), keys=(KEY,)))
    (tmp_path / "empty").write_text("# nothing\n")
    for name in ("empty", "missing"):
        with pytest.raises(ConfigError):
            read_keys(tmp_path / name)
    with pytest.raises(ConfigError, match="character"):
        checked(Settings(models=(MODEL,), keys=("two words",)))


def test_pages_of_others_may_not_ask_unless_they_are_named() -> None:
    page = {"Origin": "https://example.com"}
    with running() as server:
        assert "--cors" in refused(server.client.get("/v1/models", headers=page), 403)
        refused(server.client.get("/v1/models", headers={"Origin": "null"}), 403)
        assert server.client.get("/v1/models", headers={"Origin": server.url}).status_code == 200
    with running(cors=("https://example.com",)) as server:
        found = server.client.get("/v1/models", headers=page)
        assert found.headers["access-control-allow-origin"] == "https://example.com"
        asks = {
            **page,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,x-stainless-os",
        }
        preflight = server.client.options("/v1/embeddings", headers=asks)
        assert preflight.status_code == 200
        assert "x-stainless-os" in preflight.headers["access-control-allow-headers"].lower()
        refused(server.client.get("/v1/models", headers={"Origin": "https://example.org"}), 403)
    for wrong in ("example.com", "https://example.com/"):
        with pytest.raises(ConfigError, match="origin"):
            checked(Settings(models=(MODEL,), cors=(wrong,)))


def test_without_a_key_a_name_that_is_not_this_machines_is_refused(server: Running) -> None:
    for name in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost@evil.example"):
        refused(server.client.get("/v1/models", headers={"Host": name}), 403)
    for name in (f"localhost:{server.port}", "127.0.0.1", f"[::1]:{server.port}"):
        assert server.client.get("/v1/models", headers={"Host": name}).status_code == 200


@pytest.mark.parametrize("headers", [{"Host": "["}, {"Host": "[::1"}, {"Host": "127.0.0.1", "Origin": "http://["}])
def test_a_host_or_origin_that_is_no_address_is_refused_in_the_shape(server: Running, headers: dict[str, str]) -> None:
    refused(server.client.get("/v1/models", headers=headers), 403)


# -- bad input


@pytest.mark.parametrize("body", [
    b"", b"{", b"\xff\xfe", b"nonsense", b'{"input": NaN}', b"[" * 100_000, b'{"input":' * 5_000 + b"1" + b"}" * 5_000,
    b'{"input": ' + b"[" * 500 + b"]" * 500 + b"}", b'{"input": ' + b"9" * 6_000 + b"}",
])  # fmt: skip
def test_bodies_that_are_no_json_or_too_deep_are_400(server: Running, body: bytes) -> None:
    refused(server.client.post("/v1/embeddings", content=body), 400)


def test_half_a_surrogate_pair_is_a_replacement_character(server: Running) -> None:
    body = b'{"input": ["a\\ud83d", "\\ud83d\\ude00", "\\\\ud83d"]}'
    found = vectors(server.client.post("/v1/embeddings", content=body))
    np.testing.assert_array_equal(found, fake(["a\ufffd", "\U0001f600", "\\ud83d"]))


def test_a_body_of_ten_megabytes_is_413_and_the_connection_goes_on(server: Running) -> None:
    body = json.dumps({"input": "x" * 10_000_000}).encode()
    assert "MB" in refused(server.client.post("/v1/embeddings", content=body), 413)
    assert "MB" in refused(server.client.post("/v1/embeddings", content=iter([body[:5_000_000], body[5_000_000:]])), 413)
    assert vectors(server.embed("x" * 1_000_000)).shape == (1, 64)


def test_bodies_in_memory_are_bounded_all_together() -> None:
    with running(held=1_000_000) as server:
        reply = server.client.post("/v1/embeddings", content=json.dumps({"input": "x" * 2_000_000}).encode())
        refused(reply, 503)
        assert reply.headers["retry-after"] == "1"
        assert vectors(server.embed("x")).shape == (1, 64)


def test_a_body_that_never_ends_is_408() -> None:
    with running(body=0.3) as server, socket.create_connection(("127.0.0.1", server.port)) as half:
        half.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        half.settimeout(10)
        assert half.recv(100).startswith(b"HTTP/1.1 408")


def test_a_head_without_end_is_cut_off(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as endless:
        endless.settimeout(10)
        endless.sendall(b"GET / HTTP/1.1\r\n" + (b"X-Header: " + b"x" * 1_000 + b"\r\n") * 100)
        assert b" 400 " in endless.recv(100)


def test_what_is_not_http_is_refused_in_the_shape(server: Running) -> None:
    for sent in (b"\x16\x03\x01\x02\x00", b"POST /v1/embeddings HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            client.sendall(sent)
            head, _, body = b"".join(iter(lambda client=client: client.recv(4096), b"")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert json.loads(body)["error"]["type"] == "invalid_request_error"


def test_a_thousand_connections_that_never_finish_stop_nobody_and_are_closed() -> None:
    with running(head=2.0) as server:
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(1000)]
        try:
            for number, each in enumerate(idle):
                if number % 2:
                    each.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: localh")
            started = time.monotonic()
            assert [server.embed(f"text {number}").status_code for number in range(20)] == [200] * 20
            assert time.monotonic() - started < 5
            for each in idle:
                each.settimeout(15)
                with suppress(ConnectionResetError):
                    assert each.recv(1) == b""
        finally:
            for each in idle:
                each.close()
        assert server.embed("still here").status_code == 200


def test_a_full_lobby_makes_room_for_newcomers(monkeypatch: pytest.MonkeyPatch) -> None:
    from cosimo.interfaces.server import connections

    with running(head=60.0) as server:
        lobby = server.server.config.http_protocol_class.lobby
        monkeypatch.setattr(lobby, "_most", 50)
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
        try:
            assert server.embed("x").status_code == 200
            assert len(lobby) <= 50
        finally:
            for each in idle:
                each.close()
    assert connections.LOBBY >= 512


def test_pipelined_and_repeated_requests_of_one_connection_are_all_answered(server: Running) -> None:
    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.settimeout(10)
        line.sendall(request * 20)
        got = b""
        while got.count(b'"waiting":0}') < 20:
            got += line.recv(65_536)
        line.sendall(request)
        assert line.recv(15).startswith(b"HTTP/1.1 200")


def test_unknown_paths_and_methods_have_the_shape_too(server: Running) -> None:
    assert "/v1/nothing" in refused(server.client.get("/v1/nothing"), 404)
    refused(server.client.get("/v1/embeddings"), 405)
    refused(server.client.post("/v1/embeddings/", json={"input": "x"}), 404)
    assert server.client.delete("/v1/embeddings").headers["allow"] == "POST"


def test_a_model_that_cannot_be_loaded_shows_in_the_health(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(FakeEmbedder):
        whole = False

        def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
            if not self.whole:
                raise ConfigError("the weights are cut short")
            return super().embed(contents, role=role)

    broken = Broken("64")
    monkeypatch.setattr("cosimo.interfaces.server.served.load_embedder", lambda _: broken)
    with running() as server:
        for _ in range(200):
            health = server.client.get("/health")
            if health.status_code == 503:
                break
            time.sleep(0.01)
        assert health.json()["status"] == "broken"
        assert "cut short" in refused(server.embed("a"), 500)
        broken.whole = True
        assert server.embed("a").status_code == 200
        assert server.client.get("/health").json()["status"] == "ok"


def test_health_is_told_to_who_asks_for_the_head_alone(server: Running) -> None:
    assert server.client.head("/health").status_code == 200


# -- what it says of itself


def test_metrics_count_what_happened() -> None:
    with running() as server:
        server.embed(["a b c", "d"])
        server.client.get("/v1/nothing/at/all")
        text = server.client.get("/metrics").text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert lines['cosimo_requests_total{route="/v1/embeddings",status="200"}'] == "1"
    assert lines['cosimo_requests_total{route="other",status="404"}'] == "1"
    assert lines['cosimo_texts_total{model="fake:64"}'] != "0"
    assert lines['cosimo_waiting_texts{model="fake:64"}'] == "0"
    assert lines['cosimo_request_seconds_bucket{route="/v1/embeddings",le="+Inf"}'] == "1"


def test_the_document_describes_every_route(server: Running) -> None:
    document = server.client.get("/openapi.json").json()
    for path in ("/v1/embeddings", "/v1/models", "/v1/rerank", "/v1/collections/{name}/search", "/health", "/metrics"):
        assert path in document["paths"]
    assert "input" in json.dumps(document["paths"]["/v1/embeddings"])
    for operations in document["paths"].values():
        for operation in operations.values():
            assert "422" not in operation["responses"]
            assert "/Problem" in json.dumps(operation["responses"]["default"])
    assert "security" not in document
    with running(keys=(KEY,)) as guarded:
        document = guarded.client.get("/openapi.json", headers={"Authorization": f"Bearer {KEY}"}).json()
    assert document["components"]["securitySchemes"]["key"] == {"type": "http", "scheme": "bearer"}
    assert (document["security"], document["paths"]["/health"]["get"]["security"]) == ([{"key": []}], [])


def test_every_answer_has_a_number_for_the_log(server: Running) -> None:
    numbers = {server.embed("x").headers["x-request-id"] for _ in range(3)}
    assert len(numbers) == 3


def test_neither_the_library_nor_the_command_line_imports_the_server() -> None:
    code = "import sys, cosimo, cosimo.interfaces.cli.serve; print({'fastapi', 'uvicorn', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_model_that_is_not_there_ends_the_start() -> None:
    with pytest.raises(cosimo.Error):
        Application(Settings(models=("fake:nothing",)))


def test_a_port_that_is_taken_is_said_in_one_sentence(server: Running) -> None:
    with pytest.raises(ConfigError, match="--port"), run.bound("127.0.0.1", server.port):
        pass


def test_who_goes_away_is_noticed_while_it_waits() -> None:
    slow = Slow()
    slow.go.clear()
    with running() as server:
        served_by(server, slow, workers=1)
        body = json.dumps({"input": "first"}).encode()
        head = f"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        lines = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
        for line in lines:
            line.sendall(head + body)
        while len(server.server.server_state.tasks) < 5:
            time.sleep(0.005)
        for line in lines:
            line.close()
        until = time.monotonic() + 10
        while server.server.server_state.tasks and time.monotonic() < until:
            time.sleep(0.05)
        assert not server.server.server_state.tasks
        slow.go.set()
        assert server.embed("x").status_code == 200


def test_the_application_is_asgi_for_other_servers() -> None:
    app = Application(Settings(models=(MODEL,)))
    sent: list[Any] = []

    async def ask() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b'{"input": "x"}', "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/v1/embeddings", "headers": [], "query_string": b""}
        await app(scope, receive, send)

    asyncio.run(ask())
    assert sent[0]["status"] == 200
    app.served.close()
