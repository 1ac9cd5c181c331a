"""Models on servers: every way in which a server may misbehave has a defined result, and nothing is stored by half."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import servers
from servers import DIM, SHORT, Answer, Asked, vectors_of

import cosimo
from cosimo.core import registry
from cosimo.core.errors import (
    BadReply,
    ConfigError,
    DataError,
    Error,
    MissingKey,
    ModelNotFound,
    ProviderError,
    RateLimited,
    Refused,
    Timeout,
)
from cosimo.core.types import Document
from cosimo.embedders import estimate, providers, wire
from cosimo.embedders.http import HTTPEmbedder
from cosimo.testing import check_embedder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TEXTS = ["one cat", "two dogs", "three birds"]


@pytest.fixture(autouse=True)
def _nothing_of_the_users(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, address or limit of the user's is seen by any test here."""
    for row in providers.providers():
        for name in (*row.key, *row.base_from, *row.version_from):
            monkeypatch.delenv(name, raising=False)
    for name in ("COSIMO_HTTP_TIMEOUT", "COSIMO_HTTP_PATIENCE", "COSIMO_HTTP_CONCURRENCY"):
        monkeypatch.delenv(name, raising=False)


def embedder(server: servers.Server, name: str = "fake", path: str = "/v1") -> HTTPEmbedder:
    return HTTPEmbedder(f"{server.address}{path}#{name}", patience=SHORT)


def hosted(server: servers.Server, name: str, monkeypatch: pytest.MonkeyPatch) -> HTTPEmbedder:
    """A provider's model, with the provider's own row, at our server's address."""
    prefix, _, _ = name.partition(":")
    row = providers.provider(prefix)
    assert row is not None
    moved = providers.Provider(
        **{f: getattr(row, f) for f in row.__slots__} | {"base": server.address + "/v1", "base_from": ()}
    )
    monkeypatch.setattr(providers, "provider", lambda wanted: moved if wanted == prefix else None)
    if row.needs_key:
        monkeypatch.setenv(row.key[0], "sk-test")
    return HTTPEmbedder(name, patience=SHORT)


def body_of(texts: list[str], vectors: Any = None) -> dict[str, Any]:
    """A reply to these texts as it should be."""
    rows = (vectors_of(texts) if vectors is None else vectors).tolist()
    return {"data": [{"index": n, "embedding": row} for n, row in enumerate(rows)], "usage": {"total_tokens": 7}}


def changed(change: Callable[[dict[str, Any]], Any]) -> Callable[[Asked], Answer | None]:
    """A server whose replies are right but for one change; what is asked of it before is answered as usual."""

    def script(asked: Asked) -> Answer | None:
        if not isinstance(asked.body, dict) or asked.body["input"] == ["length"]:
            return None
        body = body_of(asked.body["input"])
        return Answer(200, change(body) or body)

    return script


# -- the contract ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [80, 300])
def test_it_passes_the_contract(window: int) -> None:
    with servers.running(servers.Server(window=window)) as server:
        check_embedder(embedder(server))


def test_coheres_shape_passes_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(asked: Asked) -> Answer:
        assert asked.path == "/v1/embed"
        assert asked.headers["authorization"] == "Bearer sk-test"
        return servers.cohere(asked, dim=1024)

    with servers.running(servers.Server(script)) as server:
        made = hosted(server, "cohere:embed-english-v3.0", monkeypatch)
        check_embedder(made)
        got = made.embed(["a question"], role="query")
        assert server.asked[-1].body["input_type"] == "search_query"
        assert got.tokens == 2
        made.embed(["a text"])
        assert server.asked[-1].body["input_type"] == "search_document"
        hosted(server, "cohere:embed-v4.0@256", monkeypatch).embed(["a text"])
        assert server.asked[-1].body["output_dimension"] == 256


# -- what is sent ------------------------------------------------------------------------------------------------------


def test_vectors_are_asked_for_packed_and_come_as_they_are() -> None:
    with servers.running(servers.Server()) as server:
        assert np.array_equal(embedder(server).embed(TEXTS).vectors, vectors_of(TEXTS))
        assert server.asked[-1].body["encoding_format"] == "base64"


def test_a_server_that_ignores_packing_is_understood() -> None:
    with servers.running(servers.Server(changed(lambda body: None))) as server:
        assert embedder(server).embed(TEXTS).vectors == pytest.approx(vectors_of(TEXTS), abs=1e-6)


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_refuses_packing_is_asked_without_from_then_on(status: int) -> None:
    def script(asked: Asked) -> Answer | None:
        packed = isinstance(asked.body, dict) and "encoding_format" in asked.body
        return Answer(status, {"detail": [{"loc": ["body"], "msg": "extra fields not permitted"}]}) if packed else None

    with servers.running(servers.Server(script)) as server:
        made = embedder(server)
        for _ in range(3):
            assert made.embed(TEXTS).vectors == pytest.approx(vectors_of(TEXTS), abs=1e-6)
        assert sum("encoding_format" in (asked.body or {}) for asked in server.asked) == 1


def test_the_same_text_is_sent_once() -> None:
    with servers.running(servers.Server()) as server:
        got = embedder(server).embed(["a", "b", "a", "a"])
        assert server.texts == ["a", "b"]
        assert np.array_equal(got.vectors, vectors_of(["a", "b", "a", "a"]))


def test_no_texts_send_nothing_where_the_length_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.running(servers.Server()) as server:
        got = hosted(server, "openai:text-embedding-3-small", monkeypatch).embed([])
        assert got.vectors.shape == (0, 1536)
        assert server.asked == []
        assert embedder(server).embed([]).vectors.shape == (0, DIM)
        assert server.texts == ["length"]


def test_nothing_is_sent_before_it_has_to_be() -> None:
    with servers.running(servers.Server()) as server:
        embedder(server).count_tokens(TEXTS)
        assert server.asked == []


def test_a_length_is_asked_for_and_held_against_the_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.running(servers.Server()) as server:
        made = HTTPEmbedder(f"{server.address}/v1#fake@16", patience=SHORT)
        assert made.embed(TEXTS).vectors.shape == (3, 16)
        assert server.asked[-1].body["dimensions"] == 16
        assert made.spec.dim == 16
        assert made.spec.name.endswith("#fake@16")
        server.script = changed(lambda body: None)
        with pytest.raises(BadReply, match=r"length 32.*not 16; leave '@16' out"):
            made.embed(["other"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("openai:text-embedding-3-small@2000", "up to 1536"),
        ("openai:text-embedding-ada-002@256", "leave '@256' out"),
        ("voyage:voyage-3.5@300", "256, 512, 1024, 2048"),
        ("mistral:mistral-embed@256", "leave '@256' out"),
        ("baichuan:Baichuan-Text-Embedding@256", "cannot be chosen"),
    ],
)
def test_a_length_that_the_model_cannot_give_is_said_before_anything_is_sent(name: str, said: str) -> None:
    with pytest.raises(ModelNotFound, match=said):
        HTTPEmbedder(name)


@pytest.mark.parametrize(
    ("name", "query", "document"),
    [
        ("voyage:voyage-4", {"input_type": "query"}, {"input_type": "document"}),
        ("nemo:nvidia/nv-embedqa-e5-v5", {"input_type": "query"}, {"input_type": "passage"}),
        ("jina:jina-embeddings-v3", {"task": "retrieval.query"}, {"task": "retrieval.passage"}),
        ("solar:embedding", {"model": "embedding-query"}, {"model": "embedding-passage"}),
        ("ollama:nomic-embed-text:v1.5", {"input": ["search_query: hello"]}, {"input": ["search_document: hello"]}),
    ],
)
def test_roles_are_told_in_each_providers_way(
    name: str, query: dict[str, Any], document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = providers.facts(name)
    assert facts is not None
    ones = np.ones((1, facts.dim), np.float32) / np.sqrt(facts.dim)
    with servers.running(servers.Server(lambda asked: Answer(200, body_of(asked.body["input"], ones)))) as server:
        made = hosted(server, name, monkeypatch)
        made.embed(["hello"], role="query")
        assert query.items() <= server.asked[-1].body.items()
        made.embed(["hello"])
        assert document.items() <= server.asked[-1].body.items()


def test_azures_address_and_key_are_of_their_own_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.running(servers.Server(prefix="/openai/deployments/my%20own")) as server:
        with pytest.raises(ConfigError, match="AZURE_OPENAI_ENDPOINT"):
            HTTPEmbedder("azure:my own")
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", server.address + "/")
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-key")
        server.script = lambda asked: Answer(200, body_of(asked.body["input"]))
        HTTPEmbedder("azure:my own", patience=SHORT).embed(["x"])
    asked = server.asked[-1]
    assert asked.path == "/openai/deployments/my%20own/embeddings?api-version=2024-10-21"
    assert asked.headers["api-key"] == "azure-key"
    assert "authorization" not in asked.headers


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/v1/embeddings"])
@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_an_address_with_and_without_v1_is_one_model(path: str, prefix: str) -> None:
    with servers.running(servers.Server(prefix=prefix)) as server:
        made = embedder(server, path=path)
        assert np.array_equal(made.embed(TEXTS).vectors, vectors_of(TEXTS))
        assert made.spec.name == f"{server.address}/v1#fake"
        made.embed(["again"])
        assert server.asked[-1].path == f"{prefix}/embeddings"


def test_a_key_goes_to_the_server_it_was_set_for_and_to_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    with servers.running(servers.Server()) as server:
        embedder(server).embed(["x"])
        assert "authorization" not in server.asked[-1].headers
        monkeypatch.setenv("COSIMO_KEY_" + re.sub(r"[^A-Z0-9]", "_", server.address.split("//")[1].upper()), "sk-own")
        embedder(server).embed(["x"])
        assert server.asked[-1].headers["authorization"] == "Bearer sk-own"


def test_odd_texts_reach_the_server_as_text() -> None:
    odd = ["", "  \n", "half \ud800 a pair", "\x00", "\U0001f600"]
    with servers.running(servers.Server()) as server:
        assert np.isfinite(embedder(server).embed(odd).vectors).all()
        assert all(text.strip() for text in server.texts)


def test_bytes_are_refused() -> None:
    with pytest.raises(DataError, match="content 1 is bytes"):
        HTTPEmbedder("http://localhost:1/v1#m").embed(["x", b"y"])


# -- many texts, long texts --------------------------------------------------------------------------------------------


def test_100_000_texts_go_out_in_requests_of_a_fair_size_some_at_a_time() -> None:
    texts = [f"{number}" for number in range(100_000)]
    rows = np.eye(DIM, dtype=np.float32)

    def script(asked: Asked) -> Answer | None:
        if not isinstance(asked.body, dict):
            return None
        return Answer(
            200, body_of(asked.body["input"], rows[[int(t) % DIM if t.isdigit() else 0 for t in asked.body["input"]]])
        )

    with servers.running(servers.Server(script)) as server:
        got = embedder(server).embed(texts)
        assert np.array_equal(got.vectors.argmax(axis=1), np.arange(100_000) % DIM)
        sizes = [len(asked.body["input"]) for asked in server.asked if asked.body]
        assert max(sizes) <= 128
        assert 1 < server.most <= 8


def test_a_provider_of_ten_texts_a_request_gets_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.running(servers.Server(model="m")) as server:
        hosted(server, "dashscope:m", monkeypatch).embed([f"text {n}" for n in range(25)])
        assert max(len(asked.body["input"]) for asked in server.asked) == 10
        assert "encoding_format" not in server.asked[-1].body


def test_a_server_that_takes_fewer_texts_than_we_send_is_sent_fewer() -> None:
    with servers.running(servers.Server(items=10)) as server:
        texts = [f"text {n}" for n in range(300)]
        made = embedder(server)
        assert np.array_equal(made.embed(texts).vectors, vectors_of(texts))
        server.asked.clear()
        made.embed([f"other {n}" for n in range(30)])
        assert max(len(asked.body["input"]) for asked in server.asked) <= 10


def test_a_text_beyond_a_known_window_is_shortened_and_told() -> None:
    texts = ["short", "word " * 500, "brief"]
    with servers.running(servers.Server(window=80)) as server:
        got = embedder(server).embed(texts)
        assert list(got.cut) == [1]
        assert np.array_equal(got.vectors[[0, 2]], vectors_of(["short", "brief"]))
        assert np.isfinite(got.vectors).all()


def test_a_text_that_may_be_longer_and_is_not_is_read_whole() -> None:
    with servers.running(servers.Server(window=80)) as server:
        text = "word " * 60  # 62 tokens there, and an estimate of 122
        got = embedder(server).embed([text])
        assert list(got.cut) == []
        assert np.array_equal(got.vectors, vectors_of([text]))


def test_a_server_that_truncates_without_a_word_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(asked: Asked) -> Answer:
        texts = asked.body["input"]
        ones = np.ones((len(texts), 384), np.float32)
        return Answer(200, body_of(texts, ones) | {"usage": {"prompt_tokens": min(sum(len(t.split()) for t in texts), 256)}})

    with servers.running(servers.Server(script)) as server:
        made = hosted(server, "ollama:all-minilm", monkeypatch)
        assert list(made.embed(["short", "word " * 500, "word " * 200]).cut) == [1]


def test_a_text_too_long_for_a_server_of_unknown_window_is_named() -> None:
    def script(asked: Asked) -> Answer | None:
        if isinstance(asked.body, dict) and any(len(text) > 100 for text in asked.body["input"]):
            return Answer(500, {"error": {"message": "input is too large to process. increase the physical batch size"}})
        return None

    with servers.running(servers.Server(script)) as server:
        texts = [*(f"text {n}" for n in range(40)), "The quick brown fox jumps over the lazy dog. " * 4, "last"]
        with pytest.raises(
            DataError, match=r"'The quick brown fox.*\(180 characters\) as too long .*physical batch size.*Window"
        ):
            embedder(server).embed(texts)


def test_the_window_is_what_the_server_says() -> None:
    def info(asked: Asked) -> Answer | None:
        if asked.path == "/info":
            return Answer(200, {"max_input_length": 300, "model_id": "x"})
        return Answer(404, {}) if asked.path == "/v1/models" else None

    with servers.running(servers.Server(window=77)) as server:
        assert embedder(server).spec.max_tokens == 77
        server.script = info
        assert embedder(server).spec.max_tokens == 300
        server.script = lambda asked: Answer(404, {}) if asked.path in ("/info", "/v1/models") else None
        assert embedder(server).spec.max_tokens == providers.WINDOW


def test_estimates_are_on_the_high_side(minilm: Path, data: Path) -> None:
    from cosimo.embedders.tokens import Tokenizer

    texts = []
    for folder in ("cosqa", "nq-utd", "cmrc2018-dev"):
        lines = (data / "retrieval" / folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
        texts += [json.loads(line)["text"] for line in lines[:200]]
    real = Tokenizer(minilm, 256).count(texts)
    guessed = estimate.tokens(texts)
    assert all(guess >= there for guess, there in zip(guessed, real, strict=True))
    assert sum(guessed) < 2.2 * sum(real)


# -- servers that misbehave, and what is stored of it ------------------------------------------------------------------


def swapped(body: dict[str, Any]) -> None:
    body["data"].reverse()


def too_few(body: dict[str, Any]) -> None:
    del body["data"][-1]


def twice_the_same(body: dict[str, Any]) -> None:
    body["data"][-1]["index"] = 0


def with_nan(body: dict[str, Any]) -> None:
    body["data"][-1]["embedding"][3] = float("nan")


def with_infinity(body: dict[str, Any]) -> None:
    body["data"][-1]["embedding"][3] = 1e300


def ragged(body: dict[str, Any]) -> None:
    body["data"][-1]["embedding"].pop()


def shorter(body: dict[str, Any]) -> None:
    for item in body["data"]:
        item["embedding"] = item["embedding"][:-1]


def not_numbers(body: dict[str, Any]) -> None:
    body["data"][0]["embedding"][0] = None


def per_token(body: dict[str, Any]) -> None:
    for item in body["data"]:
        item["embedding"] = [item["embedding"], item["embedding"]]


def badly_packed(body: dict[str, Any]) -> None:
    for item in body["data"]:
        item["embedding"] = "AAA=!"


def test_items_in_another_order_are_put_in_order() -> None:
    with servers.running(servers.Server(changed(swapped))) as server:
        assert embedder(server).embed(TEXTS).vectors == pytest.approx(vectors_of(TEXTS), abs=1e-6)


def test_a_count_of_tokens_that_is_no_number_is_estimated() -> None:
    def endless(body: dict[str, Any]) -> None:
        body["usage"] = {"total_tokens": float("inf")}

    with servers.running(servers.Server(changed(endless))) as server:
        assert 0 < embedder(server).embed(TEXTS).tokens < 100


def test_items_without_an_index_are_taken_as_they_stand() -> None:
    def bare(body: dict[str, Any]) -> None:
        for item in body["data"]:
            del item["index"]

    with servers.running(servers.Server(changed(bare))) as server:
        assert embedder(server).embed(TEXTS).vectors == pytest.approx(vectors_of(TEXTS), abs=1e-6)


@pytest.mark.parametrize(
    ("script", "error", "said"),
    [
        (changed(too_few), BadReply, "asked for 3 vectors .* gave 2"),
        (changed(twice_the_same), BadReply, "numbered"),
        (changed(with_nan), BadReply, "NaN or infinity for the text 'three birds'"),
        (changed(with_infinity), BadReply, "NaN or infinity"),
        (changed(ragged), BadReply, "different lengths"),
        (changed(shorter), BadReply, "length 31.*not 32"),
        (changed(not_numbers), BadReply, "NaN or infinity for the text 'one cat'"),
        (changed(per_token), BadReply, "pooling"),
        (changed(badly_packed), BadReply, "lists of numbers"),
        (changed(lambda body: {"object": "list"}), BadReply, "no vectors in it"),
        (changed(lambda body: [1]), BadReply, "no vectors in it"),
        (lambda _: Answer(200, b"<html>login</html>"), BadReply, "page of HTML"),
        (lambda _: Answer(200, {"data": ["x" * 500]}, stall=True), Timeout, "silent"),
        (lambda _: Answer(429, {}), RateLimited, "too busy"),
        (lambda _: Answer(402, {"error": "pay"}), RateLimited, "quota .* used up"),
        (lambda _: Answer(429, {"error": {"code": "insufficient_quota", "message": "plan"}}), RateLimited, "quota .* used up"),
        (lambda _: Answer(401, {"error": "who?"}), MissingKey, "wants a key, and none is set .*cosimo keys set 127.0.0.1"),
        (lambda _: Answer(404, {"error": {"message": "model 'fake' not found"}}), ModelNotFound, "no model 'fake'"),
        (lambda _: Answer(404, b"not here"), ConfigError, "nothing at .*/embeddings"),
        (lambda _: Answer(403, {"error": "not in your country"}), Refused, "not in your country"),
        (lambda _: Answer(500, {"error": "out of memory"}), ProviderError, "out of memory"),
        (lambda _: Answer(307, {}, {"Location": "http://127.0.0.2:9/x"}), ConfigError, "nobody named"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_an_error_and_nothing_of_it_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Callable[[Asked], Answer | None], error: type[Error], said: str
) -> None:
    monkeypatch.setenv("COSIMO_HTTP_TIMEOUT", "0.3")
    monkeypatch.setenv("COSIMO_HTTP_PATIENCE", "0.8")
    with servers.running(servers.Server()) as server, cosimo.open(tmp_path / "t.db") as db:
        notes = db.collection("notes", model=f"{server.address}#fake")
        notes.add([Document("before", "an earlier text")])
        server.script = script
        with pytest.raises(error, match=said) as caught:
            notes.add([Document(text, text) for text in TEXTS])
        assert "\n" not in str(caught.value)
        assert [row.id for row in notes.rows()] == ["before"]
        server.script = None
        assert notes.add([Document(text, text) for text in TEXTS]).added == 3
        assert notes.search("two dogs", k=1, mode="vector")[0].id == "two dogs"


def test_a_server_that_is_not_there_leaves_no_collection_behind(tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "t.db") as db:
        with pytest.raises(ProviderError, match="cannot be reached"):
            db.collection("notes", model="http://127.0.0.1:9/v1#m").add([Document("a", "text")])
        assert db.collections() == []


def test_a_collection_made_for_rows_of_which_none_comes_is_gone_again(tmp_path: Path) -> None:
    def failing(asked: Asked) -> Answer | None:
        return Answer(403, {"error": "not today"}) if asked.body and "text" in asked.body["input"] else None

    def interrupted() -> Iterator[Document]:
        yield Document("1", "more")
        raise KeyboardInterrupt

    text = [Document("1", "text")]
    with servers.running(servers.Server(failing)) as server, cosimo.open(tmp_path / "x.db") as db:
        notes = db.collection("notes", model=f"{server.address}/v1#fake")
        for documents, error in ((text, Refused), ([Document("", "no id")], DataError), (interrupted(), KeyboardInterrupt)):
            with pytest.raises(error):
                notes.add(documents)
            assert db.collections() == []
        notes.add([])  # as was asked for
        with pytest.raises(Refused):
            notes.add(text)
        assert [info.count for info in db.collections()] == [0]
        notes.add([Document("2", "another")])
        with pytest.raises(Refused):
            notes.add(text)
        assert len(notes) == 1


def test_a_collection_knows_its_model_and_asks_nobody_about_it(tmp_path: Path) -> None:
    with servers.running(servers.Server(window=200)) as server:
        for query in ("first", "second"):
            with cosimo.open(tmp_path / "x.db") as db:
                notes = db.collection("notes", model=f"{server.address}/v1#fake")
                notes.add([Document("1", "a text")])
                server.asked.clear()
                notes.search(query)
                assert notes.embedder.spec.max_tokens == 200
            assert [asked.path for asked in server.asked] == ["/v1/embeddings"]
        with cosimo.open(tmp_path / "x.db") as db:
            server.asked.clear()
            db.collection("notes").search("third")
            assert [asked.path for asked in server.asked] == ["/v1/embeddings"], "in a new process neither"
            server.script = lambda asked: Answer(200, body_of(texts := asked.body["input"], vectors_of(texts, DIM // 2)))
            with pytest.raises(BadReply, match="has the model there changed"):
                db.collection("notes").search("fourth")


def test_500_twice_then_fine_stores_everything_once(tmp_path: Path) -> None:
    failures = iter([True, True])
    with servers.running(servers.Server(lambda asked: Answer(500, {}) if next(failures, False) else None)) as server:
        with cosimo.open(tmp_path / "t.db") as db:
            added = db.collection("notes", model=f"{server.address}/v1#fake").add([Document(t, t) for t in TEXTS])
        assert (added.added, added.embedded) == (3, 3)


def test_a_collection_remembers_its_server_and_long_texts_become_passages(tmp_path: Path) -> None:
    long = "\n\n".join(f"Paragraph {n} speaks of the number {n} and of nothing else." for n in range(60))
    with servers.running(servers.Server(window=80)) as server:
        with cosimo.open(tmp_path / "t.db") as db:
            added = db.collection("notes", model=f"{server.address}/v1#fake@16").add([Document("long", long)])
            assert added.passages > 5
            assert added.cut == 0
        with cosimo.open(tmp_path / "t.db") as db:
            notes = db.collection("notes")
            assert (notes.model, notes.dim) == (f"{server.address}/v1#fake@16", 16)
            assert notes.search("the number 17", k=1)[0].id == "long"
            with pytest.raises(cosimo.Error, match="was made with"):
                db.collection("notes", model=f"{server.address}/v1#fake@8")


def test_the_key_is_in_no_database_no_message_and_no_repr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "sk-0123456789-secret"
    with servers.running(servers.Server(key=secret)) as server:
        host = server.address.split("//")[1]
        variable = "COSIMO_KEY_" + re.sub(r"[^A-Z0-9]", "_", host)
        monkeypatch.setenv(variable, secret)
        with cosimo.open(tmp_path / "t.db") as db:
            notes = db.collection("notes", model=f"{server.address}/v1#fake")
            notes.add([Document("a", "text")])
            made = notes.embedder
            assert secret not in repr(made) + repr(made.spec) + repr(notes)
        assert all(secret.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        server.key = "another"
        with pytest.raises(MissingKey, match=r"refuses the key .*\*\*\*") as caught:
            made.embed(["more"])
        assert secret not in str(caught.value) + repr(caught.value) + repr(caught.value.__cause__)


# -- names -------------------------------------------------------------------------------------------------------------


def test_the_registry_knows_the_providers_of_the_file() -> None:
    assert {row.name for row in providers.providers()} == registry.HTTP
    assert len(providers.providers()) == len(registry.HTTP)


def test_every_model_of_the_file_is_built_with_a_key_and_refused_without(monkeypatch: pytest.MonkeyPatch) -> None:
    for model in providers.models():
        row = providers.provider(model.name.partition(":")[0])
        assert row is not None
        for name in row.base_from:
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        if row.needs_key:
            with pytest.raises(MissingKey, match=f"cosimo keys set {row.name}"):
                HTTPEmbedder(model.name)
            monkeypatch.setenv(row.key[0], "sk-test")
        spec = HTTPEmbedder(model.name).spec  # known, so that nobody is asked
        for name in row.key:
            monkeypatch.delenv(name, raising=False)
        assert (spec.dim, spec.max_tokens) == (model.dim, model.max_tokens or providers.WINDOW)
        assert spec.name == registry.canonical(model.name)


@pytest.mark.parametrize("name", sorted(registry.HTTP))
def test_every_provider_has_an_address_a_source_and_a_model_to_be_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = providers.provider(name)
    assert row is not None
    assert row.source.startswith("https://")
    assert row.base.startswith("https://" if row.needs_key else "http://localhost")
    for variable in row.base_from:
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    assert providers.resolve(f"{name}:some/model").model == "some/model"
    with pytest.raises(ModelNotFound, match="names no model"):
        providers.resolve(f"{name}:")


def test_llms_own_names_and_ours_are_one_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    assert HTTPEmbedder("text-embedding-3-large-256").spec.dim == 256
    assert HTTPEmbedder("openai:text-embedding-3-large@256").spec.name == "text-embedding-3-large-256"
    with cosimo.open(tmp_path / "t.db") as db:
        assert db.collection("a", model="openai:text-embedding-3-small").model == "text-embedding-3-small"


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("http://Box:8000#m", "http://box:8000/v1#m"),
        ("http://box:8000/v1/#m", "http://box:8000/v1#m"),
        ("https://box:443/api/embeddings#org/m@8", "https://box/api#org/m@8"),
        ("http://[::1]:80/v1#m", "http://[::1]/v1#m"),
    ],
)
def test_one_address_has_one_spelling(given: str, canonical: str) -> None:
    assert registry.canonical(given) == canonical
    assert registry.canonical(canonical) == canonical


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("http://box:8000/v1", ModelNotFound, "after a #"),
        ("http://#m", ConfigError, "no address"),
        ("http://box:99999/v1#m", ConfigError, "no address"),
        ("http://box:port/v1#m", ConfigError, "no address"),
        ("http://user:pass@box/v1#m", ConfigError, "password or key"),
        ("https://box/v1?api_key=sk-1#m", ConfigError, "password or key"),
        ("nobody:m", ModelNotFound, "known kinds: .*openai"),
    ],
)
def test_names_that_cannot_be_are_said(name: str, error: type[Error], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        cosimo.embed(["x"], model=name)
    assert "pass@" not in str(caught.value)
    assert "sk-1" not in str(caught.value)


def test_a_users_own_file_adds_servers_and_models(home: Path) -> None:
    (home / "config").mkdir(parents=True)
    with servers.running(servers.Server(window=200, model="e5")) as server:
        (home / "config" / "providers.toml").write_text(
            f"""
            [[provider]]
            name = "box"
            title = "The box in the cellar"
            base = "{server.address}/v1"
            needs_key = false
            [[model]]
            name = "box:e5"
            dim = {DIM}
            max_tokens = 200
            prompts = {{ query = "query: ", document = "passage: " }}
            """
        )
        vectors = cosimo.embed(["hello"], model="box:e5")
        assert vectors.shape == (1, DIM)
        assert server.texts == ["passage: hello"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('colour = "red"', "'box' has 'colour'"), ("title = 3", "a 'title' that cannot be"), ("items = 0", "a 'items'"),
        ("items = true", "a 'items'"), ('shape = "round"', "a 'shape'"), ('path = "/{x}"', "a 'path'"),
        ("key = [1]", "a 'key'"),
        ('roles = { query = "q" }', "a 'roles'"), ('needs_key = "no"', "a 'needs_key'"), ("", "not complete"),
    ],
)  # fmt: skip
def test_a_users_own_row_that_cannot_be_is_named(row: str, said: str, home: Path) -> None:
    (home / "config").mkdir(parents=True)
    (home / "config" / "providers.toml").write_text(f'[[provider]]\nname = "box"\n{row}\n')
    with pytest.raises(ConfigError, match=said):
        HTTPEmbedder("box:e5")


@pytest.mark.parametrize("text", ["provider = 5", "provider = [1]", 'model = "x"', "[provider]\nname = 1", "name = ["])
def test_a_users_own_file_that_is_no_list_of_rows_is_one_sentence(text: str, home: Path) -> None:
    (home / "config").mkdir(parents=True)
    (home / "config" / "providers.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"providers\.toml"):
        cosimo.embed(["hello"], model="box:e5")


def test_the_shapes_of_rows_are_those_that_can_be_spoken() -> None:
    assert set(providers._SHAPES) == set(wire.SHAPES)


@pytest.mark.parametrize(
    ("model", "variable", "value", "address"),
    [
        ("ollama:x", "OLLAMA_HOST", "0.0.0.0", "http://127.0.0.1:11434"),
        ("ollama:x", "OLLAMA_HOST", ":11500", "http://localhost:11500"),
        ("ollama:x", "OLLAMA_HOST", "[::1]", "http://[::1]:11434"),
        ("ollama:x", "OLLAMA_HOST", "gpu-box:80", "http://gpu-box:80"),
        ("ollama:x", "OLLAMA_HOST", "http://gpu-box", "http://gpu-box"),
        ("databricks:x", "DATABRICKS_HOST", "adb-1.azuredatabricks.net", "https://adb-1.azuredatabricks.net"),
    ],
)
def test_what_a_variable_leaves_out_of_an_address_is_as_usual(
    model: str, variable: str, value: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert providers.resolve(model).origin == address
