"""Similar: a collection and a question → the nearest rows as JSON. Finds a connection's file, and opens it to read alone."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import OrderedDict
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from ...core import compatibility, registry, trust
from ...core.errors import DataError, DimensionMismatch, NotFound, StoreError
from ...core.types import Hit, Settings
from ...core.vectors import unpack
from .models import Loaded, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ...collection.collection import Collection
    from ...collection.database import Database
    from ...core.types import Vector
    from .models import Permission

OPEN = 8  # files
MOST = 2**31 - 1  # rows; a larger number is one that means all


class Open:
    """An open database, and who uses it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.lock = Lock()
        self.closed = False

    def close(self) -> None:
        """Close it, once nobody asks it."""
        with self.lock:
            self.closed = True
            self.database.close()


class Databases:
    """The files of this process's connections, each opened once, to read."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: OrderedDict[tuple[str, bool, int, int], Open] = OrderedDict()

    def get(self, path: str, *, immutable: bool) -> Open:
        """The database in a file; a file that another was put in the place of is opened anew.

        Raises
        ------
        StoreError : it cannot be opened
        """
        from ...collection.database import Database
        from ...stores.sqlite import SQLiteStore

        try:
            found = os.stat(path)  # noqa: PTH116 - as SQLite names it
            key = (path, immutable, found.st_dev, found.st_ino)
        except OSError:
            key = (path, immutable, 0, 0)
        with self._lock:
            if key not in self._open:
                store = SQLiteStore(path, read_only=True, create=False, immutable=immutable)
                self._open[key] = Open(Database(store, path))
            self._open.move_to_end(key)
            gone = [self._open.popitem(last=False)[1] for _ in range(len(self._open) - OPEN)]
            opened = self._open[key]
        for each in gone:
            each.close()
        return opened

    @contextmanager
    def using(self, path: str, *, immutable: bool) -> Iterator[Database]:
        """The database in a file; nobody else asks it meanwhile.

        Raises
        ------
        StoreError : it cannot be opened
        """
        while True:
            opened = self.get(path, immutable=immutable)
            with opened.lock:
                if not opened.closed:  # by somebody who opened a ninth file since
                    yield opened.database
                    return


@cache
def shared_databases() -> Databases:
    """The one for all connections."""
    return Databases()


def file_of(connection: sqlite3.Connection) -> str:
    """The path of a connection's database; empty for one in memory."""
    path = next((path for number, _, path in _rows(connection, "PRAGMA database_list") if number == 0), None)  # `main`
    return os.fsdecode(path or "")  # bytes where the connection's `text_factory` says so


def _rows(connection: sqlite3.Connection, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of a query as tuples, whatever the connection makes of rows."""
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor.execute(sql, values).fetchall()


class Similar:
    """`similar(collection, query[, k])`."""

    def __init__(self, connection: sqlite3.Connection, permission: Permission, *, immutable: bool = False) -> None:
        self._permission = permission
        self._immutable = immutable
        self._path = file_of(connection)
        # a file is opened by its path; what is in memory can be asked through its connection alone, which then lives until
        # it is closed
        self._connection = None if self._path else connection

    def __call__(self, collection: object, query: object, k: object = 10) -> str | None:
        """A JSON array of the k nearest, best first: id, score, content, metadata. NULL for NULL.

        Raises
        ------
        NotFound : no such collection
        DataError : k below 1, an empty text
        Error : whatever the model or the file says
        """
        if collection is None or query is None or k is None:
            return None
        if not isinstance(collection, str):
            raise DataError("the first argument of similar is the name of a collection")
        if not isinstance(k, int):
            raise DataError(f"the third argument of similar is how many rows to find, a whole number, not {k!r}")
        return json.dumps([shown(hit) for hit in self.hits(collection, query, k)], ensure_ascii=False)

    def hits(self, name: str, query: object, k: int) -> list[Hit]:
        """The k nearest to a text or to a vector."""
        k = min(k, MOST)
        if self._connection is not None:
            return _in_memory(self._connection, name, lambda model: self._vector(query, Settings(model), name), k)
        with self._collection(name) as (database, collection, settings):
            return collection.search(self._vector(query, settings, name, database), k, mode="vector")

    def related(self, name: str, id: str, k: int) -> list[Hit]:
        """The k nearest to an item, itself left out."""
        if self._connection is None:
            with self._collection(name) as (_, collection, _):
                return collection.related(id, k)
        number, _ = _collection(self._connection, name)
        rows = _held(self._connection, "SELECT embedding FROM main.embeddings WHERE collection_id = ? AND id = ?", (number, id))
        if not rows:
            raise NotFound(f"no item '{id}' in collection '{name}'")
        found = _in_memory(self._connection, name, lambda _: unpack(rows[0][0]), k + 1)
        return [hit for hit in found if hit.id != id][:k]

    @contextmanager
    def _collection(self, name: str) -> Iterator[tuple[Database, Collection, Settings]]:
        """The file, a collection of it, and what made that; nobody else asks that file meanwhile."""
        with shared_databases().using(self._path, immutable=self._immutable) as database:
            collection = database.collection(name)
            settings = database.store.settings(name)
            if settings is None:
                raise NotFound(f"no collection '{name}' in this database")
            yield database, collection, settings

    def _vector(self, query: object, settings: Settings, name: str, database: Database | None = None) -> Vector:
        """A blob is a vector; anything else a text, which the collection's model embeds."""
        if isinstance(query, bytes):
            return unpack(query)
        text = query if isinstance(query, str) else str(query)
        if not text.strip():
            raise DataError("nothing to search for: the text is empty; write what to look for")
        if settings.model is None:
            raise DataError(f"'{name}' has no model to embed a text with; give similar a vector")
        if self._permission.names is None:  # else whoever registered these functions has named it
            trust.refuse_unnamed(settings.model, name)
        loaded = self._loaded(settings.model, settings, database)
        compatibility.refuse_other_weights(name, settings, loaded.spec)
        return unpack(loaded.vector(text, "query"))

    def _loaded(self, model: str, settings: Settings, database: Database | None) -> Loaded:
        """A model that may be used here; of an alignment, which the file keeps, the two models that it is between may be."""
        from ...collection.aligning import embedder

        if database is None or not registry.is_kept(model):
            return shared().get(model, self._permission, settings)
        return Loaded(embedder(database, model, lambda one, stored: shared().get(one, self._permission, stored).embedder))


def shown(hit: Hit) -> dict[str, Any]:
    """A hit as JSON has it: what is binary is left out."""
    content = hit.content if isinstance(hit.content, str) else None
    return {"id": hit.id, "score": hit.score, "content": content, "metadata": hit.metadata}


def _in_memory(connection: sqlite3.Connection, name: str, vector: Callable[[str | None], Vector], k: int) -> list[Hit]:
    """The k nearest rows, by looking at each through its own connection; a document counts by its own vector."""
    import numpy as np

    from ...core.vectors import prepared, scored, top_k
    from ...stores.rows import known_metadata
    from ...verbs.search import checked_k

    checked_k(k)
    number, model = _collection(connection, name)
    rows = _held(connection, "SELECT id, embedding FROM main.embeddings WHERE collection_id = ?", (number,))
    query = vector(model)
    usable = [(row[0], row[1]) for row in rows if isinstance(row[1], bytes) and len(row[1]) == 4 * len(query)]
    if rows and not usable:
        raise DimensionMismatch(f"'{name}' holds no vectors of length {len(query)}; ask with one of its model's")
    if not rows:
        return []
    matrix = np.frombuffer(b"".join(blob for _, blob in usable), "<f4").reshape(-1, len(query))
    scores = scored(prepared(matrix, "cosine"), prepared(query[None], "cosine")[0], "cosine")
    hits = []
    there = {row[1] for row in _rows(connection, "PRAGMA main.table_info(embeddings)")}
    columns = ", ".join(name if name in there else "NULL" for name in ("content", "metadata"))
    sql = f"SELECT {columns} FROM main.embeddings WHERE collection_id = ? AND id = ?"
    for at in top_k(scores, k):
        content, metadata = _held(connection, sql, (number, usable[at][0]))[0]
        hits.append(Hit(str(usable[at][0]), float(scores[at]), content, known_metadata(metadata)))
    return hits


def _collection(connection: sqlite3.Connection, name: str) -> tuple[int, str | None]:
    """Number and model of a collection in memory."""
    found = _held(connection, "SELECT id, model FROM main.collections WHERE name = ?", (name,))
    if not found:
        raise NotFound(f"no collection '{name}' in this database")
    return found[0][0], found[0][1]


def _held(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows of tables in memory, those of `main` alone: whoever asks may not be meant to see an attached file."""
    try:
        return _rows(connection, sql, values)
    except sqlite3.OperationalError as error:
        raise StoreError(f"this database in memory has no table of collections as cosimo makes it ({error})") from error
