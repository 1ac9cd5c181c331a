"""Audit: what is wrong in a file, as findings; and repair of what is derived. Changes no row of `embeddings`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.content import content_hash
from ..core.errors import StoreError
from ..core.types import Finding
from . import catalog, schema, thumbnails

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.sqlite import File
    from .schema import State

PAGE = 500  # rows looked at in one go
AGAIN = "delete the row and embed its text again"  # embedding alone would find the text unchanged
ORPHANS = "no search finds them, and deleting them from the table embeddings loses nothing else"


def repair(file: File) -> None:
    """Make anew what is derived: numbers, triggers; forget collections that are gone. Call inside `file.atomic()`."""
    for name in schema.TRIGGERS:
        file.execute(f"DROP TRIGGER IF EXISTS {name}")
    schema.track(file)
    for table in ("cosimo_collections", "cosimo_sources"):
        file.execute(f"DELETE FROM {table} WHERE collection_id NOT IN (SELECT id FROM collections)")
    thumbnails.sweep(file)


def findings(file: File, state: State) -> Iterator[Finding]:
    """Everything wrong in the tables of a file that is not damaged. Call inside a transaction.

    Kinds: `orphan` (rows of no collection), `id`, `vector`, `zero`, `stale` (the hash is not
    that of the content), `metadata`, `named` (named vectors of no item), `untracked` (triggers missing), `numbers` (numbers
    out of step).
    """
    if not state.tables:
        return
    yield from _orphans(file)
    for number, name in file.rows("SELECT id, name FROM collections ORDER BY name"):
        yield from _rows(file, state, number, str(name))
    yield from _named(file, state)
    if state.version == schema.VERSION:
        yield from _numbers(file, state)


def damage(file: File) -> Iterator[Finding]:
    """What SQLite's own check says: kind `damaged`. Call outside a transaction, which could not be ended after an error."""
    try:
        for (message,) in file.rows("PRAGMA integrity_check(100)"):
            if message != "ok":
                yield Finding("damaged", None, None, f"{message}; restore a backup, or copy what can be read: cosimo export")
    except StoreError as error:  # so damaged that the check itself stops
        yield Finding("damaged", None, None, str(error))


def _orphans(file: File) -> Iterator[Finding]:
    sql = (
        "SELECT collection_id, count(*) FROM embeddings WHERE collection_id IS NULL OR collection_id NOT IN"
        " (SELECT id FROM collections) GROUP BY 1"
    )
    for number, rows in file.rows(sql):
        yield Finding("orphan", None, None, f"{rows} rows belong to collection number {number}, which is gone; {ORPHANS}")


def _rows(file: File, state: State, number: int, collection: str) -> Iterator[Finding]:
    """Findings about single rows. Reads pages by rowid, so that a page's vectors are all that is held."""
    dim = _dimension(file, state, number)
    columns = ("rowid", "id", "embedding", "content", "content_blob", "content_hash", "metadata")
    names = ", ".join(name if name == "rowid" else state.column(name) for name in columns)
    sql = f"SELECT {names} FROM embeddings WHERE +collection_id = ? AND rowid > ? ORDER BY rowid LIMIT {PAGE}"
    after = -(2**63)
    while page := file.rows(sql, (number, after)):
        for _, id, *rest in page:
            for kind, message in _faults(id, *rest, dim=dim):
                yield Finding(kind, collection, id if isinstance(id, str) else None, message)
        after = page[-1][0]


def _dimension(file: File, state: State, number: int) -> int:
    """The length of the collection's vectors: as remembered, else what most rows have."""
    if state.version:
        kept = "SELECT json_extract(settings, '$.dim') FROM cosimo_collections WHERE collection_id = ?"
        if dim := file.value(kept, (number,)):
            return int(dim)
    most = "SELECT length(embedding) / 4 FROM embeddings WHERE collection_id = ? GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
    return int(file.value(most, (number,)) or 0)


def _faults(
    id: Any, embedding: Any, content: Any, blob: Any, hash: Any, metadata: Any, *, dim: int
) -> Iterator[tuple[str, str]]:
    import numpy as np

    if not isinstance(id, str):
        yield "id", f"the id {id!r} is not text, so the row cannot be found; give it another"
    if not isinstance(embedding, bytes) or len(embedding) != 4 * dim:
        held = f"{len(embedding)} bytes" if isinstance(embedding, bytes) else "no bytes"
        yield "vector", f"the vector has {held} where {4 * dim} ({dim} floats) belong; {AGAIN}"
    else:
        vector = np.frombuffer(embedding, "<f4")
        if not np.isfinite(vector).all():
            yield "vector", f"the vector holds NaN or infinity; {AGAIN}"
        elif not vector.any():
            yield "zero", f"the vector is all zeros, so no search finds the row; {AGAIN}, or leave it"
    stored = blob if content is None else content
    if stored is not None and hash is not None and content_hash(stored) != hash:
        yield "stale", f"the text is not the one that was embedded; {AGAIN}"
    from .rows import known_metadata

    if metadata is not None and known_metadata(metadata) is None:
        yield "metadata", "the metadata is no JSON object, so it is not shown"


def _named(file: File, state: State) -> Iterator[Finding]:
    """Named vectors whose item is not there."""
    of = {entry.name: entry for entry in catalog.entries(file, state)}
    for space in of.values():
        if not space.settings.named:
            continue
        own = of.get(space.name.rpartition("/")[0])
        sql = "SELECT count(*), min(id) FROM embeddings WHERE collection_id = ?"
        if own is not None:
            sql += f" AND id NOT IN (SELECT id FROM embeddings WHERE collection_id = {own.number} AND id IS NOT NULL)"
        ((rows, first),) = file.rows(sql, (space.number,))
        if rows:
            whose = space.name.rpartition("/")[0]
            message = (
                f"vectors that are named of items which '{whose}' does not have, so that no search finds them: {rows}, the"
                f" first of '{first}'; add these items, or run: cosimo delete {space.name} ID"
            )
            yield Finding("named", space.name, None, message)


def _numbers(file: File, state: State) -> Iterator[Finding]:
    if not state.tracked:
        message = "triggers are missing or changed, so changes by other programs go unnoticed; run: cosimo check --repair"
        yield Finding("untracked", None, None, message)
    unnumbered = file.value(
        "SELECT count(*) FROM embeddings e WHERE typeof(id) = 'text' AND collection_id IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM cosimo_rows r WHERE r.collection_id = e.collection_id AND r.id = e.id AND r.live)"
    )
    left = file.value(
        "SELECT count(*) FROM cosimo_rows r WHERE live AND NOT EXISTS"
        " (SELECT 1 FROM embeddings e WHERE r.collection_id = e.collection_id AND r.id = e.id)"
    )
    if unnumbered or left:
        message = f"{unnumbered} rows have no number and {left} numbers no row; run: cosimo check --repair"
        yield Finding("numbers", None, None, message)
