"""Atlas: a collection in, a map of it out: where each item lies in two or three dimensions, and how far that can be trusted.

A map that is kept stays as it is, so that people find things again where they saw them. Items that are new or have changed are
placed on it, and marked as placed; those that are gone are left out. It is made anew where that is asked for, where something
else is asked for than made it, and where less than half of what is there was there when it was made: a map of 100 items says
nothing of 10,000.

`projections` makes the coordinates, `faithfulness` measures them, `scene` says what a picture of them shows. Draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..core.checks import SEEDS, whole_number
from ..core.errors import Corrupt, DataError, MissingExtra, NotFound
from ..core.progress import note
from ..core.results import Position, Result
from .maps import projections
from .maps.faithfulness import faithfulness
from .whole import refuse_fewer, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..core.filters import Filter
    from ..core.results import KeepingStore
    from ..core.store import Store
    from ..core.types import Vectors
    from .whole import Whole

    Flags = NDArray[np.bool_]

AUTO_MOST = 100_000  # items of which `auto` makes a UMAP: 45 s on two cores, 20,000 take 10
LONG = 20_000  # items, from which on a terminal is told that it takes a while
DEFAULTS = {"asked": "auto", "dim": 2, "seed": 0, "neighbours": 15}
FIGURES = ("trustworthiness", "kept", "neighbours", "looked_at", "share", "unusable")  # of a summary
SAME = 1e-5  # two numbers made of a vector differ by less if it is the same one


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a map is asked to be. None: as the kept one is, else auto, 2 dimensions, seed 0 and 15 neighbours.

    Whole numbers of numpy become Python's own.

    Raises
    ------
    DataError : no such method, dimensions other than 2 and 3, fewer than 2 neighbours, a negative seed
    """

    method: str | None = None
    dim: int | None = None
    seed: int | None = None
    neighbours: int | None = None
    where: str = ""  # the filter as text
    prefix: str = ""
    model: str | None = None  # what made the vectors, and of which revision
    revision: str | None = None

    def __post_init__(self) -> None:
        if self.method is not None and self.method not in projections.METHODS:
            raise DataError(f"no method is called {self.method!r}; known: {', '.join(projections.METHODS)}")
        bounds = {
            "dim": (2, 3, "the dimensions of a map are"), "seed": (0, SEEDS - 1, "the seed is"),
            "neighbours": (2, 1_000_000, "the number of neighbours is"),
        }  # fmt: skip
        for name, (least, most, what) in bounds.items():
            if getattr(self, name) is not None:
                object.__setattr__(self, name, whole_number(getattr(self, name), least, most, what))

    def settings(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """All that decides what comes out, but for the method that `auto` chooses."""
        asked = {"asked": self.method, "dim": self.dim, "seed": self.seed, "neighbours": self.neighbours}
        filled = {name: kept.get(name, DEFAULTS[name]) if value is None else value for name, value in asked.items()}
        return filled | {"where": self.where, "prefix": self.prefix, "model": self.model, "revision": self.revision}


@dataclass(frozen=True, eq=False)
class Map:
    """Where the items of a collection lie. Ids are ascending."""

    collection: str
    name: str
    ids: list[str]
    points: Vectors  # (n, dim) float32
    placed: Flags  # (n,) put on a map that was made without them
    method: str  # pca, umap or tsne
    dim: int
    trustworthiness: float | None  # of those the map was made of: 1 is perfect; None where there are too few items
    kept: float | None  # share of the `neighbours` nearest that are among as many nearest on the map
    neighbours: int
    looked_at: int  # items those two were measured on
    share: float | None  # of all variance, that a PCA shows
    unusable: int  # rows left out: without a usable vector
    settings: Mapping[str, Any]
    why: str  # this method, where another one was asked for or expected
    outcome: str  # "made", "placed": some were put on the kept one or taken off it, "kept": as it was
    saved: bool  # it is in the file

    def __len__(self) -> int:
        return len(self.ids)

    def to_dict(self, *, points: bool = True) -> dict[str, Any]:
        """As plain data for JSON."""
        report = {
            "collection": self.collection, "name": self.name, "items": len(self), "placed": int(self.placed.sum()),
            "unusable": self.unusable, "method": self.method, "dim": self.dim, "trustworthiness": self.trustworthiness,
            "kept": self.kept, "neighbours": self.neighbours, "looked_at": self.looked_at, "share": self.share,
            "why": self.why, "outcome": self.outcome, "saved": self.saved,
        }  # fmt: skip
        if not points:
            return report
        axes = "xyz"[: self.dim]
        rows = zip(self.ids, self.points.tolist(), self.placed.tolist(), strict=True)
        listed = [{"id": id, **dict(zip(axes, point, strict=True)), "placed": placed} for id, point, placed in rows]
        return report | {"points": listed}


class _Held(NamedTuple):
    """A kept map with its items, by id."""

    result: Result
    ids: list[str]
    points: Vectors  # (n, dim)
    placed: Flags  # (n,)


def atlas(
    store: Store,
    collection: str,
    wanted: Wanted,
    *,
    filter: Filter | None = None,
    name: str = "main",
    kept: KeepingStore | None = None,
    saving: bool = False,
    refresh: bool = False,
    making: bool = True,
) -> Map:
    """A map of all items, or of those that pass: the kept one where it still holds, with what is new placed on it.

    Parameters
    ----------
    filter : what `wanted.where` says; its places are indexed already
    kept : where results are kept, read even where nothing is to be saved
    saving : keep the outcome; the file is ready for it
    refresh : make it anew
    making : False: only what costs no layout, the kept one and what is placed on it

    Raises
    ------
    NotFound : it would have to be made, and `making` is False
    DataError : no item has a vector
    MissingExtra : UMAP or t-SNE was asked for by name, and is not installed
    """
    held = None
    with store.snapshot():  # what was found out and its items are of one moment
        before = _readable(kept, collection, name) if kept is not None else None
        settings = wanted.settings(before.settings if before else {})
        if kept is not None and before is not None and not refresh and _made_as(before, settings):
            held = _held(kept, collection, before)
    if held is not None:
        change = store.changes(collection, held.result.version, whole=True)
        if not change.full and not len(change.numbers) and not len(change.removed):
            return _map(collection, held.result, held.ids, held.points, held.placed, "kept", saved=True)
    items = _by_id(whole(store, collection, filter=filter, prefix=wanted.prefix))
    if held is not None:
        found = _updated(collection, held, items)
        if found is not None:
            return _saved(kept if saving else None, found, held.result, items)
    if not making:
        raise NotFound(
            f"'{collection}' keeps no map '{name}' that holds for what is there now; make one: cosimo map {collection}"
        )
    refuse_fewer(len(items), 1, "a map")
    result, points = _made(items, settings, name)
    found = _map(collection, result, items.ids, points, np.zeros(len(items), np.bool_), "made", saved=False)
    return _saved(kept if saving else None, found, result, items)


def _readable(kept: KeepingStore, collection: str, name: str) -> Result | None:
    """The kept map without its items, where it can be read: what other programs damaged is made anew."""
    try:
        result = kept.result(collection, "map", name)
    except Corrupt:
        return None
    if result is None:
        return None
    made, said = result.settings, result.summary
    whole_numbers = all(isinstance(made.get(setting), int) for setting in ("seed", "neighbours"))
    known = made.get("dim") in (2, 3) and made.get("method") in projections.METHODS and whole_numbers
    figures = all(isinstance(said.get(name, 0), int | float | None) for name in FIGURES)
    return result if known and figures and isinstance(said.get("why", ""), str) else None


def _held(kept: KeepingStore, collection: str, result: Result) -> _Held | None:
    """A kept map with its items; None where one of them is missing, or no number."""
    positions, dim = list(kept.positions(collection, result.name)), result.settings["dim"]
    try:
        points = np.array([position[1 : 1 + dim] for position in positions], np.float32).reshape(-1, dim)
    except (TypeError, ValueError):
        return None
    if not _numbers(result, "marks", (len(positions), 2)) or not np.isfinite(points).all():
        return None
    placed = np.array([position.placed for position in positions], np.bool_)
    return _Held(result, [position.id for position in positions], points, placed)


def _numbers(result: Result, name: str, shape: tuple[int, ...]) -> bool:
    """Whether an array of a result is as it was kept: finite numbers of that shape."""
    found = result.arrays.get(name, np.empty(0))
    return found.shape == shape and found.dtype.kind == "f" and bool(np.isfinite(found).all())


def _made_as(result: Result, settings: Mapping[str, Any]) -> bool:
    """Whether what was asked for is what made the kept map; a PCA has neither seed nor neighbours."""
    made = dict(result.settings)
    method = made.pop("method", None)
    wanted = dict(settings)
    if wanted["asked"] in (method, made.get("asked")):  # `--method umap` after `auto` chose it, for one
        made["asked"] = wanted["asked"]
    if method == "pca":
        made |= {each: wanted[each] for each in ("seed", "neighbours")}
    return made == wanted


def _by_id(items: Whole) -> Whole:
    """The same in the order of ids: the order in which rows came decides nothing."""
    from dataclasses import replace

    order = sorted(range(len(items)), key=items.ids.__getitem__)
    return replace(items, ids=[items.ids[at] for at in order], numbers=items.numbers[order], vectors=items.vectors[order])


def _made(items: Whole, settings: Mapping[str, Any], name: str) -> tuple[Result, Vectors]:
    """A map of these items, and the coordinates."""
    vectors, dim = items.vectors, settings["dim"]
    axes = projections.principal(vectors, dim)
    method, why = _chosen(settings["asked"], len(items), spread=bool(axes.axes.any()))
    arrays: dict[str, NDArray[Any]] = {}
    if method != "pca":
        try:
            if len(items) > LONG:
                note(f"a map of {len(items):,} items by {method}; this takes a while")
            layout = projections.umap if method == "umap" else projections.tsne
            points = layout(vectors, dim, seed=settings["seed"], neighbours=settings["neighbours"])
        except MissingExtra as error:
            if settings["asked"] != "auto":
                raise
            method, why = "pca", f"UMAP is not installed ({error})"
    if method == "pca":
        points, arrays = projections.projected(vectors, axes), {"mean": axes.mean, "axes": axes.axes}
    true = faithfulness(vectors, points, seed=settings["seed"])
    summary = {
        "trustworthiness": true.trustworthiness, "kept": true.kept, "neighbours": true.k, "looked_at": true.looked_at,
        "share": axes.share if method == "pca" else None, "unusable": items.unusable, "why": why,
    }  # fmt: skip
    return Result("map", name, items.version, {**settings, "method": method}, summary, arrays), points


def _chosen(asked: str, count: int, *, spread: bool) -> tuple[str, str]:
    """The method, and why it is another than was asked for or expected."""
    if asked != "pca" and count < projections.FEW:
        return "pca", f"fewer than {projections.FEW} items"
    if asked != "pca" and not spread:
        return "pca", "all vectors are the same"
    if asked == "auto" and count > AUTO_MOST:
        minutes = round(count / 100_000 * 0.75) or 1
        return "pca", f"more than {AUTO_MOST:,} items; UMAP, if asked for, takes {minutes} minutes or more"
    return ("umap" if asked == "auto" else asked), ""


def _updated(collection: str, held: _Held, items: Whole) -> Map | None:
    """The kept map with what is new placed on it; None where too little of it is left."""
    at = {id: row for row, id in enumerate(held.ids)}
    rows = np.array([at.get(id, -1) for id in items.ids], np.int64)
    marks = _marks(items.vectors)
    there = rows >= 0
    there[there] = (np.abs(held.result.arrays["marks"][rows[there]] - marks[there]) < SAME).all(axis=1)
    first = there.copy()  # on the map since it was made, and as it was
    first[there] = ~held.placed[rows[there]]
    if not first.any() or 2 * first.sum() < len(items):
        return None
    points = np.empty((len(items), held.points.shape[1]), np.float32)
    points[there] = held.points[rows[there]]
    if not there.all():
        points[~there] = _beside(held.result, items.vectors, ~there, first, points[first])
    changed = not there.all() or len(items) != len(held.ids)
    return _map(collection, held.result, items.ids, points, ~first, "placed" if changed else "kept", saved=False)


def _beside(result: Result, vectors: Vectors, new: Flags, first: Flags, points: Vectors) -> Vectors:
    """Where new items belong: on the axes of a PCA exactly, on any other map, and where axes are damaged, beside their like."""
    dim, d = vectors.shape[1], points.shape[1]
    if result.settings["method"] == "pca" and _numbers(result, "mean", (dim,)) and _numbers(result, "axes", (dim, d)):
        axes = projections.Axes(result.arrays["mean"], result.arrays["axes"], 0.0)
        return projections.projected(vectors[new], axes)
    return projections.among(vectors[new], vectors[first], points)


def _marks(vectors: Vectors) -> Vectors:
    """(n, 2) float32, by which a vector is known again: its products with two fixed directions, in 8 bytes instead of 1,536.

    A store's log of changes does not reach back for ever: dropping another collection ends it. Two different vectors of
    384 numbers have the same marks less than once in a hundred million pairs.
    """
    directions = np.random.default_rng(384).standard_normal((vectors.shape[1], 2)).astype(np.float32)
    marks: Vectors = vectors @ directions  # (n, dim) @ (dim, 2); how it rounds depends on n, by a hundredth of SAME
    return marks


def _map(collection: str, result: Result, ids: list[str], points: Vectors, placed: Flags, outcome: str, *, saved: bool) -> Map:
    said = result.summary
    return Map(
        collection, result.name, ids, points, placed, result.settings["method"], result.settings["dim"],
        said.get("trustworthiness"), said.get("kept"), said.get("neighbours", 0), said.get("looked_at", 0), said.get("share"),
        said.get("unusable", 0), result.settings, said.get("why", ""), outcome, saved,
    )  # fmt: skip


def _saved(kept: KeepingStore | None, found: Map, result: Result, items: Whole) -> Map:
    """The same map, in the file if there is one to keep it."""
    from dataclasses import replace

    found = replace(found, unusable=items.unusable)
    if kept is None:
        return found
    summary = {**result.summary, "unusable": items.unusable, "placed": int(found.placed.sum())}
    now = replace(result, version=items.version, summary=summary, arrays={**result.arrays, "marks": _marks(items.vectors)})
    rows = zip(found.ids, found.points.tolist(), found.placed.tolist(), strict=True)
    places = (Position(id, point[0], point[1], point[2] if len(point) > 2 else None, placed) for id, point, placed in rows)
    kept.keep(found.collection, now, places)
    return replace(found, saved=True)
