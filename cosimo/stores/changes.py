"""Changes: which units and vectors a collection has, or got since a version. Reads rows; an index applies what comes out.

A document that is cut has a unit for each passage, any other one for the whole (core/units.py).

In a file that has our tables a version is the highest `changed` there: any program's writes raise it. In one that has none
(`llm` wrote it, we only read), numbers are SQLite's rowids and a version is negative, made of `PRAGMA data_version`: it says
whether anything changed, not what, and means something to the same open store alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.types import Change
from ..core.units import documents_of, units_of
from . import passages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..core.sqlite import File
    from ..core.types import Numbers, Vectors
    from .schema import State

BLOCK = 2048  # rows unpacked at a time: 3 MB of 384-dim vectors stay in the cache
UNTRACKED = "(SELECT rowid AS number, collection_id, id FROM embeddings WHERE typeof(id) = 'text')"
FIRST = -(2**63)  # below every number
LAST = 0x10FFFF


def changes(file: File, state: State, collection: int, dim: int | None, since: int | None, *, whole: bool = False) -> Change:
    """What happened since a version: all for None, and where the file cannot say. Call inside a transaction.

    Vectors of another length than `dim`, and those with NaN or infinity, are left out. With `whole`, each document has one
    unit, its own vector, and passages are none.
    """
    now, floor = version(file, state)
    if since == now:
        return nothing(now, dim)
    full = since is None or not state.tracked or not floor <= since < now
    cut = None
    if state.tracked and not whole and passages.any_cut(file):
        cut = passages.Parts(collection, None if full else since)
    if full or since is None:
        return Change(now, True, *_all(file, state, collection, dim or 0, cut), _numbers([]))
    return _since(file, collection, dim or 0, since, now, cut)


def nothing(now: int, dim: int | None) -> Change:
    """That nothing changed."""
    return Change(now, False, *_empty(dim or 0), _numbers([]))


def version(file: File, state: State) -> tuple[int, int]:
    """The version of what is in the file now, and the oldest one that differences can be told from."""
    if not state.tracked:
        return -1 - int(file.value("PRAGMA data_version")), 0
    floor, changed = file.rows("SELECT floor, coalesce((SELECT max(changed) FROM cosimo_rows), 0) FROM cosimo_state")[0]
    return max(floor, changed), floor


def _all(file: File, state: State, collection: int, dim: int, cut: passages.Parts | None) -> tuple[Numbers, Vectors]:
    import numpy as np

    total = file.value("SELECT count(*) FROM embeddings WHERE collection_id = ?", (collection,))
    query, room = _query(file, state, total), total + (cut.total(file) if cut else 0)
    units, vectors = np.empty(room, np.int64), np.empty((room, dim), np.float32)
    filled = 0
    for found, block in _units(file, query, (collection, 4 * dim), dim, cut):
        units[filled : filled + len(found)] = found
        vectors[filled : filled + len(found)] = block
        filled += len(found)
    return units[:filled], vectors[:filled]


def _units(
    file: File, query: str, parameters: tuple[int, ...], dim: int, cut: passages.Parts | None
) -> Iterator[tuple[Numbers, Vectors]]:
    """Blocks of units and vectors: documents in one piece, then passages."""
    import numpy as np

    parted = _numbers(cut.numbers(file)) if cut else _numbers([])
    for found, block in _blocks(file, query, parameters, dim):
        if len(parted):
            one = ~np.isin(found, parted)
            found, block = found[one], block[one]
        yield units_of(found), block
    if cut and len(parted):
        yield from _blocks(file, cut.vectors, (cut.collection, 4 * dim), dim)


def _query(file: File, state: State, total: int) -> str:
    """(number, embedding) of a collection. Reading the table front to back beats its index by a third, if most is wanted."""
    # rowids have few gaps: their range is the size of the table, without the time counting takes
    span = file.value("SELECT (SELECT max(rowid) FROM embeddings) - (SELECT min(rowid) FROM embeddings)") or 0
    walk = "NOT INDEXED" if 2 * total > span else ""
    fits = "e.collection_id = ? AND length(e.embedding) = ? AND typeof(e.embedding) = 'blob'"
    if not state.tracked:
        return f"SELECT rowid, embedding FROM embeddings e {walk} WHERE {fits} AND typeof(id) = 'text'"
    return (
        f"SELECT r.number, e.embedding FROM embeddings e {walk} CROSS JOIN cosimo_rows r"
        f" WHERE {fits} AND r.collection_id = e.collection_id AND r.id = e.id"
    )


def _blocks(file: File, sql: str, parameters: tuple[int, ...], dim: int) -> Iterator[tuple[Numbers, Vectors]]:
    """Blocks of (number, blob) as (n,) and (n, dim), without rows that hold NaN or infinity."""
    import numpy as np

    if not dim:
        return
    for rows in file.blocks(sql, parameters, size=BLOCK):
        found, blobs = zip(*rows, strict=True)
        numbers, block = _numbers(found), np.frombuffer(b"".join(blobs), "<f4").reshape(-1, dim)
        if not np.isfinite(block.sum()):  # one NaN or infinity anywhere shows in the sum; so does mere overflow, hence the look
            usable = np.isfinite(block).all(axis=1)
            numbers, block = numbers[usable], block[usable]
        yield numbers, block


def _since(file: File, collection: int, dim: int, since: int, now: int, cut: passages.Parts | None) -> Change:
    import numpy as np

    sql = (
        "SELECT r.number, e.embedding FROM cosimo_rows r JOIN embeddings e ON e.collection_id = r.collection_id AND e.id = r.id"
        " WHERE +r.collection_id = ? AND length(e.embedding) = ? AND typeof(e.embedding) = 'blob' AND r.changed > ?"
    )
    blocks = list(_units(file, sql, (collection, 4 * dim, since), dim, cut))
    touched = [
        n for (n,) in file.rows("SELECT number FROM cosimo_rows WHERE changed > ? AND +collection_id = ?", (since, collection))
    ]
    if not blocks:
        return Change(now, False, *_empty(dim), units_of(_numbers(touched)))
    units = np.concatenate([found for found, _ in blocks])
    vectors = np.concatenate([block for _, block in blocks]).astype(np.float32, copy=False)
    # gone, or there with a vector nobody can use: either way no longer to be found
    gone = np.setdiff1d(_numbers(touched), documents_of(units))
    return Change(now, False, units, vectors, units_of(gone))


def numbered(state: State) -> str:
    """What to SELECT number and id FROM."""
    return "(SELECT number, collection_id, id FROM cosimo_rows WHERE live)" if state.tracked else UNTRACKED


def numbers_with_prefix(file: File, state: State, collection: int, prefix: str) -> Numbers:
    """(n,) int64, ascending: numbers of the ids that start with `prefix`. Call inside a transaction."""
    until = after_prefix(prefix)
    sql = f"SELECT number FROM {numbered(state)} WHERE collection_id = ? AND id >= ?"
    parameters: tuple[Any, ...] = (collection, prefix)
    if until is not None:
        sql, parameters = f"{sql} AND id < ?", (*parameters, until)
    return _numbers([number for (number,) in file.rows(f"{sql} ORDER BY number", parameters)])


class Page(NamedTuple):
    """A query for the next rows after a number: takes (collection, after, *parameters), gives number and columns."""

    sql: str
    parameters: tuple[str, ...]
    size: int


def page_query(state: State, columns: Sequence[str], prefix: str, size: int = 1000) -> Page:
    """How to walk a collection in the order its rows came. Kept for a whole walk: numbers and rowids do not mix."""
    names = ", ".join(f"e.{name}" if name in state.columns else "NULL" for name in columns)
    until = after_prefix(prefix)
    bounds = "AND e.id >= ?" + ("" if until is None else " AND e.id < ?")
    parameters = (prefix,) if until is None else (prefix, until)
    if state.tracked:
        # the plus keeps SQLite from reading and sorting the whole collection for every page
        sql = (
            f"SELECT r.number, {names} FROM cosimo_rows r CROSS JOIN embeddings e ON e.collection_id = r.collection_id"
            f" AND e.id = r.id WHERE +r.collection_id = ? AND r.number > ? {bounds} ORDER BY r.number LIMIT {size}"
        )
    else:
        sql = (
            f"SELECT e.rowid, {names} FROM embeddings e WHERE +e.collection_id = ? AND e.rowid > ? {bounds}"
            f" AND typeof(e.id) = 'text' ORDER BY e.rowid LIMIT {size}"
        )
    return Page(sql, parameters, size)


def after_prefix(prefix: str) -> str | None:
    """The first text after all that start with `prefix`, in the order of UTF-8 bytes; None if there is none.

    LIKE would take % and _ for wildcards, and does not tell a from A.
    """
    for end in range(len(prefix), 0, -1):
        following = ord(prefix[end - 1]) + 1
        if following <= LAST:
            # between U+D7FF and U+E000 lie only surrogates, which are no characters
            return prefix[: end - 1] + chr(0xE000 if 0xD800 <= following < 0xE000 else following)
    return None


def _numbers(values: Any) -> Numbers:
    import numpy as np

    return np.fromiter(values, np.int64, len(values))


def _empty(dim: int) -> tuple[Numbers, Vectors]:
    import numpy as np

    return np.empty(0, np.int64), np.empty((0, dim), np.float32)
