"""The server's collections: the same verbs, arguments and answers as in Python; and reranking, over HTTP."""

from __future__ import annotations

import inspect
import sqlite3
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pytest

import cosimo

pytest.importorskip("fastapi", reason="needs the extra server")
from serving import MODEL, Running, refused, running

from cosimo.interfaces.server import bodies, mixed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTES = [
    {"id": "bread.md", "content": "Bake bread in a hot oven", "metadata": {"year": 2020, "tags": ["food", "oven"]}},
    {"id": "pizza.md", "content": "Pizza dough is bread dough", "metadata": {"year": 2022, "tags": ["food"]}},
    {"id": "sqlite.md", "content": "Copy a database while it is in use", "metadata": {"year": 2022, "tags": ["data"]}},
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """One with an empty database."""
    with running(database=tmp_path / "notes.db", rerank="fake:128") as found:
        yield found


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for tests that leave its three notes as they are."""
    with running(database=tmp_path_factory.mktemp("filled") / "notes.db", rerank="fake:128") as found:
        added(found)
        yield found


def added(server: Running, name: str = "notes", notes: list[dict[str, Any]] = NOTES, **more: Any) -> dict[str, Any]:
    reply = server.post(f"/v1/collections/{quote(name, safe='')}/add", {"documents": notes, **more})
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def test_a_collection_is_made_filled_asked_and_dropped(server: Running) -> None:
    assert server.client.get("/v1/collections").json() == {"collections": []}
    assert server.client.put("/v1/collections/notes").json()["model"] == MODEL
    outcome = added(server)
    assert (outcome["added"], outcome["embedded"]) == (3, 3)
    assert added(server)["unchanged"] == 3
    info = server.client.get("/v1/collections/notes").json()
    assert (info["name"], info["count"], info["dim"], info["model"]) == ("notes", 3, 64, MODEL)
    assert server.client.get("/v1/collections").json()["collections"] == [info]
    assert server.client.get("/v1/collections/notes/items/bread.md").json()["metadata"]["year"] == 2020
    listed = server.client.get("/v1/collections/notes/items", params={"limit": 2, "offset": 1}).json()["items"]
    assert [item["id"] for item in listed] == ["pizza.md", "sqlite.md"]
    assert server.client.delete("/v1/collections/notes/items/bread.md").json() == {"count": 1}
    assert server.post("/v1/collections/notes/delete", {"ids": ["pizza.md", "nothing"]}).json() == {"count": 1}
    refused(server.client.get("/v1/collections/notes/items/bread.md"), 404)
    assert server.client.delete("/v1/collections/notes").json() == {"count": 1}
    refused(server.client.delete("/v1/collections/notes"), 404)
    refused(server.client.get("/v1/collections/notes"), 404)


@pytest.mark.parametrize("question", [
    {"query": "bread"}, {"query": "bread", "k": 1}, {"query": "dough", "mode": "text"}, {"query": "dough", "mode": "vector"},
    {"query": "bread", "where": "year >= 2022"}, {"query": "bread", "where": {"year": {"$gte": 2022}}}, {"like": ["bread.md"]},
    {"plus": ["bread"], "minus": ["pizza"]}, {"query": "bread", "diversity": 0.5}, {"query": "bread", "prefix": "p"},
    {"query": "bread", "min_score": 0.5}, {"query": "bread dough", "rerank": True}, {"query": "bread", "rerank": "fake:128"},
])  # fmt: skip
def test_a_search_finds_what_it_finds_in_python(filled: Running, question: dict[str, Any]) -> None:
    reply = filled.post("/v1/collections/notes/search", question)
    assert reply.status_code == 200, reply.text
    with cosimo.open(filled.settings.database) as db:
        expected = db.collection("notes").search(**({**question, "rerank": "fake:128"} if "rerank" in question else question))
    hits = reply.json()["hits"]
    assert [hit["id"] for hit in hits] == [hit.id for hit in expected]
    assert [hit["score"] for hit in hits] == pytest.approx([hit.score for hit in expected], abs=1e-5)
    assert hits[0]["passages"][0]["text"] in hits[0]["content"]


def test_the_other_questions_have_pythons_answers(server: Running, tmp_path: Path) -> None:
    added(server)
    added(server, "more", [{"id": "bread too", "content": "More bread"}])
    related = server.post("/v1/collections/notes/related", {"id": "bread.md", "k": 2, "where": "year = 2022"}).json()["hits"]
    counts = server.post("/v1/collections/notes/facets", {"field": "tags", "where": "year = 2022"}).json()["counts"]
    assert counts == {"food": 1, "data": 1}
    assert server.client.get("/v1/collections/notes/fields").json()["counts"] == {"tags": 3, "year": 3}
    everywhere = server.post("/v1/search", {"query": "bread", "k": 4}).json()["hits"]
    assert {hit["collection"] for hit in everywhere} == {"notes", "more"}
    with cosimo.open(tmp_path / "notes.db") as db:
        vector = db.collection("notes").vector("bread.md")
        expected = db.collection("notes").related("bread.md", 2, where="year = 2022")
    assert [(hit["id"], hit["score"]) for hit in related] == [(hit.id, hit.score) for hit in expected]
    np.testing.assert_array_equal(server.client.get("/v1/collections/notes/vector/bread.md").json()["vector"], vector)


def test_related_items_of_all_are_kept_and_read_by_pages(server: Running) -> None:
    added(server)
    assert "no related items saved" in refused(server.client.get("/v1/collections/notes/similarities"), 404)
    made = server.post("/v1/collections/notes/relate", {"k": 2}).json()
    assert (made["items"], made["k"], made["recomputed"], made["written"]) == (3, 2, 3, 6)
    pairs = server.client.get("/v1/collections/notes/similarities").json()["similarities"]
    assert [pair["id"] for pair in pairs] == [id for note in sorted(n["id"] for n in NOTES) for id in (note, note)]
    assert pairs[0]["other_id"] == server.post("/v1/collections/notes/related", {"id": "bread.md"}).json()["hits"][0]["id"]
    page = server.client.get("/v1/collections/notes/similarities", params={"limit": 2, "offset": 3})
    assert page.json()["similarities"] == pairs[3:5]
    refused(server.post("/v1/collections/nothing/relate", {}), 404)
    refused(server.post("/v1/collections/notes/relate", {"k": 0}), 400)


def test_an_error_names_the_part_of_the_request_it_is_about(filled: Running) -> None:
    refused(filled.post("/v1/collections/notes/search", {"query": ["a"]}), 400, param="query")
    refused(filled.post("/v1/rerank", {"query": 5, "documents": ["a"]}), 400, param="query")
    refused(filled.client.get("/v1/collections/notes/items?offset=99999999999999999999"), 400, param="offset")


def test_arguments_are_those_of_python() -> None:
    from cosimo.collection.collection import Collection
    from cosimo.collection.database import Database

    def names(function: Any) -> set[str]:
        return set(inspect.signature(function).parameters) - {"self"}

    assert set(bodies.Search.model_fields) == names(Collection.search)
    assert set(bodies.SearchAll.model_fields) == names(Database.search)
    assert set(bodies.Related.model_fields) == names(Collection.related)
    assert set(mixed.SearchMixed.model_fields) == names(Collection.search_mixed)
    assert set(bodies.Relate.model_fields) == names(Collection.relate)
    assert set(bodies.Facets.model_fields) == names(Collection.facets)
    assert set(bodies.AddVectors.model_fields) == names(Collection.add_vectors)
    assert set(bodies.Add.model_fields) - {"model"} == names(Collection.add) - {"batch_size", "progress"}
    for body, function in ((bodies.Search, Collection.search), (bodies.Related, Collection.related)):
        for name, field in body.model_fields.items():
            given = inspect.signature(function).parameters[name].default
            if not field.is_required():
                assert (tuple(field.default) if isinstance(field.default, list) else field.default) == given


def test_named_vectors_are_made_filled_and_asked(server: Running) -> None:
    added(server)
    made = server.client.put("/v1/collections/notes/named/title").json()
    assert (made["name"], made["model"], made["named"]) == ("notes/title", MODEL, True)
    assert server.client.put("/v1/collections/notes/named/title").json() == made
    far = server.client.put("/v1/collections/notes/named/far", json={"model": None, "dim": 2}).json()
    assert (far["model"], far["dim"]) == (None, 2)
    titles = [
        {**note, "named": {"title": title}} for note, title in zip(NOTES, ("Bread", "Pizza", "Backups of SQLite"), strict=True)
    ]
    assert added(server, notes=titles)["named"] == 3
    server.post("/v1/collections/notes%2Ffar/add_vectors", {"ids": ["bread.md", "pizza.md"], "vectors": [[1, 0], [0, 1]]})
    body = {"query": "backups of sqlite", "named": {"far": [0, 1]}, "weights": {"title": 3, "far": 1}, "where": "year = 2022"}
    hits = server.post("/v1/collections/notes/search_mixed", body).json()["hits"]
    assert [hit["id"] for hit in hits] == ["sqlite.md", "pizza.md"]
    assert hits[1]["why"]["named"]["far"] == 1
    assert hits[0]["collection"] == "notes"
    wrong: list[tuple[dict[str, Any], int]] = [
        ({"query": "x", "weights": {"titel": 1}}, 404),
        ({"query": "x", "weights": {"title": 0}}, 400),
        ({"named": {"title": {"base64": "***"}}}, 400),
        ({"named": {"title": {"base64": "iVBORw0KGgo="}}}, 400),  # begins like a PNG
        ({"query": "x", "weights": {"title": 1}, "fusion": "none"}, 400),
        ({"query": "x", "weights": {"far": 1}}, 409),  # vectors from elsewhere are asked with vectors
        ({"query": "x", "k": 2000}, 400),
    ]
    for given, status in wrong:
        refused(server.post("/v1/collections/notes/search_mixed", given), status)
    found = server.post("/v1/collections/notes/search_mixed", {"query": "x"}).json()["hits"]
    assert set(found[0]["why"]["named"]) == {"", "title"}  # what cannot be asked a text is left out
    refused(server.client.put("/v1/collections/notes/named/a%2Fb"), 409)
    refused(server.client.put("/v1/collections/notes/named/x", json={"model": "a-model-nobody-serves"}), 404)
    refused(
        server.post("/v1/collections/notes/add", {"documents": [{"id": "x", "content": "x", "named": {"titel": "x"}}]}), 404
    )
    assert server.client.delete("/v1/collections/notes").json() == {"count": 3}
    assert server.client.get("/v1/collections").json() == {"collections": []}


def test_vectors_from_elsewhere_are_stored_and_searched(server: Running) -> None:
    body = {
        "ids": ["cube", "ball"],
        "vectors": [[1, 0, 0], [0, 1, 0]],
        "contents": ["a cube", None],
        "metadata": [{"n": 1}, None],
    }
    assert server.post("/v1/collections/shapes/add_vectors", body).json() == {"count": 2}
    hits = server.post("/v1/collections/shapes/search", {"query": [1, 0.1, 0], "k": 1}).json()["hits"]
    assert (hits[0]["id"], hits[0]["metadata"]) == ("cube", {"n": 1})
    refused(server.post("/v1/collections/shapes/search", {"query": [1, 0]}), 400)
    refused(server.post("/v1/collections/shapes/add_vectors", {"ids": ["x"], "vectors": [[1, 2]]}), 400)
    refused(server.client.post("/v1/collections/shapes/add_vectors", content=b'{"ids": ["x"], "vectors": [[NaN, 1, 2]]}'), 400)
    refused(server.client.put("/v1/collections/shapes", json={"model": MODEL}), 409)
    empty = server.client.put("/v1/collections/empty", json={"model": None, "dim": 7}).json()
    assert (empty["model"], empty["dim"]) == (None, 7)


@pytest.mark.parametrize("name", ["a/b", "中文 notes", "100%", "a%2Fb", "search", "items", "x/items/y", "?#&"])
@pytest.mark.parametrize("id", ["a/b.md", "%2F", "日本", "a?b=c#d", "items/x", "with space", "\U0001f600"])
def test_every_name_and_id_can_be_reached(filled: Running, name: str, id: str) -> None:
    added(filled, name, [{"id": id, "content": "text"}])
    collection, item = (quote(each, safe="") for each in (name, id))
    assert filled.client.get(f"/v1/collections/{collection}").json()["name"] == name
    assert filled.client.get(f"/v1/collections/{collection}/items/{item}").json()["id"] == id
    assert filled.client.delete(f"/v1/collections/{collection}/items/{item}").json() == {"count": 1}


def test_an_id_may_have_bare_slashes_in_an_address(server: Running) -> None:
    added(server, "notes", [{"id": "sqlite/tips.md", "content": "text"}])
    assert server.client.get("/v1/collections/notes/items/sqlite/tips.md").json()["id"] == "sqlite/tips.md"


@pytest.mark.parametrize(("body", "status"), [
    ({"query": ""}, 400), ({}, 400), ({"query": "x", "k": 0}, 400), ({"query": "x", "k": 10**9}, 400),
    ({"query": "x", "kk": 1}, 400),
    ({"query": "x", "where": "year >"}, 400), ({"query": "x", "where": {"year": {"$near": 1}}}, 400), ({"query": {}}, 400),
    ({"query": "x", "mode": "psychic"}, 400), ({"query": "x", "diversity": 7}, 400), ({"like": ["nothing"]}, 404),
    ({"query": [1, 2, 3]}, 400), ({"query": "x", "rerank": "gpt-7"}, 404), ({"like": ["bread.md"], "rerank": True}, 400),
    ({"query": "(", "fts_syntax": True}, 400), ([], 400), ("x", 400), (None, 400),
])  # fmt: skip
def test_a_question_that_makes_no_sense_is_an_error_with_its_status(filled: Running, body: Any, status: int) -> None:
    assert refused(filled.post("/v1/collections/notes/search", body), status)


def test_deep_metadata_and_filters_are_refused_and_stored_nowhere(server: Running) -> None:
    deep = '{"documents": [{"id": "x", "content": "y", "metadata": ' + '{"a":' * 5000 + "1" + "}" * 5000 + "}]}"
    refused(server.client.post("/v1/collections/notes/add", content=deep.encode()), 400)
    added(server)
    filter = '{"query": "x", "where": ' + '{"not":' * 100 + '{"year": 1}' + "}" * 100 + "}"
    refused(server.client.post("/v1/collections/notes/search", content=filter.encode()), 400)
    assert server.client.get("/v1/collections/notes").json()["count"] == 3


@pytest.mark.parametrize("item", [
    {"id": "", "content": "x"}, {"id": 7, "content": "x"}, {"content": "x"}, {"id": "x", "content": 7},
    {"id": "x", "content": "y", "metadata": "z"}, {"id": "x", "text": "y"},
])  # fmt: skip
def test_items_that_cannot_be_stored_are_refused(filled: Running, item: dict[str, Any]) -> None:
    refused(filled.post("/v1/collections/notes/add", {"documents": [item]}), 400)


def test_a_collection_is_made_by_served_models_alone(server: Running) -> None:
    for model in ("fake:32", "all-MiniLM-L6-v2", "openai:text-embedding-3-small", "http://127.0.0.1:1/v1#x", "\0"):
        refused(server.post("/v1/collections/new/add", {"documents": NOTES, "model": model}), 404)
        refused(server.client.put("/v1/collections/new", json={"model": model}), 404)
    assert server.client.get("/v1/collections").json() == {"collections": []}


def test_a_collection_of_another_model_is_searched_with_its_own(tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "notes.db") as db:
        db.collection("old", model="fake:32").add([cosimo.Document("a", "bread"), cosimo.Document("b", "cheese")])
    with running(database=tmp_path / "notes.db") as server:
        hits = server.post("/v1/collections/old/search", {"query": "bread", "mode": "vector"}).json()["hits"]
        assert hits[0]["id"] == "a"
        assert added(server, "old", [{"id": "c", "content": "more bread"}])["added"] == 1
        refused(server.post("/v1/embeddings", {"model": "fake:32", "input": "x"}), 404)  # not served by itself


def test_a_server_for_reading_changes_nothing(tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "notes.db") as db:
        db.collection("notes", model=MODEL).add([cosimo.Document("a", "bread")])
    with running(database=tmp_path / "notes.db", read_only=True) as server:
        for reply in (
            server.post("/v1/collections/notes/add", {"documents": NOTES}),
            server.post("/v1/collections/notes/delete", {"ids": ["a"]}),
            server.client.delete("/v1/collections/notes"),
            server.client.delete("/v1/collections/notes/items/a"),
            server.client.put("/v1/collections/new"),
        ):
            refused(reply, 403)
        assert server.post("/v1/collections/notes/search", {"query": "bread", "mode": "vector"}).json()["hits"][0]["id"] == "a"


def test_without_a_database_there_are_no_collections() -> None:
    with running() as server:
        assert "-d FILE" in refused(server.client.get("/v1/collections"), 404)


def test_messages_do_not_tell_where_the_file_is(server: Running, tmp_path: Path) -> None:
    added(server)
    message = refused(server.post("/v1/collections/nothing/search", {"query": "x"}), 404)
    assert str(tmp_path) not in message
    assert "notes.db" in message
    with sqlite3.connect(tmp_path / "notes.db") as other:
        other.execute("BEGIN IMMEDIATE")
        server.app.served.database.store._file._connection.execute("PRAGMA busy_timeout=50")
        reply = server.post("/v1/collections/notes/delete", {"ids": ["bread.md"]})
        assert str(tmp_path) not in refused(reply, 503)
        assert reply.headers["retry-after"] == "1"


def test_metadata_that_json_cannot_hold_is_sent_as_null(server: Running, tmp_path: Path) -> None:
    added(server)
    with sqlite3.connect(tmp_path / "notes.db") as other:
        other.execute("UPDATE embeddings SET metadata = '{\"x\": NaN}' WHERE id = 'bread.md'")
    assert server.client.get("/v1/collections/notes/items/bread.md").json()["metadata"] in ({"x": None}, None)


def test_many_may_add_and_search_at_the_same_time(server: Running) -> None:
    added(server)

    def work(number: int) -> int:
        if number % 2:
            return server.post("/v1/collections/notes/search", {"query": f"bread {number}"}).status_code
        note = {"id": f"note {number}", "content": f"text {number}"}
        return server.post("/v1/collections/notes/add", {"documents": [note]}).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(work, range(80))) == {200}
    assert server.client.get("/v1/collections/notes").json()["count"] == 43


def test_a_crowd_is_told_to_come_again(tmp_path: Path) -> None:
    with running(database=tmp_path / "notes.db", crowd=0) as server:
        reply = server.client.get("/v1/collections")
        refused(reply, 429)
        assert reply.headers["retry-after"] == "1"


# -- reranking


def test_documents_are_ordered_in_the_shape_of_cohere_and_jina(filled: Running) -> None:
    documents = ["cheese", {"text": "bread and butter"}, "bread"]
    for path in ("/v1/rerank", "/v2/rerank", "/rerank"):
        found = filled.post(path, {"model": "fake:128", "query": "bread", "documents": documents}).json()
        assert [each["index"] for each in found["results"]] == [2, 1, 0]
        assert found["results"][0]["relevance_score"] == pytest.approx(1.0, abs=1e-5)
        assert "document" not in found["results"][0]
    top = filled.post("/v1/rerank", {"query": "bread", "documents": documents, "top_n": 1, "return_documents": True}).json()
    assert top["results"][0]["document"] == {"text": "bread"}
    assert len(top["results"]) == 1


@pytest.mark.parametrize(("body", "status"), [
    ({"query": "x"}, 400), ({"documents": ["x"]}, 400), ({"query": "x", "documents": []}, 400),
    ({"query": 1, "documents": ["x"]}, 400),
    ({"query": "x", "documents": [{"title": "y"}]}, 400), ({"query": "x", "documents": ["x"], "top_n": 0}, 400),
    ({"query": "x", "documents": ["x"] * 1001}, 400), ({"query": "x", "documents": ["x"], "model": "gpt-7"}, 404),
])  # fmt: skip
def test_what_cannot_be_reranked_is_an_error(filled: Running, body: Any, status: int) -> None:
    refused(filled.post("/v1/rerank", body), status)


def test_without_a_reranker_the_error_says_how_to_get_one() -> None:
    with running() as server:
        assert "--rerank" in refused(server.post("/v1/rerank", {"query": "x", "documents": ["y"]}), 404)


def test_a_pictures_thumbnail_comes_as_webp_and_is_not_sent_twice(
    server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("PIL", reason="needs the extra media")
    from picture_files import drawn
    from picture_models import plug_in

    plug_in(monkeypatch, tmp_path / "site")
    with cosimo.open(server.settings.database) as db:
        db.collection("photos", model="colours:a").add([cosimo.Document("a/red.jpg", drawn("red"))])
    reply = server.client.get("/v1/collections/photos/thumbnail/a/red.jpg")
    assert (reply.status_code, reply.headers["content-type"], reply.content[8:12]) == (200, "image/webp", b"WEBP")
    again = server.client.get("/v1/collections/photos/thumbnail/a/red.jpg", headers={"If-None-Match": reply.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    refused(server.client.get("/v1/collections/photos/thumbnail/nothing"), 404)


def test_pictures_are_added_and_asked_with_as_base64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PIL", reason="needs the extra media")
    from picture_files import drawn
    from picture_models import plug_in

    def packed(colour: str) -> dict[str, str]:
        return {"base64": b64encode(drawn(colour)).decode()}

    plug_in(monkeypatch, tmp_path / "site")
    with running(database=tmp_path / "photos.db", models=(MODEL, "colours:a")) as server:
        documents = [{"id": colour, "content": packed(colour)} for colour in ("red", "blue", "green")]
        documents.append({"id": "a text", "content": "a yellow house"})
        assert added(server, "photos", documents, model="colours:a")["embedded"] == 4
        assert server.client.get("/v1/collections/photos/items/red").json() == {
            "id": "red", "content": None, "content_base64": packed("red")["base64"],
            "metadata": {"media": "image", "format": "JPEG", "width": 48, "height": 32},
        }  # fmt: skip
        asked: list[tuple[dict[str, Any], str]] = [
            ({"query": packed("red")}, "red"),
            ({"query": packed("red"), "plus": ["blue", "blue"], "minus": [packed("red")]}, "blue"),
            ({"plus": [packed("green")]}, "green"),
            ({"query": "yellow"}, "a text"),
            ({"query": packed("yellow"), "where": "media = 'image'"}, "red"),
        ]
        for body, expected in asked:
            assert server.post("/v1/collections/photos/search", {**body, "k": 1}).json()["hits"][0]["id"] == expected
        assert server.post("/v1/search", {"query": packed("blue"), "k": 1}).json()["hits"][0]["id"] == "blue"
        added(server)
        wrong = ({"base64": "***"}, {"base64": b64encode(drawn("red")[:40]).decode()}, {"base64": "aGVsbG8="}, {"base64": ""})
        for query in wrong:
            refused(server.post("/v1/collections/photos/search", {"query": query}), 400)
            refused(server.post("/v1/collections/photos/search", {"plus": [query]}), 400)
        assert "text" in refused(server.post("/v1/collections/notes/search", {"query": packed("red")}), 400)


def test_embeddings_takes_pictures_as_jina_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PIL", reason="needs the extra media")
    from picture_files import drawn
    from picture_models import Colours, plug_in

    plug_in(monkeypatch, tmp_path / "site")
    packed = b64encode(drawn("red")).decode()
    given = [{"image": packed}, {"image": f"data:image/jpeg;base64,{packed}"}, {"text": "blue"}, "blue"]
    with running(models=("colours:a", MODEL)) as server:
        data = server.embed(given, model="colours:a").json()["data"]
        expected = Colours("a").embed([drawn("red"), drawn("red"), "blue", "blue"]).vectors
        np.testing.assert_allclose([each["embedding"] for each in data], expected, atol=1e-6)
        for wrong in (
            {"image": "http://example.org/a.jpg"},
            {"image": "aGVsbG8="},
            {"image": 1},
            {},
            {"text": "a", "image": "b"},
        ):
            refused(server.embed(["blue", wrong], model="colours:a"), 400, param="input[1]")
        refused(server.embed([{"image": packed}]), 400)  # a model of texts
