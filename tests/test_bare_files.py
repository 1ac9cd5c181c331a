"""Bare files: tables of vectors as a script makes them, with no texts, no metadata and no key."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import cosimo
from cosimo import Document
from cosimo.core.errors import DataError, StoreError
from cosimo.embedders.fake import FakeEmbedder

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ["", ", content TEXT", ", metadata TEXT", ", content_hash BLOB", ", content_blob BLOB"]


def bare(path: Path, columns: str = "", rows: int = 5) -> None:
    """A file as a script makes one: the columns that vectors need and no key."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE collections (id INTEGER PRIMARY KEY, name TEXT, model TEXT)")
        connection.execute("INSERT INTO collections VALUES (1, 'notes', 'fake:64')")
        connection.execute(f"CREATE TABLE embeddings (collection_id INTEGER, id TEXT, embedding BLOB{columns})")
        for number in range(rows):
            vector = FakeEmbedder("64").embed([f"text {number}"]).vectors[0].tobytes()
            connection.execute("INSERT INTO embeddings (collection_id, id, embedding) VALUES (1, ?, ?)", (f"d{number}", vector))
        connection.commit()


@pytest.mark.parametrize("columns", COLUMNS)
def test_vectors_without_texts_or_metadata_are_read_as_they_are(tmp_path: Path, home: Path, columns: str) -> None:
    path = tmp_path / "bare.db"
    bare(path, columns)
    before = path.read_bytes()
    with cosimo.open(path, read_only=True) as db:
        notes = db.collection("notes")
        assert notes.search("text 3", k=1)[0].id == "d3"
        assert notes.search("text 3", where="year > 3") == []
        assert notes.facets("year") == {}
        assert notes.plan([Document("d1", "text 1")]).to_embed == 1
        with pytest.raises(DataError, match="stores no texts"):
            notes.search("text 3", mode="text")
        with pytest.raises(DataError, match="have no text"):
            notes.plan_migration("fake:32")
    assert path.read_bytes() == before


@pytest.mark.parametrize("columns", COLUMNS)
def test_vectors_without_texts_or_metadata_can_be_added_to(tmp_path: Path, home: Path, columns: str) -> None:
    path = tmp_path / "bare.db"
    bare(path, columns)
    with cosimo.open(path) as db:
        notes = db.collection("notes")
        added = notes.add([Document("new", "a new text", {"year": 4}), Document("d1", "text 1")])
        assert (added.added, added.updated) == (1, 1)
        assert len(notes) == 6  # d1 was replaced, though nothing in the table had said that ids are unique
        assert notes.search("a new text", where="year > 3")[0].id == "new"
        assert notes.delete("d2") == 1
        assert notes.migrate("fake:32", [Document(f"d{n}", f"text {n}") for n in range(5)]).rows == 5
        assert db.check() == []


def test_several_rows_of_one_id_are_told_before_anything_is_written(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "bare.db"
    bare(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE embeddings SET id = 'd1' WHERE id = 'd2'")
        connection.commit()
    with cosimo.open(path) as db, pytest.raises(StoreError, match=r"several rows of the id 'd1'.*delete all but one"):
        db.collection("notes").add([Document("new", "a new text")])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM embeddings").fetchone() == (5,)
