"""Lists: rows sorted into lists around centres (an inverted file); a search looks through the lists nearest to the query."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..core.errors import DataError
from . import codes
from .approximate import Approximate
from .recall import SURE, ranks_of_lists

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from numpy.typing import NDArray

    from ..core.types import Metric, Numbers, Vector, Vectors
    from .approximate import Params, Parts
    from .codes import Codes, Levels

MOST_LISTS = 1024  # among more centres, finding the nearest takes as long as looking through their lists
PER_CENTRE = 20  # rows of the sample a centre: 40 took twice as long for lists that were no better
ROUNDS = 5
# Lists looked through for each that the sample needs. Of 100,000 rows 1.5 missed 0.13% of the neighbours of real questions, and
# 2 one in 3,000, in 5% more time; in a million, where neighbours share lists, 1.5 missed none
SPARE, SPARE_OF_MANY, MANY = 2.0, 1.5, 300_000
BLOCK = 4_096  # rows assigned at a time: 8 MB of scores for 512 lists; 16,384 took half as long again
DEPTH = 2_048  # candidates looked through: a million rows took 1,000


class ListsIndex(Approximate):
    """FAISS's IVF, over 4-bit codes (`codes="pq"`: IVF-PQ) or whole vectors (`codes="none"`: IVF-Flat).

    `nlist` lists, `nprobe` of them looked through, `rescore` candidates scored exactly. 0 sets each by itself: about the root
    of the number of rows, and as many as find (nearly) all true neighbours of a sample. Fewer are quicker and miss some.
    IVF-Flat holds every vector in memory a second time.
    """

    kind: ClassVar[str] = "lists"
    defaults: ClassVar[Mapping[str, int | str]] = {"nlist": 0, "nprobe": 0, "codes": "pq", "rescore": 0}

    @classmethod
    def checked(cls, params: Mapping[str, int | str]) -> Params:
        """As for all; codes are "pq" or "none"."""
        settings = super().checked(params)
        if settings["codes"] not in ("pq", "none"):
            raise DataError(f"codes of an index of the type 'lists' must be 'pq' or 'none', not '{settings['codes']}'")
        return settings

    @classmethod
    def _train(cls, matrix: Vectors, metric: Metric, params: Params) -> Parts:
        package, n = codes.faiss(), len(matrix)
        params["nlist"] = min(int(params["nlist"]) or _lists_for(n), n)
        kind = package.METRIC_L2 if metric == "l2" else package.METRIC_INNER_PRODUCT
        with codes.threads_for(n), ThreadPoolExecutor(1) as worker:
            # numpy makes codes with one processor at most, while FAISS looks for centres with the others
            coding = worker.submit(_coding, matrix) if params["codes"] == "pq" else None
            centres = _centres(matrix, int(params["nlist"]), spherical=metric == "cosine")
            made = _whole(matrix, centres, kind) if coding is None else _coded(matrix, centres, kind, coding)
            return {"lists": package.serialize_index(made)}

    def _open(self, parts: Parts) -> None:
        self._usual = self._count(10)
        self._lists: Any = codes.faiss().deserialize_index(parts["lists"]) if parts else None

    def _nearest(self, query: Vector, count: int) -> Numbers:
        # more candidates come from more lists: so every search widens until there are enough
        nprobe = min(self._lists.nlist, max(1, int(self.params["nprobe"])) * max(1, count // max(1, self._usual)))
        search = codes.faiss().SearchParametersIVF(nprobe=nprobe)
        at = self._lists.search(codes.padded(query, self._lists.d), min(count, len(self.rows)), params=search)[1][0]
        found: Numbers = np.asarray(at[at >= 0], np.int64)
        return found

    def _tune(self) -> None:
        depth = int(self.params["rescore"]) or DEPTH
        if not self.params["nprobe"]:
            centres = self._lists.quantizer.reconstruct_n(0, self._lists.nlist)[:, : self.rows.matrix.shape[1]]
            deepest = ranks_of_lists(self.rows.matrix, centres, self.metric).count_for(SURE)
            self.params["nprobe"] = min(self._lists.nlist, int((SPARE if len(self.rows) < MANY else SPARE_OF_MANY) * deepest))
        self._usual = depth  # measured as searches for ten go: with the usual number of lists
        ranks = self._measured(depth)
        self.params["rescore"] = int(self.params["rescore"]) or ranks.candidates()
        self._usual = self._count(10)
        self.recall = ranks.recall(self._usual)


def _lists_for(rows: int) -> int:
    return int(min(MOST_LISTS, 2 ** np.ceil(np.log2(max(rows, 1)) / 2)))


def _centres(matrix: Vectors, count: int, *, spherical: bool) -> Vectors:
    package = codes.faiss()
    sample = matrix[codes.spread(np.arange(len(matrix)), PER_CENTRE * count)]
    means = package.Kmeans(sample.shape[1], count, niter=ROUNDS, spherical=spherical, min_points_per_centroid=1, seed=1)
    means.train(np.ascontiguousarray(sample))
    centres: Vectors = means.centroids
    return centres


def homes(rows: Vectors, centres: Vectors, *, l2: bool) -> NDArray[np.int64]:
    """(n,) which centre each row is nearest to."""
    lengths = np.einsum("ij,ij->i", centres, centres) / 2
    found = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), BLOCK):
        scores = rows[start : start + BLOCK] @ centres.T  # (b, dim) @ (dim, lists)
        if l2:
            scores -= lengths
        scores.argmax(axis=1, out=found[start : start + BLOCK])
    return found


def _coarse(centres: Vectors, kind: int) -> Any:
    coarse = codes.faiss().IndexFlat(centres.shape[1], kind)
    coarse.add(centres)
    return coarse


def _whole(matrix: Vectors, centres: Vectors, kind: int) -> Any:
    index = codes.faiss().IndexIVFFlat(_coarse(centres, kind), matrix.shape[1], len(centres), kind)
    index.add(matrix)
    return index


def _coding(matrix: Vectors) -> tuple[Levels, Codes]:
    levels = codes.learned_levels(matrix[codes.spread(np.arange(len(matrix)))], 2)
    return levels, codes.encoded(matrix, levels)


def _coded(matrix: Vectors, centres: Vectors, kind: int, coding: Future[tuple[Levels, Codes]]) -> Any:
    """Lists of 4-bit codes that stand for vectors, not for what is left of them after the centre: one table for all lists."""
    package, n = codes.faiss(), len(matrix)
    lists = homes(matrix, centres, l2=kind == package.METRIC_L2).astype("<i8").view(np.uint8).reshape(n, 8)
    levels, coded = coding.result()
    centroids, width = codes.quantiser(levels, matrix.shape[1])
    wide = np.pad(centres, ((0, 0), (0, width - centres.shape[1])))
    plain = package.IndexIVFPQ(_coarse(wide, kind), width, len(centres), centroids.shape[0], 4, kind)
    plain.by_residual = False
    package.copy_array_to_vector(centroids.ravel(), plain.pq.centroids)
    plain.is_trained = True
    # a row as FAISS writes it: the number of its list in as few bytes as hold it, then its code
    plain.add_sa_codes(np.ascontiguousarray(np.hstack([lists[:, : plain.sa_code_size() - coded.shape[1]], coded])))
    return package.IndexIVFPQFastScan(plain)
