"""The SQLite store: bad files, odd rows, other programs, many writers. What every store must do is in tests/contract."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from cosimo.core.content import content_hash, storable
from cosimo.core.errors import BadVector, Corrupt, DataError, Locked, StoreError
from cosimo.core.types import Cut, Document, Passage, Row, Settings
from cosimo.core.units import SHIFT, documents_of
from cosimo.stores import schema
from cosimo.stores.changes import after_prefix
from cosimo.stores.sqlite import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

DIM = 4
SETTINGS = Settings(model="fake:4", dim=DIM, revision="r1")


def row(id: str, value: float = 1.0, content: str | bytes | None = None, **more: Any) -> Row:
    return Row(id, np.array([value, 0, 0, 0], np.float32), content, **more)


def blob(value: float) -> bytes:
    return np.array([value, 0, 0, 0], "<f4").tobytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(path) as opened:
        opened.create("notes", SETTINGS)
        yield opened


@pytest.fixture
def other(path: Path, store: SQLiteStore) -> Iterator[sqlite3.Connection]:
    """Another program, which knows nothing of ours."""
    connection = sqlite3.connect(path, isolation_level=None)
    yield connection
    connection.close()


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder of a user without special rights, who we are meanwhile: root may write anywhere."""
    folder = Path(tempfile.mkdtemp())
    if not hasattr(os, "geteuid"):
        pytest.skip("permissions of this kind are POSIX's")
    root = os.geteuid() == 0
    if root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


def message_of(error: pytest.ExceptionInfo[BaseException]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


# --- files that cannot be used ---------------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("just some text, long enough to be read as a header, " * 20)
    before = path.read_bytes()
    with pytest.raises(Corrupt) as error:
        SQLiteStore(path)
    assert "notes.txt is not a SQLite database" in message_of(error)
    assert path.read_bytes() == before


def test_a_damaged_database_is_named(path: Path, store: SQLiteStore) -> None:
    store.put("notes", [row(f"{n}") for n in range(2000)])
    store.close()
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (path.stat().st_size - 8192))
    with pytest.raises(StoreError) as error, SQLiteStore(path) as damaged:
        damaged.put("notes", [row("x")])
    assert str(path) in message_of(error)


def test_a_damaged_database_has_findings_not_a_traceback(path: Path, store: SQLiteStore) -> None:
    store.put("notes", [row(f"{n}") for n in range(5000)])
    store.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 20_000)
    with SQLiteStore(path, read_only=True) as damaged:
        findings = damaged.check()
    assert findings[0].kind == "damaged"


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder, not a database"):
        SQLiteStore(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as error:
        SQLiteStore(tmp_path / "no" / "notes.db")
    assert f"there is no folder {tmp_path / 'no'}" in message_of(error)


@pytest.mark.parametrize("how", [{"create": False}, {"read_only": True}])
def test_a_missing_file_is_not_made_by_a_reader(path: Path, how: dict[str, bool]) -> None:
    with pytest.raises(StoreError, match="there is no database at"):
        SQLiteStore(path, **how)
    assert not path.exists()


def test_an_empty_file_is_an_empty_database(path: Path) -> None:
    path.touch()
    with SQLiteStore(path, read_only=True) as store:
        assert store.collections() == []
        assert store.check() == []


@pytest.mark.parametrize("name", ["a b.db", "a?mode=ro.db", "a#b%20.db", "日本.db"])
def test_any_file_name_works(tmp_path: Path, name: str) -> None:
    with SQLiteStore(tmp_path / name) as store:
        store.create("notes", SETTINGS)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    with SQLiteStore(f"sqlite:///{tmp_path / name}", create=False) as store:
        assert store.count("notes") == 0


def test_tables_of_another_program_are_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE collections (id INTEGER PRIMARY KEY, title TEXT)")
    connection.close()
    with SQLiteStore(path) as store, pytest.raises(StoreError) as error:
        store.create("notes", SETTINGS)
    assert "a table 'collections' that is another program's" in message_of(error)


def test_a_read_only_file_is_read_and_says_why_it_cannot_be_written(nobody: Path) -> None:
    path = nobody / "notes.db"
    with SQLiteStore(path) as store:
        store.create("notes", SETTINGS)
        store.put("notes", [row("a")])
    path.chmod(0o444)
    with SQLiteStore(path) as store:
        assert store.read_only
        assert store.get("notes", ["a"])["a"].id == "a"
        assert store.touch("notes", [Document("a", None)], store=True) == 0
        with pytest.raises(StoreError) as error:
            store.put("notes", [row("b")])
    assert "notes.db cannot be written: it is read-only" in message_of(error)


def test_a_read_only_folder_is_no_obstacle_to_reading(nobody: Path) -> None:
    path = nobody / "notes.db"
    with SQLiteStore(path) as store:
        store.create("notes", SETTINGS)
        store.put("notes", [row("a")])
    nobody.chmod(0o555)
    with SQLiteStore(path) as store:
        assert store.read_only
        assert len(store.changes("notes").numbers) == 1
    with pytest.raises(StoreError) as error:
        SQLiteStore(nobody / "new.db")
    assert "cannot be opened" in message_of(error)


def test_a_file_without_permission_is_named(nobody: Path) -> None:
    path = nobody / "notes.db"
    SQLiteStore(path).close()
    path.chmod(0)
    with pytest.raises(StoreError) as error:
        SQLiteStore(path)
    assert str(path) in message_of(error)


def test_a_locked_file_says_how_long_it_waited(path: Path, store: SQLiteStore, other: sqlite3.Connection) -> None:
    other.execute("BEGIN IMMEDIATE")
    with SQLiteStore(path, busy_timeout=0.2) as waiting:
        started = time.monotonic()
        with pytest.raises(Locked) as error:
            waiting.put("notes", [row("a")])
        assert time.monotonic() - started >= 0.15
        assert waiting.count("notes") == 0, "reading does not wait for writers"
    assert "locked by another writer for 0.2 s; try again or set --busy-timeout" in message_of(error)
    other.execute("ROLLBACK")
    assert store.put("notes", [row("a")]) == 1


def test_a_full_disk_stores_nothing_of_the_batch(path: Path, store: SQLiteStore) -> None:
    store.put("notes", [row("a")])
    store._file.execute(f"PRAGMA max_page_count = {store._file.value('PRAGMA page_count') + 2}")
    with pytest.raises(StoreError) as error:
        store.put("notes", [row(f"{n}", content="x" * 1000) for n in range(1000)])
    assert "no space left" in message_of(error)
    assert [found.id for found in store.scan("notes")] == ["a"]
    store._file.execute("PRAGMA max_page_count = 1000000")
    assert store.put("notes", [row("b")]) == 1
    assert store.check() == []


def test_a_file_from_a_newer_cosimo_is_read_but_not_written(store: SQLiteStore, path: Path, other: sqlite3.Connection) -> None:
    store.put("notes", [row("a", content="text")])
    other.execute("UPDATE cosimo_state SET version = 99, written_by = '7.5'")
    with SQLiteStore(path) as older:
        assert older.get("notes", ["a"])["a"].content == "text"
        assert len(older.changes("notes").numbers) == 1
        with pytest.raises(Corrupt) as error:
            older.put("notes", [row("b")])
    assert "newer cosimo (7.5, file version 99" in message_of(error)
    assert other.execute("SELECT count(*) FROM embeddings").fetchone() == (1,)


def test_a_closed_store_says_so(store: SQLiteStore) -> None:
    store.close()
    with pytest.raises(StoreError):
        store.count("notes")
    store.close()


# --- rows ------------------------------------------------------------------------------------------------------------


def test_nothing_is_stored_by_half(store: SQLiteStore) -> None:
    with pytest.raises(BadVector):
        store.put("notes", [row("a"), row("b", float("nan"))])
    with pytest.raises(DataError, match="an id must be text"):
        store.put("notes", [row("a"), row(7)])  # type: ignore[arg-type]
    assert store.count("notes") == 0
    assert store.check() == []


def test_empty_and_nul_ids_are_ordinary(store: SQLiteStore) -> None:
    store.put("notes", [row("", 1), row("a\0b", 2), row("a", 3), row("a\0c", 4)])
    assert [found.id for found in store.scan("notes", prefix="a\0")] == ["a\0b", "a\0c"]
    assert store.get("notes", ["", "a\0b"])["a\0b"].vector[0] == 2
    assert store.prune("notes", "none", []) == []
    assert store.delete("notes", ["a\0b"]) == 1
    assert [found.id for found in store.scan("notes")] == ["", "a", "a\0c"]


def test_half_characters_become_replacement_characters_in_text(store: SQLiteStore) -> None:
    store.put("notes", [row("a", content="x\ud800y")], source="fold\udcff")
    assert store.get("notes", ["a"])["a"].content == "x\ufffdy"
    assert store.known("notes", ["a"])["a"].hash == content_hash("x\ud800y") == content_hash("x\ufffdy")
    assert store.touch("notes", [Document("a", "x\ud800y")], store=True, source="fold\udcff") == 0
    assert store.prune("notes", "fold\udcff", []) == ["a"]
    with pytest.raises(DataError):
        store.create("\ud800", SETTINGS)
    assert store.info("\ud800") is None


@pytest.mark.parametrize("content", ["", " \n", "😀" * 10, "a\0b", "x" * 10_000_000, b"", b"\0" * 1_000_000])
def test_any_content_comes_back(store: SQLiteStore, content: str | bytes) -> None:
    store.put("notes", [row("a", content=content)])
    assert store.get("notes", ["a"])["a"].content == content
    assert store.check() == []


def test_metadata_that_json_has_no_word_for_is_kept_as_near_as_possible(store: SQLiteStore) -> None:
    from datetime import date

    store.put("notes", [row("a", metadata={"day": date(2024, 2, 29), "x": float("nan"), "deep": [float("inf"), (1, 2)]})])
    assert store.get("notes", ["a"])["a"].metadata == {"day": "2024-02-29", "x": None, "deep": [None, [1, 2]]}
    assert store._file.value("SELECT json_valid(metadata) FROM embeddings") == 1
    with pytest.raises(DataError, match="use text as keys"):
        store.put("notes", [row("b", metadata={(1, 2): 3})])


def test_the_last_of_two_rows_with_one_id_stays(store: SQLiteStore) -> None:
    assert store.put("notes", [row("a", 1), row("b", 2), row("a", 3)]) == 3
    assert store.count("notes") == 2
    change = store.changes("notes")
    assert sorted(vector[0] for vector in change.vectors) == [2, 3]
    assert store.check() == []


def test_a_second_run_leaves_the_file_byte_for_byte(path: Path, store: SQLiteStore) -> None:
    documents = [Document(f"{n}", f"text {n}", {"n": n}) for n in range(1200)]
    store.put("notes", [row(d.id, content=d.content, metadata=d.metadata) for d in documents], source="s")
    store.close()
    before = path.read_bytes()
    with SQLiteStore(path) as again:
        assert again.touch("notes", documents, store=True, source="s") == 0
        assert again.prune("notes", "s", (d.id for d in documents)) == []
        assert again.delete("notes", []) == 0
    assert path.read_bytes() == before


def test_memory_stays_flat_while_rows_stream_through(store: SQLiteStore) -> None:
    store.create("wide", Settings(model=None, dim=256))
    vector = np.ones(256, np.float32)
    rows = (Row(f"{n:06d}", vector) for n in range(30_000))  # 31 MB of vectors
    tracemalloc.start()
    try:
        store.put("wide", rows)
        put_peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        assert sum(1 for _ in store.scan("wide")) == 30_000
        scan_peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert put_peak < 20e6
    assert scan_peak < 10e6


def test_long_texts_make_small_batches(store: SQLiteStore) -> None:
    taken: list[int] = []

    def rows() -> Iterator[Row]:
        for n in range(12):
            taken.append(store.count("notes"))
            yield row(f"{n}", content="x" * 5_000_000)

    store.put("notes", rows())
    assert max(taken) >= 7, "by the eighth text of 5 MB the first 32 MB are committed"


def test_a_scan_may_write_what_it_reads(store: SQLiteStore) -> None:
    store.put("notes", [row(f"{n:04d}", n) for n in range(2500)])
    ids = []
    for found in store.scan("notes"):
        ids.append(found.id)
        if int(found.id) % 500 == 0:
            store.put("notes", [row(found.id, -1.0)])
    assert ids == [f"{n:04d}" for n in range(2500)]


@given(st.text(max_size=4), st.lists(st.text(max_size=6), max_size=20))
def test_a_prefix_is_a_range_of_bytes(prefix: str, texts: list[str]) -> None:
    until = after_prefix(prefix)
    for text in [storable(text) for text in texts] + [prefix, prefix + "\U0010ffff", prefix + "a"]:
        inside = text.encode("utf-8", "surrogatepass") >= prefix.encode("utf-8", "surrogatepass") and (
            until is None or text.encode("utf-8", "surrogatepass") < until.encode()
        )
        assert inside == text.startswith(prefix)


# --- other programs and other processes ------------------------------------------------------------------------------


def follow(store: SQLiteStore, held: dict[int, list[float]], since: int | None, *, whole: bool = False) -> int:
    """Do what an index does: apply the changes since a version."""
    change = store.changes("notes", since, whole=whole)
    gone = set(documents_of(np.concatenate([change.removed, change.numbers])).tolist())
    for unit in list(held):
        if change.full or unit >> SHIFT in gone:
            del held[unit]
    held.update((int(n), vector.tolist()) for n, vector in zip(change.numbers, change.vectors, strict=True))
    return change.version


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "put",
                "cut",
                "replace",
                "insert",
                "update",
                "rename",
                "delete",
                "foreign-delete",
                "touch",
                "look",
                "vacuum",
                "rewrite",
            ]
        ),
        st.sampled_from(["a", "b", "c", "A", "%", ""]),
        st.sampled_from(["a", "b", "c", "d"]),
        st.integers(1, 50),
    ),
    max_size=25,
)


@budget(max_examples=60, deadline=None)
@given(OPERATIONS)
def test_an_index_that_applies_changes_holds_what_the_file_holds(operations: list[tuple[str, str, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder, SQLiteStore(Path(folder) / "notes.db") as store:
        store.create("notes", SETTINGS)
        other = sqlite3.connect(Path(folder) / "notes.db", isolation_level=None)
        held: dict[int, list[float]] = {}
        passages: dict[int, list[float]] = {}
        since: int | None = None
        rows: dict[str, float] = {}
        for operation, id, second, value in operations:
            foreign(other, operation, id, second, value, rows)
            if operation == "put":
                store.put("notes", [row(id, value)])
                rows[id] = value
            elif operation == "cut":
                store.put("notes", [cut_row(id, value)])
                rows[id] = value
            elif operation == "delete":
                store.delete("notes", [id])
                rows.pop(id, None)
            elif operation == "touch":
                store.touch("notes", [Document(id, None, {"n": value})], store=False, source=second)
            elif operation == "look":
                follow(store, passages, since)
                since = follow(store, held, since, whole=True)
        follow(store, passages, since)
        follow(store, held, since, whole=True)
        afresh: dict[int, list[float]] = {}
        follow(store, afresh, None)
        assert passages == afresh
        assert {unit >> SHIFT for unit in afresh} == {unit >> SHIFT for unit in held}
        ids = store.ids_of("notes", [unit >> SHIFT for unit in held])
        assert {ids[unit >> SHIFT]: vector[0] for unit, vector in held.items()} == rows
        assert len(ids) == len(held)
        assert {found.id for found in store.scan("notes")} == set(rows)
        store.put("notes", [row("z")])
        assert store.check() == []
        other.close()


def cut_row(id: str, value: float) -> Row:
    """A document of two passages, at 100 and 200 more than itself."""
    parts = np.array([[value + 100, 0, 0, 0], [value + 200, 0, 0, 0]], np.float32)
    return replace(
        row(id, value, content=f"{value}"), cut=Cut([Passage(0, 0, 1, "", "", 1), Passage(1, 1, 2, "", "", 1)], parts)
    )


@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        ("UPDATE embeddings SET metadata = '{}'", True),
        ("UPDATE embeddings SET content = 'other', content_hash = x'00'", False),
        ("UPDATE embeddings SET embedding = zeroblob(16)", False),
        ("UPDATE embeddings SET id = 'renamed'", False),
        ("REPLACE INTO embeddings (collection_id, id, embedding, content_hash) VALUES (1, 'a', zeroblob(16), x'00')", False),
        ("DELETE FROM embeddings", False),
    ],
)
def test_passages_go_when_another_program_changes_their_text(
    store: SQLiteStore, other: sqlite3.Connection, sql: str, kept: bool
) -> None:
    store.put("notes", [cut_row("a", 1)])
    other.execute(sql)
    left = [
        count for (count,) in other.execute("SELECT count(*) FROM cosimo_vectors UNION ALL SELECT count(*) FROM cosimo_cut")
    ]
    assert left == ([2, 1] if kept else [0, 0])


def test_a_dropped_collection_takes_its_passages_along(store: SQLiteStore, other: sqlite3.Connection) -> None:
    store.create("others", SETTINGS)
    store.put("notes", [cut_row("a", 1)])
    store.put("others", [cut_row("b", 2)])
    store.drop("notes")
    assert other.execute("SELECT count(*) FROM cosimo_vectors").fetchone() == (2,)
    assert store.changes("others").vectors[:, 0].tolist() == [102, 202]


def foreign(other: sqlite3.Connection, operation: str, id: str, second: str, value: int, rows: dict[str, float]) -> None:
    """One thing that another program does to the table, and to the model of it."""
    if operation == "replace" or (operation == "insert" and id not in rows):
        verb = "INSERT OR REPLACE" if operation == "replace" else "INSERT"
        other.execute(f"{verb} INTO embeddings (collection_id, id, embedding) VALUES (1, ?, ?)", (id, blob(value)))
        rows[id] = value
    elif operation == "update" and id in rows:
        other.execute("UPDATE embeddings SET embedding = ? WHERE id = ?", (blob(value), id))
        rows[id] = value
    elif operation == "rename" and id in rows and id != second:
        other.execute("UPDATE OR REPLACE embeddings SET id = ? WHERE id = ?", (second, id))
        rows[second] = rows.pop(id)
    elif operation == "foreign-delete":
        other.execute("DELETE FROM embeddings WHERE id = ?", (id,))
        rows.pop(id, None)
    elif operation == "vacuum":
        other.execute("VACUUM")
    elif operation == "rewrite":  # as sqlite-utils' transform does it: our triggers go with the old table
        sql = schema.LLM_TABLES["embeddings"][0].replace('TABLE "embeddings"', 'TABLE "embeddings_new"')
        columns = "collection_id, id, embedding, content, content_blob, content_hash, metadata, updated"
        for statement in (
            "BEGIN",
            sql,
            f"INSERT INTO embeddings_new ({columns}) SELECT {columns} FROM embeddings ORDER BY id DESC",
            "DROP TABLE embeddings",
            "ALTER TABLE embeddings_new RENAME TO embeddings",
            "COMMIT",
        ):
            other.execute(statement)


def test_vectors_nobody_can_use_are_left_out_and_found_by_check(store: SQLiteStore, other: sqlite3.Connection) -> None:
    store.put("notes", [row("good"), row("worse")])
    since = store.changes("notes").version
    bad = {
        "short": b"\0" * 8,
        "nan": blob(float("nan")),
        "odd": b"abc",
        "null": None,
        "text": "0" * 16,
        "worse": blob(float("inf")),
    }
    for id, embedding in bad.items():
        other.execute("INSERT OR REPLACE INTO embeddings (collection_id, id, embedding) VALUES (1, ?, ?)", (id, embedding))
    change = store.changes("notes", since)
    assert (change.full, len(change.numbers)) == (False, 0)
    assert "worse" in store.ids_of("notes", documents_of(change.removed).tolist()).values()
    full = store.changes("notes")
    assert list(store.ids_of("notes", documents_of(full.numbers).tolist()).values()) == ["good"]
    assert {finding.id for finding in store.check() if finding.kind == "vector"} == set(bad)
    assert store.get("notes", ["odd"])["odd"].vector.shape == (0,)
    assert len(list(store.scan("notes"))) == 7


def test_a_version_of_another_life_of_the_file_means_start_afresh(store: SQLiteStore) -> None:
    store.put("notes", [row("a")])
    version = store.changes("notes").version
    assert store.changes("notes", version + 1000).full
    assert store.changes("notes", -5).full


def test_vectors_of_another_length_after_configure_mean_start_afresh(store: SQLiteStore) -> None:
    store.put("notes", [row("a")])
    version = store.changes("notes").version
    store.configure("notes", Settings(model="fake:2", dim=2, revision="r2"))
    change = store.changes("notes", version)
    assert (change.full, change.vectors.shape) == (True, (0, 2))


def test_check_names_what_is_wrong_and_repair_mends_what_is_derived(store: SQLiteStore, other: sqlite3.Connection) -> None:
    store.put("notes", [row("a", content="text"), row("zero", 0.0), row("b")], source="s")
    assert [(finding.kind, finding.id) for finding in store.check()] == [("zero", "zero")]
    other.execute("UPDATE embeddings SET content = 'edited' WHERE id = 'a'")
    other.execute("UPDATE embeddings SET metadata = 'no JSON' WHERE id = 'b'")
    other.execute("INSERT INTO embeddings (collection_id, id, embedding) VALUES (77, 'lost', x'00')")
    other.execute("DROP TRIGGER cosimo_added")
    other.execute("INSERT INTO embeddings (collection_id, id, embedding) VALUES (1, 'new', ?)", (blob(1),))
    other.execute("DELETE FROM cosimo_rows WHERE id = 'b'")
    found = {finding.kind: finding for finding in store.check()}
    assert found.keys() == {"orphan", "stale", "metadata", "zero", "untracked", "numbers"}
    assert found["stale"].id == "a"
    assert found["numbers"].message.startswith("2 rows have no number")
    assert {finding.kind for finding in store.check(repair=True)} == {"orphan", "stale", "metadata", "zero"}
    assert store.get("notes", ["b"])["b"].metadata is None
    assert store.prune("notes", "s", ["a", "zero"]) == [], "b was numbered anew, and nobody knows its source"


def test_a_dropped_table_of_ours_comes_back(store: SQLiteStore, other: sqlite3.Connection) -> None:
    store.put("notes", [row("a")])
    for trigger in schema.TRIGGERS:
        other.execute(f"DROP TRIGGER {trigger}")
    other.execute("DROP TABLE cosimo_rows")
    assert len(store.changes("notes").numbers) == 1
    store.put("notes", [row("b")])
    assert store.check() == []
    assert sorted(store.ids_of("notes", documents_of(store.changes("notes").numbers).tolist()).values()) == ["a", "b"]


def test_a_collection_deleted_by_another_program_leaves_nothing_behind(store: SQLiteStore, other: sqlite3.Connection) -> None:
    store.put("notes", [row("a"), row("b")], source="s")
    other.execute("DELETE FROM embeddings WHERE collection_id = 1")
    other.execute("DELETE FROM collections WHERE id = 1")
    assert store.info("notes") is None
    for table in ("cosimo_rows", "cosimo_sources", "cosimo_collections"):
        assert other.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    store.create("notes", Settings(model="other", dim=DIM))
    info = store.info("notes")
    assert info is not None
    assert info.settings == Settings(model="other", dim=DIM)


def test_a_backup_is_whole_and_overwrites_nothing(path: Path, store: SQLiteStore, tmp_path: Path) -> None:
    store.put("notes", [row(f"{n}") for n in range(100)])
    target = tmp_path / "copy.db"
    store.backup(target)
    with SQLiteStore(target, read_only=True) as copy:
        assert copy.count("notes") == 100
        assert copy.check() == []
    for taken in (target, path, tmp_path):
        with pytest.raises(StoreError, match="exists already"):
            store.backup(taken)
    with pytest.raises(StoreError, match="there is no folder"):
        store.backup(tmp_path / "no" / "copy.db")


def test_threads_share_one_store(store: SQLiteStore) -> None:
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for n in range(20):
                store.put("notes", [row(f"{name}{n}-{m}") for m in range(10)])
                store.changes("notes")
                store.prune("notes", "none", ["x"])
        except BaseException as error:  # shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.count("notes") == 800
    assert store.check() == []


WRITER = """
import sys
import numpy as np
from cosimo.core.types import Row, Settings
from cosimo.stores.sqlite import SQLiteStore
path, name, batches = sys.argv[1], sys.argv[2], int(sys.argv[3])
with SQLiteStore(path, busy_timeout=20) as store:
    store.create("notes", Settings(model=None, dim=64))
    for batch in range(batches):
        store.put("notes", [Row(f"{name}{batch * 100 + n}", np.ones(64, np.float32), "text") for n in range(100)])
        print(batch * 100 + 99, flush=True)
"""


def writer(path: Path, name: str, batches: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), name, str(batches)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_add_to_one_collection_at_once(path: Path) -> None:
    running = [writer(path, "a", 40), writer(path, "b", 40)]
    for process in running:
        assert process.communicate(timeout=60)[1] == ""
    with SQLiteStore(path) as store:
        assert store.count("notes") == 8000
        assert store.check() == []


def test_a_killed_writer_loses_nothing_it_reported(path: Path) -> None:
    for attempt in range(4):
        process = writer(path, f"{attempt}-", 100_000)
        assert process.stdout is not None
        assert process.stderr is not None
        reported = -1
        for _ in range(3 + 5 * attempt):
            reported = int(process.stdout.readline())
        process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        reported = max([reported, *(int(line) for line in process.stdout.read().splitlines())])
        process.stderr.close()
        process.wait()
        with SQLiteStore(path) as store:
            assert store.check() == []
            ids = {found.id for found in store.scan("notes", prefix=f"{attempt}-")}
            assert {f"{attempt}-{n}" for n in range(reported + 1)} <= ids
            assert len(ids) % 100 == 0, "batches are there whole"


def test_hashes_are_md5_of_utf8() -> None:
    assert content_hash("é") == hashlib.md5("é".encode()).digest()
