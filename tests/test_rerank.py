"""Reranking: cross-encoders, servers in the shapes there are, and searches that use them."""

from __future__ import annotations

import importlib.util
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny_models as tiny
from servers import Answer, Asked, Server, running

import cosimo
from cosimo.core.errors import BadReply, ConfigError, DataError, MissingKey, ModelNotFound, Refused
from cosimo.embedders.rerank import HTTPReranker, load_reranker, read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

NEEDS_TORCH = importlib.util.find_spec("sentence_transformers") is None


def scored(asked: Asked) -> list[dict[str, Any]]:
    """Longer texts score higher; the best first, as servers have it."""
    texts = asked.body["documents"]
    return sorted(
        ({"index": n, "relevance_score": float(len(text))} for n, text in enumerate(texts)),
        key=lambda each: -each["relevance_score"],
    )


def running_with(script: Callable[[Asked], Answer]) -> Any:
    return running(Server(script))


def likes_length(query: str, texts: Sequence[str]) -> np.ndarray:
    return np.array([len(text) for text in texts], np.float32)


class LikesLength:
    """A reranker of a user's own."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []

    def scores(self, query: str, texts: Sequence[str]) -> np.ndarray:
        self.asked.append((query, list(texts)))
        return likes_length(query, texts)


# -- servers


@pytest.mark.parametrize("shape", [
    lambda asked: {"id": "x", "results": scored(asked)}, lambda asked: {"object": "list", "data": scored(asked)},
    lambda asked: [{"index": each["index"], "score": each["relevance_score"], "text": "…"} for each in scored(asked)],
])  # fmt: skip
def test_scores_of_every_shape_come_back_in_the_order_asked(shape: Callable[[Asked], Any]) -> None:
    with running_with(lambda asked: Answer(200, shape(asked))) as server:
        found = load_reranker(f"{server.address}/v1#judge").scores("q", ["a", "ccc", "bb"])
    assert found.dtype == np.float32
    assert found.tolist() == [1, 3, 2]
    assert [each.path for each in server.asked] == ["/v1/rerank"]
    assert server.asked[0].body == {"model": "judge", "query": "q", "documents": ["a", "ccc", "bb"]}


def test_a_server_of_teis_shape_is_asked_in_it_once_it_has_refused_the_other() -> None:
    def tei(asked: Asked) -> Answer:
        if asked.path != "/rerank":
            return Answer(404, {"error": "nothing here"})
        if "texts" not in asked.body:
            return Answer(422, {"error": "missing field `texts`"})
        return Answer(200, [{"index": n, "score": len(text) / 10} for n, text in enumerate(asked.body["texts"])])

    with running_with(tei) as server:
        reranker = load_reranker(f"{server.address}/v1#judge")
        assert reranker.scores("q", ["aa", "b"]).tolist() == pytest.approx([0.2, 0.1])
        before = len(server.asked)
        assert len(reranker.scores("q", ["x"] * 40)) == 40
        assert len(server.asked) == before + 2  # 32 at a time, and no second search for the way


def test_many_texts_go_out_in_several_requests() -> None:
    with running_with(lambda asked: Answer(200, {"results": scored(asked)})) as server:
        texts = ["x" * number for number in range(250)]
        np.testing.assert_array_equal(load_reranker(f"{server.address}/v1#judge").scores("q", texts), likes_length("q", texts))
    assert len(server.asked) == 3


@pytest.mark.parametrize("reply", [
    {}, "text", {"results": None}, {"results": [{"index": 0, "relevance_score": 1}]}, {"results": [1, 2]},
    {"results": [{"index": 0, "relevance_score": 1}] * 2}, {"results": [{"index": n, "relevance_score": None} for n in (0, 1)]},
    {"results": [{"index": n, "relevance_score": float("nan")} for n in (0, 1)]}, {"results": [{"index": n} for n in (0, 1)]},
    {"results": [{"index": n, "relevance_score": 1} for n in (1, 2)]}, {"results": [{"index": -n, "score": 1} for n in (0, 1)]},
    [{"index": "0", "score": 1}, {"index": "1", "score": 1}], {"results": [{"index": n, "score": True} for n in (0, 1)]},
    {"results": [{"index": n, "score": 10**400} for n in (0, 1)]}, {"results": [{"index": n, "score": -1e39} for n in (0, 1)]},
])  # fmt: skip
def test_replies_that_say_nothing_usable_are_refused(reply: Any) -> None:
    with pytest.raises(BadReply, match="gives"):
        read(reply, 2, "server")


def test_a_server_that_says_no_is_quoted() -> None:
    with (
        running_with(lambda asked: Answer(401, {"error": {"message": "wrong key"}})) as server,
        pytest.raises(MissingKey, match=r"wants a key.*wrong key.*cosimo keys set 127"),
    ):
        load_reranker(f"{server.address}/v1#judge").scores("q", ["a"])


def test_a_text_that_is_refused_does_not_change_how_the_next_is_asked() -> None:
    def strict(asked: Asked) -> Answer:
        if asked.path != "/v1/rerank":
            return Answer(404, {"error": "nothing here"})
        if any(len(text) > 5 for text in asked.body["documents"]):
            return Answer(400, {"error": "the document is too long"})
        return Answer(200, {"results": scored(asked)})

    with running_with(strict) as server:
        reranker = load_reranker(f"{server.address}/v1#judge")
        with pytest.raises(Refused, match="too long"):
            reranker.scores("q", ["x" * 6])
        assert reranker.scores("q", ["aa", "b"]).tolist() == [2, 1]


def test_threads_that_find_out_together_how_to_ask_all_get_their_scores() -> None:
    def tei(asked: Asked) -> Answer:
        time.sleep(0.02)  # so that all have asked before the first is answered
        if asked.path != "/rerank" or "texts" not in asked.body:
            return Answer(404, {"error": "nothing here"})
        if len(asked.body["texts"]) > 32:
            return Answer(413, {"error": "batch size > maximum allowed batch size 32"})
        return Answer(200, [{"index": n, "score": len(text)} for n, text in enumerate(asked.body["texts"])])

    with running_with(tei) as server, ThreadPoolExecutor(8) as pool:
        reranker = load_reranker(f"{server.address}/v1#judge")
        found = list(pool.map(lambda n: reranker.scores("q", ["x" * n] * 40).tolist(), range(1, 9)))
    assert found == [[n] * 40 for n in range(1, 9)]


def test_half_a_character_is_replaced() -> None:
    with running_with(lambda asked: Answer(200, {"results": scored(asked)})) as server:
        load_reranker(f"{server.address}/v1#judge").scores("q\udcff", ["a\ud800"])
    assert (server.asked[0].body["query"], server.asked[0].body["documents"]) == ("q\ufffd", ["a\ufffd"])


def test_a_providers_key_goes_with_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JINA_API_KEY", "COSIMO_KEY_JINA"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MissingKey, match="jina"):
        load_reranker("jina:jina-reranker-v2-base-multilingual")
    monkeypatch.setenv("JINA_API_KEY", "the-key")
    reranker = load_reranker("jina:jina-reranker-v2-base-multilingual")
    assert isinstance(reranker, HTTPReranker)
    assert reranker._ways == (("/v1/rerank", "documents"),)
    assert reranker._server._headers["Authorization"] == "Bearer the-key"


@pytest.mark.parametrize("name", ["words:x", "fake:none", "litellm:cohere/rerank-v3", ""])
def test_names_that_mean_no_reranker_are_refused(name: str) -> None:
    with pytest.raises(ModelNotFound):
        load_reranker(name)


# -- searches


@pytest.fixture
def notes() -> Any:
    with cosimo.open(":memory:") as db:
        collection = db.collection("notes", model="fake:64")
        collection.add(cosimo.Document(f"n{n}", "bread " * (n % 7 + 1) + f"note {n}", {"n": n}) for n in range(80))
        yield collection


def test_a_search_has_the_order_and_the_scores_of_the_reranker(notes: Any) -> None:
    judge = LikesLength()
    hits = notes.search("bread", 5, rerank=judge)
    assert len(judge.asked) == 1
    query, texts = judge.asked[0]
    assert (query, len(texts)) == ("bread", 50)
    assert [hit.score for hit in hits] == sorted(map(len, texts), reverse=True)[:5]
    assert all(hit.score == len(hit.content) for hit in hits)


def test_more_than_fifty_hits_are_all_read_and_filters_hold(notes: Any) -> None:
    judge = LikesLength()
    assert len(notes.search("bread", 70, rerank=judge)) == 70
    hits = notes.search("bread", 5, rerank=judge, where="n < 10", min_score=42.0)
    assert all(hit.metadata["n"] < 10 and hit.score >= 42 for hit in hits)
    assert len(hits) == 2


def test_the_passage_that_was_found_is_what_is_read() -> None:
    judge = LikesLength()
    with cosimo.open(":memory:") as db:
        books = db.collection("books", model="fake:64")
        paragraphs = [f"Chapter {n} is about subject{n}. " + "word " * 200 for n in range(8)]
        books.add([cosimo.Document("book", "\n\n".join(paragraphs))])
        books.search("subject5", rerank=judge)
    assert "subject5" in judge.asked[0][1][0]
    assert len(judge.asked[0][1][0]) < len("\n\n".join(paragraphs)) / 2


@pytest.mark.parametrize("question", [
    {"query": np.ones(64)}, {"like": ["n1"]}, {"query": "bread", "fts_syntax": True}, {"query": "bread", "diversity": 0.5},
])  # fmt: skip
def test_what_cannot_be_read_again_is_refused(notes: Any, question: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        notes.search(rerank="fake:64", **question)


def test_texts_that_are_not_stored_cannot_be_read() -> None:
    with cosimo.open(":memory:") as db:
        notes = db.collection("notes", model="fake:64")
        notes.add([cosimo.Document("a", "bread")], store=False)
        with pytest.raises(DataError, match="store"):
            notes.search("bread", rerank="fake:64")


def test_a_name_is_loaded_once_for_a_database(notes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = notes._db.reranker("fake:64")
    notes.search("bread", rerank="fake:64")
    assert notes._db.reranker("fake:64") is first


# -- cross-encoders


def cross_encoder(path: Path, labels: int = 1) -> Path:
    """A whole cross-encoder as sentence-transformers would have saved it."""
    shape = tiny.config("bert")
    tiny.folder(path)
    for rest in ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"):
        (path / rest).unlink()
    rng = np.random.default_rng(1)
    width = shape["hidden_size"]

    def some(*sizes: int) -> np.ndarray:
        return rng.standard_normal(sizes).astype(np.float32)

    weights = {f"bert.{name}": array for name, array in tiny.arrays(shape).items()}
    weights |= {"bert.pooler.dense.weight": some(width, width), "bert.pooler.dense.bias": some(width)}
    weights |= {"classifier.weight": some(labels, width), "classifier.bias": some(labels)}
    tiny.safetensors(path / "model.safetensors", weights)
    names = {str(number): f"LABEL_{number}" for number in range(labels)}
    about = {
        "architectures": ["BertForSequenceClassification"],
        "id2label": names,
        "label2id": {v: int(k) for k, v in names.items()},
    }
    tiny.write(path, "config.json", shape | about)
    tiny.write(
        path,
        "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "model_max_length": 32},
    )
    return path


@pytest.mark.heavy
@pytest.mark.skipif(NEEDS_TORCH, reason="needs sentence-transformers")
def test_a_cross_encoder_scores_as_its_own_package_does(tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder

    folder = cross_encoder(tmp_path / "judge")
    texts = ["the cat sat on the mat", "the dog", "on"]
    found = load_reranker(str(folder)).scores("the cat", texts)
    expected = CrossEncoder(str(folder)).predict([("the cat", text) for text in texts])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert len(set(found.tolist())) == 3
    assert load_reranker(f"st:{folder}").scores("x", []).shape == (0,)


@pytest.mark.heavy
@pytest.mark.skipif(NEEDS_TORCH, reason="needs sentence-transformers")
def test_a_model_that_is_no_cross_encoder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSIMO_OFFLINE", "1")
    with pytest.raises(ConfigError, match="3 numbers"):
        load_reranker(str(cross_encoder(tmp_path / "three", labels=3))).scores("q", ["x"])
    with pytest.raises(ModelNotFound, match="nothing-of-that-name"):
        load_reranker("cross-encoder/nothing-of-that-name").scores("q", ["x"])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelNotFound):
        load_reranker(str(tmp_path / "broken")).scores("q", ["x"])
