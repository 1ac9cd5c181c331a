"""Choose: which kind of index for how many rows, and why; builds it. Knows no database and no files."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..core.errors import DataError
from ..core.types import Change
from ..core.vectors import METRICS
from .flat import FlatIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.types import Metric, Numbers, Vectors
    from .approximate import Approximate

KINDS = ("flat", "scan", "graph", "lists")
SMALL = 4_000_000  # numbers (rows x dim) that are looked at in half a millisecond: 10,000 rows of 384
LARGE = 20_000_000  # 50,000 rows of 384: above, looking through the nearest lists alone is quicker than all codes
GONE_SHARE = 0.25  # of rows fresh or gone, from which an index is built again
FRESH_SHARE = 0.1  # of rows that are searched one by one: a search then takes two to three times as long
BUILD_SECONDS = {"flat": 1e-9, "scan": 1e-8, "lists": 2.5e-8, "graph": 2e-7}  # a number, on two cores


class Choice(NamedTuple):
    """A kind of index, and one sentence that says why."""

    kind: str
    why: str


def choose(rows: int, dim: int) -> Choice:
    """The kind of index for so many rows: exact while that is quick, then all codes scanned, then the nearest lists of them."""
    if rows * dim <= SMALL:
        return Choice("flat", f"flat: {rows:,} rows of {dim} are quickest searched one and all")
    if not has_faiss():
        return Choice("flat", f"flat: {rows:,} rows would be searched faster with FAISS; run: pip install faiss-cpu")
    if rows * dim <= LARGE:
        return Choice("scan", f"scan: {rows:,} rows of {dim} are searched by 4-bit codes, the best ones scored exactly")
    return Choice(
        "lists", f"lists: {rows:,} rows of {dim} are searched by the codes in the nearest lists, the best scored exactly"
    )


def has_faiss() -> bool:
    """Whether the package is installed; it is not imported for that."""
    return find_spec("faiss") is not None


def build(
    numbers: Numbers,
    matrix: Vectors,
    *,
    kind: str = "auto",
    metric: Metric = "cosine",
    params: Mapping[str, int | str] | None = None,
) -> FlatIndex | Approximate:
    """An index of these rows; `kind` auto goes by their number.

    Raises
    ------
    DataError : a kind, metric or parameter that there is not
    MissingExtra : FAISS is not installed, and the kind was asked for by name
    """
    checked(kind, metric, params)
    if kind == "auto":
        kind = choose(*matrix.shape).kind
    if kind == "flat":
        index = FlatIndex(metric)
        index.apply(Change(0, True, numbers, matrix, np.empty(0, np.int64)))
        return index
    return _class(kind).build(numbers, matrix, metric, params if kind != "auto" else None)


def checked(kind: str, metric: str, params: Mapping[str, int | str] | None = None) -> None:
    """Refuse what cannot be built, before anything is read for it.

    Raises
    ------
    DataError : a kind, metric or parameter that there is not
    """
    if kind not in ("auto", *KINDS):
        raise DataError(f"no index is of the type '{kind}'; types: auto, {', '.join(KINDS)}")
    if metric not in METRICS:
        raise DataError(f"no metric is called '{metric}'; metrics: {', '.join(METRICS)}")
    if kind in ("auto", "flat"):
        if params:
            raise DataError(f"an index of the type '{kind}' has no parameters; name a type: {', '.join(KINDS[1:])}")
    else:
        _class(kind).checked(params or {})


def worth_merging(index: FlatIndex | Approximate) -> bool:
    """Whether an index should be built again with what came since, because searches take two or three times as long."""
    info = index.describe()
    return index.stale_share > GONE_SHARE or info.fresh > FRESH_SHARE * info.rows


def seconds_to_build(kind: str, rows: int, dim: int) -> float:
    """About how long `build` takes."""
    return BUILD_SECONDS[choose(rows, dim).kind if kind == "auto" else kind] * rows * dim


def _class(kind: str) -> type[Approximate]:
    from .graph import GraphIndex
    from .lists import ListsIndex
    from .scan import ScanIndex

    return {"scan": ScanIndex, "graph": GraphIndex, "lists": ListsIndex}[kind]
