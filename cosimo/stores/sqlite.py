"""SQLite store: rows of collections in one file that `llm` and every SQLite tool can read. Embeds nothing, scores nothing."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from ..core import config
from ..core.content import content_hash, storable
from ..core.errors import DataError, NotFound
from ..core.sqlite import File
from ..core.types import CollectionInfo, Known, Row, Settings
from . import audit, changes, schema
from .rows import ROW_COLUMNS, batches, known_metadata, metadata_json, packed, row_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from ..core.types import Change, Document, Finding, Numbers, Vector

CHUNK = 500  # ids asked for in one query
PAGE = 1000  # rows read at a time by `scan`


class SQLiteStore:
    """Rows in one SQLite file: `llm`'s tables, ours beside them. Fulfils `Store`.

    Reading changes nothing in a file that another program wrote; our tables, triggers and the write-ahead log come with
    the first write. May be used from several threads; several processes may write to one file.

    Parameters
    ----------
    address : path, `sqlite:///path` or `:memory:`
    read_only : never write; a file or folder that cannot be written is opened this way by itself
    busy_timeout : seconds to wait while another program writes
    create : make the file where there is none

    Raises
    ------
    StoreError : the file cannot be opened, or (later) read or written
    Corrupt : it is no SQLite database, damaged, or from a newer cosimo (which may still be read)
    Locked : another program was writing for longer than `busy_timeout`
    """

    def __init__(
        self,
        address: str | os.PathLike[str],
        *,
        read_only: bool = False,
        busy_timeout: float = config.BUSY_TIMEOUT,
        create: bool = True,
    ) -> None:
        self._file = File(address, read_only=read_only, busy_timeout=busy_timeout, create=create)
        self._state: schema.State | None = None  # what the file held when last looked at
        self._ready = False  # prepared for writing, as of self._state
        self._begun = False  # write-ahead log asked for
        self._temporary = count()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def __enter__(self) -> SQLiteStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def read_only(self) -> bool:
        """True where nothing can be written: asked for, or the file or its folder does not allow it."""
        return self._file.read_only

    # --- transactions ----------------------------------------------------------------------------------------------

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """All writes inside are stored, or none; nests. No other program can write meanwhile."""
        with self._writing():
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside see one state of the file, whatever other programs commit; nests. Write outside of it."""
        with self._reading():
            yield

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Several writes as one transaction: all of them or none. Nests."""
        with self._writing():
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several reads that see one state of the file, whatever other programs commit meanwhile. Nests."""
        with self._reading():
            yield

    @contextmanager
    def _reading(self) -> Iterator[schema.State]:
        """One snapshot of the file, and what it holds; looked at again whenever some program changed its schema."""
        with self._file.snapshot():
            if self._state is None or self._state.stamp != self._file.value("PRAGMA schema_version"):
                self._state, self._ready = schema.inspect(self._file), False
            yield self._state

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction; the first, and the first after another program changed the schema, prepares the file."""
        with self._file.lock:
            if not self._begun:
                self._file.begin_writing()
                self._begun = True
            try:
                with self._file.atomic(), self._reading() as state:
                    if not self._ready:
                        self._state = schema.prepare(self._file, state)
                        self._ready = True
                    yield
            except BaseException:
                self._state = None  # what was prepared may have been undone
                raise

    def _find(self, collection: str) -> tuple[int, Settings]:
        """A collection's number in the file and its settings. Call inside a transaction."""
        found = self._collections("WHERE c.name = ?", (collection,))
        if not found:
            raise NotFound(f"{self._file.name} has no collection '{collection}'; see: cosimo collections list")
        return found[0][0], found[0][2]

    # --- collections -----------------------------------------------------------------------------------------------

    def collections(self) -> list[CollectionInfo]:
        """All collections, by name."""
        with self._reading():
            return [self._info(*found) for found in self._collections("ORDER BY c.name")]

    def info(self, collection: str) -> CollectionInfo | None:
        """One collection, or None if there is none of that name."""
        with self._reading():
            found = self._collections("WHERE c.name = ?", (collection,))
            return self._info(*found[0]) if found else None

    def _info(self, number: int, name: str, settings: Settings) -> CollectionInfo:
        return CollectionInfo(name, self._count(number), settings)

    def _count(self, number: int) -> int:
        return int(self._file.value("SELECT count(*) FROM embeddings WHERE collection_id = ?", (number,)))

    def _collections(self, where: str, parameters: Sequence[Any] = ()) -> list[tuple[int, str, Settings]]:
        state = self._state
        assert state is not None
        if not state.tables:
            return []
        # settings count only while the model beside them is the collection's: another program may have made it anew
        ours = "(SELECT settings FROM cosimo_collections s WHERE s.collection_id = c.id AND s.model IS c.model)"
        first = "(SELECT length(embedding) / 4 FROM embeddings e WHERE e.collection_id = c.id LIMIT 1)"
        return [
            (number, str(name), _settings(model, dim, stored))
            for number, name, model, dim, stored in self._file.rows(
                f"SELECT c.id, c.name, c.model, {first}, {ours if state.version else 'NULL'} FROM collections c {where}",
                parameters,
            )
        ]

    def create(self, collection: str, settings: Settings) -> CollectionInfo:
        """Make a collection, or leave the one of that name as it is; what is in the file now is returned.

        Two processes may both find a name free: the second gets what the first made, and compares.
        """
        if not collection or storable(collection) != collection:
            raise DataError(f"a collection cannot be called {collection!r}; use at least one character, all of them whole")
        with self._writing():
            self._file.execute(
                "INSERT INTO collections (name, model) SELECT ?1, ?2"
                " WHERE NOT EXISTS (SELECT 1 FROM collections WHERE name = ?1)",
                (collection, settings.model),
            )
            number, stored = self._find(collection)
            if not self._file.value("SELECT 1 FROM cosimo_collections WHERE collection_id = ?", (number,)):
                is_new = stored.model == settings.model and not self._count(number)
                self._configure(number, settings if is_new else stored)
            return self._info(number, collection, self._find(collection)[1])

    def configure(self, collection: str, settings: Settings) -> None:
        """Replace what the file remembers about a collection; its rows stay."""
        with self._writing():
            self._configure(self._find(collection)[0], settings)

    def _configure(self, number: int, settings: Settings) -> None:
        kept = {
            "dim": settings.dim,
            "revision": settings.revision,
            "prompts": dict(settings.prompts),
            "pooling": settings.pooling,
            "normalized": settings.normalized,
        }
        # NULL where there is no model: `llm` lists that as None, and says so when asked to search by text
        self._file.execute("UPDATE collections SET model = ?1 WHERE id = ?2 AND model IS NOT ?1", (settings.model, number))
        self._file.execute(
            "INSERT OR REPLACE INTO cosimo_collections (collection_id, model, settings) VALUES (?, ?, ?)",
            (number, settings.model, json.dumps(kept)),
        )

    def drop(self, collection: str) -> int:
        """Delete a collection and all it holds; the number of rows that went."""
        with self._writing():
            number, _ = self._find(collection)
            # numbers first: the trigger that would bury each row then finds nothing to do
            self._file.execute("DELETE FROM cosimo_rows WHERE collection_id = ?", (number,))
            self._file.execute(f"UPDATE cosimo_state SET floor = {schema.NEXT}, writing = 1")
            gone = self._file.execute("DELETE FROM embeddings WHERE collection_id = ?", (number,))
            self._file.execute("UPDATE cosimo_state SET writing = 0")
            self._file.execute("DELETE FROM collections WHERE id = ?", (number,))
            return gone

    # --- writing ---------------------------------------------------------------------------------------------------

    def put(self, collection: str, rows: Iterable[Row], *, source: str | None = None) -> int:
        """Store rows, replacing those of the same id; the number stored.

        Streams: rows are taken and committed in batches of at most 4,096 rows or 32 MB. A batch is stored whole or not at all.
        Lone surrogates in a text become U+FFFD. A row without `hash` gets that of its content.

        Parameters
        ----------
        collection : name of an existing collection
        rows : any iterable; a vector is (dim,) float32
        source : label of where they came from, for `prune`; None leaves the labels of replaced rows

        Raises
        ------
        NotFound : no such collection
        DimensionMismatch, BadVector : a vector that does not fit, naming its id; its batch is not stored
        DataError : an id that is no text, or holds half a character
        """
        stored = 0
        for batch in batches(rows):
            with self._writing():
                self._put(collection, batch, source)
            stored += len(batch)
        if not stored:
            with self._reading():
                self._find(collection)
        return stored

    def _put(self, collection: str, batch: list[Row], source: str | None) -> None:
        number, settings = self._find(collection)
        highest = self._file.value("SELECT max(rowid) FROM embeddings") or 0
        # One INSERT … SELECT numbers the batch: triggers row by row took as long again as the rows themselves (40,000
        # rows/s instead of 65,000). New rows are those above the highest rowid: REPLACE takes a new one too.
        self._file.execute("UPDATE cosimo_state SET writing = 1")
        self._file.execute_many(
            "INSERT OR REPLACE INTO embeddings"
            " (collection_id, id, embedding, content, content_blob, content_hash, metadata, updated)"
            f" VALUES ({number}, ?, ?, ?, ?, ?, ?, ?)",
            packed(batch, settings.dim),
        )
        self._file.execute(
            f"INSERT INTO cosimo_rows (collection_id, id, changed, live, source) SELECT collection_id, id, {schema.NEXT}, 1, ?"
            " FROM embeddings WHERE rowid > ? ON CONFLICT (collection_id, id) DO UPDATE"
            " SET changed = excluded.changed, live = 1, source = coalesce(excluded.source, source)",
            (self._source(number, source), highest),
        )
        self._file.execute("UPDATE cosimo_state SET writing = 0")

    def _source(self, number: int, label: str | None) -> int | None:
        """The number of a source label, made where it is new."""
        if label is None:
            return None
        key = (number, storable(label))
        self._file.execute("INSERT OR IGNORE INTO cosimo_sources (collection_id, label) VALUES (?, ?)", key)
        found: int = self._file.value("SELECT id FROM cosimo_sources WHERE collection_id = ? AND label = ?", key)
        return found

    def touch(self, collection: str, documents: Iterable[Document], *, store: bool, source: str | None = None) -> int:
        """Bring rows whose text is unchanged up to date without their vectors; the number that differed.

        Parameters
        ----------
        documents : ids that are in the collection (others are passed over); metadata None leaves what is stored, {} clears it
        store : fill in a content that is missing, where the stored hash is that of the document's
        source : label of where they came from; None leaves what is there

        Where nothing differs nothing is written: the file stays as it is, byte for byte.
        """
        touched = 0
        for chunk in _chunks(documents):
            touched += self._touch(collection, chunk, store, source)
        return touched

    def _touch(self, collection: str, documents: list[Document], store: bool, source: str | None) -> int:
        ids = [document.id for document in documents]
        known = self.known(collection, ids)
        labels = self._labels(collection, ids) if source is not None else {}
        contents, metadata, moved = [], [], []
        now = int(time.time())
        for document in documents:
            held = known.get(document.id)
            if held is None:
                continue
            if store and document.content is not None and not held.has_content and held.hash == content_hash(document.content):
                content = document.content
                text, blob = (None, content) if isinstance(content, bytes) else (storable(content), None)
                contents.append((text, blob, now, document.id, held.hash))
            wanted = metadata_json(document.metadata)
            if document.metadata is not None and known_metadata(wanted) != held.metadata:
                metadata.append((wanted, now, document.id))
            if source is not None and labels.get(document.id) != storable(source):
                moved.append((document.id,))
        if not (contents or metadata or moved):
            return 0
        with self._writing():
            number, _ = self._find(collection)
            key = f"WHERE collection_id = {number} AND id = ?"
            update = f"UPDATE embeddings SET content = ?, content_blob = ?, updated = ? {key} AND content_hash = ?"
            self._file.execute_many(update, contents)
            self._file.execute_many(f"UPDATE embeddings SET metadata = ?, updated = ? {key}", metadata)
            self._file.execute_many(f"UPDATE cosimo_rows SET source = {self._source(number, source) or 'NULL'} {key}", moved)
        return len({row[-2] for row in contents} | {row[-1] for row in metadata} | {row[0] for row in moved})

    def _labels(self, collection: str, ids: Sequence[str]) -> dict[str, str]:
        """id → source label, for those that have one."""
        with self._reading() as state:
            number, _ = self._find(collection)
            if not state.version:
                return {}
            sql = "SELECT r.id, s.label FROM cosimo_rows r JOIN cosimo_sources s ON s.id = r.source WHERE r.collection_id = ?"
            return dict(self._among(sql, "r.id", number, ids))

    def delete(self, collection: str, ids: Sequence[str]) -> int:
        """Delete rows; the number that were there."""
        gone = 0
        with self._writing():
            number, _ = self._find(collection)
            for chunk in _chunks(ids):
                marks = ",".join("?" * len(chunk))
                sql = f"DELETE FROM embeddings WHERE collection_id = ? AND id IN ({marks})"
                gone += self._file.execute(sql, (number, *map(storable, chunk)))
        return gone

    def prune(self, collection: str, source: str, keep: Iterable[str]) -> list[str]:
        """Delete the rows of one source that are not among `keep` (streamed); the ids that went, sorted."""
        table = f"temp.cosimo_keep_{next(self._temporary)}"
        with self._reading() as state:
            self._find(collection)
            if not state.version:
                return []
        self._file.execute(f"CREATE TEMP TABLE {table.removeprefix('temp.')} (id TEXT PRIMARY KEY) WITHOUT ROWID")
        try:
            for chunk in _chunks(keep, 10_000):
                with self._file.snapshot():
                    self._file.execute_many(f"INSERT OR IGNORE INTO {table} VALUES (?)", ((storable(id),) for id in chunk))
            with self._reading():
                if not self._gone(collection, source, table):  # nothing to do: take no lock
                    return []
            with self._writing():
                gone = self._gone(collection, source, table)
                self.delete(collection, gone)
            return gone
        finally:
            self._file.execute(f"DROP TABLE {table}")

    def _gone(self, collection: str, source: str, table: str) -> list[str]:
        sql = (
            "SELECT id FROM cosimo_rows WHERE collection_id = ?1 AND live AND id NOT IN (SELECT id FROM " + table + ") AND"
            " source = (SELECT id FROM cosimo_sources WHERE collection_id = ?1 AND label = ?2) ORDER BY id"
        )
        return [id for (id,) in self._file.rows(sql, (self._find(collection)[0], storable(source)))]

    # --- reading ---------------------------------------------------------------------------------------------------

    def _among(self, sql: str, column: str, number: int, values: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
        """Rows of a query on one collection whose `column` is among the values. Call inside a transaction."""
        for chunk in _chunks(values):
            yield from self._file.rows(f"{sql} AND {column} IN ({','.join('?' * len(chunk))})", (number, *chunk))

    def known(self, collection: str, ids: Sequence[str]) -> dict[str, Known]:
        """What is already there under these ids; ids that are not there are left out."""
        with self._reading() as state:
            number, _ = self._find(collection)
            sql = (
                f"SELECT id, {state.column('content_hash')}, content IS NOT NULL OR {state.column('content_blob')} IS NOT NULL,"
                f" {state.column('metadata')} FROM embeddings WHERE collection_id = ?"
            )
            return {
                id: Known(hash, bool(has_content), known_metadata(metadata))
                for id, hash, has_content, metadata in self._among(sql, "id", number, map(storable, ids))
            }

    def vectors_of(self, collection: str, hashes: Sequence[bytes]) -> dict[bytes, Vector]:
        """Vectors of the collection's rows with these content hashes: hash → (dim,) float32. Hashes not there are left out."""
        from ..core.vectors import unpack

        with self._reading() as state:
            number, settings = self._find(collection)
            if "content_hash" not in state.columns:
                return {}
            # the plus keeps SQLite from walking the whole collection instead of using the index on hashes
            sql = "SELECT content_hash, embedding FROM embeddings WHERE +collection_id = ?"
            width = 4 * (settings.dim or 0)
            return {
                hash: unpack(blob)
                for hash, blob in self._among(sql, "content_hash", number, hashes)
                if isinstance(blob, bytes) and len(blob) == width
            }

    def get(self, collection: str, ids: Sequence[str]) -> dict[str, Row]:
        """Rows by id; ids that are not there are left out. A vector that is no list of floats comes back empty, (0,)."""
        with self._reading() as state:
            number, _ = self._find(collection)
            sql = f"SELECT {', '.join(map(state.column, ROW_COLUMNS))} FROM embeddings WHERE collection_id = ?"
            return {found[0]: row_of(found) for found in self._among(sql, "id", number, map(storable, ids))}

    def scan(self, collection: str, *, prefix: str = "") -> Iterator[Row]:
        """Rows in the order of their ids, those that start with `prefix` (taken literally).

        Read a page at a time: the file is not held meanwhile, and rows written during the scan may or may not appear.
        """
        after, until = None, changes.after_prefix(prefix)
        while True:
            with self._reading() as state:
                number, _ = self._find(collection)
                start, bound = ("id >= ?", prefix) if after is None else ("id > ?", after)
                page = self._file.rows(
                    f"SELECT {', '.join(map(state.column, ROW_COLUMNS))} FROM embeddings WHERE collection_id = ? AND {start}"
                    f"{'' if until is None else ' AND id < ?'} AND typeof(id) = 'text' ORDER BY id LIMIT {PAGE}",
                    (number, bound) if until is None else (number, bound, until),
                )
            yield from map(row_of, page)
            if len(page) < PAGE:
                return
            after = page[-1][0]

    def count(self, collection: str) -> int:
        """The number of rows."""
        with self._reading():
            return self._count(self._find(collection)[0])

    # --- for indexes -----------------------------------------------------------------------------------------------

    def changes(self, collection: str, since: int | None = None) -> Change:
        """What happened to a collection's vectors since a version; all of them for None. See `changes.changes`."""
        with self._reading() as state:
            number, settings = self._find(collection)
            return changes.changes(self._file, state, number, settings.dim, since)

    def ids_of(self, collection: str, numbers: Sequence[int]) -> dict[int, str]:
        """number → id; numbers of rows that are gone are left out."""
        with self._reading() as state:
            found = changes.numbered(state)
            sql = f"SELECT number, id FROM {found} WHERE collection_id = ?"
            return dict(self._among(sql, "number", self._find(collection)[0], map(int, numbers)))

    def numbers_with_prefix(self, collection: str, prefix: str) -> Numbers:
        """(n,) int64, ascending: numbers of the rows whose id starts with `prefix` (taken literally)."""
        with self._reading() as state:
            return changes.numbers_with_prefix(self._file, state, self._find(collection)[0], prefix)

    # --- care ------------------------------------------------------------------------------------------------------

    def check(self, *, repair: bool = False) -> list[Finding]:
        """What is wrong with the file, worst first; nothing found is an empty list.

        With `repair`, what is derived (numbers, triggers, settings of collections that are gone) is made anew first.
        """
        if repair:
            with self._writing():
                audit.repair(self._file)
        with self._reading() as state:
            return list(audit.findings(self._file, state))

    def backup(self, target: str | os.PathLike[str]) -> None:
        """Copy the file, consistent even while others write; refuses a path where something is."""
        self._file.back_up(target)


def _settings(model: str | None, dim: int | None, stored: str | None) -> Settings:
    kept = known_metadata(stored)
    if kept is None:  # another program's collection: the file says no more than this
        return Settings(model=model or None, dim=dim or None)
    return Settings(
        model=model or None,
        dim=kept.get("dim") or dim,
        revision=kept.get("revision"),
        prompts=kept.get("prompts") or {},
        pooling=kept.get("pooling") or "",
        normalized=bool(kept.get("normalized", True)),
    )


def _chunks(values: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    from itertools import islice

    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk
