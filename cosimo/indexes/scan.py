"""Scan: codes of all vectors are scanned, the best few hundred rescored exactly. Fast to build, and hardly ever wrong."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from os import cpu_count
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..core.errors import DataError
from . import codes
from .approximate import Approximate
from .recall import DEEPEST, SURE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.types import Metric, Numbers, Vector, Vectors
    from .approximate import Params, Parts

PIECE = 32_768  # rows that are worth a thread of their own: a scan of 0.1 ms, where handing it over takes 0.03
SPARE = {1: 1.75, 2: 1.0}  # by bits: real questions' deepest neighbours lay at 1.7 and 0.6 times the sample's depth
TOO_DEEP = 2_000  # candidates that 1 bit may need before 2 bits take over: a millisecond of rescoring


class ScanIndex(Approximate):
    """Product codes of 4 bits scanned by FAISS, and exact scores for the best.

    `bits` a dimension: 1 reads half of what 2 reads and needs more candidates, which costs less than it saves: 0.7 times the
    time at 100,000 rows, half at 1,000,000. 0 takes 1 unless it would need thousands of candidates. `rescore` is their number;
    0 measures how many it takes to find (nearly) all true neighbours of a sample.
    """

    kind: ClassVar[str] = "scan"
    defaults: ClassVar[Mapping[str, int | str]] = {"bits": 0, "rescore": 0}

    @classmethod
    def _train(cls, matrix: Vectors, metric: Metric, params: Params) -> Parts:  # noqa: ARG003 - codes know no metric
        levels = codes.learned_levels(matrix[codes.spread(np.arange(len(matrix)))], int(params["bits"]) or 1)
        return {"levels": levels, "codes": codes.encoded(matrix, levels)}

    @classmethod
    def checked(cls, params: Mapping[str, int | str]) -> Params:
        """As for all; bits are 0, 1 or 2."""
        settings = super().checked(params)
        if settings["bits"] not in (0, 1, 2):
            raise DataError(f"bits of an index of the type 'scan' must be 1 or 2, or 0 for either, not {settings['bits']}")
        return settings

    def _open(self, parts: Parts) -> None:
        self._pieces: list[Any] = []
        if not parts:
            return
        levels, coded, dim = parts["levels"], parts["codes"], self.rows.matrix.shape[1]

        # one piece a processor: a single query is then as quick as the machine can be; the file knows nothing of pieces
        count = max(1, min(cpu_count() or 1, 8, len(coded) // PIECE))
        self._starts = [len(coded) * number // count for number in range(count + 1)]

        def piece(number: int) -> Any:
            return codes.packed(coded[self._starts[number] : self._starts[number + 1]], levels, dim, self.metric)

        self._pieces = list(self._threads.map(piece, range(count)))

    def _tune(self) -> None:
        asked = int(self.params["rescore"])
        ranks = self._measured(asked or DEEPEST)
        if not self.params["bits"]:
            self.params["bits"] = 1
            if ranks.count_for(SURE) > TOO_DEEP:
                self.params["bits"] = 2
                self.parts = self._train(self.rows.matrix, self.metric, self.params)
                self._open(self.parts)
                ranks = self._measured(asked or DEEPEST)
        if not asked:
            self.params["rescore"] = ranks.candidates(SPARE[int(self.params["bits"])])
        self.recall = ranks.recall(self._count(10))

    def _nearest(self, query: Vector, count: int) -> Numbers:
        row = codes.padded(query, self._pieces[0].d)
        if len(self._pieces) == 1:
            return codes.nearest(self._pieces[0], row, count)[1]
        others = [self._threads.submit(codes.nearest, piece, row, count) for piece in self._pieces[1:]]
        found = [codes.nearest(self._pieces[0], row, count), *(other.result() for other in others)]
        values = np.concatenate([value for value, _ in found])
        at = np.concatenate([at + start for start, (_, at) in zip(self._starts, found, strict=False)])
        if count < len(values):
            best = np.argpartition(-values, count)[:count]
            values, at = values[best], at[best]
        return at[np.argsort(-values, kind="stable")]

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max(1, min(8, cpu_count() or 1)), "cosimo-scan")
