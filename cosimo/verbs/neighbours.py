"""Neighbours: vectors → for each the k nearest of all the others, exactly, and the same to the last bit however it is asked.

A matrix product rounds differently with its shape, so scores that come out of one cannot be compared with those of another
run. Here components of unit vectors are multiples of 2^-24. Products of two are then multiples of 2^-48, and any sum of them up
to 32 is exact in float64, in whatever order it is added up. The products of float32 matrices only say who may be among the
nearest, with a margin that no rounding can cross; the score of each such pair is then computed exactly.

Not through an index: the lists of a run that looks at what changed have to equal those of one that looks at everything; an
approximate index promises that of no list. Reads no database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..core.progress import Done

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ..core.types import Numbers, Vectors

    Exact = NDArray[np.float64]

BITS = 24  # of a component, as many as a float32 holds: a cosine is off by 3e-8, as float32 scores are anyway
DIGITS = 1e6  # scores have six decimals: what differs by less is rounding, and such items stand in the order of their ids
BLOCK_BYTES = 64 << 20  # scores held at once: 195 GFLOP/s with 128 MB, 174 with 64, 143 with 32
GROUPS = 1024  # the k-th best of this many maxima is found 10 times as fast as that of 100,000 scores, and is nearly the same
PAIRS = 256  # rows worked on in float64 at a time: 0.8 MB at 384 dimensions stay in the cache; 4,096 took twice as long
MANY = 4 << 20  # candidates of a block, above which it is halved: only thousands of all but equal vectors make so many


class Lists(NamedTuple):
    """The nearest ones of some items, the nearest first; equal scores in the order of ids."""

    others: Numbers  # (n, j) positions, j = min(k, number of others)
    scores: Exact  # (n, j) cosine similarities with six decimals


class Neighbours:
    """All items of a collection that have a direction; a position is an item's place in the order of ids.

    Parameters
    ----------
    ids : n different ones, in any order
    vectors : (n, dim) float32, finite, of any length; those of zeros are near to nothing and left out

    Attributes
    ----------
    ids : of the items with a direction, ascending
    """

    def __init__(self, ids: Sequence[str], vectors: Vectors) -> None:
        order = sorted(np.flatnonzero(vectors.any(axis=1)).tolist(), key=ids.__getitem__)
        self.ids = [ids[at] for at in order]
        self._units = on_grid(vectors[order])
        # Equal vectors have equal lists, and thousands of copies of one page would each be a candidate of all others: so
        # different vectors are compared, and stand for the items that have them.
        rows = self._units.view(np.dtype((np.void, 4 * max(1, vectors.shape[1])))).ravel()
        _, first, group = np.unique(rows, return_index=True, return_inverse=True)
        self._group: Numbers = group.ravel().astype(np.int64)  # (n,) position → which different vector
        self._sizes = np.bincount(self._group, minlength=len(first))
        self._members: Numbers = np.argsort(self._group, kind="stable").astype(np.int64)  # ascending within each group
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._different = self._units if len(first) == len(self.ids) else self._units[first]
        if self._different is self._units:  # the order of ids, not that of bytes: blocks are slices then
            self._group = self._members = self._starts = np.arange(len(self.ids), dtype=np.int64)
        self._error = 1.01 * self._units.shape[1] * 2.0**-24  # of a float32 sum of products of unit vectors, in any order

    def __len__(self) -> int:
        return len(self.ids)

    def nearest(self, positions: Numbers, k: int, report: Callable[[Done], object] = lambda _: None) -> Lists:
        """The k nearest of each of these items, itself left out.

        Parameters
        ----------
        positions : (n,) ascending
        report : called as lists get done
        """
        if not len(positions):
            return Lists(np.empty((0, 0), np.int64), np.empty((0, 0)))
        wanted, which = np.unique(self._group[positions], return_inverse=True)
        length = min(k, len(self) - 1)
        made = Lists(np.empty((len(wanted), length + 1), np.int64), np.empty((len(wanted), length + 1)))
        step = max(1, BLOCK_BYTES // (4 * len(self._different)))
        for start in range(0, len(wanted), step):
            found = self._best(wanted[start : start + step], length + 1)
            made.others[start : start + step], made.scores[start : start + step] = found
            report(Done(start + len(found.others)))
        return _without_themselves(positions, Lists(made.others[which], made.scores[which]))

    def reached(self, changed: Numbers, weakest: Exact) -> NDArray[np.bool_]:
        """(n,) which items one of the changed may be near enough to: for some it is not after all, but no other is reached.

        Parameters
        ----------
        changed : positions
        weakest : (n,) what has to be scored to come into an item's list; -infinity where there is room
        """
        reached = np.zeros(len(self), np.bool_)
        news = self._units[changed]
        step = max(1, BLOCK_BYTES // (4 * len(news) or 1))
        for start in range(0, len(self) if len(news) else 0, step):
            best = (self._units[start : start + step] @ news.T).max(axis=1)  # (b, dim) @ (dim, c) -> (b, c) -> (b,)
            reached[start : start + step] = best >= weakest[start : start + step] - self._error - 1 / DIGITS
        return reached

    def _best(self, groups: Numbers, k: int) -> Lists:
        """The k best positions for each of these different vectors, those that have it among them."""
        every, count = self._different, len(self._different)
        rough = every[groups] @ every.T  # (b, dim) @ (dim, m) -> (b, m)
        # the k-th best of all is at least the k-th best of the maxima of groups
        width = max(GROUPS, 16 * k)
        maxima = rough[:, : count // width * width].reshape(len(groups), -1, width).max(axis=1) if count > 2 * width else rough
        least = np.full((len(groups), 1), -np.inf, np.float32)
        if maxima.shape[1] > k:  # its rounding, the candidate's, and that of both to six decimals; 2^-22: of this difference
            least = np.partition(maxima, -k, axis=1)[:, [-k]] - np.float32(2 * self._error + 1 / DIGITS + 2.0**-22)
        found = np.flatnonzero(rough >= least)
        if len(found) > MANY and len(groups) > 1:
            del rough, maxima
            half = len(groups) // 2
            parts = self._best(groups[:half], k), self._best(groups[half:], k)
            return Lists(np.concatenate([a.others for a in parts]), np.concatenate([a.scores for a in parts]))
        return self._ranked(groups, found // count, found % count, k)

    def _ranked(self, groups: Numbers, rows: Numbers, candidates: Numbers, k: int) -> Lists:
        """The k best of (row, candidate) pairs, at least as many a row, exactly."""
        scores = np.concatenate(
            [
                _scored(self._different[groups[rows[at : at + PAIRS]]], self._different[candidates[at : at + PAIRS]])
                for at in range(0, len(rows), PAIRS)
            ]
        )
        # each candidate stands for its items; more than k of them cannot be needed
        sizes = np.minimum(self._sizes[candidates], k)
        ends = np.cumsum(sizes)
        place = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
        others = self._members[np.repeat(self._starts[candidates], sizes) + place]
        rows, scores = np.repeat(rows, sizes), np.repeat(scores, sizes)
        order = np.lexsort((others, -scores, rows))
        begins = np.searchsorted(rows[order], np.arange(len(groups)))
        chosen = order[begins[:, None] + np.arange(k)]
        return Lists(others[chosen], scores[chosen])


def on_grid(vectors: Vectors) -> Vectors:
    """Unit vectors with components that are multiples of 2^-24; a row depends on nothing but itself.

    Parameters
    ----------
    vectors : (n, dim) finite, none of zeros alone

    Returns
    -------
    (n, dim) float32, of unit length to within 3e-8 times the root of dim
    """
    units = np.empty(vectors.shape, np.float32)
    shift = 52 - vectors.shape[1].bit_length()  # so that the sum of dim squares, each below 1 and rounded, is exact
    for start in range(0, len(vectors), PAIRS):
        block = vectors[start : start + PAIRS].astype(np.float64)
        _, exponents = np.frexp(np.abs(block).max(axis=1))
        block *= np.ldexp(1.0, -exponents)[:, None]  # the largest component is in [0.5, 1) now, and nothing was rounded
        lengths = np.sqrt(np.rint(block * block * 2.0**shift).sum(axis=1) * 2.0**-shift)
        # adding 0 makes 0 of -0: equal vectors have equal bytes
        units[start : start + PAIRS] = np.rint(block / lengths[:, None] * 2.0**BITS) * 2.0**-BITS + 0.0
    return units


def _scored(a: Vectors, b: Vectors) -> Exact:
    """The score of each row of (n, dim) with the same row of the other, both on the grid: (n,)."""
    exact = np.einsum("ij,ij->i", a.astype(np.float64), b.astype(np.float64))
    scores: Exact = np.clip(np.rint(exact * DIGITS) / DIGITS, -1, 1) + 0.0
    return scores


def _without_themselves(positions: Numbers, found: Lists) -> Lists:
    """Lists without the items they are of; the last goes where an item is not in its own, behind copies of itself."""
    n, length = found.others.shape
    drop = found.others == positions[:, None]
    drop[:, -1] |= ~drop.any(axis=1)
    return Lists(found.others[~drop].reshape(n, length - 1), found.scores[~drop].reshape(n, length - 1))
