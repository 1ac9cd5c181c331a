"""SQL: the functions on a plain connection, what they say when something is wrong, and which models they may use."""

from __future__ import annotations

import gc
import json
import math
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import cosimo
from cosimo import Document
from cosimo.embedders.fake import FakeEmbedder
from cosimo.interfaces.sql import models, native, register, similar
from cosimo.interfaces.sql.register import functions_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXTS = {"bread": "Bake bread in a hot oven.", "cats": "Cats sleep all day.", "data": "SQLite keeps rows in one file."}


@pytest.fixture
def connection(home: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    register(connection)
    yield connection
    connection.close()


@pytest.fixture
def notes(tmp_path: Path, home: Path) -> Path:
    path = tmp_path / "notes.db"
    with cosimo.open(path) as db:
        documents = [Document(id, text, {"length": len(text)}) for id, text in TEXTS.items()]
        db.collection("notes", model="fake:64").add(documents)
    return path


def one(connection: sqlite3.Connection, sql: str, *values: Any) -> Any:
    return connection.execute(f"select {sql}", values).fetchone()[0]


def blob(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


# -- values


def test_embed_gives_the_bytes_that_a_database_of_llm_holds(connection: sqlite3.Connection) -> None:
    expected = FakeEmbedder("64").embed(["hello"]).vectors[0]
    for name in ("embed", "llm_embed"):
        assert one(connection, f"{name}('fake:64', 'hello')") == expected.tobytes()
    query = FakeEmbedder("64").embed(["hello"], role="query").vectors[0]
    assert one(connection, "embed('fake:64', 'hello', 'query')") == query.tobytes()
    assert not np.array_equal(query, expected)


def test_numbers_are_embedded_as_they_are_written(connection: sqlite3.Connection) -> None:
    assert one(connection, "embed('fake:64', 5) = embed('fake:64', '5')") == 1
    assert one(connection, "embed('fake:64', 1.5) = embed('fake:64', '1.5')") == 1


def test_cosine_dot_and_mean_are_those_of_numpy(connection: sqlite3.Connection) -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 384)).astype(np.float32)
    cosine = float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    for name in ("embed_cosine", "llm_embed_cosine"):
        assert one(connection, f"{name}(?, ?)", a.tobytes(), b.tobytes()) == pytest.approx(cosine, abs=1e-6)
    assert one(connection, "embed_dot(?, ?)", a.tobytes(), b.tobytes()) == pytest.approx(float(a @ b), rel=1e-5)
    for name in ("embed_average", "llm_embed_average"):
        mean = one(connection, f"{name}(column1) from (values (?), (null), (?))", a.tobytes(), b.tobytes())
        assert np.frombuffer(mean, "<f4") == pytest.approx((a + b) / 2, abs=1e-6)


def test_a_vector_and_its_json_lead_to_each_other_exactly(connection: sqlite3.Connection) -> None:
    vector = np.random.default_rng(1).normal(size=100).astype("<f4")
    for name in ("embed_decode", "llm_embed_decode"):
        assert json.loads(one(connection, f"{name}(?)", vector.tobytes())) == vector.tolist()
    assert one(connection, "embed_encode(embed_decode(?1)) = ?1", vector.tobytes()) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "embed(null, 'x')", "embed('fake:64', null)", "llm_embed('fake:64', null)", "embed_cosine(null, x'00000000')",
        "embed_cosine(x'00000000', null)", "embed_dot(null, null)", "embed_decode(null)", "embed_encode(null)",
        "embed_average(null)", "embed_average(column1) from (select null as column1 where 0)", "similar(null, 'x')",
        "similar('notes', null)", "similar('notes', 'x', null)", "embed('fake:64', 'x', null)",
    ],
)  # fmt: skip
def test_null_gives_null(connection: sqlite3.Connection, sql: str) -> None:
    assert one(connection, sql) is None


def test_a_vector_of_zeros_has_no_cosine_and_sorts_last(connection: sqlite3.Connection) -> None:
    assert one(connection, "embed_cosine(x'00000000', x'0000803f')") is None


def test_groups_have_a_mean_each(connection: sqlite3.Connection) -> None:
    rows = connection.execute(
        "select column1, embed_decode(embed_average(embed_encode(column2))) from"
        " (values ('a', '[1, 2]'), ('b', '[5, 5]'), ('a', '[3, 4]')) group by column1"
    )
    assert rows.fetchall() == [("a", "[2.0, 3.0]"), ("b", "[5.0, 5.0]")]


def test_large_numbers_do_not_overflow_and_tiny_ones_do_not_vanish(connection: sqlite3.Connection) -> None:
    for scale in (1e30, 1e-30):
        assert one(connection, "embed_cosine(?, ?)", blob(scale, 0), blob(scale, scale)) == pytest.approx(math.sqrt(0.5))


# -- errors


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("embed_cosine(x'000000', x'00000000')", "a blob of 3 bytes is not a vector"),
        ("embed_cosine(x'', x'00000000')", "a blob of 0 bytes is not a vector"),
        ("embed_cosine('text', x'00000000')", "a vector is a blob, not text"),
        ("embed_dot(5, x'00000000')", "a vector is a blob, not an integer"),
        ("embed_cosine(x'00000000', x'0000000000000000')", "vectors of 1 and 2 numbers cannot be compared"),
        ("embed_cosine(x'0000c07f', x'00000000')", "holds NaN or infinity"),
        ("embed_dot(x'0000807f', x'0000803f')", "holds NaN or infinity"),
        ("embed_decode(x'0000c07f')", "holds NaN or infinity"),
        ("embed_decode(5)", "a vector is a blob"),
        ("embed_encode('nothing')", "takes a JSON array of numbers"),
        ("embed_encode('[]')", "takes a JSON array of numbers"),
        ("embed_encode('[[1], [2]]')", "takes a JSON array of numbers"),
        ("embed_encode('[true]')", "takes a JSON array of numbers"),
        ("embed_encode(x'5b315d')", "takes a JSON array of numbers"),
        ("embed_encode('[NaN]')", "NaN, infinity or a number beyond float32"),
        ("embed_encode('[1e999]')", "NaN, infinity or a number beyond float32"),
        ("embed_encode('[" + "9" * 400 + "]')", "NaN, infinity or a number beyond float32"),
        ("embed_average(column1) from (values (x'00000000'), (x'0000000000000000'))", "1 and 2 numbers have no mean"),
        ("embed_average(column1) from (values (x'000000'))", "a blob of 3 bytes is not a vector"),
        ("embed('fake:none', 'x')", "no model is called 'fake:none'"),
        ("embed('', 'x')", "the name of the model is empty"),
        ("embed(5, 'x')", "is the name of a model"),
        ("embed('fake:64', x'ff')", "fake:64 reads text"),
        ("embed('fake:64', 'x', 'reader')", "no role is called 'reader'"),
        ("similar('notes', 'x')", "no table of collections"),
        ("similar(5, 'x')", "is the name of a collection"),
        ("similar('notes', 'x', 'many')", "how many rows to find"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_an_error_of_sql_with_our_sentence(connection: sqlite3.Connection, sql: str, words: str) -> None:
    with pytest.raises(sqlite3.OperationalError, match=words) as told:
        one(connection, sql)
    assert "\n" not in str(told.value)
    assert one(connection, "1") == 1  # the connection can be used


def test_a_wrong_number_of_arguments_is_sqlites_own_error(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="wrong number of arguments"):
        one(connection, "embed('fake:64')")


def test_where_sqlite_itself_cannot_be_called_the_sentence_is_logged(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite3.enable_callback_tracebacks(False)  # which Datasette turns on
    monkeypatch.setattr(native, "_library", lambda: None)
    connection = sqlite3.connect(":memory:")
    register(connection)
    assert one(connection, "embed_cosine(embed('fake:64', 'a'), embed('fake:64', 'a'))") == pytest.approx(1)
    assert one(connection, "embed_decode(embed_average(x'0000803f'))") == "[1.0]"
    with pytest.raises(sqlite3.OperationalError):
        one(connection, "embed_decode(x'00')")
    assert "a blob of 1 bytes is not a vector" in caplog.text


# -- models


def test_models_that_send_texts_need_permission(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load(name: str) -> FakeEmbedder:
        asked.append(name)
        return FakeEmbedder("8")

    monkeypatch.setattr("cosimo.collection.models.load_embedder", load)
    models.shared.cache_clear()
    hosted = (
        "openai:text-embedding-3-small",
        "text-embedding-3-small",
        "http://127.0.0.1:1/v1#m",
        "litellm:x",
        "llm:x",
        "langchain:os.path",
    )
    connection = sqlite3.connect(":memory:")
    register(connection)
    for name in hosted:
        with pytest.raises(sqlite3.OperationalError, match="texts would leave this machine"):
            one(connection, "embed(?, 'secret')", name)
    assert asked == []
    register(connection, hosted=True)
    assert len(one(connection, "embed('openai:text-embedding-3-small', 'text')")) == 32
    register(connection, models=["3-small"])  # as `llm` has it for short
    assert len(one(connection, "llm_embed('3-small', 'text')")) == 32
    assert len(one(connection, "embed('openai:text-embedding-3-small', 'text')")) == 32
    with pytest.raises(sqlite3.OperationalError, match="the model fake:8 may not be used here"):
        one(connection, "embed('fake:8', 'text')")
    models.shared.cache_clear()


def test_a_model_is_loaded_once_for_all_connections_and_threads(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, wrong = [], []

    def load(name: str) -> FakeEmbedder:
        time.sleep(0.05)
        loaded.append(name)
        return FakeEmbedder("16")

    def ask() -> None:
        connection = sqlite3.connect(":memory:")
        register(connection)
        for text in (f"text {n}" for n in range(50)):
            made = FakeEmbedder("16").embed([text]).vectors[0].tobytes()
            wrong.extend([text] if one(connection, "embed('fake:16', ?)", text) != made else [])
        connection.close()

    monkeypatch.setattr("cosimo.collection.models.load_embedder", load)
    models.shared.cache_clear()
    threads = [threading.Thread(target=ask) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    models.shared.cache_clear()
    assert (loaded, wrong) == (["fake:16"], [])


def test_a_text_is_embedded_once_however_many_rows_a_query_has(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    class Counting(FakeEmbedder):
        def embed(self, contents: Any, *, role: Any = "document") -> Any:
            calls.append(contents)
            return super().embed(contents, role=role)

    monkeypatch.setattr("cosimo.collection.models.load_embedder", lambda name: Counting("8"))
    models.shared.cache_clear()
    connection.execute(
        "create table t as with recursive n(i) as (select 1 union all select i + 1 from n where i < 500) select i from n"
    )
    connection.execute("select embed_cosine(embed('fake:8', 'a'), embed('fake:8', 'b' || (i % 2))) from t").fetchall()
    models.shared.cache_clear()
    assert len(calls) == 3


# -- similar


def nearest(connection: sqlite3.Connection, *values: Any) -> list[dict[str, Any]]:
    return json.loads(one(connection, f"similar({','.join('?' * len(values))})", *values))


def test_similar_lists_the_nearest_rows_of_the_connections_own_file(notes: Path) -> None:
    connection = sqlite3.connect(notes)
    register(connection)
    found = nearest(connection, "notes", "where cats sleep", 2)
    assert (len(found), found[0]["id"]) == (2, "cats")
    assert found[0].keys() == {"id", "score", "content", "metadata"}
    assert found[0]["metadata"] == {"length": len(TEXTS["cats"])}
    assert len(nearest(connection, "notes", "cats")) == 3
    rows = connection.execute(
        "select value ->> 'id', content from json_each(similar('notes', 'cats', 1)) join embeddings e on e.id = value ->> 'id'"
    )
    assert rows.fetchall() == [("cats", TEXTS["cats"])]


def test_similar_takes_a_vector_and_sees_what_is_written_meanwhile(notes: Path) -> None:
    connection = sqlite3.connect(notes)
    register(connection)
    (vector,) = connection.execute("select embedding from embeddings where id = 'data'").fetchone()
    assert nearest(connection, "notes", vector, 1)[0]["id"] == "data"
    with cosimo.open(notes) as db:
        db.collection("notes").add([Document("copy", TEXTS["data"])])
    assert {hit["id"] for hit in nearest(connection, "notes", vector, 2)} == {"data", "copy"}


def test_similar_in_memory_asks_the_connection_itself(notes: Path) -> None:
    connection = sqlite3.connect(":memory:")
    with sqlite3.connect(notes) as file:
        file.backup(connection)
    register(connection)
    with_file = sqlite3.connect(notes)
    register(with_file)
    for query in ("where cats sleep", FakeEmbedder("64").embed(["bread"]).vectors[0].tobytes()):
        there, here = nearest(with_file, "notes", query, 2), nearest(connection, "notes", query, 2)
        assert [hit["id"] for hit in here] == [hit["id"] for hit in there]
        assert [hit["score"] for hit in here] == pytest.approx([hit["score"] for hit in there], abs=1e-6)
        assert here[0]["metadata"] == there[0]["metadata"]
    with pytest.raises(sqlite3.OperationalError, match="no collection 'nothing'"):
        nearest(connection, "nothing", "x")
    with pytest.raises(sqlite3.OperationalError, match="no vectors of length 1"):
        nearest(connection, "notes", blob(1))


def test_similar_says_what_is_wrong(notes: Path) -> None:
    connection = sqlite3.connect(notes)
    register(connection)
    for values, words in (
        (("nothing", "x"), "no collection 'nothing'"),
        (("notes", " "), "the text is empty"),
        (("notes", "x", 0), "must be a whole number of at least 1"),
        (("notes", blob(1)), "64, got 1|length 64"),
        (("no\0tes", "x"), "no collection 'no\N{REPLACEMENT CHARACTER}tes' in this database"),
    ):
        with pytest.raises(sqlite3.OperationalError, match=words):
            nearest(connection, *values)


def test_any_number_of_rows_may_be_asked_for(notes: Path) -> None:
    connection = sqlite3.connect(notes)
    register(connection)
    for k in (2**31, 2**63 - 1):
        assert len(nearest(connection, "notes", "cats", k)) == 3


@pytest.mark.parametrize(
    "made",
    ["(collection_id, id, embedding)", "(collection_id, id, embedding, content)", "(collection_id, id, embedding, metadata)"],
)
def test_similar_in_memory_needs_no_texts(connection: sqlite3.Connection, made: str) -> None:
    connection.execute("create table collections (id, name, model)")
    connection.execute("insert into collections values (1, 'notes', 'fake:8')")
    with pytest.raises(sqlite3.OperationalError, match="in memory has no table of collections as cosimo makes it"):
        nearest(connection, "notes", "cats")
    connection.execute(f"create table embeddings {made}")
    connection.execute("insert into embeddings (collection_id, id, embedding) values (1, 'cats', embed('fake:8', 'cats'))")
    (found,) = nearest(connection, "notes", "cats")
    assert (found["id"], found["content"], found["metadata"]) == ("cats", None, None)


def test_similar_in_memory_answers_from_no_file_that_is_attached(connection: sqlite3.Connection, notes: Path) -> None:
    connection.execute("attach ? as other", [str(notes)])
    with pytest.raises(sqlite3.OperationalError, match="no table of collections"):
        nearest(connection, "notes", "cats")


def test_a_file_is_not_closed_under_who_is_about_to_ask_it(tmp_path: Path, home: Path) -> None:
    paths = [tmp_path / f"{number}.db" for number in range(similar.OPEN + 1)]
    for path in paths:
        with cosimo.open(path) as db:
            db.collection("notes", model="fake:64").add([Document("cats", "Cats sleep all day.")])

    class Slow(similar.Databases):
        """Others open so many files that the first is closed before it is used."""

        late = False

        def get(self, path: str, *, immutable: bool) -> similar.Open:
            opened = super().get(path, immutable=immutable)
            if not self.late:
                self.late = True
                for other in paths[1:]:
                    super().get(str(other), immutable=immutable)
            return opened

    with Slow().using(str(paths[0]), immutable=False) as database:
        assert len(database.collection("notes")) == 1


def test_similar_writes_nothing_and_refuses_a_hosted_model(notes: Path) -> None:
    before = notes.read_bytes()
    connection = sqlite3.connect(f"{notes.as_uri()}?mode=ro", uri=True)
    register(connection, models=["fake:8"])
    with pytest.raises(sqlite3.OperationalError, match="the model fake:64 may not be used here"):
        nearest(connection, "notes", "cats")
    assert nearest(connection, "notes", FakeEmbedder("64").embed(["cats"]).vectors[0].tobytes(), 1)[0]["id"] == "cats"
    assert notes.read_bytes() == before


def test_a_server_that_only_the_file_names_gets_no_text(notes: Path) -> None:
    with sqlite3.connect(notes) as file:
        file.execute("update collections set model = 'https://models.example/v1#m'")
    connection = sqlite3.connect(notes)
    register(connection, hosted=True)
    with pytest.raises(sqlite3.OperationalError, match=r"your text would be sent there.*cosimo models trust"):
        nearest(connection, "notes", "cats")


def test_a_file_in_the_place_of_another_is_opened_anew(notes: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(notes)
    register(connection)
    nearest(connection, "notes", "cats")
    connection.close()
    with cosimo.open(tmp_path / "other.db") as db:
        db.collection("notes", model="fake:64").add([Document("owls", "Owls wake at night.")])
    (tmp_path / "other.db").replace(notes)
    connection = sqlite3.connect(notes)
    register(connection)
    assert [hit["id"] for hit in nearest(connection, "notes", "owls")] == ["owls"]


def test_whether_a_model_may_be_used_is_asked_once_a_connection(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    refuse = models.Permission.refuse
    monkeypatch.setattr(models.Permission, "refuse", lambda self, name: (asked.append(name), refuse(self, name))[1])
    connection.execute("create table t as values ('a'), ('b'), ('c')")
    assert len(connection.execute("select embed('fake:8', column1) from t").fetchall()) == 3
    assert asked == ["fake:8"]


# -- connections


def test_sqlite_utils_connections_take_them_too(notes: Path) -> None:
    import sqlite_utils

    db = sqlite_utils.Database(notes)
    register(db.conn)
    rows = db.query("select id from embeddings order by embed_cosine(embedding, embed('fake:64', 'cats')) desc limit 1")
    assert list(rows) == [{"id": "cats"}]
    db.close()


def test_a_connection_may_make_of_its_rows_what_it_likes(notes: Path) -> None:
    def named(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
        return dict(zip((column[0] for column in cursor.description), row, strict=True))

    for address in (notes, ":memory:"):
        connection = sqlite3.connect(address)
        if address == ":memory:":
            with sqlite3.connect(notes) as file:
                file.backup(connection)
        connection.row_factory = named
        register(connection)
        (row,) = connection.execute("select similar('notes', 'cats', 1) as found").fetchall()
        assert json.loads(row["found"])[0]["id"] == "cats"
        connection.close()
    connection = sqlite3.connect(notes)
    connection.text_factory = bytes
    register(connection)
    assert len(nearest(connection, "notes", "cats")) == 3


def test_registering_again_changes_what_is_allowed_and_harms_nothing(connection: sqlite3.Connection) -> None:
    for _ in range(20):
        register(connection)
        gc.collect()
        assert one(connection, "embed_decode(embed_encode('[1]'))") == "[1.0]"
    assert one(connection, "cosimo_version()") == cosimo.__version__


def test_registering_during_a_query_is_refused_and_what_was_there_goes_on(connection: sqlite3.Connection) -> None:
    connection.execute("create table t as values (1), (2), (3)")
    cursor = connection.execute("select embed_encode('[1]'), column1 from t")
    cursor.fetchone()
    with pytest.raises(sqlite3.OperationalError, match="end open queries first"):
        register(connection)
    gc.collect()
    assert len(cursor.fetchall()) == 2
    assert one(connection, "embed_decode(embed_encode('[1]'))") == "[1.0]"


INTERRUPTED = """
import sqlite3, time
from cosimo.interfaces.sql import native
from cosimo.interfaces.sql.register import sentence

def pressed():
    raise KeyboardInterrupt  # as Python does in the middle of a function

connection = sqlite3.connect(":memory:")
alive = native.register(connection, [native.Function("pressed", 0, pressed)], sentence)
try:
    connection.execute("select pressed()").fetchall()
except sqlite3.OperationalError as error:
    print(error)
try:
    for _ in range(1_000):
        time.sleep(0.01)
except KeyboardInterrupt:
    print("raised")
"""


def test_ctrl_c_ends_a_query_and_is_not_lost(home: Path) -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["interrupted", "raised"]
    assert done.stderr == ""


def test_a_closed_connection_is_refused(home: Path) -> None:
    connection = sqlite3.connect(":memory:")
    connection.close()
    with pytest.raises(sqlite3.ProgrammingError):
        register(connection)


def test_connections_and_what_they_hold_are_let_go_of(notes: Path) -> None:
    class Here(sqlite3.Connection):
        """A connection that can be watched."""

    import weakref

    held = []
    for _ in range(5):
        connection = sqlite3.connect(notes, factory=Here)
        register(connection)
        one(connection, "embed_cosine(embed('fake:64', 'a'), embed('fake:64', 'b'))")
        held.append(weakref.ref(connection))
        del connection
    gc.collect()
    assert [ref() for ref in held] == [None] * 5


def test_functions_that_always_say_the_same_may_be_indexed(notes: Path) -> None:
    connection = sqlite3.connect(notes)
    register(connection)
    connection.execute("create index lengths on embeddings (json_array_length(embed_decode(embedding)))")
    assert {
        each.deterministic for each in functions_of(connection, models.Permission()) if getattr(each, "name", "") == "similar"
    } == {False}


def test_two_thousand_cosines_take_no_time(connection: sqlite3.Connection) -> None:
    vectors = np.random.default_rng(2).normal(size=(2_000, 384)).astype("<f4")
    connection.execute("create table t (embedding)")
    connection.executemany("insert into t values (?)", [(vector.tobytes(),) for vector in vectors])
    query = "(select embed('fake:384', 'x') as e)"
    sql = f"with q as {query} select t.rowid from t, q order by embed_cosine(embedding, e) desc limit 5"
    found = [row[0] - 1 for row in connection.execute(sql)]
    asked = FakeEmbedder("384").embed(["x"]).vectors[0].astype(np.float64)
    scores = vectors.astype(np.float64) @ asked / np.linalg.norm(vectors.astype(np.float64), axis=1)
    assert found == np.argsort(-scores)[:5].tolist()
