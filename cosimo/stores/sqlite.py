"""SQLite store: rows of collections in one file that `llm` and every SQLite tool can read. Embeds nothing, scores nothing."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from ..core.content import storable
from ..core.types import CollectionInfo, Known, Row, Settings
from . import audit, catalog, changes, fulltext, places, thumbnails, write
from .indexes import Indexes
from .results import Results
from .rows import ROW_COLUMNS, batches, chunks, is_foreign, known_metadata, row_of
from .similarities import Similarities
from .swap import Swap
from .thumbnails import Thumbnails

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from ..core.types import Change, Document, Finding, Vector

KEPT = 10_000  # ids that `prune` takes from its caller at a time
PROVISIONAL = -(2**62)  # and below: versions inside of a transaction
_temporary = count()


class SQLiteStore(Indexes, Similarities, Results, Swap, Thumbnails):
    """Rows in one SQLite file: `llm`'s tables, ours beside them. Fulfils `Store`.

    Reading changes nothing in a file that another program wrote; our tables, triggers and the write-ahead log come with
    the first write. May be used from several threads; several processes may write to one file.

    Parameters
    ----------
    address : path, `sqlite:///path` or `:memory:`
    read_only : never write; a file or folder that cannot be written is opened this way by itself
    busy_timeout : seconds to wait while another program writes
    create : make the file where there is none
    immutable : nobody writes the file as long as it is open: nothing is made beside it

    Raises
    ------
    StoreError : the file cannot be opened, or (later) read or written
    Corrupt : it is no SQLite database, damaged, or from a newer cosimo (which may still be read)
    Locked : another program was writing for longer than `busy_timeout`
    """

    # --- collections -----------------------------------------------------------------------------------------------

    def collections(self) -> list[CollectionInfo]:
        """All collections, by name."""
        with self._reading() as state:
            return [catalog.info(self._file, entry) for entry in catalog.entries(self._file, state)]

    def info(self, collection: str) -> CollectionInfo | None:
        """One collection, or None if there is none of that name."""
        with self._reading() as state:
            found = catalog.entries(self._file, state, "WHERE c.name = ?", (storable(collection),))
            return catalog.info(self._file, found[0]) if found else None

    def settings(self, collection: str) -> Settings | None:
        """What made a collection, or None if there is none of that name. Counts no rows, so every search may ask."""
        with self._reading() as state:
            key = ("settings", collection)
            found = self._fact(key, lambda: catalog.entries(self._file, state, "WHERE c.name = ?", (storable(collection),)))
            return found[0].settings if found else None

    def named(self, collection: str) -> list[str]:
        """The collections that are named vectors of one, whether it is there or not: `shop/picture` of `shop`; by name."""
        with self._reading() as state:
            return self._fact(("named", collection), lambda: catalog.named(self._file, state, collection))

    def create(self, collection: str, settings: Settings) -> CollectionInfo:
        """Make a collection, or leave the one of that name as it is; what is in the file now is returned.

        Two processes may both find a name free: the second gets what the first made, and compares.

        Raises
        ------
        DataError : an empty name, or half a character in it
        """
        with self._writing() as state:
            return catalog.create(self._file, state, collection, settings)

    def configure(self, collection: str, settings: Settings) -> None:
        """Replace what the file remembers about a collection; its rows stay."""
        with self._writing_to(collection) as entry:
            catalog.configure(self._file, entry, settings)

    def drop(self, collection: str) -> int:
        """Delete a collection and all it holds; the number of rows that went."""
        with self._writing_to(collection) as entry:
            fulltext.forget(self._file, fulltext.Text("main", entry.number))
            places.forget(self._file, places.Places("main", entry.number))
            gone = catalog.drop(self._file, entry.number)
            thumbnails.sweep(self._file)
            return gone

    # --- writing ---------------------------------------------------------------------------------------------------

    def put(self, collection: str, rows: Iterable[Row], *, source: str | None = None) -> int:
        """Store rows, replacing those of the same id; the number stored.

        Streams: rows are taken and committed in batches of at most 4,096 rows or 32 MB; a batch is stored whole or not at
        all, and inside `atomic()` so are all. Lone surrogates in a text become U+FFFD. A row without `hash` gets that of
        its content, a row without `updated` the present time.

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
        with self._collection(collection):
            pass  # an unknown name is told before the first row is asked for
        stored = 0
        for batch in batches(rows):
            with self._writing_to(collection) as entry, self._released(entry, [row.id for row in batch]):
                write.put(self._file, entry, batch, source)
            stored += len(batch)
        return stored

    def touch(self, collection: str, documents: Iterable[Document], *, store: bool, source: str | None = None) -> int:
        """Bring rows whose text is unchanged up to date without their vectors; the number that differed.

        Where nothing differs nothing is written or locked: the file stays as it is, byte for byte.

        Parameters
        ----------
        documents : those not in the collection are passed over; metadata None leaves what is stored, {} clears it
        store : fill in a content that is missing, where the stored hash is that of the document's
        source : label of where they came from; None leaves what is there
        """
        touched = 0
        for chunk in chunks(documents):
            ids = [document.id for document in chunk]
            known = self.known(collection, ids)
            labels = self._labels(collection, ids) if source is not None else {}
            found = write.differences(chunk, known, labels, store=store, source=source)
            if any(found):
                with self._writing_to(collection) as entry:
                    write.touch(self._file, entry, found, source)
                touched += len(found.ids())
        return touched

    def _labels(self, collection: str, ids: Sequence[str]) -> dict[str, str]:
        """id → source label, for those that have one."""
        with self._collection(collection) as (state, entry):
            if not state.version:
                return {}
            sql = "SELECT r.id, s.label FROM cosimo_rows r JOIN cosimo_sources s ON s.id = r.source WHERE r.collection_id = ?"
            return dict(self._among(sql, "r.id", entry, ids))

    def delete(self, collection: str, ids: Sequence[str]) -> int:
        """Delete rows; the number that were there."""
        if not ids:
            return 0
        with self._writing_to(collection) as entry, self._released(entry, ids):
            return write.delete(self._file, entry, ids)

    def prune(self, collection: str, source: str, keep: Iterable[str]) -> list[str]:
        """Delete the rows of one source that are not among `keep` (streamed); the ids that went, sorted."""
        with self._collection(collection) as (state, _):
            if not state.version:
                return []
        table = f"cosimo_keep_{next(_temporary)}"
        self._file.execute(f"CREATE TEMP TABLE {table} (id TEXT PRIMARY KEY) WITHOUT ROWID")
        try:
            for chunk in chunks(keep, KEPT):
                with self._file.snapshot():  # one transaction a chunk: the temporary file alone is written
                    self._file.execute_many(f"INSERT OR IGNORE INTO {table} VALUES (?)", ((storable(id),) for id in chunk))
            with self._collection(collection) as (_, entry):
                if not write.not_kept(self._file, entry, source, table):  # nothing to do: take no lock
                    return []
            with self._writing_to(collection) as entry:
                gone = write.not_kept(self._file, entry, source, table)
                with self._released(entry, gone):
                    write.delete(self._file, entry, gone)
            return gone
        finally:
            self._file.execute(f"DROP TABLE {table}")

    # --- reading ---------------------------------------------------------------------------------------------------

    def known(self, collection: str, ids: Sequence[str]) -> dict[str, Known]:
        """What is already there under these ids; ids that are not there are left out."""
        with self._collection(collection) as (state, entry):
            hash, text, blob, about = map(state.column, ("content_hash", "content", "content_blob", "metadata"))
            sql = (
                f"SELECT id, {hash}, {text} IS NOT NULL OR {blob} IS NOT NULL, {about} FROM embeddings WHERE collection_id = ?"
            )
            found = {}
            for id, hashed, has_content, stored in self._among(sql, "id", entry, map(storable, ids)):
                metadata = known_metadata(stored)
                found[id] = Known(hashed, bool(has_content), metadata, is_foreign(stored, metadata))
            return found

    def vectors_of(self, collection: str, hashes: Sequence[bytes]) -> dict[bytes, Vector]:
        """Vectors of the collection's rows with these content hashes: hash → (dim,) float32. Hashes not there are left out."""
        from ..core.vectors import unpack

        with self._collection(collection) as (state, entry):
            if "content_hash" not in state.columns:
                return {}
            # the plus keeps SQLite from walking the whole collection instead of using the index on hashes
            sql = "SELECT content_hash, embedding FROM embeddings WHERE +collection_id = ?"
            width = 4 * (entry.settings.dim or 0)
            return {
                hash: unpack(blob)
                for hash, blob in self._among(sql, "content_hash", entry, hashes)
                if isinstance(blob, bytes) and len(blob) == width
            }

    def get(self, collection: str, ids: Sequence[str]) -> dict[str, Row]:
        """Rows by id; ids that are not there are left out. A vector that is no list of floats comes back empty, (0,)."""
        with self._collection(collection) as (state, entry):
            sql = f"SELECT {', '.join(map(state.column, ROW_COLUMNS))} FROM embeddings WHERE collection_id = ?"
            return {found[0]: row_of(found) for found in self._among(sql, "id", entry, map(storable, ids))}

    def scan(self, collection: str, *, prefix: str = "") -> Iterator[Row]:
        """Rows in the order they came first, those whose id starts with `prefix` (taken literally).

        Read a page at a time: the file is not held meanwhile, and rows written during the scan may or may not appear.
        """
        with self._collection(collection) as (state, _):
            page = changes.page_query(state, ROW_COLUMNS, storable(prefix))
        after = changes.FIRST
        while True:
            with self._collection(collection) as (_, entry):
                found = self._file.rows(page.sql, (entry.number, after, *page.parameters))
            for number, *columns in found:
                yield row_of(columns)
                after = number
            if len(found) < page.size:
                return

    def count(self, collection: str) -> int:
        """The number of rows."""
        with self._collection(collection) as (_, entry):
            return catalog.size(self._file, entry.number)

    # --- for indexes -----------------------------------------------------------------------------------------------

    def changes(self, collection: str, since: int | None = None, *, whole: bool = False) -> Change:
        """What happened to a collection's vectors since a version (of this store object); all of them for None.

        Vectors of another length than the collection's, and those with NaN or infinity, are left out.

        Parameters
        ----------
        whole : one vector a document, even where it is cut into passages
        """
        with self._collection(collection) as (state, entry):
            if since is not None and since == self._version(state):
                return changes.nothing(since, entry.settings.dim)
            change = changes.changes(self._file, state, entry.number, entry.settings.dim, since, whole=whole)
            if self._writers:  # what may be rolled back has a version of its own, so that no later one is taken for it
                change = change._replace(version=PROVISIONAL - next(_temporary))
            return change

    # --- care ------------------------------------------------------------------------------------------------------

    def check(self, *, repair: bool = False) -> list[Finding]:
        """What is wrong with the file, worst first; nothing wrong is an empty list.

        With `repair`, what is derived (numbers, triggers, settings of collections that are gone) is made anew first.
        """
        if repair:
            with self._writing():
                audit.repair(self._file)
        damage = list(audit.damage(self._file))
        if damage:  # what a damaged file says about its rows means nothing
            return damage
        with self._reading() as state:
            return list(audit.findings(self._file, state))

    def backup(self, target: str | os.PathLike[str]) -> None:
        """Copy the file, consistent even while others write; refuses a path where something is."""
        self._file.back_up(target)
