"""Write: rows into the tables and out of them, their numbers and source labels with them. Call inside `file.atomic()`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.content import content_hash, storable
from . import passages, schema
from .rows import chunks, known_metadata, metadata_json, packed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..core.sqlite import File
    from ..core.types import Document, Known, Row
    from .catalog import Entry


def put(file: File, entry: Entry, batch: list[Row], source: str | None) -> None:
    """Store one batch, replacing rows of the same ids; of two with one id the last stays."""
    batch = list({row.id: row for row in batch}.values())
    highest = file.value("SELECT max(rowid) FROM embeddings") or 0
    # One INSERT … SELECT numbers the batch: triggers row by row took as long again as the rows themselves (40,000
    # rows/s instead of 65,000). New rows are those above the highest rowid: REPLACE takes a new one too.
    file.execute("UPDATE cosimo_state SET writing = 1")
    file.execute_many(
        "INSERT OR REPLACE INTO embeddings"
        " (collection_id, id, embedding, content, content_blob, content_hash, metadata, updated)"
        f" VALUES ({entry.number}, ?, ?, ?, ?, ?, ?, ?)",
        packed(batch, entry.settings.dim),
    )
    file.execute(
        f"INSERT INTO cosimo_rows (collection_id, id, changed, live, source) SELECT collection_id, id, {schema.NEXT}, 1, ?"
        " FROM embeddings WHERE rowid > ? ON CONFLICT (collection_id, id) DO UPDATE"
        " SET changed = excluded.changed, live = 1, source = coalesce(excluded.source, source)",
        (_source(file, entry.number, source), highest),
    )
    passages.forget(file, highest)
    passages.put(file, entry, batch)
    file.execute("UPDATE cosimo_state SET writing = 0")


def _source(file: File, number: int, label: str | None) -> int | None:
    """The number of a source label, made where it is new."""
    if label is None:
        return None
    key = (number, storable(label))
    file.execute("INSERT OR IGNORE INTO cosimo_sources (collection_id, label) VALUES (?, ?)", key)
    found: int = file.value("SELECT id FROM cosimo_sources WHERE collection_id = ? AND label = ?", key)
    return found


class Touches(NamedTuple):
    """What has to be written so that rows with unchanged texts are up to date: parameters of one UPDATE each."""

    contents: list[tuple[Any, ...]]
    metadata: list[tuple[Any, ...]]
    sources: list[tuple[Any, ...]]

    def ids(self) -> set[str]:
        """The rows that differ."""
        return {row[3] for row in self.contents} | {row[2] for row in self.metadata} | {row[0] for row in self.sources}


def differences(
    documents: Iterable[Document], known: Mapping[str, Known], labels: Mapping[str, str], *, store: bool, source: str | None
) -> Touches:
    """Compare documents with what is stored; asks nothing of the file."""
    found, now = Touches([], [], []), int(time.time())
    for document in documents:
        held, content = known.get(document.id), document.content
        if held is None:
            continue
        if store and content is not None and not held.has_content and held.hash == content_hash(content):
            text, blob = (storable(content), None) if isinstance(content, str) else (None, content)
            found.contents.append((text, blob, now, document.id, held.hash))
        if document.metadata is not None:
            wanted = metadata_json(document.metadata)
            if known_metadata(wanted) != held.metadata:
                found.metadata.append((wanted, now, document.id))
        if source is not None and labels.get(document.id) != storable(source):
            found.sources.append((document.id,))
    return found


def touch(file: File, entry: Entry, found: Touches, source: str | None) -> None:
    """Write differences."""
    key = f"WHERE collection_id = {entry.number} AND id = ?"
    # the hash again: another process may have stored another text since it was read
    file.execute_many(
        f"UPDATE embeddings SET content = ?, content_blob = ?, updated = ? {key} AND content_hash = ?", found.contents
    )
    file.execute_many(f"UPDATE embeddings SET metadata = ?, updated = ? {key}", found.metadata)
    if found.sources:
        file.execute_many(f"UPDATE cosimo_rows SET source = {_source(file, entry.number, source)} {key}", found.sources)


def set_vectors(file: File, entry: Entry, rows: Iterable[Row]) -> list[Row]:
    """Replace the vectors of rows whose text is still the one given, and nothing else of them; those come back."""
    from ..core.vectors import pack

    kept = []
    for row in rows:
        changed = file.execute(
            "UPDATE embeddings SET embedding = ?, content_hash = ? WHERE collection_id = ? AND id = ? AND content = ?",
            (pack(row.vector), content_hash(row.content or ""), entry.number, row.id, row.content),
        )
        kept += [row] if changed else []
    return kept


def delete(file: File, entry: Entry, ids: Iterable[str]) -> int:
    """Delete rows by id; the number that were there."""
    gone = 0
    for chunk in chunks(ids):
        sql = f"DELETE FROM embeddings WHERE collection_id = ? AND id IN ({','.join('?' * len(chunk))})"
        gone += file.execute(sql, (entry.number, *map(storable, chunk)))
    return gone


def not_kept(file: File, entry: Entry, source: str, table: str) -> list[str]:
    """Ids of one source that are not in a table of ids, sorted."""
    sql = (
        f"SELECT id FROM cosimo_rows WHERE collection_id = ?1 AND live AND id NOT IN (SELECT id FROM {table})"
        " AND source = (SELECT id FROM cosimo_sources WHERE collection_id = ?1 AND label = ?2) ORDER BY id"
    )
    return [id for (id,) in file.rows(sql, (entry.number, storable(source)))]
