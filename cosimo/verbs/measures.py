"""Measures: a ranking and the judgements of one query in, one number out. The definitions of trec_eval; no averages."""

from __future__ import annotations

import math
import re
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from ..core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Measure: TypeAlias = Callable[[Sequence[int], Sequence[int]], float]  # (grades as ranked, all grades) → 0 … 1

_NAME = re.compile(r"(ndcg|recall|mrr|map)(?:@([1-9][0-9]{0,5}))?", re.IGNORECASE)


def measure(name: str) -> tuple[str, Measure]:
    """The measure of a name, and the name as it is written: `ndcg@10` → nDCG@10.

    Known are nDCG, recall, MRR and MAP, each with or without `@` and a depth; without, all of the ranking counts.

    Raises
    ------
    DataError : no such measure
    """
    found = _NAME.fullmatch(name.strip())
    if not found:
        raise DataError(f"no measure is called '{name}'; known are nDCG@10, recall@100, MRR@10, MAP and other depths")
    kind, depth = found[1].lower(), int(found[2]) if found[2] else None
    title, function = _KINDS[kind]
    return title + (f"@{depth}" if depth else ""), partial(function, depth)


def ranked(scored: Sequence[tuple[str, float]]) -> list[str]:
    """Document ids, best first; of equal scores the id that sorts last comes first, as in trec_eval. NaN comes last.

    A document that is there twice counts once, where it is first.
    """
    order = sorted([(score if score == score else -math.inf, id) for id, score in scored], reverse=True)
    return list(dict.fromkeys(id for _, id in order))


def grades(ranking: Sequence[str], judged: Mapping[str, int]) -> list[int]:
    """How relevant each document of a ranking is; what nobody judged is not relevant, nor is a grade below 0."""
    return [max(judged.get(id, 0), 0) for id in ranking]


def _ndcg(depth: int | None, ranking: Sequence[int], judged: Sequence[int]) -> float:
    """Discounted gain over the best possible one. The gain is the grade itself (not 2^grade − 1)."""
    ideal = _dcg(sorted(judged, reverse=True)[:depth])
    return _dcg(ranking[:depth]) / ideal if ideal else 0.0


def _dcg(ranking: Sequence[int]) -> float:
    return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(ranking, 1))


def _recall(depth: int | None, ranking: Sequence[int], judged: Sequence[int]) -> float:
    relevant = sum(grade > 0 for grade in judged)
    return sum(grade > 0 for grade in ranking[:depth]) / relevant if relevant else 0.0


def _mrr(depth: int | None, ranking: Sequence[int], _judged: Sequence[int]) -> float:
    return next((1 / rank for rank, grade in enumerate(ranking[:depth], 1) if grade > 0), 0.0)


def _map(depth: int | None, ranking: Sequence[int], judged: Sequence[int]) -> float:
    relevant = sum(grade > 0 for grade in judged)
    found, total = 0, 0.0
    for rank, grade in enumerate(ranking[:depth], 1):
        if grade > 0:
            found += 1
            total += found / rank
    return total / relevant if relevant else 0.0


_KINDS = {
    "ndcg": ("nDCG", _ndcg),
    "recall": ("recall", _recall),
    "mrr": ("MRR", _mrr),
    "map": ("MAP", _map),
}
