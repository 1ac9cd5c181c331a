"""Faithfulness: how much of what is near among vectors is near on a map as well. Makes no map.

Trustworthiness (Venna and Kaski 2001) asks of each item whether those beside it on the map are near it in truth, and counts
by how many ranks they are not: 1 is perfect, 0.5 what a random map gets. The share of neighbours kept asks the other way
round, and more plainly: of the k that are truly nearest, how many are among the k nearest on the map. A map of two dimensions
cannot keep most of them; both are said so that nobody reads more out of a picture than there is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .projections import highest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...core.types import Vectors

NEIGHBOURS = 10
EVERY = 4_000  # items up to which all are looked at; of more, a sample against all, which is off by 0.01
SAMPLE = 500
CELLS = 8 << 20  # distances held at once: 32 MB of float32


class Faithfulness(NamedTuple):
    """How far a map can be trusted; None where there are too few items to say."""

    trustworthiness: float | None
    kept: float | None  # share of the k nearest neighbours that are among the k nearest on the map
    k: int
    looked_at: int  # items that were asked; all of them, or a sample


def faithfulness(vectors: Vectors, points: Vectors, *, k: int = NEIGHBOURS, seed: int = 0) -> Faithfulness:
    """Trustworthiness and share of neighbours kept, of (n, dim) unit vectors and their (n, d) places.

    Parameters
    ----------
    k : as many neighbours; fewer where less than twice as many items are there, since the measure has no meaning then
    seed : of the sample
    """
    count = len(vectors)
    k = min(k, (count - 1) // 2)
    if k < 1:
        return Faithfulness(None, None, 0, 0)
    asked = np.arange(count)
    if count > EVERY:
        asked = np.sort(np.random.default_rng(seed).choice(count, SAMPLE, replace=False))
    middle = points - points.mean(axis=0)  # squares of what lies far from 0 have no digits left for what lies close together
    penalty = kept = 0.0
    step = max(1, CELLS // count)
    truth, shown = _Nearness(vectors), _Nearness(middle)
    for start in range(0, len(asked), step):
        block = asked[start : start + step]
        more, shared = _compared(truth.of(block), shown.of(block), k)
        penalty, kept = penalty + more, kept + shared
    worst = len(asked) * k * (2 * count - 3 * k - 1) / 2
    return Faithfulness(1 - penalty / worst, kept / (len(asked) * k), k, len(asked))


class _Nearness:
    """Minus the squared distance of rows to each other, but for what is the same for all that one is asked about."""

    def __init__(self, rows: Vectors) -> None:
        self._rows = rows
        self._halves = np.einsum("ij,ij->i", rows, rows) / 2

    def of(self, block: NDArray[np.int64]) -> Vectors:
        """(b, n) of some rows to all, an item's own -infinity."""
        near: Vectors = self._rows[block] @ self._rows.T
        near -= self._halves
        near[np.arange(len(block)), block] = -np.inf
        return near


def _compared(truth: Vectors, shown: Vectors, k: int) -> tuple[float, float]:
    """Of some items: by how many ranks those shown near are too far, in sum, and how many of the nearest are shown near."""
    theirs = np.take_along_axis(truth, highest(shown, k), axis=1)  # (b, k) true nearness of those shown near
    reach = np.take_along_axis(truth, highest(truth, k)[:, -1:], axis=1)  # (b, 1) that of the k-th nearest
    kept = theirs >= reach
    penalty = 0
    for item, column in zip(
        *np.nonzero(~kept), strict=True
    ):  # a rank is a count of those nearer; only what is too far needs it
        penalty += int((truth[item] > theirs[item, column]).sum()) + 1 - k
    return float(penalty), float(kept.sum())
