"""Chosen: the rows of an index that a filter allows, and the quickest way to candidates among them. Scores nothing."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from . import codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..core.types import Metric, Numbers, Vector
    from .rows import Rows

FEW = 1_000  # rows scored one and all in the time that finding candidates among them takes
ONCE = 20_000  # the same for a filter's first use, which may be its last: 3 ms, where codes take 20 ms to make
SHARE = 0.3  # above it, codes of the allowed rows alone save little over dropping the others from the candidates of all


class Chosen:
    """The living rows of some documents.

    A filter that is used again gets codes of its own: a scan of a tenth of the rows takes a tenth of the time and finds
    allowed rows only, wherever in the space the filter has put them. Selectors handed to FAISS were the alternative; its
    fast scan takes none, and a graph walks past ten rows for each of a filter of 10%.
    """

    def __init__(self, allowed: Numbers, rows: Rows, metric: Metric) -> None:
        self.allowed = allowed
        self.at = rows.places(allowed)
        self.uses = 0
        self._rows, self._metric = rows, metric

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """(n,) True for the rows allowed."""
        mask = np.zeros(len(self._rows), np.bool_)
        mask[self.at] = True
        return mask

    def candidates(self, query: Vector, count: int) -> Numbers | None:
        """Positions of allowed rows to score, or None where asking for candidates among all is quicker."""
        m = len(self.at)
        if m <= max(FEW, count) or (m <= ONCE and self.uses < 2):
            return self.at
        if self.uses < 2 or m > SHARE * len(self._rows):
            return None
        _, found = codes.nearest(self._codes, codes.padded(query, self._codes.d), count)
        return self.at[found]

    @cached_property
    def _codes(self) -> Any:
        levels = codes.learned_levels(self._rows.take(codes.spread(self.at)), 2)
        blocks = [
            codes.encoded(self._rows.take(self.at[start : start + codes.BLOCK]), levels)
            for start in range(0, len(self.at), codes.BLOCK)
        ]
        return codes.packed(np.concatenate(blocks), levels, self._rows.matrix.shape[1], self._metric)
