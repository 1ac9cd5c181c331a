"""Whole: all items of a collection at once, as one matrix, for verbs that look at everything. Compares nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.errors import DataError
from ..core.units import documents_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..core.filters import Filter
    from ..core.store import Store
    from ..core.types import Numbers, Row, Vectors

READ = 2_000  # rows read at a time: texts of 200,000 tickets are not held together


@dataclass(frozen=True, slots=True)
class Whole:
    """The items of a collection whose vectors have a direction, in the order they came; what was wrong with the others."""

    ids: list[str]
    numbers: Numbers  # (n,) row numbers, for `rows`
    vectors: Vectors  # (n, dim) unit length, unless asked for as they are
    version: int  # of `Store.changes`
    unusable: int  # rows left out: no vector, zeros, NaN, or another length than the collection's

    def __len__(self) -> int:
        return len(self.ids)


def whole(store: Store, collection: str, *, filter: Filter | None = None, prefix: str = "", unit: bool = True) -> Whole:
    """All items of one moment, or those that pass; a document's vector is one, even where it is cut into passages.

    Parameters
    ----------
    filter : on metadata; its places are indexed already
    prefix : only ids that begin with this
    unit : False leaves the vectors as they are stored

    Raises
    ------
    NotFound : no such collection
    """
    import numpy as np

    from ..core.vectors import normalise

    with store.snapshot():
        change = store.changes(collection, whole=True)
        numbers, total = documents_of(change.numbers), store.count(collection)
        wanted = np.argsort(numbers, kind="stable")
        allowed = numbers_among(store, collection, filter=filter, prefix=prefix)
        if allowed is not None:
            wanted, total = wanted[np.isin(numbers[wanted], allowed)], len(allowed)
        directed = np.asarray(change.vectors.any(axis=1))  # not of a copy: 300 MB for 200,000 rows
        wanted = wanted[directed[wanted]]
        numbers = numbers[wanted]
        named = store.ids_of(collection, numbers.tolist())
    vectors = change.vectors[wanted]
    if unit:
        normalise(vectors)
    return Whole([named[number] for number in numbers.tolist()], numbers, vectors, change.version, total - len(numbers))


def numbers_among(store: Store, collection: str, *, filter: Filter | None = None, prefix: str = "") -> Numbers | None:
    """(m,) ascending: row numbers of the items that pass a filter and a prefix; None where neither is given."""
    import numpy as np

    passing = store.numbers_that_pass(collection, filter) if filter is not None else None
    if not prefix:
        return passing
    beginning = store.numbers_with_prefix(collection, prefix)
    return beginning if passing is None else np.intersect1d(passing, beginning)


def changed_since(store: Store, collection: str, version: int) -> bool:
    """Whether items were written or removed since a version of `Store.changes`."""
    change = store.changes(collection, version, whole=True)
    return bool(change.full or len(change.numbers) or len(change.removed))


def rows(store: Store, collection: str, numbers: Sequence[int]) -> Iterator[Row]:
    """Content and metadata of these rows, in this order, a few thousand at a time; rows that went meanwhile are left out."""
    for start in range(0, len(numbers), READ):
        chunk = [int(number) for number in numbers[start : start + READ]]
        found = store.rows_of(collection, chunk)
        yield from (found[number] for number in chunk if number in found)


def refuse_fewer(count: int, needed: int, what: str) -> None:
    """Raise `DataError` where there is too little to work on."""
    if count < needed:
        raise DataError(
            f"{what} needs at least {needed} items with a vector, and there {'is' if count == 1 else 'are'} {count}"
        )
