"""Mixed: a query to several vector spaces of the same items → the best items, by what all of them say. Embeds nothing.

The weighted mean of cosines is exact, and does not score everything: each space's index gives its best, best first, and what
the others say of these items is looked up. No item that nobody has seen yet can have more than the weighted mean of the
last scores of all lists; once the k-th best is above that, it is settled, else the lists are asked for more
(the threshold algorithm of Fagin, Lotem and Naor, 2003, doi:10.1016/S0022-0000(03)00026-6). It is as exact as the indexes are.

Fusions by rank and by range are of the best candidates of each space, and of nothing else: another number of them would
give other scores.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from ..core.errors import DataError
from ..core.terms import terms
from ..core.types import Hit, Why
from .passages import matches
from .search import WIDER, checked_k, nearest
from .whole import numbers_among

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..core.filters import Filter
    from ..core.store import Store
    from ..core.types import Index, Numbers, Vector

Fusion: TypeAlias = Literal["weighted", "rrf", "relative"]

CANDIDATES = 100  # of each space to begin with, and to end with for fusions by rank and by range, as in a hybrid search
SMOOTHING = 60  # added to every rank: Cormack, Clarke and Buettcher 2009, doi:10.1145/1571941.1572114
ROUNDING = 1e-6  # cosines of one pair that were computed in products of different shapes differ by less


@dataclass(frozen=True, slots=True)
class Space:
    """One vector space that is asked. `collection` may be that of the items, whose name is "" then."""

    name: str
    collection: str
    index: Index
    vector: Vector  # (dim,) the query as its model has it
    weight: float  # above 0


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of all spaces."""

    k: int = 10
    fusion: Fusion = "weighted"
    filter: Filter | None = None
    prefix: str = ""
    min_score: float | None = None
    text: str = ""  # of the query, as far as it is one: says which passages of a long text to show


class _Numbers(NamedTuple):
    """Items of the collection that is asked for, and the rows of the same ids in a space: two orders of the same pairs."""

    items: Numbers  # (n,) ascending
    rows: Numbers  # (n,) their rows
    sorted_rows: Numbers  # (n,) ascending
    sorted_items: Numbers  # (n,) their items

    def rows_of(self, items: Numbers) -> Numbers:
        """Ascending rows of those of some items that have one."""
        at = np.searchsorted(self.items, items)
        there = at < len(self.items)
        there[there] = self.items[at[there]] == items[there]
        return np.sort(self.rows[at[there]])

    def items_of(self, rows: Numbers) -> Numbers:
        """The items of rows, all of which are among these."""
        return self.sorted_items[np.searchsorted(self.sorted_rows, rows)]


@dataclass(slots=True)
class _Asked:
    """One space, and what is known by now of what it says. Items go by their numbers in the collection that is asked for."""

    space: Space
    numbers: _Numbers | None  # None: the collection's own space, whose rows are the items
    allowed: Numbers | None  # rows, ascending; None: all there are
    scores: dict[int, float] = field(default_factory=dict)  # cosines; an item without a vector is not there
    ranked: list[int] = field(default_factory=list)  # the best items, best first
    units: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    looked: set[int] = field(default_factory=set)  # items that were looked up
    ended: bool = False  # no item is left that has a vector here

    @property
    def bound(self) -> float:
        """No item that is not among the best has a higher score; one without a vector counts 0."""
        return 0.0 if self.ended or not self.ranked else max(self.scores[self.ranked[-1]], 0.0)

    def deepen(self, k: int) -> None:
        """Find the k best."""
        if self.ended or (self.allowed is not None and not len(self.allowed)):
            self.ended = True
            return
        self._take(nearest(self.space.index, self.space.vector, k, self.allowed), ranked=True)
        self.ended = len(self.ranked) < k

    def look_up(self, items: set[int]) -> None:
        """Find the scores of these."""
        missing = np.array(sorted(items - self.scores.keys() - self.looked), np.int64)
        self.looked |= items
        rows = self.numbers.rows_of(missing) if self.numbers else missing
        if len(rows) and not self.ended:  # as many as there are: an index that is approximate leaves none out then
            self._take(nearest(self.space.index, self.space.vector, max(len(self.space.index), 1), rows), ranked=False)

    def _take(self, found: Mapping[int, list[tuple[int, float]]], *, ranked: bool) -> None:
        items = list(found)
        if self.numbers:
            items = self.numbers.items_of(np.array(items, np.int64)).tolist()
        for item, units in zip(items, found.values(), strict=True):
            self.scores[item] = units[0][1]
            self.units[item] = units
        if ranked:
            self.ranked = items


def search_mixed(store: Store, collection: str, spaces: Sequence[Space], question: Question) -> list[Hit]:
    """The best items by the fused scores of all spaces, best first; of equal ones the older. Call inside `store.snapshot()`.

    Parameters
    ----------
    collection : of the items: its content, metadata and filters count
    spaces : at least one. An item without a vector in one of them counts 0 there; one without any is not found

    Raises
    ------
    DataError : k below 1, an unknown fusion, an index whose scores are no cosines
    """
    k = checked_k(question.k)
    checked(spaces, question.fusion)
    among = numbers_among(store, collection, filter=question.filter, prefix=question.prefix)
    asked = [_asked(store, collection, space, among) for space in spaces]
    scores = _weighted(asked, k) if question.fusion == "weighted" else _fused(asked, k, question.fusion)
    best = sorted(scores.items(), key=lambda each: (-each[1], each[0]))[:k]
    least = question.min_score
    return _hits(store, collection, asked, [each for each in best if least is None or each[1] >= least], question.text)


def checked(spaces: Sequence[Space], fusion: str) -> None:
    """Raise `DataError` for a fusion that is none, and for a weighted mean of what are no cosines."""
    if fusion not in get_args(Fusion):
        raise DataError(f"no fusion is called {fusion!r}; known: {', '.join(get_args(Fusion))}")
    for space in spaces:
        if fusion == "weighted" and space.index.metric != "cosine":
            raise DataError(
                f"weights are for cosines, and the index of '{space.collection}' was asked to score by {space.index.metric};"
                f" choose another fusion, or run: cosimo index {space.collection} --metric cosine"
            )


def _asked(store: Store, collection: str, space: Space, among: Numbers | None) -> _Asked:
    if space.collection == collection:
        return _Asked(space, None, among)
    items, rows, every = store.paired(collection, space.collection)
    if among is not None:
        kept = np.isin(items, among)
        items, rows = items[kept], rows[kept]
    if (rows[1:] > rows[:-1]).all():  # they came in the same order: nothing to sort
        numbers = _Numbers(items, rows, rows, items)
    else:
        order = np.argsort(rows, kind="stable")
        numbers = _Numbers(items, rows, rows[order], items[order])
    # rows of ids that the collection does not have are no items
    return _Asked(space, numbers, None if every and among is None else numbers.sorted_rows)


def _weighted(asked: Sequence[_Asked], k: int) -> dict[int, float]:
    """item → weighted mean of its cosines, of all that may be among the k best."""
    weights, depth = _shares(asked), max(CANDIDATES, k)
    while True:
        scores = {item: sum(w * each.scores.get(item, 0.0) for w, each in zip(weights, asked, strict=True))
                  for item in _candidates(asked, depth)}  # fmt: skip
        bound = sum(w * each.bound for w, each in zip(weights, asked, strict=True))
        if all(each.ended for each in asked):
            return scores
        if len(scores) >= k and sorted(scores.values(), reverse=True)[k - 1] > bound + ROUNDING:
            return scores
        depth *= WIDER


def _fused(asked: Sequence[_Asked], k: int, fusion: Fusion) -> dict[int, float]:
    """item → its fused score, of the best candidates of each space."""
    candidates = _candidates(asked, max(CANDIDATES, k))
    total = dict.fromkeys(candidates, 0.0)
    for weight, each in zip(_shares(asked), asked, strict=True):
        parts = _by_rank(each) if fusion == "rrf" else _by_range(each)
        for item, part in parts.items():
            total[item] += weight * part
    return total


def _by_rank(asked: _Asked) -> dict[int, float]:
    return {item: 1 / (SMOOTHING + rank) for rank, item in enumerate(asked.ranked, 1)}


def _by_range(asked: _Asked) -> dict[int, float]:
    """0 for the worst candidate that the space knows, 1 for the best."""
    low, high = min(asked.scores.values(), default=0.0), max(asked.scores.values(), default=0.0)
    return {item: (score - low) / (high - low) if high > low else 1.0 for item, score in asked.scores.items()}


def _candidates(asked: Sequence[_Asked], depth: int) -> set[int]:
    """The best items of all spaces; afterwards each space's score of every one of them is known."""
    for each in asked:
        each.deepen(depth)
    found = {item for each in asked for item in each.scores}
    for each in asked:
        each.look_up(found)
    return found


def _shares(asked: Sequence[_Asked]) -> list[float]:
    largest = max(each.space.weight for each in asked)  # the sum of weights such as 1e308 is none
    total = sum(each.space.weight / largest for each in asked)
    return [each.space.weight / largest / total for each in asked]


def _hits(store: Store, collection: str, asked: Sequence[_Asked], best: Sequence[tuple[int, float]], text: str) -> list[Hit]:
    numbers = [item for item, _ in best]
    rows = store.rows_of(collection, numbers)
    own = next((each for each in asked if each.numbers is None), None)
    units = {item: tuple(own.units.get(item, ())) if own else () for item in numbers if item in rows}
    passages = matches(store, collection, units, rows, terms(text))
    return [
        Hit(
            rows[item].id, score, rows[item].content, rows[item].metadata, _why(asked, own, item), passages[item],
            collection=collection,
        )
        for item, score in best
        if item in rows
    ]  # fmt: skip


def _why(asked: Sequence[_Asked], own: _Asked | None, item: int) -> Why:
    named = {each.space.name: each.scores[item] for each in asked if item in each.scores}
    return Why(vector=own.scores.get(item) if own else None, named=named)
