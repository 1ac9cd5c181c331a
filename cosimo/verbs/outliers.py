"""Outliers: all vectors of a collection → the items least like their neighbours. Reads no text."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..core.errors import DataError
from ..core.progress import Done, reporting
from ..core.units import documents_of
from .search import checked_k
from .whole import refuse_fewer

if TYPE_CHECKING:
    from ..core.types import Index, Numbers
    from .whole import Whole

BLOCK = 1_024  # items asked for at a time
FOUND = 4_000_000  # neighbours of them, 50 MB: all 100,000 of 1,024 items would be 1.2 GB


class Outlier(NamedTuple):
    """One item, how like its neighbours it is, and the nearest of them."""

    id: str
    score: float  # mean cosine similarity to its nearest neighbours; the lower, the more alone it is
    nearest: str


def outliers(whole: Whole, index: Index, k: int = 10, *, neighbours: int = 10, among: Numbers | None = None) -> list[Outlier]:
    """The k items whose nearest neighbours are least like them, the most alone first.

    The score is the mean cosine similarity to the nearest ones, as in the distance-based outliers of Angiulli and Pizzuti
    (2002). Not the local outlier factor, which calls items at the rim of a dense group outliers, and texts have such groups
    everywhere. Neighbours come from the index: where that is approximate, one of them may be missed.

    Parameters
    ----------
    whole : all items of the collection: neighbours may be any of them
    index : of the same items
    neighbours : how many nearest ones count; a group of more than so many odd items is not found
    among : (m,) row numbers that may be outliers; None for all

    Raises
    ------
    DataError : k or neighbours below 1, fewer than two items
    """
    checked_k(k)
    if not hasattr(neighbours, "__index__") or neighbours < 1:
        raise DataError(f"neighbours must be 1 or more, not {neighbours!r}")
    refuse_fewer(len(whole), 2, "finding outliers")
    neighbours = min(neighbours, len(whole) - 1)
    step = max(1, min(BLOCK, FOUND // neighbours))
    asked = np.arange(len(whole)) if among is None else np.flatnonzero(np.isin(whole.numbers, among))
    found: list[Outlier] = []
    with reporting(asked, None, "items") as report:
        for start in range(0, len(asked), step):
            block = asked[start : start + step]
            units, _ = index.search(whole.vectors[block], neighbours + 1)
            found += [_outlier(whole, at, documents_of(near), neighbours) for at, near in zip(block, units, strict=True)]
            report(Done(start + len(block)))
    return heapq.nsmallest(k, found, key=lambda outlier: (outlier.score, outlier.id))


def _outlier(whole: Whole, at: int, numbers: Numbers, neighbours: int) -> Outlier:
    """How like its nearest an item is; by its cosines to them, whatever the metric of the index is."""
    near = np.searchsorted(whole.numbers, numbers)
    near = near[(near < len(whole)) & (near != at)]
    scores = whole.vectors[near] @ whole.vectors[at]  # (j, dim) @ (dim,) -> (j,)
    order = np.argsort(-scores, kind="stable")[:neighbours]
    mean = float(scores[order].mean()) if len(order) else 0.0
    return Outlier(whole.ids[at], round(mean, 6), whole.ids[near[order[0]]] if len(order) else "")
