"""Passages: the parts of long documents and their vectors, in `cosimo_cut` and `cosimo_vectors`. Cuts nothing, embeds nothing.

A document's passages count as long as the hash beside them is that of its content. Everything here asks inside a transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.errors import BadVector, DimensionMismatch
from ..core.types import Cut, Passage, Span
from ..core.units import MAX_SEQ, SHIFT
from .rows import ROW_COLUMNS, chunks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..core.sqlite import File
    from ..core.types import Row, Vector
    from .catalog import Entry

# Documents of a collection (the first parameter) whose passages are those of the text that is there now
VALID = (
    "FROM cosimo_cut c CROSS JOIN cosimo_rows r ON r.number = c.number CROSS JOIN embeddings e"
    " ON e.collection_id = r.collection_id AND e.id = r.id"
    " WHERE r.collection_id = ? AND e.content_hash IS c.hash AND c.passages > 0"
)
PAGE = 64  # documents taken from the file at a time
THEIRS = f"v.unit BETWEEN {{number}} << {SHIFT} AND {{number}} << {SHIFT} | {MAX_SEQ}"


class Parts(NamedTuple):
    """The documents of a collection that are cut, or those among them that changed since a version."""

    collection: int
    since: int | None

    @property
    def _query(self) -> str:
        return VALID if self.since is None else f"{VALID} AND r.changed > {self.since:d}"

    def numbers(self, file: File) -> list[int]:
        """Numbers of the documents."""
        return [number for (number,) in file.rows(f"SELECT c.number {self._query} ORDER BY c.number", (self.collection,))]

    def total(self, file: File) -> int:
        """How many passages they have."""
        return int(file.value(f"SELECT count(*) {self._passages}", (self.collection,)))

    @property
    def _passages(self) -> str:
        return self._query.replace(" WHERE ", f" CROSS JOIN cosimo_vectors v ON {THEIRS.format(number='c.number')} WHERE ", 1)

    @property
    def vectors(self) -> str:
        """A query for (unit, embedding) of all passages: takes (bytes of an embedding, collection)."""
        return f"SELECT v.unit, v.embedding {self._passages} AND length(v.embedding) = ? AND typeof(v.embedding) = 'blob'"


def any_cut(file: File) -> bool:
    """Whether any document of the file is cut: most files have none, and need no further look."""
    return bool(file.value("SELECT 1 FROM cosimo_cut LIMIT 1"))


def any_of(file: File, collection: int) -> bool:
    """Whether any document of a collection is cut."""
    return any_cut(file) and bool(file.value(f"SELECT 1 {VALID} LIMIT 1", (collection,)))


def forget(file: File, after: int) -> None:
    """Remove the passages of the rows with a higher rowid in `embeddings`: those that were just written."""
    if not any_cut(file):
        return
    written = (
        "FROM embeddings e CROSS JOIN cosimo_rows r ON r.collection_id = e.collection_id AND r.id = e.id"
        " CROSS JOIN cosimo_cut c ON c.number = r.number"
    )
    file.execute(
        f"DELETE FROM cosimo_vectors WHERE unit IN (SELECT v.unit {written} CROSS JOIN cosimo_vectors v"
        f" ON {THEIRS.format(number='c.number')} WHERE e.rowid > ?)",
        (after,),
    )
    file.execute(f"DELETE FROM cosimo_cut WHERE number IN (SELECT c.number {written} WHERE e.rowid > ?)", (after,))


def put(file: File, entry: Entry, batch: Sequence[Row]) -> None:
    """Store the passages that rows come with; the rows are there already, and numbered.

    Raises
    ------
    DimensionMismatch, BadVector : vectors of passages that do not fit, naming the document
    """
    cut = [row for row in batch if row.cut is not None]
    if not cut:
        return
    numbers: dict[str, tuple[int, bytes | None]] = {}
    for ids in chunks(row.id for row in cut):
        sql = (
            "SELECT r.id, r.number, e.content_hash FROM cosimo_rows r JOIN embeddings e USING (collection_id, id)"
            f" WHERE r.collection_id = ? AND r.id IN ({','.join('?' * len(ids))})"
        )
        numbers |= {id: (number, hash) for id, number, hash in file.rows(sql, (entry.number, *ids))}
    file.execute_many(
        "INSERT OR REPLACE INTO cosimo_cut VALUES (?, ?, ?)",
        ((*numbers[row.id], len(row.cut.passages)) for row in cut if row.cut is not None),
    )
    file.execute_many(
        'INSERT OR REPLACE INTO cosimo_vectors (unit, start, "end", heading, tokens, embedding) VALUES (?, ?, ?, ?, ?, ?)',
        (parameters for row in cut for parameters in _packed(row, numbers[row.id][0])),
    )


def _packed(row: Row, number: int) -> Iterator[tuple[Any, ...]]:
    import numpy as np

    assert row.cut is not None
    passages, vectors = row.cut
    if not passages:
        return
    if vectors.shape != (len(passages), len(row.vector)):
        raise DimensionMismatch(
            f"{row.id!r} has passages with vectors of shape {vectors.shape}, not ({len(passages)}, {len(row.vector)})"
        )
    if not np.isfinite(vectors).all():
        raise BadVector(f"a passage's vector of {row.id!r} holds NaN or infinity; nothing of its batch was stored")
    blobs, width = memoryview(vectors.astype("<f4", copy=False).tobytes()), 4 * vectors.shape[1]
    for at, passage in enumerate(passages):
        blob = blobs[at * width : (at + 1) * width]
        yield number << SHIFT | at, passage.start, passage.end, passage.heading, passage.tokens, blob


def drop(file: File, collection: int) -> None:
    """Remove all passages of a collection; before its numbers go."""
    documents = "FROM cosimo_rows r CROSS JOIN cosimo_cut c ON c.number = r.number"
    file.execute(
        f"DELETE FROM cosimo_vectors WHERE unit IN (SELECT v.unit {documents} CROSS JOIN cosimo_vectors v"
        f" ON {THEIRS.format(number='c.number')} WHERE r.collection_id = ?)",
        (collection,),
    )
    file.execute(
        f"DELETE FROM cosimo_cut WHERE number IN (SELECT c.number {documents} WHERE r.collection_id = ?)", (collection,)
    )


def cuts_of(file: File, entry: Entry, hashes: Sequence[bytes]) -> Iterator[tuple[bytes, Vector, Cut]]:
    """(hash, document vector, passages) of documents with these content hashes, those alone that somebody looked at."""
    import numpy as np

    width = 4 * (entry.settings.dim or 0)
    for chunk in chunks(hashes):
        sql = (
            "SELECT e.content_hash, e.embedding, c.number FROM embeddings e CROSS JOIN cosimo_rows r"
            " ON r.collection_id = e.collection_id AND r.id = e.id CROSS JOIN cosimo_cut c ON c.number = r.number"
            " WHERE +e.collection_id = ? AND e.content_hash IS c.hash AND length(e.embedding) = ?"
            f" AND e.content_hash IN ({','.join('?' * len(chunk))})"
        )
        for hash, embedding, number in file.rows(sql, (entry.number, width, *chunk)):
            found = file.rows(
                f'SELECT start, "end", heading, tokens, embedding FROM cosimo_vectors v'
                f" WHERE {THEIRS.format(number='?1')} AND length(embedding) = ?2 ORDER BY unit",
                (number, width),
            )
            passages = [
                Passage(seq, start, end, "", heading or "", tokens)
                for seq, (start, end, heading, tokens, _) in enumerate(found)
            ]
            vectors = np.frombuffer(b"".join(row[-1] for row in found), "<f4").reshape(len(found), -1 if found else width // 4)
            yield hash, np.frombuffer(embedding, "<f4"), Cut(passages, vectors)


def spans(file: File, collection: int, units: Sequence[int]) -> dict[int, Span]:
    """unit → where it lies, for those that are passages."""
    found = {}
    for chunk in chunks(units):
        sql = (
            'SELECT v.unit, v.start, v."end", v.heading FROM cosimo_vectors v CROSS JOIN cosimo_rows r'
            f" ON r.number = v.unit >> {SHIFT} WHERE r.collection_id = ? AND v.unit IN ({','.join('?' * len(chunk))})"
        )
        for unit, start, end, heading in file.rows(sql, (collection, *chunk)):
            found[unit] = Span(start, end, heading or "")
    return found


def all_spans(file: File, numbers: Sequence[int]) -> dict[int, list[Span]]:
    """document → where its passages lie, in order; documents in one piece are left out."""
    found = {}
    for number in numbers:
        sql = f'SELECT start, "end", heading FROM cosimo_vectors v WHERE {THEIRS.format(number="?1")} ORDER BY unit'
        if rows := file.rows(sql, (number,)):
            found[number] = [Span(start, end, heading or "") for start, end, heading in rows]
    return found


def next_uncut(file: File, collection: int, since: int, after: int, longer_than: int) -> list[tuple[Any, ...]]:
    """(number, *ROW_COLUMNS) of the next documents that changed and are longer, and that nobody has cut."""
    columns = ", ".join(f"e.{name}" for name in ROW_COLUMNS)
    return file.rows(
        f"SELECT r.number, {columns} FROM cosimo_rows r CROSS JOIN embeddings e"
        " ON e.collection_id = r.collection_id AND e.id = r.id"
        " WHERE r.changed > ? AND +r.collection_id = ? AND r.number > ?"
        " AND typeof(e.content) = 'text' AND length(e.content) > ?"
        " AND NOT EXISTS (SELECT 1 FROM cosimo_cut c WHERE c.number = r.number AND c.hash IS e.content_hash)"
        f" ORDER BY r.number LIMIT {PAGE}",
        (since, collection, after, longer_than),
    )


def looked(file: File, collection: int) -> int:
    """Up to which change no text is left to look at."""
    return int(file.value("SELECT version FROM cosimo_looked WHERE collection_id = ?", (collection,)) or 0)


def look(file: File, collection: int, version: int) -> None:
    """Remember that all was looked at up to a change."""
    file.execute("INSERT OR REPLACE INTO cosimo_looked VALUES (?, ?)", (collection, version))
