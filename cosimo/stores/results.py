"""Kept results: clusters, maps and small models beside the rows they were made of, in tables that SQL can join. Makes none."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, cast

from ..core.checks import check_name
from ..core.content import storable
from ..core.errors import Corrupt
from ..core.results import Member, Position, Result, ResultInfo
from . import schema
from .rows import chunks, known_metadata
from .transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from ..core.results import ResultKind

SINCE = schema.OURS["cosimo_results"]  # versions of a file below have no such tables
ITEMS = {"clusters": "cosimo_cluster_items", "map": "cosimo_map"}  # kind → the table that speaks of each item
WRITTEN = 10_000  # items handed to SQLite at a time


class Results(Transactions):
    """The part of `SQLiteStore` that keeps what verbs find out about a collection."""

    def results(self, collection: str) -> list[ResultInfo]:
        """What is kept, by kind and name; without what is in it. Settings that cannot be read are empty."""
        with self._collection(collection) as (state, entry):
            if state.version < SINCE:
                return []
            sql = "SELECT kind, name, version, made, settings FROM cosimo_results WHERE collection_id = ? ORDER BY kind, name"
            return [
                ResultInfo._make((*found, known_metadata(settings) or {}))
                for *found, settings in self._file.rows(sql, (entry.number,))
            ]

    def keepers(self, kind: ResultKind) -> dict[str, str]:
        """Name → collection, of all results of a kind: for kinds whose names mean one thing in the whole file."""
        with self._reading() as state:
            if not state.tables or state.version < SINCE:
                return {}
            sql = (
                "SELECT r.name, c.name FROM cosimo_results r JOIN collections c ON c.id = r.collection_id"
                " WHERE r.kind = ? ORDER BY r.name, c.name"
            )
            return dict(self._file.rows(sql, (kind,)))

    def result(self, collection: str, kind: ResultKind, name: str) -> Result | None:
        """One kept result; None where there is none of that kind and name.

        Raises
        ------
        Corrupt : another program wrote something else into its place
        DataError : it cannot be a name; whoever makes a result looks first whether it is there
        """
        check_name(name, kind)
        with self._collection(collection) as (state, entry):
            if state.version < SINCE:
                return None
            key = (entry.number, kind, name)
            where = "WHERE collection_id = ? AND kind = ? AND name = ?"
            found = self._file.rows(f"SELECT version, settings, summary FROM cosimo_results {where}", key)
            if not found:
                return None
            arrays = self._file.rows(f"SELECT array, dtype, shape, data FROM cosimo_arrays {where}", key)
        version, settings, summary = found[0]
        try:
            held = {array: _unpacked(*stored) for array, *stored in arrays}
            return Result(kind, name, version, _object(settings), _object(summary), held)
        except (TypeError, ValueError, RecursionError) as error:
            raise Corrupt(f"the {kind} '{name}' of '{collection}' cannot be read ({error}); make them anew") from error

    def members(self, collection: str, name: str) -> Iterator[Member]:
        """Who is in which of the clusters of that name: by level, cluster, and closeness, the closest first."""
        sql = (
            "SELECT id, level, cluster, closeness FROM cosimo_cluster_items WHERE collection_id = ? AND name = ?"
            " ORDER BY level, cluster, closeness DESC, id"
        )
        yield from (Member(*found) for found in self._items(collection, sql, name))

    def positions(self, collection: str, name: str) -> Iterator[Position]:
        """Where items lie on the map of that name, by id."""
        sql = "SELECT id, x, y, z, placed FROM cosimo_map WHERE collection_id = ? AND name = ? ORDER BY id"
        yield from (Position._make((*found, bool(placed))) for *found, placed in self._items(collection, sql, name))

    def _items(self, collection: str, sql: str, name: str) -> list[tuple[Any, ...]]:
        with self._collection(collection) as (state, entry):
            return self._file.rows(sql, (entry.number, name)) if state.version >= SINCE else []

    def keep(self, collection: str, result: Result, items: Iterable[Member] | Iterable[Position] = ()) -> None:
        """Keep a result in place of the one of its kind and name, in one transaction.

        Raises
        ------
        NotFound : no such collection
        StoreError : the file cannot be written
        """
        with self._writing_to(collection) as entry:
            self._forget(entry.number, result.kind, result.name)
            key = (entry.number, result.kind, result.name)
            self._file.execute(
                "INSERT INTO cosimo_results VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*key, result.version, int(time.time()), _json(result.settings), _json(result.summary)),
            )
            for array, numbers in result.arrays.items():
                self._file.execute("INSERT INTO cosimo_arrays VALUES (?, ?, ?, ?, ?, ?, ?)", (*key, array, *_packed(numbers)))
            if result.kind in ITEMS:
                self._put_items(entry.number, result.kind, result.name, items)

    def forget(self, collection: str, kind: ResultKind, name: str) -> bool:
        """Remove a result; whether there was one."""
        with self._writing_to(collection) as entry:
            return self._forget(entry.number, kind, name)

    def _put_items(self, number: int, kind: str, name: str, items: Iterable[Member] | Iterable[Position]) -> None:
        for chunk in chunks(items, WRITTEN):
            rows = [(number, name, storable(id), *rest) for id, *rest in chunk]
            marks = ", ".join("?" * len(rows[0]))
            self._file.execute_many(f"INSERT OR REPLACE INTO {ITEMS[kind]} VALUES ({marks})", rows)

    def _forget(self, number: int, kind: str, name: str) -> bool:
        key = (number, kind, name)
        self._file.execute("DELETE FROM cosimo_arrays WHERE collection_id = ? AND kind = ? AND name = ?", key)
        if kind in ITEMS:
            self._file.execute(f"DELETE FROM {ITEMS[kind]} WHERE collection_id = ? AND name = ?", (number, name))
        return bool(self._file.execute("DELETE FROM cosimo_results WHERE collection_id = ? AND kind = ? AND name = ?", key))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"no JSON object: {text:.40}")
    return found


def _packed(array: NDArray[Any]) -> tuple[str, str, bytes]:
    """dtype, shape and little-endian bytes: no pickle, so that a file from elsewhere runs nothing."""
    plain = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    return plain.dtype.str, json.dumps(list(plain.shape)), plain.tobytes()


def _unpacked(dtype: str, shape: str, data: bytes) -> NDArray[Any]:
    import numpy as np

    kind = np.dtype(dtype)
    if kind.hasobject or kind.kind not in "biufU":
        raise ValueError(f"an array of {dtype}")
    return np.frombuffer(data, kind).reshape(cast("list[int]", json.loads(shape))).copy()
