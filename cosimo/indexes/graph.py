"""Graph: a hierarchical navigable small world (Malkov and Yashunin, 2016). Quickest to search, slowest to build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..core.errors import DataError
from .approximate import Approximate
from .codes import faiss, threads_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.types import Metric, Numbers, Vector, Vectors
    from .approximate import Params, Parts


class GraphIndex(Approximate):
    """FAISS's HNSW over vectors of 8 bits a number; what is returned is scored by the full ones.

    `M` links a row (twice as many on the ground floor), `ef_construction` candidates looked at to choose them, `ef_search`
    candidates kept in a search, `rescore` of them scored exactly. Eight bits cost a quarter of the memory that FAISS's own
    copy of the vectors would, and the rescoring takes their error away.
    """

    kind: ClassVar[str] = "graph"
    defaults: ClassVar[Mapping[str, int | str]] = {"M": 32, "ef_construction": 80, "ef_search": 64, "rescore": 32}

    @classmethod
    def checked(cls, params: Mapping[str, int | str]) -> Params:
        """As for all; M has to be 2 or more, or nothing is linked."""
        settings = super().checked(params)
        if not 2 <= int(settings["M"]) <= 512:
            raise DataError(f"M of an index of the type 'graph' must be from 2 to 512, not {settings['M']}")
        return settings

    @classmethod
    def _train(cls, matrix: Vectors, metric: Metric, params: Params) -> Parts:
        package = faiss()
        kind = package.METRIC_L2 if metric == "l2" else package.METRIC_INNER_PRODUCT
        index = package.IndexHNSWSQ(matrix.shape[1], package.ScalarQuantizer.QT_8bit, int(params["M"]), kind)
        index.hnsw.efConstruction = int(params["ef_construction"])
        with threads_for(len(matrix)):
            index.train(matrix)
            index.add(matrix)
        return {"graph": package.serialize_index(index)}

    def _open(self, parts: Parts) -> None:
        self._graph: Any = faiss().deserialize_index(parts["graph"]) if parts else None

    def _nearest(self, query: Vector, count: int) -> Numbers:
        # asked for more than it keeps, it has to keep more: so every search widens until there are enough
        ef = max(int(self.params["ef_search"]), count)
        at = self._graph.search(query[None], min(count, len(self.rows)), params=faiss().SearchParametersHNSW(efSearch=ef))[1]
        found: Numbers = np.asarray(at[0][at[0] >= 0], np.int64)
        return found
