"""Mixed: a query to several vector spaces of the same items → the best items, by what all of them say. Embeds nothing.

The weighted mean of cosines is exact, and does not always score everything: each space's index gives its best, and what the
others say of these items is looked up. No item that nobody has seen yet can have more than the weighted mean of the last
scores of all lists; if the k-th best is above that, it is settled (the threshold algorithm of Fagin, Lotem and Naor, 2003,
doi:10.1016/S0022-0000(03)00026-6). Where a look as deep as lists need that have nothing to do with each other does not settle
it, everything is scored: one pass over all vectors costs less than ever deeper looks. It is as exact as the indexes are.

Fusions by rank and by range are of the best candidates of each space, and of nothing else: another number of them would
give other scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from ..core.errors import DataError
from ..core.terms import terms
from ..core.types import Hit, Why
from ..core.units import documents_of, seqs_of
from .passages import matches
from .search import WIDER, checked_k, nearest
from .whole import numbers_among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..core.filters import Filter
    from ..core.store import Store
    from ..core.types import Index, Numbers, Scores, Vector

    Weights = NDArray[np.float64]

Fusion: TypeAlias = Literal["weighted", "rrf", "relative"]

CANDIDATES = 100  # of each space to begin with, and to end with for fusions by rank and by range, as in a hybrid search
SMOOTHING = 60  # added to every rank: Cormack, Clarke and Buettcher 2009, doi:10.1145/1571941.1572114
# times n^((m-1)/m) k^(1/m), in which of m lists that have nothing to do with each other k items are in all (Fagin 1999): the
# threshold is met at 0.3 to 0.6 of that (normal scores, 10,000 to a million items, two to four lists)
UNRELATED = 0.6
NEARLY_ALL = 32  # share: an approximate index scores 8 candidates for each hit, gathered at a quarter of the speed of a pass
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


class _Best(NamedTuple):
    """The best items of one space."""

    items: Numbers  # (n,) best first
    scores: Scores  # (n,)
    every: bool  # there are no more


class _Table(NamedTuple):
    """What all spaces say of some items."""

    items: Numbers  # (n,) ascending
    cosines: Weights  # (spaces, n); NaN where an item has no vector


@dataclass(frozen=True, slots=True)
class _Asked:
    """One space, and which of its rows are items that are asked for. Items go by their numbers in the collection of items."""

    space: Space
    numbers: _Numbers | None  # None: the collection's own space, whose rows are the items
    allowed: Numbers | None  # rows, ascending; None: all there are

    def __len__(self) -> int:
        return len(self.space.index) if self.allowed is None else len(self.allowed)

    def best(self, k: int) -> _Best:
        """The k best items; fewer only where there are no more."""
        if not len(self):
            return _Best(np.empty(0, np.int64), np.empty(0, np.float32), every=True)
        asked = k
        while True:
            items, scores, passages = self._search(asked, self.allowed)
            every = passages < asked
            if every or len(items) >= k:
                return _Best(items[:k], scores[:k], every and len(items) <= k)
            asked *= WIDER

    def scores_of(self, items: Numbers) -> Weights:
        """(n,) cosines of items, ascending; NaN for those without a vector."""
        scores = np.full(len(items), np.nan)
        rows = self.numbers.rows_of(items) if self.numbers else items
        if len(rows):  # as many as there are: an index that is approximate leaves none out then
            there, given, _ = self._search(max(len(self.space.index), 1), rows)
            scores[np.searchsorted(items, there)] = given
        return scores

    def _search(self, k: int, allowed: Numbers | None) -> tuple[Numbers, Scores, int]:
        """The items of the k best passages, each once, with their scores; and how many passages that were."""
        (units,), (scores,) = self.space.index.search(self.space.vector[None], k, allowed=allowed)
        passages, rows = len(units), documents_of(units)
        if seqs_of(units).any():  # only a text that is cut has any but the first
            _, first = np.unique(rows, return_index=True)
            first.sort()
            rows, scores = rows[first], scores[first]
        return self.numbers.items_of(rows) if self.numbers else rows, scores, passages


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
    table, scores = _weighted(asked, k) if question.fusion == "weighted" else _fused(asked, k, question.fusion)
    order = np.argsort(-scores, kind="stable")[:k]
    if question.min_score is not None:
        order = order[scores[order] >= question.min_score]
    best = _Table(table.items[order], table.cosines[:, order])
    return _hits(store, collection, asked, best, scores[order].tolist(), question.text)


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


def _weighted(asked: Sequence[_Asked], k: int) -> tuple[_Table, Weights]:
    """Items, all that may be among the k best, and the weighted means of their cosines."""
    shares = _shares(asked)
    for depth in _depths(asked, k):
        best = [each.best(depth) for each in asked]
        table = _looked_up(asked, best)
        scores: Weights = shares @ np.nan_to_num(table.cosines)  # (spaces,) @ (spaces, n) -> (n,)
        # an unseen item that has no vector in a space counts 0 there
        bound = sum(w * max(float(each.scores[-1]), 0.0) for w, each in zip(shares, best, strict=True) if not each.every)
        if all(each.every for each in best) or (len(scores) >= k and np.partition(scores, -k)[-k] > bound + ROUNDING):
            break
    return table, scores


def _depths(asked: Sequence[_Asked], k: int) -> list[int]:
    """How deep to look into the lists, one after the other, until the threshold is met; the last is all there is."""
    n, m = max(len(each) for each in asked), len(asked)
    few = max(CANDIDATES, 2 * k)
    deep = max(few, int(UNRELATED * n ** (1 - 1 / m) * k ** (1 / m)))
    every = max(len(each.space.index) for each in asked) + 1
    # these read everything anyway, or a filter's rows, so deep is no dearer than few
    if any(each.space.index.describe().kind == "flat" or each.allowed is not None for each in asked):
        return [deep, every]
    return [few, deep, every] if few < deep < n // NEARLY_ALL else [few, every]


def _looked_up(asked: Sequence[_Asked], best: Sequence[_Best]) -> _Table:
    """The best items of all spaces, with what every space says of each."""
    items = np.unique(np.concatenate([each.items for each in best]))
    cosines = np.full((len(asked), len(items)), np.nan)
    for row, space, found in zip(cosines, asked, best, strict=True):
        row[np.searchsorted(items, found.items)] = found.scores
        if not found.every:
            unknown = np.isnan(row)
            row[unknown] = space.scores_of(items[unknown])
    return _Table(items, cosines)


def _fused(asked: Sequence[_Asked], k: int, fusion: Fusion) -> tuple[_Table, Weights]:
    """The best candidates of each space, and their fused scores."""
    best = [each.best(max(CANDIDATES, k)) for each in asked]
    table = _looked_up(asked, best)
    if fusion == "rrf":
        parts = np.stack([_by_rank(table.items, each) for each in best])
    else:
        parts = np.stack([_by_range(row) for row in table.cosines])
    scores: Weights = _shares(asked) @ parts
    return table, scores


def _by_rank(items: Numbers, best: _Best) -> Weights:
    parts = np.zeros(len(items))
    parts[np.searchsorted(items, best.items)] = 1 / (SMOOTHING + np.arange(1, len(best.items) + 1))
    return parts


def _by_range(scores: Weights) -> Weights:
    """0 for the worst candidate that the space knows, and for those it does not; 1 for the best."""
    there = ~np.isnan(scores)
    if not there.any():
        return np.zeros(len(scores))
    low, high = scores[there].min(), scores[there].max()
    return np.where(there, (scores - low) / (high - low) if high > low else 1.0, 0.0)


def _shares(asked: Sequence[_Asked]) -> Weights:
    """(spaces,) weights, of a sum of 1."""
    weights = np.array([each.space.weight for each in asked])
    weights /= weights.max()  # the sum of weights such as 1e308 is none
    shares: Weights = weights / weights.sum()
    return shares


def _hits(
    store: Store, collection: str, asked: Sequence[_Asked], best: _Table, scores: Sequence[float], text: str
) -> list[Hit]:
    numbers = best.items.tolist()
    rows = store.rows_of(collection, numbers)
    own = next((each.space for each in asked if each.numbers is None), None)
    units = nearest(own.index, own.vector, max(len(own.index), 1), np.sort(best.items)) if own and numbers else {}
    passages = matches(store, collection, {number: tuple(units.get(number, ())) for number in rows}, rows, terms(text))
    named = [
        {each.space.name: cosine for each, cosine in zip(asked, cosines, strict=True) if not isnan(cosine)}
        for cosines in best.cosines.T.tolist()
    ]
    return [
        Hit(
            rows[number].id, score, rows[number].content, rows[number].metadata, Why(vector=why.get(""), named=why),
            passages[number], collection=collection,
        )
        for number, score, why in zip(numbers, scores, named, strict=True)
        if number in rows
    ]  # fmt: skip
