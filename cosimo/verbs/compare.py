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
CENTRED = 16_384  # rows whose mean is taken off at a time: 25 MB of 384 numbers


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
    """How much the neighbours of the same items agree from view to view. What is `asked` is `checked` already.

    Overlap@k is the share of the k nearest that two have in common; rank-biased overlap (Webber, Moffat and Zobel 2010,
    extrapolated, p = 0.9) also counts their order; linear CKA (Kornblith et al. 2019) compares the spaces as wholes.

    Parameters
    ----------
    views : two or more; only items that all have are compared
    build : makes the index that is asked, from (n,) numbers and (n, dim) vectors

    Raises
    ------
    DataError : too few items in common, an id that not all have
    """
    ids = in_common({view.name: view.ids for view in views}, asked.ids)
    places = {id: at for at, id in enumerate(ids)}
    sample = _sampled(len(ids), asked.sample, asked.seed)
    shown = np.array([places[id] for id in asked.ids], np.int64)
    k = min(asked.k, len(ids) - 1)
    spaces = [_space(view, ids, build) for view in views]
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


def checked(names: Sequence[str], asked: Asked) -> None:
    """Refuse what cannot be compared, before anything is read or embedded for it.

    Raises
    ------
    DataError : fewer than two names, one of them twice, k or the sample below 1, a negative seed
    """
    checked_k(asked.k)
    if strange := [name for name in names if not isinstance(name, str)]:
        raise DataError(f"name what is compared one by one, as compare('notes', 'notes@128'), not {strange[0]!r}")
    if len(names) < 2:
        raise DataError("a comparison needs two or more: collections, or one as NAME@128, NAME@int8 or NAME=MODEL beside it")
    if len(set(names)) < len(names):
        raise DataError("two of what is to be compared have one name; name each once")
    if asked.sample is not None and (not hasattr(asked.sample, "__index__") or asked.sample < 1):
        raise DataError(f"a sample is of 1 item or more, not {asked.sample!r}")
    if not hasattr(asked.seed, "__index__") or asked.seed < 0:
        raise DataError(f"a seed is a whole number from 0 on, not {asked.seed!r}")


def in_common(views: Mapping[str, Sequence[str]], wanted: Sequence[str] = ()) -> list[str]:
    """The ids that all views have, in the order of the first.

    Parameters
    ----------
    views : name → its ids
    wanted : ids that must be among them

    Raises
    ------
    DataError : fewer than three, or one of those wanted is not among them
    """
    first, *others = views.values()
    among = set(first).intersection(*others)
    if len(among) < 3:
        names = " and ".join(f"'{name}'" for name in views)
        raise DataError(f"{names} have {len(among)} items in common; a comparison needs at least 3 of the same ids")
    if strange := next((id for id in wanted if id not in among), None):
        raise DataError(f"'{strange}' is not among the {len(among):,} items that all have a vector of")
    return [id for id in first if id in among]


class _Space(NamedTuple):
    """The common items in one view; a position means the same item in all."""

    vectors: Vectors
    asked: Index
    alignment: float  # with itself, for CKA


def _space(view: View, ids: Sequence[str], build: Callable[[Numbers, Vectors], Index]) -> _Space:
    vectors = view.vectors
    if view.ids != ids:
        at = {id: place for place, id in enumerate(view.ids)}
        vectors = np.ascontiguousarray(vectors[[at[id] for id in ids]])
    return _Space(vectors, build(np.arange(len(ids), dtype=np.int64), vectors), _alignment(vectors, vectors))


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
    both = _shared(a, b)[:, -1]
    most = _longest(a, b)
    return np.asarray(np.where(most > 0, both / np.maximum(most, 1), 1.0), np.float64)


def rank_biased_overlap(a: Numbers, b: Numbers, p: float = PERSISTENCE) -> Values:
    """(s,) extrapolated rank-biased overlap of the rows of `a` and `b`, (s, k) each: 1 is the same order, 0 nothing in common.

    Webber, Moffat and Zobel, "A similarity measure for indefinite rankings" (2010), equation 23, for lists of one depth: that
    of the longer one of each row, as if the other went on with items of its own.
    """
    ranks = np.arange(1, a.shape[1] + 1)
    shared, depth = _shared(a, b), _longest(a, b)
    series = np.where(ranks <= depth[:, None], shared * (p**ranks / ranks), 0).sum(axis=1)
    agreed = shared[:, -1] / np.maximum(depth, 1) * p**depth + (1 - p) / p * series
    return np.asarray(np.where(depth > 0, agreed, 1.0), np.float64)


def _shared(a: Numbers, b: Numbers) -> Numbers:
    """(s, k) how many items the rows of `a` and `b` have in common up to each depth.

    By sorting: a table of all pairs of ranks (s, k, k) takes 8 GB with 1,000 rows of 1,000.
    """
    rows, depth = a.shape
    width = max(int(a.max(initial=0)), int(b.max(initial=0))) + 2
    keys_a, keys_b = (each + 1 + width * np.arange(rows)[:, None] for each in (a, b))  # of each row others; -1 is no item's
    order = np.argsort(keys_b, axis=None)
    at = np.searchsorted(keys_b.ravel(), keys_a.ravel(), sorter=order).clip(max=b.size - 1)
    found = order[at]  # where in b each of a's items stands
    same = (keys_b.ravel()[found] == keys_a.ravel()) & (a.ravel() >= 0)
    row, rank = np.divmod(np.arange(a.size), depth)
    counts = np.bincount((row * depth + np.maximum(rank, found % depth))[same], minlength=a.size)
    return np.asarray(counts.reshape(rows, depth).cumsum(axis=1), np.int64)


def _longest(a: Numbers, b: Numbers) -> Numbers:
    """(s,) items in the longer one of two rows."""
    return np.asarray(np.maximum((a >= 0).sum(axis=1), (b >= 0).sum(axis=1)), np.int64)


def linear_cka(a: Vectors, b: Vectors) -> float:
    """Linear centred kernel alignment of (n, p) and (n, q), in [0, 1]; 0 where all of one are the same."""
    return _cka(_alignment(a, b), _alignment(a, a), _alignment(b, b))


def _cka(both: float, a: float, b: float) -> float:
    return min(1.0, both**2 / (a * b)) if a * b else 0.0


def _alignment(a: Vectors, b: Vectors) -> float:
    """The Frobenius norm of (p, n) @ (n, q), both centred and scaled to at most 1; some rows at a time, the sum in double."""
    means = [each.mean(axis=0, dtype=np.float64).astype(np.float32) for each in (a, b)]
    # 1e20 squared is infinity in float32
    scales = [max(each.max(initial=0), -each.min(initial=0)) or np.float32(1) for each in (a, b)]
    total = np.zeros((a.shape[1], b.shape[1]))
    for start in range(0, len(a), CENTRED):
        left, right = (
            (each[start : start + CENTRED] - mean) / scale for each, mean, scale in zip((a, b), means, scales, strict=True)
        )
        total += left.T @ right
    return float(np.linalg.norm(total))


def _sampled(count: int, size: int | None, seed: int) -> Numbers:
    if size is None or size >= count:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(count, int(size), replace=False)).astype(np.int64)


def _pair(
    views: Sequence[View], spaces: Sequence[_Space], near: Sequence[Numbers], a: int, b: int, sample: Numbers
) -> tuple[PairReport, Values, Values]:
    """What two have in common, and their overlap and order on each sampled item, (s,) each."""
    shared, order = overlap(near[a], near[b]), rank_biased_overlap(near[a], near[b])
    cross = None
    if spaces[a].vectors.shape[1] == spaces[b].vectors.shape[1]:
        found, _ = _neighbours(spaces[b].asked, spaces[a].vectors, sample, near[b].shape[1])
        cross = round(float(overlap(found, near[b]).mean()), 4)
    cka = _cka(_alignment(spaces[a].vectors, spaces[b].vectors), spaces[a].alignment, spaces[b].alignment)
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
