"""Compare: the same items in two or more vector spaces → how much their neighbours agree. Embeds nothing, opens no file."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..core.errors import DataError
from .comparison import Comparison, Found, PairReport, Side, ViewReport
from .search import checked_k

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from ..core.types import Index, Numbers, Vectors
    from .evaluate import Estimate

    Values = NDArray[np.float64]

PERSISTENCE = 0.9  # of rank-biased overlap: the first ten places carry 86% of the weight
SAMPLE = 1_000  # items whose neighbours are compared: a mean overlap is then off by 0.01
WORST = 5  # disagreements shown
ROWS = 256  # queries asked at a time


@dataclass(frozen=True, slots=True)
class View:
    """Items in one space, and what is known of how they got there."""

    name: str
    ids: list[str]
    vectors: Vectors  # (n, dim) as they are searched: unit length, or rounded from it
    model: str | None = None
    bytes: float | None = None  # of one vector where it is stored; None for float32
    embed_ms: float | None = None


class Asked(NamedTuple):
    """What is to be found out."""

    k: int = 10
    sample: int | None = SAMPLE
    seed: int = 0
    answers: Mapping[str, Sequence[Sequence[Found]]] = MappingProxyType({})  # question → what each view finds for it
    ids: Sequence[str] = ()  # items whose neighbours are shown side by side
    judged: Mapping[str, Estimate] | None = None  # view → nDCG@10


def compare(views: Sequence[View], build: Callable[[Numbers, Vectors], Index], asked: Asked) -> Comparison:
    """How much the neighbours of the same items agree from view to view.

    Overlap@k is the share of the k nearest that two have in common; rank-biased overlap (Webber, Moffat and Zobel 2010,
    extrapolated, p = 0.9) also counts their order; linear CKA (Kornblith et al. 2019) compares the spaces as wholes.

    Parameters
    ----------
    views : two or more; only items that all have are compared
    build : makes the index that is asked, from (n,) numbers and (n, dim) vectors

    Raises
    ------
    DataError : fewer than two views, two of one name, too few items in common, an id that not all have
    """
    checked_k(asked.k)
    if len(views) < 2:
        raise DataError("a comparison needs two or more: collections, or one as NAME@128, NAME@int8 or NAME=MODEL beside it")
    if len({view.name for view in views}) < len(views):
        raise DataError("two of what is to be compared have one name; name each once")
    ids, common = _common(views)
    places = {id: at for at, id in enumerate(ids)}
    if strange := next((id for id in asked.ids if id not in places), None):
        raise DataError(f"'{strange}' is not among the {len(ids):,} items that all have a vector of")
    sample = _sampled(len(ids), asked.sample, asked.seed)
    shown = np.array([places[id] for id in asked.ids], np.int64)
    k = min(asked.k, len(ids) - 1)
    spaces = [_Space(vectors, build(np.arange(len(ids), dtype=np.int64), vectors)) for vectors in common]
    near, milliseconds = zip(*(_neighbours(space.asked, space.vectors, sample, k) for space in spaces), strict=True)
    pairs = [_pair(views, spaces, near, a, b, sample) for a, b in combinations(range(len(views)), 2)]
    overlaps, orders = np.mean([pair[1] for pair in pairs], axis=0), np.mean([pair[2] for pair in pairs], axis=0)  # (s,)
    worst = sample[np.lexsort((sample, orders, overlaps))[:WORST]]
    return Comparison(
        k=k, items=len(ids), sampled=len(sample),
        views=tuple(
            ViewReport(
                view.name, view.model, space.vectors.shape[1], len(view.ids), view.bytes or 4.0 * space.vectors.shape[1],
                round(ms, 4), view.embed_ms, (asked.judged or {}).get(view.name),
            )
            for view, space, ms in zip(views, spaces, milliseconds, strict=True)
        ),
        pairs=tuple(pair[0] for pair in pairs),
        disagreements=tuple(_sides(views, spaces, ids, worst, k)),
        questions=(
            *_sides(views, spaces, ids, shown, k),
            *(_side(views, question, lists, k) for question, lists in asked.answers.items()),
        ),
        overlaps={ids[at]: round(float(overlap), 4) for at, overlap in zip(sample.tolist(), overlaps, strict=True)},
    )  # fmt: skip


class _Space(NamedTuple):
    """The common items in one view; a position means the same item in all."""

    vectors: Vectors
    asked: Index


def _neighbours(index: Index, vectors: Vectors, positions: Numbers, k: int) -> tuple[Numbers, float]:
    """(s, k) positions of the nearest to each of these items, itself left out, -1 where there are fewer; ms a query."""
    started = time.perf_counter()
    found = [index.search(vectors[positions[start : start + ROWS]], k + 1)[0] for start in range(0, len(positions), ROWS)]
    milliseconds = 1000 * (time.perf_counter() - started) / len(positions)
    lists = np.full((len(positions), k), -1, np.int64)
    for row, at, units in zip(lists, positions, (each for block in found for each in block), strict=True):
        others = units[units != at][:k]
        row[: len(others)] = others
    return lists, milliseconds


def nearest(index: Index, ids: Sequence[str], vector: Vectors, k: int, besides: int = -1) -> list[Found]:
    """The k nearest of one vector (dim,), the best first; an index of positions in `ids`, one of which may be left out."""
    (units,), (scores,) = index.search(vector[None], k + 1)
    found = zip(units.tolist(), scores.tolist(), strict=True)
    return [Found(ids[at], round(score, 6)) for at, score in found if at != besides][:k]


def overlap(a: Numbers, b: Numbers) -> Values:
    """(s,) the share of each row of `a` (s, k) that is in the same row of `b`; -1 is no item."""
    both = ((a[:, :, None] == b[:, None, :]) & (a >= 0)[:, :, None]).sum(axis=(1, 2))
    most = np.maximum((a >= 0).sum(axis=1), (b >= 0).sum(axis=1))
    return np.asarray(np.where(most > 0, both / np.maximum(most, 1), 1.0), np.float64)


def rank_biased_overlap(a: Numbers, b: Numbers, p: float = PERSISTENCE) -> Values:
    """(s,) extrapolated rank-biased overlap of the rows of `a` and `b`, (s, k) each: 1 is the same order, 0 nothing in common.

    Webber, Moffat and Zobel, "A similarity measure for indefinite rankings" (2010), equation 23, for lists of one depth.
    """
    depth = a.shape[1]
    same = (a[:, :, None] == b[:, None, :]) & (a >= 0)[:, :, None]  # (s, k, k)
    shared = same.cumsum(axis=1).cumsum(axis=2)[:, np.arange(depth), np.arange(depth)]  # (s, k) in common up to each depth
    ranks = np.arange(1, depth + 1)
    weights = p**ranks / ranks
    return np.asarray(shared[:, -1] / depth * p**depth + (1 - p) / p * (shared * weights).sum(axis=1), np.float64)


def linear_cka(a: Vectors, b: Vectors) -> float:
    """Linear centred kernel alignment of (n, p) and (n, q), in [0, 1]; 0 where all of one are the same."""
    a, b = (np.asarray(each - each.mean(axis=0, dtype=np.float64), np.float32) for each in (a, b))
    products = [np.linalg.norm((left.T @ right).astype(np.float64)) for left, right in ((a, b), (a, a), (b, b))]
    return float(products[0] ** 2 / (products[1] * products[2])) if products[1] * products[2] else 0.0


def _common(views: Sequence[View]) -> tuple[list[str], list[Vectors]]:
    """Ids that all views have, in the order of the first, and each view's vectors of them."""
    among = set(views[0].ids).intersection(*(view.ids for view in views[1:]))
    if len(among) < 3:
        names = " and ".join(f"'{view.name}'" for view in views)
        raise DataError(f"{names} have {len(among)} items in common; a comparison needs at least 3 of the same ids")
    ids = [id for id in views[0].ids if id in among]
    found = []
    for view in views:
        at = {id: place for place, id in enumerate(view.ids)}
        found.append(np.ascontiguousarray(view.vectors[[at[id] for id in ids]]))
    return ids, found


def _sampled(count: int, size: int | None, seed: int) -> Numbers:
    if size is not None and size < 1:
        raise DataError(f"a sample is of 1 item or more, not {size}")
    if size is None or size >= count:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(count, size, replace=False)).astype(np.int64)


def _pair(
    views: Sequence[View], spaces: Sequence[_Space], near: Sequence[Numbers], a: int, b: int, sample: Numbers
) -> tuple[PairReport, Values, Values]:
    """What two have in common, and their overlap and order on each sampled item, (s,) each."""
    shared, order = overlap(near[a], near[b]), rank_biased_overlap(near[a], near[b])
    cross = None
    if spaces[a].vectors.shape[1] == spaces[b].vectors.shape[1]:
        found, _ = _neighbours(spaces[b].asked, spaces[a].vectors, sample, near[b].shape[1])
        cross = round(float(overlap(found, near[b]).mean()), 4)
    cka = linear_cka(spaces[a].vectors, spaces[b].vectors)
    report = PairReport(
        views[a].name, views[b].name, round(float(shared.mean()), 4), round(float(order.mean()), 4), round(cka, 4), cross
    )
    return report, shared, order


def _sides(views: Sequence[View], spaces: Sequence[_Space], ids: list[str], positions: Numbers, k: int) -> list[Side]:
    """The neighbours of these items, side by side."""
    return [
        _side(views, ids[at], [nearest(space.asked, ids, space.vectors[at], k, at) for space in spaces], k)
        for at in positions.tolist()
    ]


def _side(views: Sequence[View], name: str, lists: Sequence[Sequence[Found]], k: int) -> Side:
    numbers: dict[str, int] = {}
    places = np.full((len(lists), 1, k), -1, np.int64)
    for row, found in zip(places, lists, strict=True):
        row[0, : len(found)] = [numbers.setdefault(each.id, len(numbers)) for each in found[:k]]
    pairs = list(combinations(places, 2))
    both, orders = ([float(of(a, b)[0]) for a, b in pairs] for of in (overlap, rank_biased_overlap))
    named = {view.name: tuple(found) for view, found in zip(views, lists, strict=True)}
    return Side(name, named, round(sum(both) / len(pairs), 4), round(sum(orders) / len(pairs), 4))
