"""Where: a filter as a condition that SQLite answers, and the rows it is not sure of answered in Python. Changes nothing.

Every predicate becomes two conditions: one that holds wherever the predicate may be true, one that holds only where it
surely is. Between the two lie the rows that SQLite would read differently (see `json_path`), numbers with a fraction next
to the one asked for (SQLite reads 15 digits for sure, a double has 17), and questions it has no words for: words, and
places where there is no index of them. Those rows, and only those, are read and asked again with the oracle,
`core.filters.holds`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ..core.filters import Field, Filter, Item, Within, both, holds, walk
from ..core.filters.like import segments
from ..core.filters.tree import And, Between, Compare, Contains, In, IsNull, Like, Match, Not, Or, Predicate
from ..core.filters.values import kind
from .json_path import Sql, glob, json_path, odd_rows
from .rows import known_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..core.filters.values import Value
    from ..core.sqlite import File
    from .schema import State

MAX_LEVELS = 12  # SQLite's parser keeps at most 100 things open, a level of brackets is up to three; deeper is Python's
MAX_WIDE = 32  # parts of one chain: SQLite allows an expression 1,000 levels, and every AND is one
MAX_FIELDS = 50  # more make more conditions on odd rows than a row has bytes
MAX_SQL, MAX_BOUND = 200_000, 15_000  # each condition; SQLite's own limits are 1,000,000 characters and 32,766 values
NEAR = 1e-14  # relative: within it a number that SQLite read from text may be another
BLOCK = 4_096  # rows taken at a time

Places: TypeAlias = Callable[[Within], "list[int] | None"]

NO, YES = Sql("0"), Sql("1")


class Limits(NamedTuple):
    """What SQLite can say about a condition: `maybe` holds wherever it is true, `sure` nowhere else."""

    maybe: Sql
    sure: Sql


@dataclass(frozen=True, slots=True)
class Compiled:
    """A filter as SQL over one row of `embeddings`.

    `where` holds for every row that passes, and for some that may not: those where `doubt` holds too have to be asked
    again in Python. `exact` says that there are none.
    """

    where: Sql
    doubt: Sql

    @property
    def exact(self) -> bool:
        return self.doubt == NO


def compiled(
    filter: Filter,
    *,
    id: str = "e.id",
    content: str = "e.content",
    metadata: str = "e.metadata",
    number: str = "r.number",
    places: Places | None = None,
) -> Compiled:
    """Compile a filter.

    Parameters
    ----------
    id, content, metadata : SQL for the columns of the row; NULL where a file has none
    number : SQL for the number of the row, which `places` speaks of
    places : what an index of places has to say: a question of place → the numbers of the rows inside, exactly, or None where
        it cannot tell. Without it every row with such a field is asked in Python.
    """
    compiler = _Compiler({"id": id, "content": content}, metadata, number, places)
    maybe, sure = compiler.limits(filter, False, MAX_LEVELS)
    if max(len(maybe.text), len(sure.text)) > MAX_SQL or max(len(maybe.values), len(sure.values)) > MAX_BOUND:
        return Compiled(YES, YES)
    if len(compiler.odd) > MAX_FIELDS:
        return Compiled(YES, YES)
    doubt = NO if maybe == sure else _sql("NOT ", sure)
    if not compiler.odd:
        return Compiled(maybe, doubt)
    odd = [*odd_rows(metadata), *dict.fromkeys(each for found in compiler.odd.values() for each in found)]
    return Compiled(_guarded(odd, maybe), _guarded(odd, doubt))


def _guarded(odd: list[Sql], otherwise: Sql) -> Sql:
    """1 where a row is odd. CASE, because AND and OR promise no order, and JSON functions fail on what is no JSON."""
    return _sql("CASE", *(_sql(" WHEN ", condition, " THEN 1") for condition in odd), " ELSE ", otherwise, " END")


def _sql(*pieces: str | Sql) -> Sql:
    found = [piece if isinstance(piece, Sql) else Sql(piece) for piece in pieces]
    return Sql("".join(piece.text for piece in found), tuple(value for piece in found for value in piece.values))


def _bound(text: str, *values: object) -> Sql:
    return Sql(text, values)


def _known(condition: Sql) -> Sql:
    """A condition with two answers: what is NULL to SQLite is false to a filter."""
    return condition if condition in (NO, YES) else _sql("coalesce(", condition, ", 0)")


class _Column(NamedTuple):
    """A field's value in SQL, and its type in JSON's words."""

    value: Sql
    type: Sql
    path: Sql | None  # None: a column of the table


class _Compiler:
    """Walks a tree. Negation is pushed down to the predicates, so that NOT costs no brackets."""

    def __init__(self, columns: dict[str, str], metadata: str, number: str, places: Places | None) -> None:
        self._columns = columns
        self._metadata = metadata
        self._number = number
        self._places = places
        self.odd: dict[Field, tuple[Sql, ...]] = {}  # fields read from JSON: conditions on which to leave a row to Python

    # --- joins -----------------------------------------------------------------------------------------------------

    def limits(self, filter: Filter, negated: bool, levels: int) -> Limits:
        while isinstance(filter, Not):
            filter, negated = filter.part, not negated
        if isinstance(filter, And | Or):
            if levels <= 0:
                return Limits(YES, NO)
            conjunction = isinstance(filter, And) is not negated
            wide = len(filter.parts) > MAX_WIDE
            parts = [self.limits(part, negated, levels - 1 - wide) for part in filter.parts]
            return Limits(*(_joined(conjunction, [pair[side] for pair in parts]) for side in (0, 1)))
        assert isinstance(filter, Predicate)
        maybe, sure = map(_known, self._predicate(filter))
        return Limits(_not(sure), _not(maybe)) if negated else Limits(maybe, sure)

    def _predicate(self, question: Predicate) -> Limits:
        inside = self._places(question) if self._places and isinstance(question, Within) else None
        if inside is not None:
            return _exactly(_bound(f"{self._number} IN (SELECT value FROM json_each(?))", json.dumps(inside)))
        column = self._column(question.field)
        if column is None:
            return Limits(YES, NO)
        match question:
            case Compare(op=op, value=value):
                return _compare(column, op, value)
            case Between(low=low, high=high):
                pairs = zip(_compare(column, ">=", low), _compare(column, "<=", high), strict=True)
                return Limits(*(_sql(a, " AND ", b) for a, b in pairs))
            case In(choices=choices):
                return _among(column, choices)
            case IsNull():
                return _exactly(_sql("coalesce(", column.type, ", 'null') = 'null'"))
            case Like(pattern=pattern):
                return _like(column, pattern)
            case Contains(items=items, every=every):
                return self._contains(column, items, every)
            case Match():
                return Limits(_sql(column.type, " IN ('text', 'array')"), NO)
            case Within():
                return Limits(_sql(column.type, " = 'object'"), NO)
        raise TypeError(f"no rule for {type(question).__name__}")

    def _column(self, field: Field) -> _Column | None:
        """Where a field is; None where SQLite cannot reach it."""
        if field.source in self._columns:
            column = self._columns[field.source]
            # other programs may have declared a column COLLATE NOCASE
            return _Column(Sql(f"{column} COLLATE BINARY"), Sql(f"nullif(typeof({column}), 'blob')"), None)
        found = json_path(self._metadata, field) if field.source == "metadata" else None
        if found is None:
            return None
        self.odd[field] = found.odd
        value = _sql(f"json_extract({self._metadata}, ", found.path, ")")
        return _Column(value, _sql(f"json_type({self._metadata}, ", found.path, ")"), found.path)

    # --- lists -----------------------------------------------------------------------------------------------------

    def _contains(self, column: _Column, items: tuple[Value, ...], every: bool) -> Limits:
        if len(items) > MAX_WIDE:
            return Limits(_sql(column.type, " IN ('text', 'array')"), NO)
        if not items:
            return _exactly(_sql(column.type, " IN ('text', 'array')") if every else NO)
        parts = [self._holds(column, item) for item in items]
        return Limits(*(_joined(every, [_known(pair[side]) for pair in parts]) for side in (0, 1)))

    def _holds(self, column: _Column, item: Value) -> Limits:
        """A text contains it, or a list holds it."""
        inside = _sql("instr(", column.value, _bound(", ?) > 0", item)) if isinstance(item, str) else NO
        if column.path is None:
            return _exactly(_sql(column.type, " = 'text' AND ", inside))
        member = _Column(Sql("m.value"), Sql("m.type"), Sql("?"))
        members = _sql(f"FROM json_each({self._metadata}, ", column.path, ") m WHERE ")
        return Limits(
            *(
                _sql(
                    "CASE ",
                    column.type,
                    " WHEN 'text' THEN ",
                    inside,
                    " WHEN 'array' THEN EXISTS (SELECT 1 ",
                    members,
                    each,
                    ") END",
                )
                for each in _compare(member, "=", item)
            )
        )


def _exactly(condition: Sql) -> Limits:
    return Limits(condition, condition)


def _not(condition: Sql) -> Sql:
    if condition in (NO, YES):
        return YES if condition == NO else NO
    return _sql("NOT ", condition)


def _joined(conjunction: bool, parts: Sequence[Sql]) -> Sql:
    """Conditions joined by AND or OR, in brackets; long chains in groups, since SQLite limits their depth."""
    neutral, decisive = (YES, NO) if conjunction else (NO, YES)
    if decisive in parts:
        return decisive
    kept = [part for part in parts if part != neutral]
    if not kept:
        return neutral
    if len(kept) > MAX_WIDE:
        size = max(MAX_WIDE, -(-len(kept) // MAX_WIDE))
        return _joined(conjunction, [_joined(conjunction, kept[at : at + size]) for at in range(0, len(kept), size)])
    if len(kept) == 1:
        return kept[0]
    word = " AND " if conjunction else " OR "
    return _sql("(", kept[0], *(piece for part in kept[1:] for piece in (word, part)), ")")


# --- values --------------------------------------------------------------------------------------------------------


def _compare(column: _Column, op: str, value: Value) -> Limits:
    if isinstance(value, bool):
        return _exactly(NO if column.path is None else _sql(column.type, f" = '{str(value).lower()}'"))
    if isinstance(value, str):
        return _exactly(_sql(column.value, _bound(f" {op} ?", value), " AND ", column.type, " = 'text'"))
    if column.path is None:
        return _exactly(NO)  # a number is no text; SQLite would make it one
    return _number(column, op, value)


def _number(column: _Column, op: str, value: float) -> Limits:
    """Numbers: sure, but for those with a fraction that SQLite may have read as another next to them."""
    numbers = _sql(" AND ", column.type, " IN ('integer', 'real')")
    low, high = _around(value)
    close = _sql("(typeof(", column.value, ") = 'real' AND ", column.value, _bound(" BETWEEN ? AND ?)", low, high))
    sure = _sql(column.value, _bound(f" {op} ?", value), numbers, " AND NOT ", close)
    if op == "=":
        maybe = _sql(column.value, _bound(" BETWEEN ? AND ?", low, high), numbers)
    else:
        maybe = _sql(column.value, _bound(f" {op[0]}= ?", low if op[0] == ">" else high), numbers)
    return Limits(maybe, sure)


def _around(value: float) -> tuple[float, float]:
    """Two numbers surely below and above all that SQLite may have taken for this one."""
    span = abs(float(value)) * NEAR + 1e-300
    return max(float(value) - span, -_GREATEST), min(float(value) + span, _GREATEST)


_GREATEST = 1.7976931348623157e308


def _among(column: _Column, choices: tuple[Value, ...]) -> Limits:
    parts: list[Limits] = []
    texts = [choice for choice in choices if isinstance(choice, str)]
    if texts:
        parts.append(_exactly(_sql(column.value, _list(texts), " AND ", column.type, " = 'text'")))
    if column.path is not None:
        parts += [_compare(column, "=", truth) for truth in (True, False) if any(choice is truth for choice in choices)]
        numbers = [choice for choice in choices if kind(choice) == "number"]
        if numbers:
            found = _sql(column.value, _list(numbers))
            integer = _sql("typeof(", column.value, ") = 'integer'")
            kinds = _sql(column.type, " IN ('integer', 'real')")
            maybe = _sql("(", found, " OR NOT ", integer, ") AND ", kinds)
            parts.append(Limits(maybe, _sql(found, " AND ", integer, " AND ", kinds)))
    return Limits(*(_joined(False, [_known(pair[side]) for pair in parts]) for side in (0, 1)))


def _list(values: Sequence[Any]) -> Sql:
    return Sql(f" IN ({', '.join('?' * len(values))})", tuple(values))


def _like(column: _Column, pattern: str) -> Limits:
    """LIKE by GLOB, which tells a from A. SQLite's LIKE does not, or does, by a switch of the connection."""
    text = _sql(column.type, " = 'text'")
    if any(character in pattern for character in "\0\ufffd\ufffe\uffff"):  # the last three are one to GLOB
        return Limits(text, NO)
    fitting = "*".join("".join("?" if c is None else glob(c) for c in segment) for segment in segments(pattern))
    fits = _sql(column.value, _bound(" GLOB ?", fitting), " AND ", text)
    if column.path is not None:  # a NUL in metadata makes the row odd
        return _exactly(fits)
    cut = _sql("instr(", column.value, ", char(0))")  # GLOB ends at the first NUL
    return Limits(_sql(text, " AND (", fits, " OR ", cut, ")"), _sql(fits, " AND NOT ", cut))


# --- asking --------------------------------------------------------------------------------------------------------


def matching(file: File, state: State, collection: int, filter: Filter, *, places: Places | None = None) -> list[int]:
    """Numbers of the rows that pass, ascending. Call inside a transaction.

    Parameters
    ----------
    collection : number of the collection
    places : see `compiled`; a place that every row must be in is asked first, and the rest of the filter of those rows alone

    Returns
    -------
    Metadata that is no JSON counts as none.
    """
    among: set[int] | None = None
    rest: list[Filter] = []
    for part in filter.parts if isinstance(filter, And) else (filter,):
        inside = places(part) if places and isinstance(part, Within) else None
        if inside is None:
            rest.append(part)
        else:
            among = set(inside) if among is None else among.intersection(inside)
    if among is None or (rest and among):
        return sorted(_passing(file, state, collection, both(*rest), places, among))
    return sorted(among)


def _passing(
    file: File, state: State, collection: int, filter: Filter, places: Places | None, among: set[int] | None
) -> Iterator[int]:
    """Numbers of the rows that pass, of all or of those given."""
    content, metadata = (f"e.{name}" if name in state.columns else "NULL" for name in ("content", "metadata"))
    number = "r.number" if state.tracked else "e.rowid"
    found = compiled(filter, content=content, metadata=metadata, number=number, places=places)
    reads_content = any(predicate.field.source in ("content", "any") for predicate in walk(filter))
    columns = "" if found.exact else f", e.id, {metadata}, {content if reads_content else 'NULL'}"
    query = _sql(
        f"SELECT {number}, ", found.doubt, f"{columns} FROM ", _tables(state, among),
        f" WHERE e.collection_id = {int(collection)} AND typeof(e.id) = 'text' AND ", found.where,
    )  # fmt: skip
    for rows in file.blocks(query.text, query.values, size=BLOCK):
        for each, doubt, *row in rows:
            if not doubt or holds(filter, Item(row[0], row[2], known_metadata(row[1]))):
                yield each


def _tables(state: State, among: set[int] | None) -> Sql:
    """The tables in the order SQLite is to read them: rows first, or the numbers of those that may pass at all."""
    same = "r.collection_id = e.collection_id AND r.id = e.id"
    if among is None:
        return Sql("embeddings e" + (f" CROSS JOIN cosimo_rows r ON {same}" if state.tracked else ""))
    numbers = _bound("json_each(?) n CROSS JOIN ", json.dumps(sorted(among)))
    if state.tracked:
        return _sql(numbers, f"cosimo_rows r ON r.number = n.value CROSS JOIN embeddings e ON {same}")
    return _sql(numbers, "embeddings e ON e.rowid = n.value")
