"""Duplicates: all vectors of a collection → groups of those that are nearly the same, exactly. Deletes nothing.

Not all pairs are computed. The first principal components of two unit vectors and the lengths of what is left of each bound
their cosine from above (Cauchy-Schwarz), at a quarter of the work; only pairs whose bound reaches the threshold are looked at
in full. At 100,000 real vectors of 384 numbers and a threshold of 0.95 that leaves one pair in thousands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..core.errors import DataError
from ..core.progress import Done, reporting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..core.types import Numbers, Vectors
    from .whole import Whole

SHARE = 4  # of the components are compared first: an eighth leaves five times the pairs, half takes twice as long
# rows and columns of scores computed at once: 4 MB stay in the cache. With 80 rows of 100,000 everything took twice as long
TILE = 1_024
SAMPLE = 20_000  # rows that principal components are learned from
PAIRS = 1 << 16  # looked at in full at a time
ROUNDING = 1e-6  # of a cosine in float32: a pair at the threshold itself is one
LOOSE = 1e-5  # what a bound in float32 may be too low by
FIRSTS = 1_024  # items that may become the first of a group, compared with all that are left at a time


class Near(NamedTuple):
    """One item of a group, and its cosine similarity to the group's first."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class Duplicates:
    """A group of near-duplicates: the item most are like, and the others, which all reach the threshold with it."""

    id: str
    others: tuple[Near, ...]  # the nearest first


def duplicates(whole: Whole, threshold: float = 0.95) -> list[Duplicates]:
    """Groups of items whose vectors are nearly the same: the largest group first, each item in one group at most.

    Exact: every pair that reaches the threshold is seen. The item with most near-duplicates is the first of a group and takes
    them, then comes the one with most among those left: in a chain of small steps, its ends are not called alike.

    Parameters
    ----------
    threshold : cosine similarity from which two are near-duplicates, above 0 and up to 1

    Raises
    ------
    DataError : a threshold that is none
    """
    checked_threshold(threshold)
    different, which = _different(whole.vectors)
    copies = np.bincount(which, minlength=len(different))
    with reporting(range(len(different)), None, "items") as report:
        alike = _alike(different, copies, threshold, report)
    firsts, scores = _grouped(different, alike, threshold)
    groups = _named(whole.ids, which, firsts, scores)
    return sorted(groups, key=lambda group: (-len(group.others), group.id))


def checked_threshold(threshold: float) -> None:
    """Raise `DataError` unless it is a cosine similarity from which two texts can be called nearly the same."""
    if not hasattr(threshold, "__float__") or not 0 < threshold <= 1:
        raise DataError(f"a threshold is a cosine similarity above 0 and up to 1, not {threshold!r}; 0.95 is a start")


def _different(vectors: Vectors) -> tuple[Vectors, Numbers]:
    """The different vectors among them, (m, dim), and which of those each is, (n,): copies of a page are one comparison."""
    rows = np.ascontiguousarray(vectors).view(np.dtype((np.void, 4 * max(1, vectors.shape[1])))).ravel()
    _, first, which = np.unique(rows, return_index=True, return_inverse=True)
    came = np.argsort(first)  # in the order of the items, not of the bytes: the earlier of two is the first of a group
    place = np.empty_like(came)
    place[came] = np.arange(len(came))
    return vectors[first[came]], place[which.ravel()]


def _alike(vectors: Vectors, copies: Numbers, threshold: float, report: Callable[[Done], None]) -> Numbers:
    """(m,) how many items are near-duplicates of each vector's own, copies among them. Pairs may be millions: none is kept."""
    alike, heads = copies - 1, _bounding(vectors)
    for start in range(0, len(vectors), TILE):
        for other in range(start, len(vectors), TILE):
            for left, right in _candidates(heads, start, other, threshold):
                near = np.einsum("ij,ij->i", vectors[left], vectors[right]) >= threshold - ROUNDING
                np.add.at(alike, left[near], copies[right[near]])
                np.add.at(alike, right[near], copies[left[near]])
        report(Done(min(start + TILE, len(vectors))))
    return alike


def _bounding(vectors: Vectors) -> Vectors:
    """(m, h) whose products are at least the cosines: the first components, and the length of what they leave out."""
    dim = vectors.shape[1]
    kept = dim // SHARE
    if kept < 8 or len(vectors) < 1_000:  # nothing to be saved
        return vectors
    sample = vectors[:: -(-len(vectors) // SAMPLE)].astype(np.float64)
    _, axes = np.linalg.eigh(sample.T @ sample)  # ascending
    heads = np.empty((len(vectors), kept + 1), np.float32)
    heads[:, :kept] = vectors @ axes[:, dim - kept :].astype(np.float32)
    inside = np.einsum("ij,ij->i", heads[:, :kept], heads[:, :kept], dtype=np.float64)
    heads[:, kept] = np.sqrt(np.maximum(0, 1 - inside))
    return heads


def _candidates(heads: Vectors, start: int, other: int, threshold: float) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs of one tile whose bound reaches the threshold, each pair once, some at a time."""
    bounds = heads[start : start + TILE] @ heads[other : other + TILE].T
    left, right = np.divmod(np.flatnonzero(bounds >= np.float32(threshold - LOOSE)), bounds.shape[1])
    left, right = left + start, right + other
    if start == other:  # itself, and the pair the other way round
        left, right = left[left < right], right[left < right]
    for first in range(0, len(left), PAIRS):
        yield left[first : first + PAIRS], right[first : first + PAIRS]


def _grouped(vectors: Vectors, alike: Numbers, threshold: float) -> tuple[Numbers, Vectors]:
    """(m,) which vector is the first of each one's group, itself where it is in none, and (m,) the cosine to it."""
    firsts, scores = np.arange(len(vectors), dtype=np.int64), np.ones(len(vectors), np.float32)
    left = np.flatnonzero(alike)
    left = left[np.lexsort((left, -alike[left]))]  # those most others are like come first
    while len(left):
        block = left[:FIRSTS]
        chosen = _apart(vectors[block], threshold)
        nearest, best = _nearest(vectors, left, block[chosen])
        joins = best >= threshold - ROUNDING
        joins[: len(block)][chosen] = False
        firsts[left[joins]], scores[left[joins]] = nearest[joins], best[joins]
        done = joins.copy()
        done[: len(block)] = True
        left = left[~done]
    return firsts, scores


def _apart(vectors: Vectors, threshold: float) -> Numbers:
    """Positions of the vectors that no earlier one of them is like, (r,)."""
    near = vectors @ vectors.T >= threshold - ROUNDING
    taken, chosen = np.zeros(len(vectors), np.bool_), []
    for at in range(len(vectors)):
        if not taken[at]:
            chosen.append(at)
            taken |= near[at]
    return np.array(chosen, np.int64)


def _nearest(vectors: Vectors, these: Numbers, firsts: Numbers) -> tuple[Numbers, Vectors]:
    """For each of these the nearest of `firsts`, and its cosine."""
    nearest, best = np.empty(len(these), np.int64), np.empty(len(these), np.float32)
    for start in range(0, len(these), TILE):
        scores = vectors[these[start : start + TILE]] @ vectors[firsts].T  # (b, dim) @ (dim, r) -> (b, r)
        at = scores.argmax(axis=1)
        nearest[start : start + TILE] = firsts[at]
        best[start : start + TILE] = scores[np.arange(len(at)), at]
    return nearest, best


def _named(ids: list[str], which: Numbers, firsts: Numbers, scores: Vectors) -> Iterator[Duplicates]:
    """Groups of two items and more. The first item of a vector stands for its copies."""
    first_of = firsts[which]  # (n,) the group of each item
    sizes = np.bincount(first_of, minlength=len(firsts))
    order = np.flatnonzero(sizes[first_of] > 1)
    order = order[np.argsort(first_of[order], kind="stable")]
    for members in np.split(order, np.flatnonzero(np.diff(first_of[order])) + 1) if len(order) else ():
        group = which[members]
        head = int(members[np.flatnonzero(group == first_of[members[0]])[0]])
        others = sorted(
            (Near(ids[at], round(min(1.0, float(scores[which[at]])), 6)) for at in members.tolist() if at != head),
            key=lambda near: (-near.score, near.id),
        )
        yield Duplicates(ids[head], tuple(others))
