"""Flat index: every vector is looked at, so the answer is exact. Holds one float32 matrix; reads no database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.types import IndexInfo
from ..core.units import distinct, documents_of, places_of
from ..core.vectors import normalise, prepared, scored, top_k

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..core.types import Change, Metric, Numbers, Scores, Vector, Vectors

SPARSE = 0.25  # below this share of rows allowed, gathering them beats scoring all: a gather reads about four times as slowly
BATCH_BYTES = 32 << 20  # scores computed at once for several queries: the matrix is read once for all of them
NOTHING: tuple[Numbers, Scores] = (np.empty(0, np.int64), np.empty(0, np.float32))


class FlatIndex:
    """Exact nearest neighbours, kept in step with a store by `apply`.

    Rows lie in the order of their numbers as long as they come in it; later ones are appended, and a permutation sorts them
    for look-ups, so that nothing of a million rows is moved for one edited document. Removed rows are marked and squeezed
    out once they are a quarter of all. Under cosine, zero vectors are held but never returned.

    Parameters
    ----------
    metric : cosine, ip (inner product) or l2; what a score is, `cosimo.core.vectors` says
    """

    def __init__(self, metric: Metric = "cosine") -> None:
        self.metric: Metric = metric
        self._numbers: Numbers = np.empty(0, np.int64)
        self._matrix: Vectors = np.empty((0, 0), np.float32)
        self._alive: NDArray[np.bool_] = np.empty(0, np.bool_)
        self._used = 0  # rows of the arrays that hold something; the rest is room to grow
        self._sorter: Numbers | None = None  # order of the numbers; None where they lie in order
        self._squares: Scores | None = None  # squared lengths, for l2; forgotten with every change

    def __len__(self) -> int:
        return int(np.count_nonzero(self._alive[: self._used]))

    @property
    def stale_share(self) -> float:
        """0: an exact index has nothing to merge."""
        return 0.0

    def describe(self) -> IndexInfo:
        """What it is and holds."""
        size = self._numbers.nbytes + self._matrix.nbytes + self._alive.nbytes
        return IndexInfo("flat", self.metric, {}, len(self), 0, size, 1.0)

    def apply(self, change: Change) -> None:
        """Take over what changed in the store since the last call. The matrix of a full change becomes the index's own."""
        if change.full:
            self._replace(change.numbers, change.vectors)
            return
        if not len(change.numbers) and not len(change.removed):
            return
        if len(change.numbers):
            self._update(change.numbers, prepared(change.vectors, self.metric))
        self._hide(documents_of(np.sort(change.removed)))
        if self._used and np.count_nonzero(self._alive[: self._used]) < 0.75 * self._used:
            self._replace(*self.everything())

    def everything(self) -> tuple[Numbers, Vectors]:
        """All units it can return and their vectors, (n,) and (n, dim)."""
        keep = np.flatnonzero(self._alive[: self._used])
        return self._numbers[keep], self._matrix[keep]

    def search(self, queries: Vectors, k: int, *, allowed: Numbers | None = None) -> tuple[list[Numbers], list[Scores]]:
        """The k best units for each query.

        Parameters
        ----------
        queries : (q, dim) float32; under cosine of any length but zero
        k : at least 1
        allowed : ascending numbers of the documents to choose among; None allows all

        Returns
        -------
        units, scores : per query, (≤ k,) int64 and float32, best first; fewer than k only where fewer exist
        """
        given = prepared(queries, self.metric)
        if not self._used or not len(given):
            return [NOTHING[0]] * len(given), [NOTHING[1]] * len(given)
        usable = self._alive[: self._used]
        at = None
        if allowed is not None:
            at = self._places(allowed)
            at = at[self._alive[at]]
            usable = np.zeros(self._used, np.bool_)
            usable[at] = True
        if at is not None and len(at) < SPARSE * self._used:
            rows = self._matrix[at]
            answers = [self._best(scored(rows, query, self.metric), at, k) for query in given]
        else:
            answers = self._search_all(given, k, usable)
        if self.metric == "cosine":
            answers = [found if query.any() else NOTHING for query, found in zip(given, answers, strict=True)]
        return [numbers for numbers, _ in answers], [scores for _, scores in answers]

    def _best(self, scores: Scores, at: Numbers, k: int) -> tuple[Numbers, Scores]:
        best = top_k(scores, k)
        return self._numbers[at[best]], scores[best]

    def _search_all(self, queries: Vectors, k: int, usable: NDArray[np.bool_]) -> list[tuple[Numbers, Scores]]:
        held, every = self._matrix[: self._used], bool(usable.all())
        k = min(k, int(np.count_nonzero(usable)))
        step = max(1, BATCH_BYTES // (4 * self._used))
        answers = []
        for start in range(0, len(queries), step):
            block = queries[start : start + step]
            with np.errstate(over="ignore", invalid="ignore"):
                products = (held @ block[0])[None] if len(block) == 1 else block @ held.T  # (n, dim) @ (dim,) -> (1 or q, n)
            for query, scores in zip(block, products, strict=True):
                if self.metric == "l2":
                    answers.append(self._nearest(query, scores, k, usable))
                    continue
                if not every:
                    scores[~usable] = -np.inf
                best = top_k(scores, k)
                found = np.clip(scores[best], -1, 1) if self.metric == "cosine" else scores[best]
                answers.append((self._numbers[best], found))
        return answers

    def _nearest(self, query: Vector, products: Scores, k: int, usable: NDArray[np.bool_]) -> tuple[Numbers, Scores]:
        """By distance: 2qr - r² orders all rows but for rounding, so what is near the k-th is measured by differences."""
        held = self._matrix[: self._used]
        with np.errstate(over="ignore", invalid="ignore"):
            if self._squares is None:
                self._squares = np.einsum("ij,ij->i", held, held)
            rough = np.where(usable, 2 * products - self._squares, -np.inf)
            margin = 2.0**-18 * (float(query @ query) + float(self._squares.max()))  # some 60 roundings of the largest term
        at = np.flatnonzero(usable)
        if np.isfinite(margin) and 0 < k < len(at):
            at = np.flatnonzero(rough >= np.partition(rough, len(rough) - k)[len(rough) - k] - margin)
            at = at[usable[at]]
        return self._best(scored(held[at], query, "l2"), at, k)

    # -- rows

    def _sorted(self) -> Numbers:
        held = self._numbers[: self._used]
        return held if self._sorter is None else held[self._sorter]

    def _places(self, documents: Numbers) -> Numbers:
        """Positions of all units of some documents, ascending numbers."""
        at = places_of(self._sorted(), documents)
        return at if self._sorter is None else np.sort(self._sorter[at])

    def _hide(self, documents: Numbers) -> None:
        if len(documents) and self._used:
            self._alive[self._places(distinct(documents))] = False

    def _positions(self, numbers: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
        """Where numbers lie, and which of them are here at all."""
        held = self._sorted()
        if not len(held):
            return np.zeros(len(numbers), np.int64), np.zeros(len(numbers), np.bool_)
        at = np.minimum(np.searchsorted(held, numbers), len(held) - 1)
        found = held[at] == numbers
        return (at if self._sorter is None else self._sorter[at]), found

    def _usable(self, vectors: Vectors) -> NDArray[np.bool_]:
        return np.asarray(vectors.any(axis=1)) if self.metric == "cosine" else np.ones(len(vectors), np.bool_)

    def _replace(self, numbers: Numbers, vectors: Vectors) -> None:
        in_order = bool((np.diff(numbers) > 0).all())
        order = slice(None) if in_order else np.argsort(numbers, kind="stable")
        self._numbers = numbers[order]
        self._matrix = np.require(vectors[order], np.float32, ["C", "W"])  # copied only if need be
        if self.metric == "cosine":
            normalise(self._matrix)
        self._used = len(numbers)
        self._sorter = self._squares = None
        self._alive = self._usable(self._matrix)

    def _update(self, numbers: Numbers, vectors: Vectors) -> None:
        if vectors.shape[1] != self._matrix.shape[1]:
            self._replace(numbers, vectors)  # nothing of the old dimension can still be valid
            return
        order = np.argsort(numbers, kind="stable")
        numbers, vectors = numbers[order], vectors[order]
        self._hide(documents_of(numbers))
        at, found = self._positions(numbers)
        self._squares = None
        self._matrix[at[found]] = vectors[found]
        self._alive[at[found]] = self._usable(vectors[found])
        if not found.all():
            self._append(numbers[~found], vectors[~found])

    def _append(self, numbers: Numbers, vectors: Vectors) -> None:
        end = self._used + len(numbers)
        if end > len(self._numbers):
            room = max(end, self._used + self._used // 4, 1024)  # a quarter more each time: appends stay cheap on average
            self._numbers = _grown(self._numbers, room)
            self._matrix = _grown(self._matrix, room)
            self._alive = _grown(self._alive, room)
        disorder = self._sorter is not None or (self._used > 0 and numbers[0] < self._numbers[self._used - 1])
        self._numbers[self._used : end] = numbers
        self._matrix[self._used : end] = vectors
        self._alive[self._used : end] = self._usable(vectors)
        self._used = end
        # a million numbers all but in order are sorted in 10 ms; moving their vectors would take a second
        self._sorter = np.argsort(self._numbers[:end], kind="stable") if disorder else None


def _grown(array: np.ndarray, rows: int) -> np.ndarray:
    wider = np.zeros((rows, *array.shape[1:]), array.dtype)
    wider[: len(array)] = array
    return wider
