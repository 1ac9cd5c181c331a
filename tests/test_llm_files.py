"""Files of the `llm` command: every version's since 2023 opens, none is damaged, and the real package works with ours."""

from __future__ import annotations

import json
import sqlite3
import struct
from hashlib import md5
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cosimo.core.types import Document, Row, Settings
from cosimo.core.units import documents_of
from cosimo.stores import schema
from cosimo.stores.sqlite import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cosimo.core.types import Change

TEXTS = {"x/a": "one text", "x/b": "another text", "y": "Grüße\n日本"}
COLUMNS = "[collection_id] INTEGER REFERENCES [collections]([id]),\n   [id] TEXT,\n   [embedding] BLOB,\n   [content] TEXT,\n"
KEY = "PRIMARY KEY ([collection_id], [id])\n)"
# The table as the versions of llm left it, from 0.9 (September 2023) on: brackets, and columns that came one by one.
OLD_TABLES = {
    1: "[collection_id] INTEGER,\n   [id] TEXT,\n   [embedding] BLOB,\n   [content] TEXT,\n   [metadata] TEXT,\n",
    2: f"{COLUMNS}   [metadata] TEXT,\n",
    3: f"{COLUMNS}   [metadata] TEXT,\n   [updated] INTEGER,\n",
    4: f"{COLUMNS}   [content_hash] BLOB,\n   [metadata] TEXT,\n   [updated] INTEGER,\n",
    5: f"{COLUMNS}   [content_blob] BLOB,\n   [content_hash] BLOB,\n   [metadata] TEXT,\n   [updated] INTEGER,\n",
}


def vector(text: str) -> list[float]:
    return [float(len(text)), float(text.count("t")), 1.0]


def packed(text: str) -> bytes:
    return struct.pack("<3f", *vector(text))


def old_file(path: Path, steps: int) -> None:
    """A file as `llm` had it after so many of its migrations, with three texts and one row without."""
    db = sqlite3.connect(path)
    db.execute(
        "CREATE TABLE [_sqlite_migrations] (\n   [migration_set] TEXT,\n   [name] TEXT,\n   [applied_at] TEXT,\n"
        "   PRIMARY KEY ([migration_set], [name])\n)"
    )
    for name in schema.LLM_STEPS[:steps]:
        db.execute("INSERT INTO _sqlite_migrations VALUES ('llm.embeddings', ?, '2023-09-04 01:02:03.4')", (name,))
    db.execute("CREATE TABLE [collections] (\n   [id] INTEGER PRIMARY KEY,\n   [name] TEXT,\n   [model] TEXT\n)")
    db.execute("CREATE UNIQUE INDEX [idx_collections_name]\n    ON [collections] ([name])")
    db.execute(f"CREATE TABLE [embeddings] (\n   {OLD_TABLES[steps]}   {KEY}")
    if steps >= 4:
        db.execute("CREATE INDEX [idx_embeddings_content_hash]\n    ON [embeddings] ([content_hash])")
    db.execute("INSERT INTO collections VALUES (1, 'notes', 'ada-002')")
    for id, text in [*TEXTS.items(), ("none", None)]:
        row: dict[str, Any] = {"collection_id": 1, "id": id, "embedding": packed(text or ""), "content": text}
        row["metadata"] = json.dumps({"n": 1}) if id == "y" else None
        if steps >= 3:
            row["updated"] = 1_700_000_000
        if steps >= 4:
            row["content_hash"] = md5((text or "?").encode()).digest()
        db.execute(f"INSERT INTO embeddings ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
    db.commit()
    db.close()


@pytest.fixture(params=OLD_TABLES, ids=lambda steps: schema.LLM_STEPS[steps - 1])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, int]:
    path = tmp_path / "old.db"
    old_file(path, request.param)
    return path, request.param


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """The real package, with a model of ours registered and no plug-in of the machine's loaded."""
    monkeypatch.setenv("LLM_LOAD_PLUGINS", "")
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path / "llm"))
    llm = pytest.importorskip("llm")
    from llm.plugins import pm

    class Lengths(llm.EmbeddingModel):
        model_id = "lengths"
        supports_binary = True

        def embed_batch(self, items):
            return (vector(item if isinstance(item, str) else "") for item in items)

    class Plugin:
        @llm.hookimpl
        def register_embedding_models(self, register):
            register(Lengths())

    plugin = Plugin()
    pm.register(plugin)
    yield llm
    pm.unregister(plugin)


def database(path: Path) -> Any:
    return pytest.importorskip("sqlite_utils").Database(path)


def schema_of(path: Path) -> dict[str, str]:
    with sqlite3.connect(path) as db:
        sql = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'cosimo_%' AND name NOT LIKE 'sqlite_%'"
        found = dict(db.execute(sql))
    db.close()
    return found


def ours(path: Path) -> None:
    """A file that cosimo made, with the three texts."""
    with SQLiteStore(path) as store:
        store.create("notes", Settings(model="lengths", dim=3, revision="r"))
        store.put("notes", [Row(id, np.array(vector(text), np.float32), text) for id, text in TEXTS.items()])


# --- older files -----------------------------------------------------------------------------------------------------


def documents(change: Change) -> list[int]:
    """Numbers of the documents that a change brings."""
    return documents_of(change.numbers).tolist()


def test_reading_an_old_file_leaves_it_as_it_is(old: tuple[Path, int]) -> None:
    path, steps = old
    before = path.read_bytes()
    with SQLiteStore(path) as store:
        info = store.info("notes")
        assert info is not None
        assert (info.count, info.settings) == (4, Settings(model="ada-002", dim=3))
        found = store.get("notes", list(TEXTS))
        assert {id: row.content for id, row in found.items()} == TEXTS
        assert found["y"].metadata == {"n": 1}
        assert found["x/a"].vector.tolist() == vector("one text")
        assert [row.id for row in store.scan("notes", prefix="x/")] == ["x/a", "x/b"]
        change = store.changes("notes")
        assert (change.full, len(change.numbers), len(store.ids_of("notes", documents(change)))) == (True, 4, 4)
        again = store.changes("notes", change.version)
        assert (again.full, len(again.numbers)) == (False, 0)
        known = store.known("notes", ["y", "none"])
        assert (known["y"].hash is not None, known["y"].has_content, known["none"].has_content) == (steps >= 4, True, False)
        assert store.touch("notes", [Document("y", TEXTS["y"], {"n": 1})], store=True) == 0
        assert store.prune("notes", "anything", []) == []
        assert store.check() == []
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["old.db"]


def test_writing_to_an_old_file_brings_it_up_to_date(old: tuple[Path, int]) -> None:
    path, steps = old
    with SQLiteStore(path) as store:
        version = store.changes("notes").version
        store.put("notes", [Row("new", np.array([1, 2, 3], np.float32), b"bytes")])
        assert store.changes("notes", version).full
        known = store.known("notes", [*TEXTS, "none", "new"])
        assert {id: known[id].hash for id in TEXTS} == {id: md5(text.encode()).digest() for id, text in TEXTS.items()}
        assert len(known["none"].hash or b"") == 16
        assert store.get("notes", ["new"])["new"].content == b"bytes"
        rows = {row.id: row for row in store.scan("notes")}
        assert {id: rows[id].content for id in TEXTS} == TEXTS
        assert all(row.updated >= 1_700_000_000 for row in rows.values())
        assert rows["y"].metadata == {"n": 1}
        assert store.check() == []
    with sqlite3.connect(path) as db:
        recorded = {name for (name,) in db.execute("SELECT name FROM _sqlite_migrations")}
    db.close()
    assert recorded == set(schema.LLM_STEPS) - ({"m002_foreign_key"} if steps == 1 else set())


def test_llm_goes_on_with_an_old_file_that_we_wrote_to(old: tuple[Path, int], llm: Any) -> None:
    path, _ = old
    with SQLiteStore(path) as store:
        store.put("notes", [Row("new", np.array([1, 2, 3], np.float32), "new text")])
    db = database(path)
    collection = llm.Collection("notes", db, model=llm.get_embedding_model("lengths"))
    assert collection.count() == 5
    collection.embed("later", "a later text", store=True)
    db.close()
    with SQLiteStore(path) as store:
        assert store.get("notes", ["later"])["later"].content == "a later text"
        assert {row.id for row in store.scan("notes")} == {*TEXTS, "none", "new", "later"}
        assert store.changes("notes").vectors.shape == (6, 3)
        store.delete("notes", ["later"])
        assert store.check() == []


# --- the real package ------------------------------------------------------------------------------------------------


def test_our_tables_are_llms_to_the_letter(tmp_path: Path) -> None:
    pytest.importorskip("llm")
    from llm.embeddings_migrations import embeddings_migrations

    theirs = database(tmp_path / "llm.db")
    embeddings_migrations.apply(theirs)
    theirs.close()
    with SQLiteStore(tmp_path / "ours.db") as store:
        store.create("notes", Settings(model=None))
    assert schema_of(tmp_path / "ours.db") == schema_of(tmp_path / "llm.db")


def test_llm_finds_nothing_to_migrate_in_our_file(tmp_path: Path) -> None:
    pytest.importorskip("llm")
    from llm.embeddings_migrations import embeddings_migrations

    ours(tmp_path / "ours.db")
    db = database(tmp_path / "ours.db")
    assert embeddings_migrations.pending(db) == []
    db.close()


def test_llm_lists_searches_and_extends_our_file(tmp_path: Path, llm: Any) -> None:
    path = tmp_path / "ours.db"
    ours(path)
    with SQLiteStore(path) as store:
        before = store.changes("notes")
        number = {id: n for n, id in store.ids_of("notes", documents(before)).items()}
        db = database(path)
        collection = llm.Collection("notes", db)
        assert [entry.id for entry in collection.similar_by_id("x/a", number=5)] == ["x/b", "y"]
        assert collection.similar("one text", number=1)[0].id == "x/a"
        assert collection.similar("one text", number=1)[0].score == pytest.approx(1)
        collection.embed_multi([("x/a", "an edited text"), ("z", "a new text"), ("again", TEXTS["y"])], store=True)

        after = store.changes("notes", before.version)
        ids = store.ids_of("notes", documents(after))
        assert not after.full
        assert {ids[n]: found for n, found in zip(documents(after), after.vectors.tolist(), strict=True)} == {
            "x/a": vector("an edited text"),
            "z": vector("a new text"),
            "again": vector(TEXTS["y"]),
        }
        assert number["x/a"] in ids
        assert store.known("notes", ["z"])["z"].hash == md5(b"a new text").digest()
        assert store.check() == []
        db.close()


def test_we_read_what_llm_wrote_and_leave_it_as_it_is(tmp_path: Path, llm: Any) -> None:
    path = tmp_path / "llm.db"
    db = database(path)
    collection = llm.Collection("notes", db, model_id="lengths")
    collection.embed_multi_with_metadata(
        [(id, text, {"n": 1} if id == "y" else None) for id, text in TEXTS.items()], store=True
    )
    collection.embed("image", b"\x00\xff", store=True)
    db.close()
    before = path.read_bytes()
    with SQLiteStore(path) as store:
        found = store.get("notes", [*TEXTS, "image"])
        assert {id: found[id].content for id in TEXTS} == TEXTS
        assert (found["image"].content, found["y"].metadata) == (b"\x00\xff", {"n": 1})
        assert store.vectors_of("notes", [md5(b"one text").digest()])[md5(b"one text").digest()].tolist() == vector("one text")
        assert store.check() == []
    assert path.read_bytes() == before


def test_llm_writing_to_its_own_file_is_noticed_by_a_reader(tmp_path: Path, llm: Any) -> None:
    path = tmp_path / "llm.db"
    db = database(path)
    collection = llm.Collection("notes", db, model_id="lengths")
    collection.embed("a", "one text")
    with SQLiteStore(path, read_only=True) as store:
        first = store.changes("notes")
        assert not store.changes("notes", first.version).full
        collection.embed("b", "two texts")
        second = store.changes("notes", first.version)
        assert (second.full, len(second.numbers)) == (True, 2)
    db.close()


def test_the_command_line_of_llm_lists_and_deletes_our_collections(tmp_path: Path, llm: Any) -> None:
    from click.testing import CliRunner
    from llm.cli import cli

    path = tmp_path / "ours.db"
    ours(path)
    with SQLiteStore(path) as store:
        store.create("no model", Settings(model=None, dim=3))
        store.put("no model", [Row("a", np.ones(3, np.float32))], source="s")
        version = store.changes("notes").version
        listed = CliRunner().invoke(cli, ["collections", "list", "-d", str(path)])
        assert (listed.exit_code, listed.output.split("\n")) == (
            0,
            ["no model: None", "  1 embedding", "notes: lengths", "  3 embeddings", ""],
        )
        similar = CliRunner().invoke(cli, ["similar", "no model", "a", "-d", str(path)])
        assert similar.exit_code == 0
        deleted = CliRunner().invoke(cli, ["collections", "delete", "notes", "-d", str(path)])
        assert deleted.exit_code == 0
        assert [info.name for info in store.collections()] == ["no model"]
        store.create("notes", Settings(model="fake:3", dim=3))
        assert store.changes("notes", version).full
        assert store.check() == []


def test_a_table_rewrite_that_drops_our_triggers_is_noticed_and_mended(tmp_path: Path) -> None:
    path = tmp_path / "ours.db"
    ours(path)
    with SQLiteStore(path) as store:
        first = store.changes("notes")
        db = database(path)
        db["embeddings"].transform(rename={}, column_order=("id", "collection_id"))
        db.execute("DELETE FROM embeddings WHERE id = 'y'")
        db.conn.commit()
        db.close()
        blind = store.changes("notes", first.version)
        assert (blind.full, len(blind.numbers)) == (True, 2)
        assert [finding.kind for finding in store.check()] == ["untracked", "numbers"]
        store.put("notes", [Row("new", np.ones(3, np.float32))])
        mended = store.changes("notes", first.version)
        assert (mended.full, len(mended.numbers)) == (True, 3)
        assert not store.changes("notes", mended.version).full
        assert store.check() == []
