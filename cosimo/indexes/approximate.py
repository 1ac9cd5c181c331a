"""Approximate: what scan, graph and lists share. An engine gives candidates; scores, filters and changes are exact, and here.

An engine answers one question: which rows are probably nearest to a query? What a caller relies on is done here: exact
scores, rows added or removed since the build, filters, never fewer than k while k exist.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ..core.errors import DataError
from ..core.types import IndexInfo
from ..core.units import documents_of
from ..core.vectors import normalise, prepared, top_k
from .chosen import Chosen
from .flat import FlatIndex
from .recall import Ranks, ranks_of_nearest
from .rows import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..core.types import Change, Metric, Numbers, Scores, Vector, Vectors

    Params = dict[str, int | str]
    Parts = dict[str, NDArray[Any]]  # an engine as arrays, which is how files keep it

FILTERS_KEPT = 4  # allowed sets whose rows and codes are remembered
NOTHING: tuple[Numbers, Scores] = (np.empty(0, np.int64), np.empty(0, np.float32))


class Approximate(ABC):
    """An index that proposes candidates by an engine and scores them exactly. Made by `build`, or by `files.load`."""

    kind: ClassVar[str]
    defaults: ClassVar[Mapping[str, int | str]]

    def __init__(self, rows: Rows, metric: Metric, params: Params, parts: Parts, recall: float = 1.0) -> None:
        self.rows, self.metric, self.params, self.parts, self.recall = rows, metric, params, parts, recall
        self._fresh = FlatIndex(metric)
        self._filters: OrderedDict[int, Chosen] = OrderedDict()
        self._open(parts)

    @classmethod
    def build(
        cls, numbers: Numbers, matrix: Vectors, metric: Metric = "cosine", params: Mapping[str, int | str] | None = None
    ) -> Self:
        """An index of these rows, its recall measured.

        Parameters
        ----------
        numbers : (n,) int64 units, distinct
        matrix : (n, dim) float32; becomes the index's own and is normalised in place under cosine
        metric : cosine, ip or l2
        params : the kind's own settings; what is left out has a default

        Raises
        ------
        DataError : a parameter it does not have, or a value it cannot use
        MissingExtra : FAISS is not installed
        """
        settings = cls.checked(params or {})
        order = slice(None) if (np.diff(numbers) > 0).all() else np.argsort(numbers, kind="stable")
        numbers, matrix = numbers[order], np.require(matrix[order], np.float32, ["C", "W"])
        if metric == "cosine":
            normalise(matrix)
            some = matrix.any(axis=1)
            if not some.all():  # a zero vector has no direction: nothing could find it
                numbers, matrix = numbers[some], matrix[some]
        index = cls(Rows(numbers, matrix), metric, settings, cls._train(matrix, metric, settings) if len(matrix) else {})
        if len(matrix):
            index._tune()
        return index

    @classmethod
    def checked(cls, params: Mapping[str, int | str]) -> Params:
        """Parameters with the defaults filled in.

        Raises
        ------
        DataError : a name that this kind of index does not have, or a number below 1 (0 where that is the default)
        """
        for name, value in params.items():
            if name not in cls.defaults:
                known = ", ".join(cls.defaults) or "none"
                raise DataError(f"an index of the type '{cls.kind}' has no parameter '{name}'; it has: {known}")
            usual = cls.defaults[name]
            if type(value) is not type(usual) or (isinstance(value, int) and value != usual and not 0 < value < 2**31):
                raise DataError(f"{name} of an index of the type '{cls.kind}' cannot be {value!r}")
        return {**cls.defaults, **params}

    # -- what an engine does

    @classmethod
    @abstractmethod
    def _train(cls, matrix: Vectors, metric: Metric, params: Params) -> Parts:
        """The engine of some rows (at least one), as arrays."""

    @abstractmethod
    def _open(self, parts: Parts) -> None:
        """Make the engine ready; no parts mean no rows."""

    @abstractmethod
    def _nearest(self, query: Vector, count: int) -> Numbers:
        """About `count` positions that are probably nearest, best first; more when asked for more, if there are any."""

    def _tune(self) -> None:
        """Measure the recall; set what depends on it."""
        self.recall = self._measured(self._count(10)).recall(self._count(10))

    def _measured(self, depth: int) -> Ranks:
        return ranks_of_nearest(self.rows.matrix, self.metric, self._nearest, depth)

    def _count(self, k: int) -> int:
        """Candidates to score for the k best."""
        rescore = self.params["rescore"]
        assert isinstance(rescore, int)
        return rescore + 8 * max(0, k - 10)

    # -- changes

    def __len__(self) -> int:
        return self.rows.living + len(self._fresh)

    @property
    def stale_share(self) -> float:
        """The share of rows that are gone, or searched one by one because they came after the build."""
        total = len(self.rows) + len(self._fresh)
        return (len(self.rows) - self.rows.living + len(self._fresh)) / total if total else 0.0

    def apply(self, change: Change) -> None:
        """Take over what changed in the store since the build or the last call."""
        if change.full or (len(change.numbers) and change.vectors.shape[1] != self.rows.matrix.shape[1]):
            self.rows.hide_all()
        else:
            self.rows.hide(documents_of(np.concatenate([change.numbers, change.removed])))
        if len(change.numbers) or len(change.removed) or change.full:
            self._filters.clear()
            self._fresh.apply(change)

    def everything(self) -> tuple[Numbers, Vectors]:
        """All units and vectors it can return, (n,) and (n, dim), copies, to build the next index from.

        Raises
        ------
        DamagedIndex : the file does not hold what was written
        """
        numbers, vectors = self._fresh.everything()
        at = np.flatnonzero(self.rows.alive)
        if not len(at):
            return numbers, vectors
        if not len(numbers):
            return self.rows.numbers[at], self.rows.take(at)
        return np.concatenate([self.rows.numbers[at], numbers]), np.concatenate([self.rows.take(at), vectors])

    def describe(self) -> IndexInfo:
        """What it is, holds and reaches."""
        size = sum(part.nbytes for part in self.parts.values()) + self.rows.numbers.nbytes + self._fresh.describe().bytes
        return IndexInfo(self.kind, self.metric, dict(self.params), len(self), len(self._fresh), size, self.recall)

    # -- search

    def search(self, queries: Vectors, k: int, *, allowed: Numbers | None = None) -> tuple[list[Numbers], list[Scores]]:
        """The k best units for each query, with their exact scores.

        Parameters
        ----------
        queries : (q, dim) float32; under cosine of any length but zero
        k : at least 1
        allowed : ascending numbers of the documents to choose among; None allows all. The same array is looked up once:
            hand the same object in again, and do not change it

        Returns
        -------
        units, scores : per query, (≤ k,) int64 and float32, best first; fewer than k only where fewer exist

        Raises
        ------
        DamagedIndex : the file does not hold what was written
        """
        chosen = self._chosen(allowed) if allowed is not None else None
        given = prepared(queries, self.metric)
        answers = [self._search_one(query, k, chosen) for query in given]
        if len(self._fresh):
            others = self._fresh.search(queries, k, allowed=allowed)
            answers = [_merged(old, new, k) for old, new in zip(answers, zip(*others, strict=True), strict=True)]
        return [units for units, _ in answers], [scores for _, scores in answers]

    def _search_one(self, query: Vector, k: int, chosen: Chosen | None) -> tuple[Numbers, Scores]:
        living = self.rows.living if chosen is None else len(chosen.at)
        if not living or (self.metric == "cosine" and not query.any()):
            return NOTHING
        count = max(k, self._count(k))
        at = chosen.candidates(query, count) if chosen is not None else None
        if at is None:
            at = self._surviving(query, count, k, self._mask(chosen), living)
        return self.rows.best(np.sort(at), query, k, self.metric)

    def _mask(self, chosen: Chosen | None) -> NDArray[np.bool_] | None:
        if chosen is not None:
            return chosen.mask
        return None if self.rows.living == len(self.rows) else self.rows.alive

    def _surviving(self, query: Vector, count: int, k: int, mask: NDArray[np.bool_] | None, living: int) -> Numbers:
        """Candidates that are in the mask: more are fetched and the others dropped, until enough are left or all were seen."""
        n = len(self.rows)
        enough = min(max(k, count // 2), living)  # half: where the mask and the query have nothing to do with each other, all
        fetched = -(-count * n // living)
        while 2 * fetched < n:
            at = self._nearest(query, fetched)
            at = at if mask is None else at[mask[at]]
            if len(at) >= enough:
                return at
            fetched *= 4
        return np.arange(n) if mask is None else np.flatnonzero(mask)

    def _chosen(self, allowed: Numbers) -> Chosen:
        found = self._filters.pop(id(allowed), None)  # the array is held on to, so that its id is not given to another
        if found is None or found.allowed is not allowed:
            found = Chosen(allowed, self.rows, self.metric)
        self._filters[id(allowed)] = found
        if len(self._filters) > FILTERS_KEPT:
            self._filters.popitem(last=False)
        found.uses += 1
        return found


def _merged(old: tuple[Numbers, Scores], new: tuple[Numbers, Scores], k: int) -> tuple[Numbers, Scores]:
    units, scores = np.concatenate([old[0], new[0]]), np.concatenate([old[1], new[1]])
    best = top_k(scores, k)
    return units[best], scores[best]
