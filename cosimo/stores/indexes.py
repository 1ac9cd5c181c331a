"""Indexes: what a SQLite file remembers of them: which was asked for, and the marks of those that were built. Builds none."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

from ..core.errors import StoreError
from ..core.types import IndexChoice
from ..core.vectors import METRICS
from .queries import Queries
from .rows import known_metadata

if TYPE_CHECKING:
    from pathlib import Path

    from . import catalog, schema

MARKS = 64  # kept for a collection: as many builds of one of its indexes leave the other's (passages, documents) believed


class Indexes(Queries):
    """The part of `SQLiteStore` that serves indexes."""

    @property
    def derived(self) -> Path | None:
        """The folder for files derived from the rows, which need not be there; None for `:memory:`."""
        if self._file.path is None:
            return None
        real = self._file.path.resolve()  # as SQLite does with its own files: they lie beside the file, not beside a link to it
        return real.with_name(f"{real.name}-cosimo")

    def index_choice(self, collection: str) -> IndexChoice | None:
        """The index that was asked for; None where it was left to us."""
        with self._collection(collection) as (state, entry):
            return self._fact(("index", collection), lambda: self._chosen(state, entry))

    def _chosen(self, state: schema.State, entry: catalog.Entry) -> IndexChoice | None:
        if not state.tracked:
            return None
        found = self._file.rows("SELECT kind, metric, params FROM cosimo_indexes WHERE collection_id = ?", (entry.number,))
        if not found or found[0][1] not in METRICS:
            return None
        kind, metric, params = found[0]
        return IndexChoice(str(kind), metric, known_metadata(params) or {})

    def choose_index(self, collection: str, choice: IndexChoice | None) -> None:
        """Remember the index to make; None leaves it to us again."""
        with self._writing_to(collection) as entry:
            self._file.execute("DELETE FROM cosimo_indexes WHERE collection_id = ?", (entry.number,))
            if choice is not None:
                values = (entry.number, choice.kind, choice.metric, json.dumps(dict(choice.params)))
                self._file.execute("INSERT INTO cosimo_indexes VALUES (?, ?, ?, ?)", values)

    def marks(self, collection: str) -> set[str]:
        """Marks of the indexes that were built from this collection, in this file."""
        with self._collection(collection) as (state, entry):
            if not state.tracked:
                return set()
            return {
                mark for (mark,) in self._file.rows("SELECT mark FROM cosimo_marks WHERE collection_id = ?", (entry.number,))
            }

    def mark(self, collection: str, version: int) -> str | None:
        """A new mark for an index built at a version; None where none can be written now.

        It shows later whether a file is the one an index was built from: an older backup put in its place does not hold the
        mark, nor does a copy that went its own way before.
        """
        if self.read_only:
            return None
        mark = secrets.token_hex(16)
        try:
            with self._writing_to(collection) as entry:
                self._file.execute("INSERT INTO cosimo_marks VALUES (?, ?, ?)", (mark, entry.number, version))
                self._file.execute(
                    "DELETE FROM cosimo_marks WHERE collection_id = ?1 AND rowid NOT IN"
                    " (SELECT rowid FROM cosimo_marks WHERE collection_id = ?1 ORDER BY rowid DESC LIMIT ?2)",
                    (entry.number, MARKS),
                )
        except StoreError:  # locked by another program, or no space left: an index in memory does as well
            return None
        return mark

    def changed(self, collection: str, since: int | None = None) -> int:
        """The number of documents that changed since a version, deleted ones among them; of all there are for None."""
        with self._collection(collection) as (state, entry):
            if since is None or not state.tracked:
                return int(self._file.value("SELECT count(*) FROM embeddings WHERE collection_id = ?", (entry.number,)))
            sql = "SELECT count(*) FROM cosimo_rows WHERE changed > ? AND +collection_id = ?"
            return int(self._file.value(sql, (since, entry.number)))
