"""The hall: adding, changing, finding, forgetting, through the public calls and the fake embedder."""

from __future__ import annotations

import sqlite3
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

import cosimo
from cosimo.core.errors import (
    BadVector,
    CollectionError,
    DataError,
    DimensionMismatch,
    ModelMismatch,
    NotFound,
    StoreError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cosimo.collection.database import Database

TEXTS = {
    "bread": "Bake sourdough bread in a hot oven with flour and water",
    "pizza": "Bake pizza dough in a very hot oven with flour and tomatoes",
    "sqlite": "Back up a SQLite database file while it is in use",
    "postgres": "Back up a PostgreSQL database with pg_dump every night",
}


def documents(texts: dict[str, str]) -> list[cosimo.Document]:
    return [cosimo.Document(id, text) for id, text in texts.items()]


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with cosimo.open(tmp_path / "notes.db") as opened:
        yield opened


@pytest.fixture
def notes(db: Database) -> cosimo.Collection:
    collection = db.collection("notes", model="fake:64")
    collection.add(documents(TEXTS))
    return collection


def test_what_is_added_is_found_by_text_and_by_id(notes: cosimo.Collection) -> None:
    assert [hit.id for hit in notes.search("database backup", k=2)] == ["sqlite", "postgres"] or {
        hit.id for hit in notes.search("back up a database", k=2)
    } == {"sqlite", "postgres"}
    assert notes.related("bread", k=1)[0].id == "pizza"
    assert notes.get("bread") == cosimo.Document("bread", TEXTS["bread"], None)
    assert len(notes) == 4
    assert "pizza" in notes
    assert "cake" not in notes


def test_a_second_run_embeds_nothing_and_a_changed_text_embeds_one(notes: cosimo.Collection) -> None:
    again = notes.add(documents(TEXTS))
    assert (again.embedded, again.unchanged, again.added, again.updated) == (0, 4, 0, 0)
    changed = notes.add(documents({**TEXTS, "bread": "Rye bread needs a sour starter"}))
    assert (changed.embedded, changed.unchanged, changed.updated) == (1, 3, 1)
    assert notes.get("bread").content == "Rye bread needs a sour starter"
    assert len(notes) == 4


def test_a_run_that_changes_nothing_does_not_touch_the_file(notes: cosimo.Collection, tmp_path: Path) -> None:
    before = sqlite3.connect(tmp_path / "notes.db").execute("PRAGMA data_version").fetchone()
    watcher = sqlite3.connect(tmp_path / "notes.db")
    version = watcher.execute("PRAGMA data_version").fetchone()
    notes.add(documents(TEXTS))
    assert watcher.execute("PRAGMA data_version").fetchone() == version
    assert before


def test_same_text_under_two_ids_keeps_both_and_embeds_once(db: Database) -> None:
    collection = db.collection("twins", model="fake:64")
    first = collection.add(documents({"a": "the same", "b": "the same"}))
    later = collection.add(documents({"c": "the same"}))
    assert (first.embedded, later.embedded, len(collection)) == (1, 0, 3)
    assert np.array_equal(collection.vector("a"), collection.vector("c"))


def test_swapped_texts_swap_their_vectors(db: Database) -> None:
    collection = db.collection("swap", model="fake:64")
    collection.add(documents({"a": "green apples", "b": "fast cars"}))
    apples = collection.vector("a").copy()
    collection.add(documents({"a": "fast cars", "b": "green apples"}))
    assert np.array_equal(collection.vector("b"), apples)


def test_of_one_id_given_twice_the_later_text_stays(db: Database) -> None:
    collection = db.collection("twice", model="fake:64")
    added = collection.add([cosimo.Document("a", "first"), cosimo.Document("a", "second")])
    assert collection.get("a").content == "second"
    assert (added.added, len(collection)) == (1, 1)


def test_metadata_changes_without_embedding(notes: cosimo.Collection) -> None:
    report = notes.add([cosimo.Document("bread", TEXTS["bread"], {"year": 2026})])
    assert report.embedded == 0
    assert notes.get("bread").metadata == {"year": 2026}


def test_text_is_stored_later_when_asked_and_left_out_when_told(db: Database) -> None:
    collection = db.collection("lean", model="fake:64")
    collection.add(documents(TEXTS), store=False)
    assert collection.get("bread").content is None
    assert collection.add(documents(TEXTS)).embedded == 0
    assert collection.get("bread").content == TEXTS["bread"]


def test_blank_texts_are_counted_and_not_stored(notes: cosimo.Collection) -> None:
    report = notes.add(documents({"empty": "", "blank": " \n\t　", "bread": ""}))
    assert (report.empty, report.removed, report.committed) == (3, 0, 0)
    assert "empty" not in notes
    assert "bread" in notes  # a query that gives NULLs must not empty a collection


def test_sync_removes_rows_whose_text_is_gone(db: Database) -> None:
    collection = db.collection("sync", model="fake:64")
    collection.add(documents(TEXTS), source="a")
    report = collection.add(documents({**TEXTS, "bread": " "}), source="a", sync=True)
    assert (report.removed, "bread" in collection, len(collection)) == (1, False, 3)


@pytest.mark.parametrize("text", ["😀🎉", "a\0b", "half a \ud83d pair", "x" * 1_000_000, "العربية", "中文没有空格"])
def test_odd_texts_are_stored_and_found(db: Database, text: str) -> None:
    collection = db.collection("odd", model="fake:64")
    collection.add([cosimo.Document("it", text)])
    assert collection.get("it").content == text.replace("\ud83d", "\ufffd")
    assert collection.add([cosimo.Document("it", text)]).embedded == 0


@pytest.mark.parametrize("id", ["50%", "a_b", "it's", 'say "hi"', "two\nlines", "ключ", " ", "a" * 5000])
def test_odd_ids_are_ordinary(db: Database, id: str) -> None:
    collection = db.collection("ids", model="fake:64")
    collection.add([cosimo.Document(id, "some text"), cosimo.Document("other", "some other text")])
    assert collection.get(id).id == id
    assert collection.related(id, 5)[0].id == "other"
    assert collection.delete(id) == 1
    assert len(collection) == 1


@pytest.mark.parametrize("id", ["", "a\0b", "\ud800", 7, None])
def test_ids_no_database_can_hold_are_refused_and_nothing_is_stored(db: Database, id: object) -> None:
    collection = db.collection("ids", model="fake:64")
    with pytest.raises(DataError):
        collection.add([cosimo.Document("fine", "text"), cosimo.Document(id, "text")])  # type: ignore[arg-type]
    assert len(collection) == 0


def test_prefix_is_literal(db: Database) -> None:
    collection = db.collection("prefix", model="fake:64")
    collection.add(documents({"a_1": "one", "ab1": "one more", "a%1": "one other", "A_1": "one big"}))
    assert {hit.id for hit in collection.search("one", 10, prefix="a_")} == {"a_1"}
    assert {hit.id for hit in collection.search("one", 10, prefix="a%")} == {"a%1"}


@pytest.mark.parametrize("k", [0, -1, True, 2.5])
def test_k_below_one_is_refused(notes: cosimo.Collection, k: object) -> None:
    with pytest.raises(DataError, match="at least 1"):
        notes.search("bread", k)  # type: ignore[arg-type]


def test_k_beyond_all_rows_gives_all_rows(notes: cosimo.Collection) -> None:
    assert len(notes.search("bread", 10**9)) == 4
    assert len(notes.related("bread", 10**9)) == 3


def test_sync_removes_only_what_the_same_source_no_longer_has(db: Database) -> None:
    collection = db.collection("sync", model="fake:64")
    collection.add(documents({"a": "one", "b": "two"}), source="first")
    collection.add(documents({"c": "three"}), source="second")
    collection.add(documents({"d": "four"}))
    report = collection.add(documents({"b": "two"}), source="first", sync=True)
    assert report.removed == 1
    assert [row.id for row in collection.rows()] == ["b", "c", "d"]


def test_sync_without_a_source_is_refused(notes: cosimo.Collection) -> None:
    with pytest.raises(DataError, match="source"):
        notes.add(documents(TEXTS), sync=True)


def test_plan_counts_and_writes_nothing(notes: cosimo.Collection) -> None:
    plan = notes.plan(documents({**TEXTS, "new": "a new text", "same": "a new text", "void": ""}))
    assert (plan.texts, plan.unchanged, plan.empty, plan.to_embed) == (7, 4, 1, 1)
    assert plan.tokens > 0
    assert len(notes) == 4


def test_rows_of_another_program_are_found_at_once(notes: cosimo.Collection, tmp_path: Path) -> None:
    notes.search("bread")
    with sqlite3.connect(tmp_path / "notes.db") as other:
        other.execute(
            "insert into embeddings (collection_id, id, embedding, content) select collection_id, 'copy', embedding, 'by hand'"
            " from embeddings where id = 'bread'"
        )
        other.execute("delete from embeddings where id = 'pizza'")
    assert notes.related("bread", 1)[0].id == "copy"
    assert "pizza" not in {hit.id for hit in notes.search("pizza", 10)}


def test_another_model_is_refused_in_one_sentence(db: Database, notes: cosimo.Collection) -> None:
    with pytest.raises(ModelMismatch, match=r"fake:64 \(64\), not fake:32"):
        db.collection("notes", model="fake:32")
    assert db.collection("notes").model == "fake:64"
    assert db.collection("notes", model="fake:64").dim == 64


def test_vectors_from_elsewhere_are_kept_and_searched(db: Database) -> None:
    collection = db.collection("given", model=None, dim=3)
    count = collection.add_vectors(["x", "y"], [[1, 0, 0], [0, 2, 0]], contents=["ex", None], metadata=[{"n": 1}, None])
    assert count == 2
    hits = collection.search(np.array([0.1, 1, 0]), k=1)
    assert [(hit.id, round(hit.score, 4)) for hit in hits] == [("y", 0.995)]
    assert collection.get("x") == cosimo.Document("x", "ex", {"n": 1})
    assert [hit.id for hit in collection.search("ex")] == ["x"]  # by words: there is no model to embed the query
    with pytest.raises(ModelMismatch, match="no model"):
        collection.search("text", mode="vector")


@pytest.mark.parametrize(
    ("vectors", "error"),
    [
        ([[1, 0, 0], [0, 1]], BadVector),
        ([[1, 0], [0, 1]], DimensionMismatch),
        ([[1, 0, 0], [0, float("nan"), 0]], BadVector),
        ([[1, 0, 0], [0, float("inf"), 0]], BadVector),
        ([["a", "b", "c"], ["d", "e", "f"]], BadVector),
        ([[1, 0, 0]], DataError),
    ],
)
def test_bad_vectors_are_refused_and_nothing_is_stored(db: Database, vectors: list[list[float]], error: type) -> None:
    collection = db.collection("given", model=None, dim=3)
    with pytest.raises(error):
        collection.add_vectors(["x", "y"], vectors)
    assert len(collection) == 0


def test_a_zero_vector_is_stored_and_never_found(db: Database) -> None:
    collection = db.collection("given", model=None, dim=2)
    collection.add_vectors(["zero", "one"], [[0, 0], [1, 0]])
    assert [hit.id for hit in collection.search([1, 1], 5)] == ["one"]
    assert collection.related("zero", 5) == []
    assert collection.vector("zero").tolist() == [0, 0]


def test_the_first_vectors_set_the_length(db: Database) -> None:
    db.collection("given", model=None).add_vectors(["a"], [[1, 2]])
    with pytest.raises(DimensionMismatch):
        db.collection("given").add_vectors(["b"], [[1, 2, 3]])
    assert db.collection("given").dim == 2


def test_what_is_not_there_is_named(db: Database, notes: cosimo.Collection) -> None:
    with pytest.raises(NotFound, match="it holds 'notes'"):
        db.collection("nothing").search("x")
    with pytest.raises(NotFound, match="no item 'cake'"):
        notes.related("cake")
    with pytest.raises(NotFound, match="no item 'cake'"):
        notes.get("cake")
    with pytest.raises(NotFound):
        db.drop("nothing")
    with pytest.raises(CollectionError):
        db.collection("")
    assert len(db.collection("nothing")) == 0
    assert [info.name for info in db.collections()] == ["notes"]


def test_reading_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        cosimo.open(tmp_path / "none.db", read_only=True)
    with pytest.raises(StoreError):
        cosimo.open(tmp_path / "none.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_model_is_refused_before_anything_is_stored(db: Database) -> None:
    collection = db.collection("notes", model="nothing-of-that-name:x")
    with pytest.raises(cosimo.Error, match="nothing-of-that-name"):
        collection.add(documents(TEXTS))
    assert db.collections() == []


def test_dropping_a_collection_takes_its_rows_along(db: Database, notes: cosimo.Collection) -> None:
    db.collection("other", model="fake:64").add(documents(TEXTS))
    assert db.drop("notes") == 4
    assert len(notes) == 0
    assert len(db.collection("other")) == 4


def test_progress_is_told_after_each_commit(db: Database) -> None:
    seen: list[int] = []
    collection = db.collection("steps", model="fake:64")
    collection.add(documents(TEXTS), batch_size=3, progress=lambda done: seen.append(done.committed))
    assert seen == [3, 4]


def test_an_error_in_the_middle_keeps_what_was_committed(db: Database) -> None:
    collection = db.collection("steps", model="fake:64")

    def failing() -> Iterator[cosimo.Document]:
        yield from documents(TEXTS)
        raise RuntimeError("the disk went away")

    with pytest.raises(RuntimeError):
        collection.add(failing(), batch_size=2)
    assert len(collection) == 4
    assert collection.add(documents(TEXTS)).embedded == 0


def test_embed_gives_one_row_a_text() -> None:
    assert cosimo.embed(["a", "b"], model="fake:16").shape == (2, 16)
    assert cosimo.embed("a", model="fake:16").shape == (1, 16)
    assert cosimo.embed([], model="fake:16").shape == (0, 16)
    assert cosimo.embed("a", model="fake:16").dtype == np.float32


def test_what_is_no_document_or_no_id_is_named(notes: cosimo.Collection) -> None:
    for wrong in ("text", ["text"], [("id", "text")], [5]):
        with pytest.raises(DataError, match=r"cosimo\.Document"):
            notes.add(wrong)  # type: ignore[arg-type]
    for call in (notes.get, notes.vector, notes.related):
        with pytest.raises(DataError, match="not 5"):
            call(5)  # type: ignore[operator]
    with pytest.raises(DataError, match="not 5"):
        notes.delete([5])  # type: ignore[list-item]


def test_bytes_that_a_model_of_texts_cannot_read_are_named_by_id(notes: cosimo.Collection) -> None:
    with pytest.raises(DataError, match="'picture'"):
        notes.add([cosimo.Document("picture", b"\x89PNG")])
    assert "picture" not in notes


def test_vectors_that_are_refused_leave_no_length_behind(db: Database, tmp_path: Path) -> None:
    rows = tmp_path / "rows.ndjson"
    rows.write_text('{"id": "a", "embedding": [1, 2]}\n{"id": "b", "embedding": [1, 2, 3]}\n')
    collection = db.collection("fresh", model=None)
    with pytest.raises(BadVector):
        collection.import_rows(rows)
    rows.write_text('{"id": "a", "embedding": [1, 2, 3]}\n')
    assert collection.import_rows(rows) == 1
    with pytest.raises(DimensionMismatch):
        db.collection("fresh", model=None).add_vectors(["b"], [[1, 2]])


def test_a_length_that_another_program_chose_first_is_kept(db: Database) -> None:
    late, early = db.collection("both", model=None), db.collection("both", model=None)
    early.add_vectors(["a"], [[1, 2, 3]])
    with pytest.raises(DimensionMismatch):
        late.add_vectors(["b"], [[1, 2]])
    assert db.collection("both").dim == 3


def test_a_model_that_another_handle_chose_first_is_not_mixed(db: Database) -> None:
    late, lenient = db.collection("both", model="fake:16"), db.collection("both")
    db.collection("both", model="fake:32").add(documents(TEXTS))
    for _ in range(2):
        with pytest.raises(ModelMismatch):
            late.add([cosimo.Document("mixed", "a text")])
    lenient.add([cosimo.Document("one more", "a text")])
    assert (lenient.model, len(lenient), len(lenient.vector("one more"))) == ("fake:32", len(TEXTS) + 1, 32)


def test_a_collection_made_by_vectors_from_elsewhere_takes_no_model_later(db: Database) -> None:
    late = db.collection("both", model="fake:16")
    db.collection("both", model=None).add_vectors(["a"], np.eye(1, 16))
    with pytest.raises(ModelMismatch):
        late.add([cosimo.Document("b", "a text")])


def test_vectors_that_are_refused_leave_no_collection_behind(db: Database) -> None:
    with pytest.raises(DataError):
        db.collection("fresh", model=None).add_vectors(["", "b"], np.eye(2))
    assert "fresh" not in [info.name for info in db.collections()]


@pytest.mark.parametrize("rows", [0, 2])
def test_a_search_is_for_one_vector(db: Database, rows: int) -> None:
    shapes = db.collection("shapes", model=None)
    shapes.add_vectors(["a"], [[1, 0]])
    with pytest.raises(BadVector, match="one vector"):
        shapes.search(np.ones((rows, 2)))


def test_a_closed_stderr_is_no_reason_to_fail(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert db.collection("quiet", model="fake:16").add(documents(TEXTS)).added == len(TEXTS)


def test_metadata_nested_beyond_reason_is_refused(notes: cosimo.Collection) -> None:
    deep: dict = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(DataError, match="nested"):
        notes.add([cosimo.Document("deep", "x", deep)])


@pytest.mark.parametrize("address", [5, b"notes.db", "a\0b", ""])
def test_what_names_no_file_is_refused(address: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError):
        cosimo.open(address)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")
def test_a_database_that_is_deleted_meanwhile_takes_no_more_rows(tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "gone.db") as db:
        notes = db.collection("notes", model="fake:64")
        notes.add(documents(TEXTS))
        (tmp_path / "gone.db").unlink()
        with pytest.raises(StoreError, match="removed or renamed"):
            notes.add([cosimo.Document("late", "lost otherwise")])
