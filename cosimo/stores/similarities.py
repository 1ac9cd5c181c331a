"""Similarities: each item's nearest ones, kept beside the rows, and up to which change they are known. Scores nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.content import storable
from ..core.errors import StoreError
from ..core.types import Listed, Similarity
from . import schema
from .rows import CHUNK, chunks
from .transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..core.sqlite import File

SINCE = schema.OURS["cosimo_similarities"]  # versions of a file below have no such tables


def forget(file: File, number: int) -> int:
    """Remove a collection's lists; how long they were, 0 where there are none. Call inside a transaction that writes."""
    k = file.value("SELECT k FROM cosimo_related WHERE collection_id = ?", (number,)) or 0
    for table in ("cosimo_similarities", "cosimo_related"):
        file.execute(f"DELETE FROM {table} WHERE collection_id = ?", (number,))
    return int(k)


class Similarities(Transactions):
    """The part of `SQLiteStore` that keeps lists of related items."""

    def listed(self, collection: str) -> Listed | None:
        """Up to which version of `changes` the lists are known, and how long they are; None where there are none."""
        with self._collection(collection) as (state, entry):
            return self._listed(entry.number) if state.version >= SINCE else None

    def _listed(self, number: int) -> Listed | None:
        found = self._file.rows("SELECT version, k FROM cosimo_related WHERE collection_id = ?", (number,))
        return Listed(*found[0]) if found else None

    def last_listed(self, collection: str) -> dict[str, tuple[int, float]]:
        """id → length of its list, and the score of the last in it. An item whose list is empty is left out."""
        with self._collection(collection) as (state, entry):
            if state.version < SINCE:
                return {}
            sql = "SELECT id, count(*), min(score) FROM cosimo_similarities WHERE collection_id = ? GROUP BY id"
            return {id: (length, score) for id, length, score in self._file.rows(sql, (entry.number,))}

    def listing(self, collection: str, others: Iterable[str]) -> set[str]:
        """Ids of the items in whose lists any of these stands."""
        found: set[str] = set()
        with self._collection(collection) as (state, entry):
            if state.version < SINCE:
                return found
            for chunk in chunks(others):
                sql = (
                    "SELECT DISTINCT id FROM cosimo_similarities WHERE collection_id = ?"
                    f" AND other_id IN ({','.join('?' * len(chunk))})"
                )
                found.update(id for (id,) in self._file.rows(sql, (entry.number, *chunk)))
        return found

    def similarities(self, collection: str) -> Iterator[Similarity]:
        """All lists, by id, the nearest first; equal scores in the order of ids.

        Read a page at a time: a list is never half, and inside `snapshot()` all are of one moment.
        """
        after: str | None = None
        while True:
            with self._collection(collection) as (state, entry):
                if state.version < SINCE:
                    return
                bound = ("id >= ?", "") if after is None else ("id > ?", after)
                key = f"FROM cosimo_similarities WHERE collection_id = ? AND {bound[0]}"
                page = f"SELECT max(id) FROM (SELECT DISTINCT id {key} ORDER BY id LIMIT {CHUNK})"
                after = self._file.value(page, (entry.number, bound[1]))
                if after is None:
                    return
                rows = self._file.rows(
                    f"SELECT id, other_id, score {key} AND id <= ? ORDER BY id, score DESC, other_id",
                    (entry.number, bound[1], after),
                )
            yield from map(Similarity._make, rows)

    def put_lists(
        self,
        collection: str,
        lists: Iterable[tuple[str, Sequence[tuple[str, float]]]],
        *,
        gone: Iterable[str],
        before: Listed | None,
        now: Listed,
    ) -> tuple[int, int]:
        """Replace the lists of some items, in one transaction; how many rows were written and how many removed.

        Rows that are in the file already, with the same score, are left alone.

        Parameters
        ----------
        lists : (id, [(other id, score)]) of different items
        gone : ids that have no list any more
        before : what `listed` said when these lists were begun
        now : what it says from now on

        Raises
        ------
        StoreError : another program replaced lists meanwhile; nothing is written
        """
        written = removed = 0
        with self._writing_to(collection) as entry:
            if self._listed(entry.number) != before:
                raise StoreError(
                    f"another program saved the related items of '{collection}' meanwhile, and these were not; run this again"
                )
            for chunk in chunks((id, ()) for id in gone):
                removed += self._replace(entry.number, dict(chunk))[1]
            for chunk in chunks(lists):
                counts = self._replace(entry.number, {storable(id): others for id, others in chunk})
                written, removed = written + counts[0], removed + counts[1]
            self._file.execute("INSERT OR REPLACE INTO cosimo_related VALUES (?, ?, ?)", (entry.number, *now))
        return written, removed

    def _replace(self, number: int, lists: dict[str, Sequence[tuple[str, float]]]) -> tuple[int, int]:
        """Replace the lists of up to CHUNK items; the rows written and removed."""
        among = ",".join("?" * len(lists))
        sql = f"SELECT id, other_id, score FROM cosimo_similarities WHERE collection_id = ? AND id IN ({among})"
        old = {(id, other): score for id, other, score in self._file.rows(sql, (number, *lists))}
        new = {(id, other): score for id, others in lists.items() for other, score in others}
        gone = [(number, *pair) for pair in old if pair not in new]
        fresh = [(number, *pair, score) for pair, score in new.items() if old.get(pair) != score]
        self._file.execute_many("DELETE FROM cosimo_similarities WHERE collection_id = ? AND id = ? AND other_id = ?", gone)
        self._file.execute_many("INSERT OR REPLACE INTO cosimo_similarities VALUES (?, ?, ?, ?)", fresh)
        return len(fresh), len(gone)
