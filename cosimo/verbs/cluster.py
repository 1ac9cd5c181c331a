"""Cluster: a collection → groups of items that are like each other, with names, levels, and what is in them.

Groups stay when rows change: a new or changed item goes to the nearest centre, and the groups keep their ids and names. Only
when a fifth of the items are others than those the groups were made of, all is done anew. People speak of groups by name, and
look at them again after each import: a list that is shuffled every time is of no use to them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from operator import index as whole_number
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.checks import check_name, seed_of
from ..core.errors import Corrupt, DataError, NotFound
from ..core.units import documents_of
from .clustering import density, hierarchy, how_many, kmeans
from .clustering.clusters import NOISE, Clusters, Groups, Made, described, named, sound, texts_of
from .clustering.naming import PROMPT, prompt_of
from .whole import changed_since, refuse_fewer, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.filters import Filter
    from ..core.results import KeepingStore, Result
    from ..core.store import Store
    from ..core.types import Numbers, Vectors
    from .clustering.naming import Writer
    from .whole import Whole

METHODS = ("kmeans", "hdbscan")
ANEW = 0.2  # of the items, others than the groups were made of: then they are made anew
STARTS = 5  # of k-means, where rows x clusters are few; the best is taken
UNKNOWN = -2  # the group of an item that is new
ROUNDING = 1e-5  # by which a copy of an item may seem to be farther away than that
WORK = 2_000_000  # rows x clusters that all starts together may compare in a round: 5 starts of 3,080 x 77 take a second


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. None: as the clusters have it that are kept under the name, else k "auto", kmeans, seed 0."""

    k: int | str | None = None  # "auto": as `how_many` says
    method: str | None = None
    seed: int | None = None
    filter: Filter | None = None
    prefix: str = ""
    name: str = "main"

    def checked(self) -> Request:
        """Itself, with whole numbers of any kind as Python's own.

        Raises
        ------
        DataError : what cannot be
        """
        if self.method not in (None, *METHODS):
            raise DataError(f"no method is called {self.method!r}; known: {', '.join(METHODS)}")
        k = self.k if self.k in (None, "auto") else _whole(self.k)
        if self.k is not None and (k is None or (k != "auto" and int(k) < 1)):
            raise DataError(f"the number of clusters is 'auto' or a whole number from 1 on, not {self.k!r:.60}")
        if self.method == "hdbscan" and isinstance(k, int):
            raise DataError("hdbscan finds out itself how many clusters there are; leave the number out")
        seed = None if self.seed is None else seed_of(self.seed)
        check_name(self.name, "clusters")
        return replace(self, k=k, seed=seed)

    def completed(self, kept: Mapping[str, Any] | None) -> Request:
        """Itself with nothing left open.

        Parameters
        ----------
        kept : settings of the clusters that are kept under the name
        """
        kept = kept or {}
        method = self.method or ("kmeans" if isinstance(self.k, int) else str(kept.get("method", "kmeans")))
        k = self.k or (kept.get("k", "auto") if kept.get("method") == method else "auto")
        return replace(self, k=k, method=method, seed=int(kept.get("seed", 0)) if self.seed is None else self.seed)

    def settings(self, store: Store, collection: str) -> dict[str, Any]:
        """What decides about the groups, as JSON."""
        from ..core.filters import to_text

        made = store.settings(collection)
        return {
            "k": self.k, "method": self.method, "seed": self.seed, "prefix": self.prefix,
            "where": "" if self.filter is None else to_text(self.filter),
            "model": made.model if made else None, "revision": made.revision if made else None,
        }  # fmt: skip


def _whole(number: Any) -> int | None:
    """A whole number, of numpy too; None for what is none."""
    with suppress(TypeError):
        return None if isinstance(number, bool) else whole_number(number)
    return None


def cluster(
    store: Store,
    collection: str,
    request: Request,
    *,
    kept: KeepingStore | None,
    writer: Writer | None = None,
    save: bool = False,
    refresh: bool = False,
) -> Clusters:
    """The groups of a collection: those that are kept, brought up to date, or new ones.

    Parameters
    ----------
    writer : a language model that names them; None: keywords do, or whatever named those that are kept
    kept : the store where it keeps results; None where it cannot
    save : keep what is new
    refresh : do not look at what is kept

    Raises
    ------
    DataError : no items to group, or fewer than groups
    MissingExtra : a package of the method is not installed
    """
    request, before = request.checked(), None
    with store.snapshot():  # what was found out and its items are of one moment: another program may make them anew meanwhile
        if kept is not None:
            before = _readable(kept, collection, request.name)
        request = request.completed(before.settings if before is not None else None)
        settings = request.settings(store, collection)
        usable = kept is not None and before is not None and not refresh and dict(before.settings) == settings
        made = _held(kept, collection, before) if kept is not None and before is not None and usable else None
    items = None
    if made is not None and changed_since(store, collection, made.result.version):
        items = whole(store, collection, filter=request.filter, prefix=request.prefix)
        made = _placed(store, collection, made, items)
    if made is not None:
        made = named(store, collection, made, writer, words=False)
    else:
        items = items or whole(store, collection, filter=request.filter, prefix=request.prefix)
        groups = _ordered(grouped(items, request))
        made = described(items, groups, name=request.name, settings=settings)
        made = named(store, collection, made, writer, words=True)
    saving = save and kept is not None
    if kept is not None and saving and made.new:
        kept.keep(collection, made.result, made.members)
    return Clusters.of(made.result, made.members, saved=saving or not made.new, computed=made.new)


def prompts(store: Store, collection: str, clusters: Clusters, writer: Writer) -> list[tuple[int, str, str]]:
    """(cluster, what a model would be told to do, what it would read) of each cluster with texts; nothing is sent."""
    texts = texts_of(store, collection, clusters.members, len(clusters.clusters))
    read = ((number, prompt_of(each, writer.truncate)) for number, each in enumerate(texts))
    return [(number, writer.prompt or PROMPT, text) for number, text in read if text]


def grouped(items: Whole, request: Request) -> Groups:
    """Items in groups, and groups in groups.

    Raises
    ------
    DataError : none to group, or fewer than groups
    MissingExtra : a package of the method is not installed
    """
    from threadpoolctl import threadpool_limits

    refuse_fewer(len(items), 1, "clustering")
    vectors = items.vectors
    with threadpool_limits(1, user_api="blas"):  # two threads wait for each other: on a busy machine 8 times as long
        if request.method == "hdbscan":
            labels = density.dense(vectors, seed=request.seed or 0)
            count = int(labels.max()) + 1
            centres = _directions(vectors[labels >= 0], labels[labels >= 0], count)
            return _raised(Groups(labels, [centres], [], "density", None))
        k, why = _number(items, request)
        fit = kmeans.kmeans(vectors, k, seed=request.seed or 0, starts=max(1, min(STARTS, WORK // (k * len(vectors)))))
        quality = how_many.silhouette(vectors, fit.labels)
        if len(fit.centres) < k:
            why += f"; only {len(fit.centres)} differ"
        return _raised(Groups(fit.labels, [fit.centres], [], why, round(quality, 4)))


def _number(items: Whole, request: Request) -> tuple[int, str]:
    """How many groups, and why."""
    if isinstance(request.k, int):
        if request.k > len(items):
            raise DataError(f"{request.k:,} clusters of {len(items):,} items cannot be; ask for {len(items):,} or fewer")
        return request.k, "asked for"
    choice = how_many.how_many(items.vectors, seed=request.seed or 0)
    if not choice.tried:
        return 1, "too few items for more"
    return choice.k, f"silhouette {choice.silhouette:.3f}, the best of {len(choice.tried)} numbers tried"


def _directions(vectors: Vectors, labels: Numbers, count: int) -> Vectors:
    from ..core.vectors import normalised

    return normalised(kmeans.summed(vectors, labels, count)[0].astype(np.float32))


def _raised(groups: Groups) -> Groups:
    """The same with levels above."""
    centres, parents = list(groups.centres), list(groups.parents)
    labels = groups.labels
    sizes = np.bincount(labels[labels >= 0], minlength=len(centres[0]))
    for count in hierarchy.levels(len(centres[0])):
        above = hierarchy.grouped(centres[-1], count)
        parents.append(above)
        centres.append(_directions(centres[-1] * sizes[:, None].astype(np.float32), above, count))
        sizes = np.bincount(above, weights=sizes, minlength=count)
    return groups._replace(centres=centres, parents=parents)


def _ordered(groups: Groups) -> Groups:
    """The same numbered by size on each level, the largest first."""
    for level in range(len(groups.centres)):
        labels = groups.on(level)
        order = np.argsort(-np.bincount(labels[labels >= 0], minlength=len(groups.centres[level])), kind="stable")
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        centres, parents = list(groups.centres), list(groups.parents)
        centres[level] = centres[level][order]
        if level < len(parents):
            parents[level] = parents[level][order]
        if level:
            parents[level - 1] = places[parents[level - 1]]
            groups = groups._replace(centres=centres, parents=parents)
        else:
            moved = np.where(labels >= 0, places[np.maximum(labels, 0)], -1) if len(places) else labels
            groups = groups._replace(labels=moved, centres=centres, parents=parents)
    return groups


# -- what is kept


def kept(store: KeepingStore, collection: str, name: str) -> Clusters:
    """The clusters of that name as they were kept.

    Raises
    ------
    NotFound : none are kept under it
    Corrupt : another program wrote something else into their place
    """
    check_name(name, "clusters")
    with store.snapshot():
        result = store.result(collection, "clusters", name)
        if result is None:
            raise NotFound(f"'{collection}' keeps no clusters '{name}'; run: cosimo cluster '{collection}'")
        held = _held(store, collection, result)
    if held is None:
        raise Corrupt(f"the clusters '{name}' of '{collection}' are damaged; run: cosimo cluster '{collection}' --fresh")
    return Clusters.of(held.result, held.members, saved=True, computed=False)


def _readable(store: KeepingStore, collection: str, name: str) -> Result | None:
    """What is kept without its items, where it can be read: what other programs damaged is made anew."""
    with suppress(Corrupt):
        result = store.result(collection, "clusters", name)
        if result is not None:
            with suppress(AttributeError, DataError):
                made = result.settings
                Request(made.get("k"), made.get("method"), made.get("seed")).checked()
                return result
    return None


def _held(store: KeepingStore, collection: str, result: Result) -> Made | None:
    """What is kept with its items; None where they do not fit each other."""
    members = list(store.members(collection, result.name))
    return Made(result, members, new=False) if sound(result, members) else None


def _placed(store: Store, collection: str, held: Made, items: Whole) -> Made | None:
    """The kept groups with what is new in them; None where that is too much of it, or would leave a group empty."""
    result = held.result
    change = store.changes(collection, result.version, whole=True)  # asked after the items were read: it misses none of theirs
    if change.full:
        return None
    changed = set(store.ids_of(collection, documents_of(change.numbers).tolist()).values())
    before = {member.id: member.cluster for member in held.members if member.level == 0}
    labels = np.array([UNKNOWN if id in changed else before.get(id, UNKNOWN) for id in items.ids], np.int64)
    new, gone = np.flatnonzero(labels == UNKNOWN), len(before.keys() - set(items.ids))
    placed = int(result.summary["placed"]) + len(new) + gone
    levels = range(len(result.summary["levels"]) + 1)
    centres = [result.arrays[f"centres_{level}"] for level in levels]
    if placed > ANEW * int(result.summary["made_of"]) or not len(centres[0]):
        return None
    if centres[0].shape[1] != items.vectors.shape[1]:
        return None
    labels[new], closeness = kmeans.nearest(items.vectors[new], centres[0])
    if "loosest" in result.arrays:
        labels[new[closeness < result.arrays["loosest"][labels[new]] - ROUNDING]] = NOISE
    if (np.bincount(labels[labels >= 0], minlength=len(centres[0])) == 0).any():
        return None
    parents = [result.arrays[f"parents_{level}"] for level in levels[:-1]]
    groups = Groups(labels, centres, parents, result.summary["why"], result.summary["silhouette"])
    made = described(items, groups, name=result.name, settings=result.settings, before=result)
    summary = {**made.result.summary, "placed": placed, "made_of": result.summary["made_of"]}
    return made._replace(result=replace(made.result, summary=summary))
