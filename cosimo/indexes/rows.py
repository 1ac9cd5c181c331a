"""Rows: the units of a built index and their vectors, in memory or mapped from a file, each checked when first read.

A vector is trusted once the weighted sum of its words is the one written beside it. So a flipped bit is noticed before it
is in an answer, and opening a file of a million vectors reads none of them. Sums per row and not per block of some
megabytes: rescoring 200 rows strewn over the file would read 200 blocks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import Corrupt
from ..core.units import distinct, places_of
from ..core.vectors import scored, top_k

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ..core.types import Metric, Numbers, Scores, Vector, Vectors

    Sums = NDArray[np.uint32]

BLOCK = 8192  # rows looked at together: 12 MB of 384-dim vectors


class DamagedIndex(Corrupt):
    """An index file does not hold what was written into it; the index has to be built again from the rows."""


def sums_of(words: NDArray[np.uint32]) -> Sums:
    """(n, w) uint32 → (n,) checksums: sums weighted by odd numbers, modulo 2^32.

    Any single flipped bit changes the sum (an odd weight times a power of two is never 0), other damage goes unnoticed once
    in four billion rows. Four times as fast as CRC-32 here, and one call does all rows. Nothing of this is against intent.
    """
    # Knuth's multiplier: neighbouring weights differ in all bits, so exchanged words show; starting at 1, as zeros are likely
    weights = (np.arange(1, words.shape[1] + 1, dtype=np.uint32) * np.uint32(2654435761)) | np.uint32(1)
    sums: Sums = np.einsum("ij,j->i", words, weights) + np.uint32(1)
    return sums


class Rows:
    """(n,) units in ascending order, and their (n, dim) vectors, ready to be scored.

    Parameters
    ----------
    numbers : (n,) int64, ascending, distinct
    matrix : (n, dim) float32, prepared for the metric
    sums : (n,) of `sums_of`, where the matrix is a file's; None where it was made in this process
    intact : asked before rows of a file are read: False when the file is no longer as long as it was
    """

    def __init__(
        self, numbers: Numbers, matrix: Vectors, sums: Sums | None = None, intact: Callable[[], bool] | None = None
    ) -> None:
        self.numbers = numbers
        self.matrix = matrix
        self.alive: NDArray[np.bool_] = np.ones(len(numbers), np.bool_)
        self.living = len(numbers)
        self._sums = sums
        self._seen = np.zeros(len(numbers), np.bool_) if sums is not None else None
        self._intact = intact

    @property
    def mapped(self) -> bool:
        """Whether the vectors are a file's."""
        return self._intact is not None

    def __len__(self) -> int:
        return len(self.numbers)

    def hide(self, documents: Numbers) -> None:
        """Units of these documents (any order) are no longer found."""
        at = self.places(distinct(np.sort(documents)))
        self.alive[at] = False
        self.living -= len(at)

    def hide_all(self) -> None:
        """Nothing here is found any more."""
        self.alive[:] = False
        self.living = 0

    def places(self, documents: Numbers) -> Numbers:
        """Positions of the living units of documents, all ascending."""
        at = places_of(self.numbers, documents)
        return at[self.alive[at]]

    def take(self, at: Numbers) -> Vectors:
        """(m, dim) vectors at some positions, a copy.

        Raises
        ------
        DamagedIndex : one of them is not what was written, or the file was cut off meanwhile
        """
        if self._intact is not None and not self._intact():  # reading a cut-off map would end the process
            raise DamagedIndex("an index file was cut off while it was open")
        found: Vectors = self.matrix[at]
        if self._seen is not None and self._sums is not None and not self._seen[at].all():
            if (sums_of(found.view(np.uint32)) != self._sums[at]).any():
                raise DamagedIndex("vectors in an index file are not what was written there")
            self._seen[at] = True
        return found

    def sums(self) -> Sums:
        """(n,) checksums, to be written beside the matrix."""
        if self._sums is not None:
            return self._sums
        blocks = [sums_of(self.matrix[start : start + BLOCK].view(np.uint32)) for start in range(0, len(self), BLOCK)]
        return np.concatenate(blocks) if blocks else np.empty(0, np.uint32)

    def best(self, at: Numbers, query: Vector, k: int, metric: Metric) -> tuple[Numbers, Scores]:
        """The k best of the rows at some ascending positions, scored exactly: units and scores."""
        if len(at) <= BLOCK:
            scores = scored(self.take(at), query, metric)
        else:
            blocks = [at[start : start + BLOCK] for start in range(0, len(at), BLOCK)]
            scores = np.concatenate([scored(self.take(block), query, metric) for block in blocks])
        best = top_k(scores, k)
        return self.numbers[at[best]], scores[best]
