"""Retrieval: vectors, candidates, and which belong together → how often a partner is among the nearest, and is by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...core.types import Numbers, Vectors

NEAREST = (1, 10)
ASKED = 1_000  # questions whose scores are in memory at a time


class Recall(NamedTuple):
    """The share of questions that have a partner among the first, and among the first ten."""

    at_1: float
    at_10: float


class Direction(NamedTuple):
    """Items of one side asked for those of the other, among pairs that were held out."""

    questions: int  # different ones
    candidates: int  # different ones
    mapped: Recall
    chance: Recall
    unmapped: Recall | None  # with vectors as they were, where both are of one length; None: they are not


def recall(questions: Vectors, candidates: Vectors, pairs: NDArray[np.int64]) -> Recall:
    """How often a partner is among the nearest; of several partners the nearest counts, and equal scores count against it.

    Parameters
    ----------
    questions, candidates : (q, dim) and (c, dim) unit vectors, no two of a side the same item
    pairs : (p, 2) places in both; each question has at least one
    """
    places = pairs[np.argsort(pairs[:, 0], kind="stable")]
    starts = np.searchsorted(places[:, 0], np.arange(len(questions) + 1))
    ranks = np.empty(len(questions), np.int64)
    for first in range(0, len(questions), ASKED):
        scores = questions[first : first + ASKED] @ candidates.T
        for row, (start, end) in enumerate(zip(starts[first:], starts[first + 1 : first + 1 + len(scores)], strict=False)):
            partners = places[start:end, 1]
            best = scores[row, partners].max()
            ranks[first + row] = (scores[row] >= best).sum() - 1
    return Recall(*(float((ranks < k).mean()) for k in NEAREST))


def chance(counts: Numbers, candidates: int) -> Recall:
    """What an order at random would do: one minus the odds that no partner is drawn.

    Parameters
    ----------
    counts : (q,) partners of each question
    """

    def odds(k: int) -> float:
        drawn = np.arange(min(k, candidates))  # partners are missed again and again, out of ever fewer
        left = np.clip((candidates - counts[:, None] - drawn) / (candidates - drawn), 0, 1)
        return float(1 - left.prod(axis=1).mean())

    return Recall(*(odds(k) for k in NEAREST))
