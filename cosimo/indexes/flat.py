"""Flat index: every vector is looked at, so the answer is exact. Holds one float32 matrix; reads no database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.vectors import normalise, normalised, top_k

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..core.types import Change, Numbers, Scores, Vectors

SPARSE = 0.25  # below this share of rows allowed, gathering them beats scoring all: a gather reads about four times as slowly


class FlatIndex:
    """Exact nearest neighbours by cosine similarity, kept in step with a store by `apply`.

    Rows lie in the order of their numbers, so a number is found by bisection and no dictionary of a million keys is kept.
    Removed rows are marked and squeezed out once they are a quarter of all. Zero vectors are held but never returned.
    """

    def __init__(self) -> None:
        self._numbers: Numbers = np.empty(0, np.int64)
        self._matrix: Vectors = np.empty((0, 0), np.float32)
        self._alive: NDArray[np.bool_] = np.empty(0, np.bool_)
        self._used = 0  # rows of the arrays that hold something; the rest is room to grow

    def __len__(self) -> int:
        return int(np.count_nonzero(self._alive[: self._used]))

    def apply(self, change: Change) -> None:
        """Take over what changed in the store since the last call. The matrix of a full change becomes the index's own."""
        if change.full:
            self._replace(change.numbers, change.vectors)
            return
        if len(change.numbers):
            self._update(change.numbers, normalised(change.vectors))
        if len(change.removed):
            at, found = self._positions(change.removed)
            self._alive[at[found]] = False
        if self._used and np.count_nonzero(self._alive[: self._used]) < 0.75 * self._used:
            keep = np.flatnonzero(self._alive[: self._used])
            self._replace(self._numbers[keep], self._matrix[keep])

    def search(self, queries: Vectors, k: int, *, allowed: Numbers | None = None) -> tuple[list[Numbers], list[Scores]]:
        """The k best rows for each query.

        Parameters
        ----------
        queries : (q, dim) float32, of any length but zero
        k : at least 1
        allowed : sorted row numbers to choose among; None allows all

        Returns
        -------
        numbers, scores : per query, (≤ k,) int64 and float32, best first; fewer than k only where fewer exist
        """
        unit = normalised(queries)
        at = None
        if allowed is not None:
            at, found = self._positions(allowed)
            at = at[found & self._alive[at]] if len(at) else at
        answers = [self._search_one(query, k, at) for query in unit]
        return [numbers for numbers, _ in answers], [scores for _, scores in answers]

    def _search_one(self, query: Vectors, k: int, at: Numbers | None) -> tuple[Numbers, Scores]:
        if not self._used or not query.any():
            return np.empty(0, np.int64), np.empty(0, np.float32)
        if at is not None and len(at) < SPARSE * self._used:
            scores = self._matrix[at] @ query  # (m, dim) @ (dim,) -> (m,)
            best = top_k(scores, k)
            return self._numbers[at[best]], np.clip(scores[best], -1, 1)
        scores = self._matrix[: self._used] @ query  # (n, dim) @ (dim,) -> (n,)
        usable = self._alive[: self._used].copy()
        if at is not None:
            chosen = np.zeros(self._used, np.bool_)
            chosen[at] = True
            np.logical_and(usable, chosen, out=usable)
        if not usable.all():
            scores[~usable] = -np.inf
        best = top_k(scores, min(k, int(np.count_nonzero(usable))))
        return self._numbers[best], np.clip(scores[best], -1, 1)

    def _positions(self, numbers: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
        """Where numbers lie, and which of them are here at all."""
        held = self._numbers[: self._used]
        if not len(held):
            return np.zeros(len(numbers), np.int64), np.zeros(len(numbers), np.bool_)
        at = np.minimum(np.searchsorted(held, numbers), len(held) - 1)
        return at, held[at] == numbers

    def _replace(self, numbers: Numbers, vectors: Vectors) -> None:
        order = np.argsort(numbers, kind="stable")
        in_order = bool((order == np.arange(len(order))).all())
        self._numbers = numbers if in_order else numbers[order]
        self._matrix = np.require(vectors if in_order else vectors[order], np.float32, ["C", "W"])  # copied only if need be
        normalise(self._matrix)
        self._used = len(numbers)
        self._alive = np.asarray(self._matrix.any(axis=1), np.bool_)

    def _update(self, numbers: Numbers, vectors: Vectors) -> None:
        if vectors.shape[1] != self._matrix.shape[1]:
            self._replace(numbers, vectors)  # nothing of the old dimension can still be valid
            return
        at, found = self._positions(numbers)
        self._matrix[at[found]] = vectors[found]
        self._alive[at[found]] = vectors[found].any(axis=1)
        new = np.flatnonzero(~found)
        new = new[np.argsort(numbers[new], kind="stable")]
        if not len(new):
            return
        if self._used and numbers[new[0]] < self._numbers[self._used - 1]:  # an old number came back: rare, so plainly
            keep = np.flatnonzero(self._alive[: self._used])
            self._replace(
                np.concatenate([self._numbers[keep], numbers[new]]),
                np.concatenate([self._matrix[keep], vectors[new]]),
            )
            return
        self._append(numbers[new], vectors[new])

    def _append(self, numbers: Numbers, vectors: Vectors) -> None:
        end = self._used + len(numbers)
        if end > len(self._numbers):
            room = max(end, self._used + self._used // 4, 1024)  # a quarter more each time: appends stay cheap on average
            self._numbers = _grown(self._numbers, room)
            self._matrix = _grown(self._matrix, room)
            self._alive = _grown(self._alive, room)
        self._numbers[self._used : end] = numbers
        self._matrix[self._used : end] = vectors
        self._alive[self._used : end] = vectors.any(axis=1)
        self._used = end


def _grown(array: np.ndarray, rows: int) -> np.ndarray:
    wider = np.zeros((rows, *array.shape[1:]), array.dtype)
    wider[: len(array)] = array
    return wider
