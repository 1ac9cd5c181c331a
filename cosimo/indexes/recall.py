"""Recall: how far down an engine's list of candidates the truly nearest are. Measured on the rows of the index alone.

A question is 60% of one row and 40% of another that has nothing to do with it. Rows themselves are too easy: their
neighbours are nearer to them than to any question somebody asks, and every engine found all of them, where of real
questions' neighbours one found 99.6% and another 98.5%. Midpoints are too hard. At 60%, the depths at which true neighbours
lie are within a quarter of real questions' at 100,000 and at 1,000,000 vectors of sentences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.vectors import prepared, scored

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ..core.types import Metric, Numbers, Vector, Vectors

QUESTIONS = 128  # with 1,280 neighbours: recall is known to about 0.001
SHARE = 0.6
NEAREST = 10
DEEPEST = 4096  # candidates looked through
SURE = 0.998  # of the sample's neighbours: all but the two deepest of 1,280, which differ from sample to sample
FEWEST = 150  # candidates scored at least: 100 missed 0.19% of the neighbours of real questions, 150 0.03%
FIRST, BLOCK = 2_048, 32_768  # rows scored at a time, for all questions: 8 MB of scores


@dataclass(frozen=True)
class Ranks:
    """(m,) places of true neighbours in the engine's list, from 0; DEEPEST and more: not in it."""

    places: NDArray[np.int64]

    def recall(self, count: int) -> float:
        """The share of true neighbours among the first `count` candidates."""
        return float((self.places < count).mean()) if len(self.places) else 1.0

    def count_for(self, recall: float) -> int:
        """How many candidates hold this share of the true neighbours that are in the list at all."""
        there = np.sort(self.places[self.places < DEEPEST])
        return int(there[int(np.ceil(recall * len(there))) - 1]) + 1 if len(there) else DEEPEST

    def candidates(self, spare: float = 1.0) -> int:
        """How many to score exactly so that (nearly) no neighbour is missed: a round number."""
        return max(FEWEST, -(-int(spare * self.count_for(SURE)) // 50) * 50)


def ranks_of_nearest(matrix: Vectors, metric: Metric, nearest: Callable[[Vector, int], Numbers], depth: int = DEEPEST) -> Ranks:
    """Where an engine places the ten nearest rows of some questions.

    Parameters
    ----------
    matrix : (n, dim) prepared rows
    nearest : (query, count) → positions, best first
    depth : how many to ask for; an engine may look further where it is asked for more
    """
    queries = _questions(matrix, metric)
    places = []
    for query, best in zip(queries, nearest_rows(matrix, queries, NEAREST, metric), strict=True):
        found = nearest(query, depth)
        if not len(found):
            places.append(np.full(len(best), DEEPEST, np.int64))
            continue
        order = np.argsort(found, kind="stable")
        at = order[np.minimum(np.searchsorted(found, best, sorter=order), len(found) - 1)]
        places.append(np.where(found[at] == best, at, DEEPEST))
    return Ranks(np.concatenate(places))


def ranks_of_lists(matrix: Vectors, centres: Vectors, metric: Metric) -> Ranks:
    """Where the lists that hold the ten nearest rows of some questions come, when lists are sorted by their centres' scores.

    Midpoints here: whether the right lists are looked through depends on how far from all rows a question is, and by this
    measure real ones are as far as midpoints (in the 44th list of 512 at the deepest; the easier questions' in the 18th).
    """
    queries = _questions(matrix, metric, 0.5)
    half = np.einsum("ij,ij->i", centres, centres) / 2 if metric == "l2" else np.zeros(len(centres), np.float32)
    nearest = nearest_rows(matrix, queries, NEAREST, metric)
    # two products for all questions, not two each: with both cores busy, the threads of every small one wait for each other
    homes = (matrix[np.concatenate(nearest)] @ centres.T - half).argmax(axis=1)  # (q * 10, dim) @ (dim, lists)
    order = np.argsort(half - queries @ centres.T, axis=1, kind="stable")  # (q, lists)
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(len(centres))[None], axis=1)
    asked = np.repeat(np.arange(len(queries)), [len(best) for best in nearest])
    return Ranks(places[asked, homes])


def _questions(matrix: Vectors, metric: Metric, share: float = SHARE) -> Vectors:
    at = np.linspace(0, len(matrix) - 1, QUESTIONS).astype(np.int64)
    others = np.roll(at, QUESTIONS // 3)
    return prepared(share * matrix[at] + (1 - share) * matrix[others], metric)


def nearest_rows(matrix: Vectors, queries: Vectors, k: int, metric: Metric) -> list[Numbers]:
    """Positions of the k nearest rows per query, best first, by looking at all. For the matrix of one index, read once."""
    kept: list[Numbers] = [np.empty(0, np.int64) for _ in queries]
    limits = np.full(len(queries), -np.inf, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        # the first ones are few: they set limits that nearly all others stay below
        starts = [0, *range(FIRST, len(matrix), BLOCK)]
        for start, end in zip(starts, [*starts[1:], len(matrix)], strict=True):
            block = matrix[start:end]
            scores = queries @ block.T  # (q, dim) @ (dim, b) -> (q, b)
            if metric == "l2":
                scores = 2 * scores - np.einsum("ij,ij->i", block, block)
            for number, row in enumerate(scores):
                # only what beats the k-th best so far is looked at: after the first block, next to nothing
                at = np.flatnonzero(row > limits[number])
                if len(at) > k:
                    at = at[np.argpartition(-row[at], k - 1)[:k]]
                if not len(at):
                    continue
                kept[number] = np.concatenate([kept[number], at + start])
                exact = scored(matrix[kept[number]], queries[number], metric)
                order = np.argsort(-exact, kind="stable")[:k]
                kept[number] = kept[number][order]
                if len(order) == k:
                    limits[number] = _rough(matrix[kept[number][-1]], queries[number], metric)
    return kept


def _rough(row: Vector, query: Vector, metric: Metric) -> float:
    product = float(row @ query)
    return 2 * product - float(row @ row) if metric == "l2" else product
