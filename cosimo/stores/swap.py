"""Swap: vectors of a collection's next model, kept beside those in use until all are there, then put in their place at once.

Three tables that exist as long as something is half way: `cosimo_migrations` (which collection, to what), `cosimo_next` (a
vector for each text, by the hash of the text) and `cosimo_next_passages`. Rows stay as they are until the swap: nobody
else notices that a migration is under way, and no program's rows are copied. Embeds nothing.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..core.content import content_hash
from ..core.errors import BadVector, DataError, DimensionMismatch, StoreError
from ..core.migrations import Held, Swapped
from ..core.units import SHIFT
from ..core.vectors import pack
from . import catalog, changes, fulltext, passages, schema, similarities
from .rows import chunks, known_metadata
from .transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ..core.migrations import Ready
    from ..core.sqlite import File
    from ..core.types import Content, Settings, Vector, Vectors

CONTENT = ("content", "content_blob")  # the columns that hold it
PAGE = 500  # rows whose texts are in memory at a time
# (rowid, vector) of the next documents of a collection, and of the next passages: of collection ?1, after ?2
VECTORS = {
    "embeddings": "SELECT rowid, embedding FROM embeddings WHERE +collection_id = ?1 AND rowid > ?2 ORDER BY rowid",
    "cosimo_vectors": "SELECT v.unit, v.embedding FROM cosimo_vectors v CROSS JOIN cosimo_rows r"
    f" ON r.number = v.unit >> {SHIFT} WHERE r.collection_id = ?1 AND v.unit > ?2 ORDER BY v.unit",
}
TABLES = {
    # the name and the model it had: a collection that was dropped meanwhile may have left its number to another one
    "cosimo_migrations": "(collection_id INTEGER PRIMARY KEY, name TEXT, model TEXT, target TEXT)",
    "cosimo_next": "(collection_id INTEGER, hash BLOB, embedding BLOB, passages INTEGER, UNIQUE (collection_id, hash))",
    "cosimo_next_passages": '(collection_id INTEGER, hash BLOB, seq INTEGER, start INTEGER, "end" INTEGER, heading TEXT,'
    " tokens INTEGER, embedding BLOB, UNIQUE (collection_id, hash, seq))",
}
THERE = "SELECT 1 FROM sqlite_master WHERE name = 'cosimo_migrations'"


class Swap(Transactions):
    """The part of `SQLiteStore` that takes part in a migration. Fulfils `MigratingStore`."""

    def migrating(self, collection: str) -> Settings | None:
        """What the next model makes of a collection that is half way to one; None where it is not."""
        with self._collection(collection) as (_, entry):
            return _target(self._file, entry)

    def begin_migration(self, collection: str, target: Settings) -> None:
        """Remember the next model; what was ready for another one is forgotten."""
        with self._writing_to(collection) as entry:
            for table, columns in TABLES.items():
                self._file.execute(f"CREATE TABLE IF NOT EXISTS {table} {columns}")
            _sweep(self._file)
            _forget(self._file, entry.number)
            kept = json.dumps({"model": target.model, "settings": catalog.settings_json(target)})
            values = (entry.number, entry.name, entry.settings.model, kept)
            self._file.execute("INSERT INTO cosimo_migrations VALUES (?, ?, ?, ?)", values)

    def give_up_migration(self, collection: str) -> int:
        """Forget what is ready; the number of texts that were."""
        with self._collection(collection) as (_, entry):
            if not self._file.value(THERE):
                return 0
        with self._writing_to(collection) as entry:
            gone = _forget(self._file, entry.number)
            _tidy(self._file)
            return gone

    def held(self, collection: str) -> Iterator[Held]:
        """All rows in the order they came, with their texts alone; as `scan`, but for rows whose id is no text."""
        after = changes.FIRST
        while True:
            with self._collection(collection) as (state, entry):
                page = self._file.rows(_page(*map(state.column, CONTENT)), (entry.number, after))
            for _, id, content, binary in page:
                yield Held(id if isinstance(id, str) else None, _content(content, binary))
            if len(page) < PAGE:
                return
            after = page[-1][0]

    def ready(self, collection: str, hashes: Sequence[bytes] | None = None) -> set[bytes]:
        """The hashes of texts whose new vector is there: all of them, or those among the ones given."""
        with self._collection(collection) as (_, entry):
            if _target(self._file, entry) is None:
                return set()
            sql = "SELECT hash FROM cosimo_next WHERE collection_id = ?"
            if hashes is None:
                return {hash for (hash,) in self._file.rows(sql, (entry.number,))}
            among = (
                self._file.rows(f"{sql} AND hash IN ({','.join('?' * len(chunk))})", (entry.number, *chunk))
                for chunk in chunks(hashes)
            )
            return {hash for found in among for (hash,) in found}

    def make_ready(self, collection: str, target: Settings, texts: Iterable[Ready]) -> None:
        """Keep new vectors, in one transaction.

        Raises
        ------
        DimensionMismatch, BadVector : a vector that the target does not allow
        StoreError : another program ended the migration meanwhile
        """
        with self._writing_to(collection) as entry:
            self._still(entry, target)
            texts = list(texts)
            rows = [
                (entry.number, text.hash, _packed(text.vector, target), None if text.cut is None else len(text.cut.passages))
                for text in texts
            ]
            self._file.execute_many("INSERT OR REPLACE INTO cosimo_next VALUES (?, ?, ?, ?)", rows)
            self._file.execute_many(
                "INSERT OR REPLACE INTO cosimo_next_passages VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        entry.number,
                        text.hash,
                        each.seq,
                        each.start,
                        each.end,
                        each.heading,
                        each.tokens,
                        _packed(vector, target),
                    )
                    for text in texts
                    if text.cut is not None
                    for each, vector in zip(text.cut.passages, text.cut.vectors, strict=True)
                ),
            )

    def swap(self, collection: str, target: Settings, given: Mapping[str, bytes]) -> Swapped:
        """Put the new vectors in the place of the old, all in one transaction; or, where one is missing, change nothing.

        Ids, texts, metadata, times, sources and the order of rows stay as they are. Kept lists of related items go.

        Parameters
        ----------
        given : id → hash of the text, for rows without a stored one

        Raises
        ------
        StoreError : another program ended the migration meanwhile
        """
        with self._writing_to(collection) as entry:
            if _target(self._file, entry) is None and entry.settings == target:  # another process was first
                return Swapped(True)
            self._still(entry, target)
            self._file.execute("CREATE TEMP TABLE cosimo_swap (row INTEGER PRIMARY KEY, hash BLOB)")
            try:
                found = self._pair(entry.number, given)
                if found.done:
                    with self._replacing(entry, target):
                        _put_in_place(self._file, entry.number)
                    # of the old vectors, and nobody who reads them could tell
                    found = found._replace(listed=similarities.forget(self._file, entry.number))
            finally:
                self._file.execute("DROP TABLE IF EXISTS cosimo_swap")  # a full disk undoes all by itself
        return found

    def remap(self, collection: str, source: Settings, target: Settings, map: Callable[[Vectors], Vectors]) -> Swapped:
        """Put what `map` makes of each vector in its place, those of passages too; all in one transaction.

        All else becomes as `swap` leaves it. No text is read: rows without one are no hindrance.

        Parameters
        ----------
        source : what made the vectors
        map : (n, dim of the source) → (n, dim of the target) float32

        Raises
        ------
        StoreError : another program gave the collection another model meanwhile
        DataError : a vector of another length than the collection's; nothing is changed
        """
        with self._writing_to(collection) as entry:
            if entry.settings == target:  # another process was first
                return Swapped(True)
            if entry.settings != source:
                raise StoreError(f"another program changed '{collection}' meanwhile; run this again")
            with self._replacing(entry, target):
                for table in VECTORS:
                    _remap(self._file, table, entry, map)
            rows = catalog.size(self._file, entry.number)
            return Swapped(True, rows, listed=similarities.forget(self._file, entry.number))

    @contextmanager
    def _replacing(self, entry: catalog.Entry, target: Settings) -> Iterator[None]:
        """Around the replacement of all vectors of a collection: what else becomes another with them."""
        file, number = self._file, entry.number
        text, before = fulltext.Text("main", number), _version(file)
        indexed = fulltext.is_current(file, text, before)
        file.execute("UPDATE cosimo_state SET writing = 1")  # rows are numbered as they were: triggers have nothing to do
        yield
        # a rise for each row, not the floor: other collections' indexes have nothing to learn
        file.execute(f"UPDATE cosimo_rows SET changed = {schema.NEXT} WHERE collection_id = ? AND live", (number,))
        catalog.remember(file, number, target)
        file.execute("UPDATE cosimo_state SET writing = 0")
        if indexed:
            fulltext.carry(file, text, _version(file))
        if file.value(THERE):
            _forget(file, number)
            _tidy(file)

    def _still(self, entry: catalog.Entry, target: Settings) -> None:
        if _target(self._file, entry) != target:
            raise StoreError(f"another program ended or replaced the migration of '{entry.name}' meanwhile; run this again")

    def _pair(self, number: int, given: Mapping[str, bytes]) -> Swapped:
        """Write down which row has which text, by hash, as the texts are now."""
        textless, after = 0, changes.FIRST
        while page := self._file.rows(_page(*CONTENT), (number, after)):
            pairs = []
            for row, id, content, binary in page:
                text = _content(content, binary)
                hash = given.get(id) if text is None else content_hash(text)
                pairs.append((row, hash))
                textless += hash is None
            self._file.execute_many("INSERT INTO cosimo_swap VALUES (?, ?)", pairs)
            after = page[-1][0]
        missing = (
            "SELECT count(*) FROM cosimo_swap s WHERE hash IS NOT NULL AND NOT EXISTS"
            " (SELECT 1 FROM cosimo_next n WHERE n.collection_id = ? AND n.hash = s.hash)"
        )
        waiting = int(self._file.value(missing, (number,)))
        rows = int(self._file.value("SELECT count(*) FROM cosimo_swap"))
        return Swapped(not (waiting or textless), rows, waiting, textless)


def _page(text: str, binary: str) -> str:
    """The next rows of a collection after one: (rowid, id, content, content_blob)."""
    return (
        f"SELECT rowid, id, {text}, {binary} FROM embeddings WHERE +collection_id = ? AND rowid > ? ORDER BY rowid LIMIT {PAGE}"
    )


def _content(text: Any, binary: Any) -> Content | None:
    """A row's content, whatever type another program gave it."""
    found = binary if text is None else text
    return found if found is None or isinstance(found, bytes) else str(found)


def _target(file: File, entry: catalog.Entry) -> Settings | None:
    if not file.value(THERE):
        return None
    sql = "SELECT target FROM cosimo_migrations WHERE collection_id = ? AND name = ? AND model IS ?"
    found = known_metadata(file.value(sql, (entry.number, entry.name, entry.settings.model)))
    return catalog.settings_of(found["model"], None, found["settings"]) if found else None


def _packed(vector: Vector, target: Settings) -> bytes:
    import numpy as np

    if vector.shape != (target.dim,):
        raise DimensionMismatch(
            f"{target.model} gave a vector of shape {vector.shape}, not ({target.dim},); nothing of it was kept"
        )
    if not np.isfinite(vector).all():
        raise BadVector(f"{target.model} gave a vector with NaN or infinity; nothing of its batch was kept")
    return pack(vector)


def _version(file: File) -> int:
    return int(file.value(f"SELECT {schema.NEXT} - 1"))


def _put_in_place(file: File, number: int) -> None:
    """The vectors that are ready in the place of the old ones, passages included."""
    file.execute(
        "UPDATE embeddings SET embedding = (SELECT n.embedding FROM cosimo_swap s CROSS JOIN cosimo_next n"
        " ON n.hash = s.hash WHERE n.collection_id = ? AND s.row = embeddings.rowid)"
        " WHERE rowid IN (SELECT row FROM cosimo_swap)",
        (number,),
    )
    # where another program left the hash of an older text; apart, for the index on hashes makes it slow
    file.execute(
        "UPDATE embeddings SET content_hash = (SELECT hash FROM cosimo_swap WHERE row = embeddings.rowid) WHERE rowid IN"
        " (SELECT row FROM cosimo_swap s JOIN embeddings e ON e.rowid = s.row WHERE e.content_hash IS NOT s.hash)"
    )
    _replace_passages(file, number)


def _remap(file: File, table: str, entry: catalog.Entry, map: Callable[[Vectors], Vectors]) -> None:
    """What `map` makes of the vectors of a table, in their place."""
    import numpy as np

    after, width = changes.FIRST, 4 * (entry.settings.dim or 0)
    while page := file.rows(f"{VECTORS[table]} LIMIT {PAGE}", (entry.number, after)):
        after = page[-1][0]
        if any(not isinstance(blob, bytes) or len(blob) != width for _, blob in page):
            raise DataError(f"'{entry.name}' has vectors that are not of its length, {width // 4}; run: cosimo check")
        old = np.frombuffer(b"".join(blob for _, blob in page), "<f4").reshape(len(page), -1)
        new = ((pack(vector), row) for vector, (row, _) in zip(map(old), page, strict=True))
        file.execute_many(f"UPDATE {table} SET embedding = ? WHERE rowid = ?", new)


def _replace_passages(file: File, number: int) -> None:
    """The passages of the new vectors in the place of the old; a row whose text is not stored gets no headings.

    Parts of sounds and films keep theirs, which say what they are; they have no tokens.
    """
    passages.drop(file, number)
    rows = (
        "FROM cosimo_swap s CROSS JOIN embeddings e ON e.rowid = s.row"
        " CROSS JOIN cosimo_rows r ON r.collection_id = e.collection_id AND r.id = e.id"
    )
    file.execute(
        f"INSERT INTO cosimo_cut SELECT r.number, s.hash, n.passages {rows} CROSS JOIN cosimo_next n"
        " ON n.collection_id = e.collection_id AND n.hash = s.hash WHERE n.passages IS NOT NULL"
    )
    file.execute(
        'INSERT INTO cosimo_vectors (unit, start, "end", heading, tokens, embedding)'
        f' SELECT r.number << {SHIFT} | p.seq, p.start, p."end",'
        " CASE WHEN e.content IS NULL AND p.tokens > 0 THEN '' ELSE p.heading END,"
        f" p.tokens, p.embedding {rows} CROSS JOIN cosimo_next_passages p"
        " ON p.collection_id = e.collection_id AND p.hash = s.hash"
    )


def _forget(file: File, number: int) -> int:
    """Remove what is ready for a collection; the number of texts."""
    file.execute("DELETE FROM cosimo_migrations WHERE collection_id = ?", (number,))
    file.execute("DELETE FROM cosimo_next_passages WHERE collection_id = ?", (number,))
    return file.execute("DELETE FROM cosimo_next WHERE collection_id = ?", (number,))


def _sweep(file: File) -> None:
    """Remove what collections left behind that were dropped half way."""
    gone = "WHERE collection_id NOT IN (SELECT id FROM collections)"
    for table in TABLES:
        file.execute(f"DELETE FROM {table} {gone}")


def _tidy(file: File) -> None:
    """Remove the tables once no collection is half way."""
    if not file.value("SELECT 1 FROM cosimo_migrations LIMIT 1"):
        for table in TABLES:
            file.execute(f"DROP TABLE {table}")
