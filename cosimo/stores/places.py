"""Places: an R*Tree over the places in a collection's metadata. Finds the rows inside a shape; catches up by the change log.

Derived and rebuildable, made by the first question of place about a collection that is large enough. There is a point for
every place at any path of a row's metadata (`home`, `shop.at`, the metadata itself), with its latitude and longitude as they
are read there. The tree, whose 32-bit numbers SQLite rounds outwards, names candidates, and each point is asked with the
oracle's own function, so an answer reads no JSON. Rows changed since the tree was made, if they are few, are read and asked
beside it: a search after every write does not write.

A file that cannot be written is indexed in temporary tables of the connection: the same code with `temp` for `main`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.errors import Corrupt, StoreError
from ..core.filters import Item, Within, holds, walk
from ..core.geometry import Position, positions
from . import changes
from .rows import known_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..core.filters import Filter
    from ..core.geometry import Bounds
    from ..core.sqlite import File
    from .schema import State

FIELDS = (
    "CREATE TABLE IF NOT EXISTS {schema}.cosimo_place_fields (field INTEGER PRIMARY KEY, collection_id INTEGER, path TEXT,"
    " UNIQUE (collection_id, path))"  # a path is a JSON list: keys may hold dots, quotes and half characters
)
STATE = "CREATE TABLE IF NOT EXISTS {schema}.cosimo_place_state (collection_id INTEGER PRIMARY KEY, version INTEGER)"
BLOCK = 1_000  # rows in memory at a time
WORTH = 1_000  # rows; fewer are asked one by one in 10 ms, and the file stays as it is
FRESH = 500  # changed rows asked beside the tree, 10 µs each, before it takes them in at 25 µs each
NODE = 4_096  # bytes, any size that is one
INSIDE = "t.south <= ? AND t.north >= ? AND t.west <= ? AND t.east >= ?"


class Places(NamedTuple):
    """Where a collection's places are: in the file (`main`) or in this connection (`temp`)."""

    schema: str
    collection: int

    @property
    def points(self) -> str:
        """Name of the table of points."""
        return f"cosimo_places_{self.collection}"

    @property
    def tree(self) -> str:
        """Name of the R*Tree over them."""
        return f"cosimo_places_{self.collection}_tree"


def available(file: File) -> bool:
    """True where SQLite was compiled with R*Tree."""
    return bool(file.value("SELECT 1 FROM pragma_module_list WHERE name = 'rtree'"))


def asks(filter: Filter) -> bool:
    """True where a filter has a question of place."""
    return any(isinstance(predicate, Within) for predicate in walk(filter))


def wanting(file: File, state: State, collection: int) -> bool:
    """True where the file has no places of a collection worth it, or too old ones. Call inside a transaction."""
    return available(file) and not _usable(file, state, Places("main", collection)) and _large(file, collection)


def finder(file: File, state: State, collection: int) -> Callable[[Within], list[int] | None]:
    """What answers a question of place: exactly the rows inside, as the file is now; None where it cannot tell.

    For use inside the transaction it was made in. Where the file's own tree is missing or too old, one is made for the
    connection by the first question.
    """
    chosen: list[Places] = []

    def inside(question: Within) -> list[int] | None:
        if not chosen:
            chosen.extend(_places(file, state, collection))
        if not chosen or question.field.source not in ("metadata", "any"):
            return None
        try:
            return _inside(file, state, chosen[0], question)
        except StoreError:  # a damaged tree: the rows know better, and `check --repair` makes another
            return None

    return inside


def catch_up(file: File, state: State, places: Places) -> int:
    """Take in what changed since the last call, or all where that cannot be told; the number of rows read.

    Call inside a transaction that may write to `places.schema`.
    """
    for sql in (FIELDS, STATE):
        file.execute(sql.format(schema=places.schema))
    now, floor = changes.version(file, state)
    since = _version(file, places)
    if since == now:
        return 0
    if since is None or not state.tracked or not floor <= since < now or _mostly_new(file, places, since):
        _begin(file, places)
        since = None
    fields: dict[str, int] = dict(_rows_of(file, places, "path, field", "fields"))
    done, after = 0, changes.FIRST
    while block := file.rows(_fresh(state, since, ordered=True), (places.collection, after, BLOCK)):
        if since is not None:
            _remove(file, places, [number for number, _ in block])
        _add(file, places, fields, block)
        done, after = done + len(block), block[-1][0]
    file.execute(f"INSERT OR REPLACE INTO {places.schema}.cosimo_place_state VALUES (?, ?)", (places.collection, now))
    return done


def forget(file: File, places: Places) -> None:
    """Remove a collection's places; the next question makes them again."""
    try:
        file.execute(f"DROP TABLE IF EXISTS {places.schema}.{places.tree}")
    except Corrupt:  # SQLite drops no tree whose root has the wrong size
        file.execute(f"UPDATE {places.schema}.{places.tree}_node SET data = zeroblob({NODE}) WHERE nodeno = 1")
        file.execute(f"DROP TABLE {places.schema}.{places.tree}")
    file.execute(f"DROP TABLE IF EXISTS {places.schema}.{places.points}")
    for table in ("cosimo_place_fields", "cosimo_place_state"):
        if file.value(f"SELECT 1 FROM {places.schema}.sqlite_master WHERE name = ?", (table,)):
            file.execute(f"DELETE FROM {places.schema}.{table} WHERE collection_id = ?", (places.collection,))


# --- which tree ----------------------------------------------------------------------------------------------------


def _places(file: File, state: State, collection: int) -> Iterator[Places]:
    """The tree to ask, made where it must be; none where SQLite has none or the rows are few."""
    if not available(file):
        return
    both = Places("main", collection), Places("temp", collection)
    usable = [places for places in both if _usable(file, state, places)]
    if not usable and _large(file, collection):
        catch_up(file, state, both[1])
        usable = [both[1]]
    yield from usable[:1]


def _usable(file: File, state: State, places: Places) -> bool:
    """Whether a tree and few enough rows beside it say how the file is now."""
    since, (now, floor) = _version(file, places), changes.version(file, state)
    if since is None or since == now:
        return since is not None
    # of any collection: those of another would have to be gone through at every question
    sql = "SELECT count(*) FROM (SELECT 1 FROM cosimo_rows WHERE changed > ? LIMIT ?)"
    return state.tracked and floor <= since < now and file.value(sql, (since, FRESH + 1)) <= FRESH


def _version(file: File, places: Places) -> int | None:
    """The version of the rows that the tree holds; None where there is none."""
    names = (places.points, places.tree, "cosimo_place_fields", "cosimo_place_state")
    sql = f"SELECT count(*) FROM {places.schema}.sqlite_master WHERE type = 'table' AND name IN (?, ?, ?, ?)"
    if file.value(sql, names) < len(names):
        return None
    version: int | None = next((version for (version,) in _rows_of(file, places, "version", "state")), None)
    return version


def _large(file: File, collection: int) -> bool:
    sql = "SELECT count(*) FROM (SELECT 1 FROM embeddings WHERE collection_id = ? LIMIT ?)"
    return bool(file.value(sql, (collection, WORTH)) == WORTH)


def _mostly_new(file: File, places: Places, since: int) -> bool:
    """Whether making the tree anew is less work: an entry is taken out at the price of putting two in."""
    fresh = file.value("SELECT count(*) FROM cosimo_rows WHERE changed > ? AND +collection_id = ?", (since, places.collection))
    return bool(3 * fresh > file.value(f"SELECT count(*) FROM {places.schema}.{places.points}"))


def _rows_of(file: File, places: Places, columns: str, table: str) -> list[tuple[Any, ...]]:
    sql = f"SELECT {columns} FROM {places.schema}.cosimo_place_{table} WHERE collection_id = ?"
    return file.rows(sql, (places.collection,))


# --- keeping -------------------------------------------------------------------------------------------------------


def _begin(file: File, places: Places) -> None:
    """An empty tree."""
    forget(file, places)
    schema, points = places.schema, places.points
    file.execute(
        f"CREATE TABLE {schema}.{points} (entry INTEGER PRIMARY KEY, number INTEGER, field INTEGER, lat REAL, lon REAL)"
    )
    file.execute(f"CREATE INDEX {schema}.{points}_number ON {points} (number)")
    file.execute(f"CREATE VIRTUAL TABLE {schema}.{places.tree} USING rtree (entry, south, north, west, east)")


def _fresh(state: State, since: int | None, *, ordered: bool) -> str:
    """(number, metadata) of a collection's rows after a number, in order; or at once. NULL for a row that is gone."""
    paging = "AND {} > ? ORDER BY {} LIMIT ?" if ordered else ""
    metadata = f"e.{state.column('metadata')}" if "metadata" in state.columns else "NULL"
    if not state.tracked:
        return (
            f"SELECT e.rowid, {metadata} FROM embeddings e WHERE e.collection_id = ? AND typeof(e.id) = 'text'"
            f" {paging.format('e.rowid', 'e.rowid')}"
        )
    return (
        f"SELECT r.number, {metadata} FROM cosimo_rows r"
        " LEFT JOIN embeddings e ON e.collection_id = r.collection_id AND e.id = r.id"
        f" WHERE +r.collection_id = ? AND {'r.live' if since is None else f'r.changed > {since:d}'}"
        f" {paging.format('r.number', 'r.number')}"
    )


def _remove(file: File, places: Places, numbers: Iterable[int]) -> None:
    for number in numbers:
        entries = file.rows(f"SELECT entry FROM {places.schema}.{places.points} WHERE number = ?", (number,))
        for table in (places.tree, places.points):
            file.execute_many(f"DELETE FROM {places.schema}.{table} WHERE entry = ?", entries)


def _add(file: File, places: Places, fields: dict[str, int], rows: Iterable[tuple[int, str | None]]) -> None:
    """A point for every place in these rows; names new fields in `fields` and in the file."""
    entry = int(file.value(f"SELECT coalesce(max(entry), 0) FROM {places.schema}.{places.points}"))
    found = []
    for number, stored in rows:
        for path, point in positions(known_metadata(stored)):
            entry += 1
            found.append((entry, number, _field(file, places, fields, json.dumps(path)), *point))
    file.execute_many(f"INSERT INTO {places.schema}.{places.points} VALUES (?, ?, ?, ?, ?)", found)
    file.execute_many(
        f"INSERT INTO {places.schema}.{places.tree} VALUES (?, ?, ?, ?, ?)",
        ((entry, lat, lat, lon, lon) for entry, _, _, lat, lon in found),
    )


def _field(file: File, places: Places, fields: dict[str, int], path: str) -> int:
    if path not in fields:
        into = f"{places.schema}.cosimo_place_fields (collection_id, path)"
        fields[path] = file.value(f"INSERT INTO {into} VALUES (?, ?) RETURNING field", (places.collection, path))
    return fields[path]


# --- asking --------------------------------------------------------------------------------------------------------


def _inside(file: File, state: State, places: Places, question: Within) -> list[int]:
    """Numbers of the rows inside, ascending: those of the tree, less those changed since, and those of them that are."""
    found = set()
    path = json.dumps(question.field.path)
    fields = f"SELECT field FROM {places.schema}.cosimo_place_fields WHERE collection_id = ? AND path = ?"
    for (field,) in file.rows(fields, (places.collection, path)):
        for box in question.shape.bounds():  # one by one: with OR, SQLite reads the whole tree
            found.update(_candidates(file, places, question, field, box))
    since = _version(file, places)
    if since != changes.version(file, state)[0]:
        fresh = file.rows(_fresh(state, since, ordered=False), (places.collection,))
        found.difference_update(number for number, _ in fresh)
        found.update(number for number, stored in fresh if holds(question, Item(metadata=known_metadata(stored))))
    return sorted(found)


def _candidates(file: File, places: Places, question: Within, field: int, box: Bounds) -> list[int]:
    """Rows whose place is inside, of those in one box."""
    sql = (
        f"SELECT p.number, p.lat, p.lon FROM {places.schema}.{places.tree} t"
        f" CROSS JOIN {places.schema}.{places.points} p ON p.entry = t.entry WHERE p.field = ? AND {INSIDE}"
    )
    contains = question.shape.contains
    rows = file.rows(sql, (field, box.north, box.south, box.east, box.west))
    return [number for number, lat, lon in rows if contains(Position(lat, lon))]
