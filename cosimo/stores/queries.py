"""Queries: what a search asks of a SQLite file beside vectors: rows that pass a filter, that hold words; facets."""

from __future__ import annotations

import sqlite3
from collections import Counter, OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from ..core.content import storable
from ..core.errors import DataError, Locked, StoreError
from ..core.filters import Field
from ..core.terms import fts_expression, match_expression
from ..core.types import Pairs
from . import catalog, changes, fulltext, passages, places, where, write
from .rows import ROW_COLUMNS, chunks, known_metadata, row_of
from .transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..core.filters import Filter
    from ..core.types import Cut, Numbers, Row, Span, Vector
    from . import schema

T = TypeVar("T")

REMEMBERED = 32  # filters whose rows are kept until the file changes: asking SQLite again takes 50 ms on 100,000 rows


class Queries(Transactions):
    """The part of `SQLiteStore` that answers questions about rows."""

    @cached_property
    def _allowed(self) -> OrderedDict[tuple[str, int, Filter], Numbers]:
        """Numbers that passed a filter, by collection and version."""
        return OrderedDict()

    def _forget_undone(self) -> None:
        self._allowed.clear()

    def _among(self, sql: str, column: str, entry: catalog.Entry, values: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
        """Rows of a query on one collection whose `column` is among the values. Call inside a transaction."""
        for chunk in chunks(values):
            yield from self._file.rows(f"{sql} AND {column} IN ({','.join('?' * len(chunk))})", (entry.number, *chunk))

    def ids_of(self, collection: str, numbers: Sequence[int]) -> dict[int, str]:
        """number → id; numbers of rows that are gone are left out."""
        with self._collection(collection) as (state, entry):
            # the plus keeps SQLite from walking the whole collection, which takes 10 ms at 100,000 rows
            sql = f"SELECT number, id FROM {changes.numbered(state)} WHERE +collection_id = ?"
            return dict(self._among(sql, "number", entry, map(int, numbers)))

    def rows_of(self, collection: str, numbers: Sequence[int], *, vectors: bool = False) -> dict[int, Row]:
        """number → row; numbers of rows that are gone are left out. Vectors take half of the time: (0,) unless asked for."""
        with self._collection(collection) as (state, entry):
            wanted = [name for name in ROW_COLUMNS if vectors or name != "embedding"]
            columns = ", ".join(f"e.{name}" if name in state.columns and name in wanted else "NULL" for name in ROW_COLUMNS)
            sql = (  # CROSS: SQLite would rather walk the whole collection
                f"SELECT n.number, {columns} FROM {changes.numbered(state)} n CROSS JOIN embeddings e"
                " ON e.collection_id = n.collection_id AND e.id = n.id WHERE +n.collection_id = ?"
            )
            return {found[0]: row_of(found[1:]) for found in self._among(sql, "n.number", entry, numbers)}

    def numbers_with_prefix(self, collection: str, prefix: str) -> Numbers:
        """(n,) int64, ascending: numbers of the rows whose id starts with `prefix` (taken literally)."""
        with self._collection(collection) as (state, entry):
            return changes.numbers_with_prefix(self._file, state, entry.number, storable(prefix))

    def numbers_that_pass(self, collection: str, filter: Filter) -> Numbers:
        """(n,) int64, ascending: numbers of the rows that pass a filter, exactly. Remembered until the file changes."""
        import numpy as np

        with self._collection(collection) as (state, entry):
            key = (collection, self._version(state), filter)
            if key not in self._allowed:
                inside = places.finder(self._file, state, entry.number)
                found = where.matching(self._file, state, entry.number, filter, places=inside)
                self._allowed[key] = np.array(found, np.int64)
                while len(self._allowed) > REMEMBERED:
                    self._allowed.popitem(last=False)
            self._allowed.move_to_end(key)
            return self._allowed[key]

    def paired(self, collection: str, other: str) -> Pairs:
        """The rows of the items that both collections have. Remembered until the file changes."""
        with self._collection(collection) as (state, entry):
            second = self._entry(state, other)

            def find() -> Pairs:
                import numpy as np

                rows = changes.numbered(state)
                sql = (
                    f"SELECT a.number, b.number FROM {rows} a JOIN {rows} b ON b.id = a.id"
                    " WHERE a.collection_id = ? AND b.collection_id = ? ORDER BY a.number"
                )
                found = np.array(self._file.rows(sql, (entry.number, second.number)), np.int64).reshape(-1, 2)
                numbers, others = np.ascontiguousarray(found.T)
                return Pairs(numbers, others, len(others) == catalog.size(self._file, second.number))

            return self._fact(("paired", collection, other), find)

    def index_places(self, collection: str, filter: Filter) -> None:
        """Bring the places in the metadata up to date, where a filter asks about them and the file is ours to write.

        Call outside of a snapshot. Without it answers are the same: a tree is made for this connection alone.
        """
        if self.read_only or not places.asks(filter):
            return
        with self._collection(collection) as (state, entry):
            if not state.tracked or not places.wanting(self._file, state, entry.number):
                return
        try:
            with self._writing_to(collection) as entry, self._collection(collection) as (state, _):
                places.catch_up(self._file, state, places.Places("main", entry.number))
        except StoreError:  # locked by another program, a full disk: a tree in memory does as well
            pass

    def cuts_of(self, collection: str, hashes: Sequence[bytes]) -> dict[bytes, tuple[Vector, Cut]]:
        """Documents with these content hashes, each with its vector and passages; those nobody cut are left out."""
        with self._collection(collection) as (state, entry):
            if not state.tracked:
                return {}
            return {hash: (vector, cut) for hash, vector, cut in passages.cuts_of(self._file, entry, hashes)}

    def uncut(self, collection: str, longer_than: int) -> Iterator[Row]:
        """Rows whose text has more than so many characters and that nobody has cut; store them with a `cut` as they come.

        Once all were taken that is remembered, and only what changes later is looked at. Nothing in a file we have not written.
        """
        with self._collection(collection) as (state, entry):
            if not state.tracked:
                return
            now, since = changes.version(self._file, state)[0], passages.looked(self._file, entry.number)
            news = "SELECT 1 FROM cosimo_rows WHERE changed > ? AND +collection_id = ? LIMIT 1"
            if not self._file.value(news, (since, entry.number)):
                return
        after = changes.FIRST
        while True:
            with self._collection(collection) as (_, entry):
                found = passages.next_uncut(self._file, entry.number, since, after, longer_than)
            if not found:
                break
            for _, *columns in found:
                yield row_of(columns)
            after = found[-1][0]
        with self._writing_to(collection) as entry:
            passages.look(self._file, entry.number, now)

    def put_cuts(self, collection: str, rows: Iterable[Row]) -> None:
        """Give rows that `uncut` found their passages and the vector that goes with them; rows changed since then stay."""
        with self._writing_to(collection) as entry:
            passages.put(self._file, entry, write.set_vectors(self._file, entry, rows))

    def has_passages(self, collection: str) -> bool:
        """True where any document is cut."""
        with self._collection(collection) as (state, entry):
            return state.tracked and self._fact(("cut", collection), lambda: passages.any_of(self._file, entry.number))

    def spans_of(self, collection: str, units: Sequence[int]) -> dict[int, Span]:
        """Where passages lie in their documents; units that are whole documents are left out."""
        if not units or not self.has_passages(collection):
            return {}
        with self._collection(collection) as (state, entry):
            return passages.spans(self._file, entry.number, units) if state.tracked else {}

    def all_spans_of(self, collection: str, numbers: Sequence[int]) -> dict[int, list[Span]]:
        """document number → where its passages lie, in order; documents in one piece are left out."""
        with self._collection(collection) as (state, _):
            return passages.all_spans(self._file, numbers) if state.tracked else {}

    def has_rows(self, collection: str) -> bool:
        """True where there is any row."""
        with self._collection(collection) as (_, entry):
            sql = "SELECT 1 FROM embeddings WHERE collection_id = ? LIMIT 1"
            return self._fact(("rows", collection), lambda: bool(self._file.value(sql, (entry.number,))))

    def has_text(self, collection: str) -> bool:
        """True where any row has a text beside its vector."""
        with self._collection(collection) as (state, entry):
            sql = f"SELECT 1 FROM embeddings WHERE collection_id = ? AND {state.column('content')} IS NOT NULL LIMIT 1"
            return self._fact(("text", collection), lambda: bool(self._file.value(sql, (entry.number,))))

    def index_text(self, collection: str) -> None:
        """Bring the full text up to date with the rows, in the file where it is ours to write, else for this connection alone.

        Call outside of a snapshot.
        """
        with self._collection(collection) as (state, entry):
            now = self._version(state)
            if self._text_is_current(collection, entry.number, now):
                return
            writable = state.tracked and not self.read_only
        if writable:
            try:
                with self._writing_to(collection) as entry:
                    self._catch_up(collection, fulltext.Text("main", entry.number))
                return
            except Locked:  # a long write of another program: search need not wait for it
                pass
        self._catch_up(collection, fulltext.Text("temp", entry.number))

    def _version(self, state: schema.State) -> int:
        return self._fact(("version",), lambda: changes.version(self._file, state)[0])

    def _text_is_current(self, collection: str, number: int, now: int) -> bool:
        """Remembered where it is; where it is not, it may be made any moment, and for this connection alone."""
        key = ("text is current", collection)
        if key not in self._facts and any(fulltext.is_current(self._file, text, now) for text in _places(number)):
            self._fact(key, lambda: True)
            return True
        return key in self._facts

    def text_pending(self, collection: str) -> int:
        """How many rows `index_text` has to look at."""
        with self._collection(collection) as (state, entry):
            now = self._version(state)
            if self._text_is_current(collection, entry.number, now):
                return 0
            made = [fulltext.version_of(self._file, text) for text in _places(entry.number)]
            since = max((version for version in made if version is not None), default=None)
            if since is None or not state.tracked:
                return int(self._file.value("SELECT count(*) FROM embeddings WHERE collection_id = ?", (entry.number,)))
            sql = "SELECT count(*) FROM cosimo_rows WHERE changed > ? AND +collection_id = ?"
            return int(self._file.value(sql, (since, entry.number)))

    def _catch_up(self, collection: str, text: fulltext.Text) -> None:
        with self._collection(collection) as (state, _):
            fulltext.catch_up(self._file, state, text, changes.version(self._file, state)[0])

    def rows_with(
        self, collection: str, terms: Sequence[str], k: int, *, allowed: Numbers | None = None
    ) -> list[tuple[int, float]]:
        """(number, BM25) of the k best rows that hold any of these terms, best first; higher is better.

        Parameters
        ----------
        allowed : numbers to choose among, ascending; None allows all

        Answers from the full text as `index_text` left it.
        """
        return self._matching(collection, match_expression(list(terms)), k, allowed)

    def rows_matching(
        self, collection: str, expression: str, k: int, *, allowed: Numbers | None = None
    ) -> list[tuple[int, float]]:
        """As `rows_with`, for an expression in FTS5's own syntax: `"a phrase" AND pref* NOT other`.

        Raises
        ------
        DataError : it is not such an expression
        """
        try:
            return self._matching(collection, fts_expression(expression), k, allowed)
        except StoreError as error:
            if getattr(error.__cause__, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR:
                raise
            raise DataError(f"{expression!r} is not in FTS5's syntax ({error.__cause__}); leave out --fts-syntax") from error

    def _matching(self, collection: str, expression: str, k: int, allowed: Numbers | None) -> list[tuple[int, float]]:
        chosen = None if allowed is None else set(allowed.tolist())
        found: list[tuple[int, float]] = []
        with self._collection(collection) as (state, entry):
            now = self._version(state)
            made = [text for text in _places(entry.number) if fulltext.exists(self._file, text)]
            if not made:
                return []
            # another program may have written since `index_text`: the rows of a moment ago are an answer, none would not be
            text = next((text for text in made if fulltext.is_current(self._file, text, now)), made[0])
            for number, score in fulltext.search(self._file, text, expression):
                if chosen is None or number in chosen:
                    found.append((number, score))
                    if len(found) == k:
                        break
        return found

    def facets(self, collection: str, field: str, *, filter: Filter | None = None, prefix: str = "") -> dict[str, int]:
        """How many rows have each value of a metadata field, most frequent first; a row's list counts for each of its items.

        Rows without the field are left out. Values are spelled as JSON spells them, text without quotes.
        """
        counts: Counter[str] = Counter()
        path = Field.named(field).path or (field,)  # a field of the metadata, even where it is called id
        with self._collection(collection) as (state, entry):
            sets = [] if filter is None else [set(self.numbers_that_pass(collection, filter).tolist())]
            sets += [set(self.numbers_with_prefix(collection, prefix).tolist())] if prefix else []
            allowed = set.intersection(*sets) if sets else None
            sql = (
                f"SELECT number, {state.column('metadata')} FROM {changes.numbered(state)} n"
                " JOIN embeddings e USING (collection_id, id) WHERE n.collection_id = ?"
            )
            for number, metadata in self._file.rows(sql, (entry.number,)):
                if allowed is None or number in allowed:
                    counts.update(_values(known_metadata(metadata), path))
        return dict(counts.most_common())

    def fields(self, collection: str) -> dict[str, int]:
        """How many rows have each field in their metadata, most frequent first; fields inside of others are not looked at."""
        counts: Counter[str] = Counter()
        with self._collection(collection) as (state, entry):
            if "metadata" in state.columns:
                sql = "SELECT metadata FROM embeddings WHERE collection_id = ? AND metadata IS NOT NULL"
                for block in self._file.blocks(sql, (entry.number,), size=1000):
                    for (metadata,) in block:
                        counts.update((known_metadata(metadata) or {}).keys())
        return dict(counts.most_common())


def _places(collection: int) -> tuple[fulltext.Text, fulltext.Text]:
    return fulltext.Text("main", collection), fulltext.Text("temp", collection)


def _values(metadata: object, field: Sequence[str]) -> list[str]:
    """The values of a field, named as in a filter, as text."""
    import json

    value: object = metadata
    for part in field:
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    return [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in items]
