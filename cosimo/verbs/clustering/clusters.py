"""Clusters: groups of items → what is said about them: names, sizes, medoids, cohesion, levels. Groups nothing itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...core.results import Member, Result
from . import kmeans
from .naming import READ as LOOKED_AT
from .naming import by_keywords, by_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...core.store import Store
    from ...core.types import Numbers, Vectors
    from ..whole import Whole
    from .naming import Writer

NOISE = -1
TEXTS, LEAST, MOST = 20_000, 20, 200  # texts read for names: of all clusters together, and of one, those nearest to its centre
READ = 500  # of them at a time


@dataclass(frozen=True, slots=True)
class Cluster:
    """One group. Ids count from 0 on each level, the largest first when the groups were made."""

    id: int
    name: str
    size: int
    cohesion: float  # mean cosine similarity of its items to its centre
    medoid: str  # id of the item nearest to the centre
    keywords: tuple[str, ...] = ()
    parent: int | None = None  # id of the group it is in, on the level above
    level: int = 0


@dataclass(frozen=True, slots=True)
class Clusters:
    """The groups of a collection. `levels[0]` are the clusters, `levels[1]` groups of these; the last have no parents."""

    name: str
    method: str
    seed: int
    levels: tuple[tuple[Cluster, ...], ...]
    members: tuple[Member, ...] = field(repr=False)  # of level 0: by cluster, the nearest to the centre first; noise comes last
    why: str = ""  # how their number came about
    silhouette: float | None = None  # mean, -1 to 1: how much nearer items are to their own cluster than to the next one
    noise: int = 0  # items in no cluster
    unusable: int = 0  # rows left out: no vector, or one of zeros or NaN
    placed: int = 0  # items that were put into a cluster, changed or removed since the clusters were made
    named_by: str | None = None  # the language model that wrote the names; None: keywords
    computed: bool = True  # now; False: as they were kept
    saved: bool = False

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """The clusters themselves, by id."""
        return self.levels[0]

    def items(self, cluster: int) -> list[Member]:
        """The items of a cluster, the nearest to its centre first; -1 gives those in none."""
        return [member for member in self.members if member.cluster == cluster]

    def labels(self) -> dict[str, int]:
        """Id of an item → its cluster; -1 for noise."""
        return {member.id: member.cluster for member in self.members}

    def to_dict(self) -> dict[str, Any]:
        """All but the items, as JSON has it."""
        found = {name: getattr(self, name) for name in self.__slots__ if name not in ("levels", "members")}
        return found | {"levels": [[asdict(cluster) for cluster in level] for level in self.levels]}

    @classmethod
    def of(cls, result: Result, members: Sequence[Member], *, saved: bool, computed: bool) -> Clusters:
        """As a result is kept."""
        summary, named = result.summary, result.summary["named"]
        levels = [summary["clusters"], *summary["levels"]]
        return cls(
            name=result.name, method=result.settings["method"], seed=result.settings["seed"],
            levels=tuple(tuple(_cluster(each, level) for each in clusters) for level, clusters in enumerate(levels)),
            members=tuple(sorted((each for each in members if each.level == 0), key=_order)),
            why=summary["why"], silhouette=summary["silhouette"], noise=summary["noise"], unusable=summary["unusable"],
            placed=summary["placed"], named_by=named["model"] if named else None, computed=computed, saved=saved,
        )  # fmt: skip


class Groups(NamedTuple):
    """Items in groups, before anything is said about these. Labels are -1 for noise."""

    labels: Numbers  # (n,) of each item its group
    centres: list[Vectors]  # of each level (k, dim), the finest first
    parents: list[Numbers]  # of each level but the last (k,), the group above
    why: str
    silhouette: float | None

    def on(self, level: int) -> Numbers:
        """(n,) of each item its group on a level."""
        labels = self.labels
        for above in self.parents[:level]:
            labels = np.where(labels >= 0, above[np.maximum(labels, 0)], NOISE)
        return labels


class Made(NamedTuple):
    """A result as it is kept, and the items of all its levels. `new`: not what is in the file."""

    result: Result
    members: list[Member]
    new: bool


def sound(result: Result, members: Sequence[Member]) -> bool:
    """Whether kept clusters are whole and their items fit them: any program can write to the file."""
    try:
        return _fits(result, members)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return False


def _fits(result: Result, members: Sequence[Member]) -> bool:
    said = Clusters.of(result, (), saved=True, computed=False)
    sizes = {(level, number): each.size for level, found in enumerate(said.levels) for number, each in enumerate(found)}
    if said.noise:
        sizes |= {(level, NOISE): said.noise for level in range(len(said.levels))}
    centres = [result.arrays[f"centres_{level}"].shape for level in range(len(said.levels))]
    parents = [result.arrays[f"parents_{level}"].shape for level in range(len(said.levels) - 1)]
    return (
        Counter((member.level, member.cluster) for member in members) == sizes
        and all(isinstance(member.closeness, float) for member in members)
        and centres == [(len(found), centres[0][1]) for found in said.levels]
        and parents == [(len(found),) for found in said.levels[:-1]]
        and all(isinstance(result.summary[count], int) for count in ("placed", "made_of"))
    )


def described(items: Whole, groups: Groups, *, name: str, settings: Mapping[str, Any], before: Result | None = None) -> Made:
    """What there is to say about groups without their texts; names are the medoids' ids.

    Parameters
    ----------
    before : what these groups were made from by placing items: names and keywords stay
    """
    levels, members = [], []
    for level, centres in enumerate(groups.centres):
        labels = groups.on(level)
        found = _members(items, labels, centres, level)
        members += found
        parents = groups.parents[level].tolist() if level < len(groups.parents) else [None] * len(centres)
        levels.append(_described(found, parents, before and [before.summary["clusters"], *before.summary["levels"]][level]))
    arrays: dict[str, Any] = {f"centres_{level}": centres for level, centres in enumerate(groups.centres)}
    arrays |= {f"parents_{level}": parents for level, parents in enumerate(groups.parents)}
    if settings["method"] == "hdbscan":
        arrays["loosest"] = _loosest(members, len(groups.centres[0])) if before is None else before.arrays["loosest"]
    summary = {
        "clusters": levels[0], "levels": levels[1:], "why": groups.why, "silhouette": groups.silhouette,
        "noise": int((groups.labels == NOISE).sum()), "unusable": items.unusable, "placed": 0, "made_of": len(items),
        "named": before.summary["named"] if before else None,
    }  # fmt: skip
    return Made(Result("clusters", name, items.version, settings, summary, arrays), members, new=True)


def _members(items: Whole, labels: Numbers, centres: Vectors, level: int) -> list[Member]:
    closeness = np.zeros(len(items), np.float64)
    for start in range(0, len(items), kmeans.BLOCK):
        part = slice(start, start + kmeans.BLOCK)
        own = centres[np.maximum(labels[part], 0)] if len(centres) else np.zeros_like(items.vectors[part])
        closeness[part] = np.einsum("ij,ij->i", items.vectors[part], own)
    lost = np.flatnonzero(labels == NOISE)
    if len(centres) and len(lost):
        closeness[lost] = kmeans.nearest(items.vectors[lost], centres)[1]
    rounded = np.clip(closeness, -1, 1).round(6).tolist()
    return [Member(id, level, label, close) for id, label, close in zip(items.ids, labels.tolist(), rounded, strict=True)]


def _described(members: Sequence[Member], parents: Sequence[int | None], before: Any) -> list[dict[str, Any]]:
    groups: defaultdict[int, list[Member]] = defaultdict(list)
    for member in members:
        groups[member.cluster].append(member)
    found = []
    for number, parent in enumerate(parents):
        inside = groups[number]
        medoid = min(inside, key=_order).id
        cohesion = round(sum(member.closeness for member in inside) / len(inside), 4)
        name, words = (before[number]["name"], before[number]["keywords"]) if before else (medoid, [])
        found.append({
            "id": number, "name": name, "size": len(inside), "cohesion": cohesion, "medoid": medoid, "keywords": words,
            "parent": parent,
        })  # fmt: skip
    return found


def _loosest(members: Sequence[Member], count: int) -> Any:
    """(k,) closeness of each cluster's farthest item: what comes later and is farther away is noise."""
    loosest = np.ones(count, np.float32)
    for member in members:
        if member.level == 0 and member.cluster >= 0:
            loosest[member.cluster] = min(loosest[member.cluster], member.closeness)
    return loosest


def named(store: Store, collection: str, made: Made, writer: Writer | None, *, words: bool) -> Made:
    """The same with names.

    Parameters
    ----------
    writer : a language model that names them, where it has not done so already
    words : name them by keywords first
    """
    summary = dict(made.result.summary)
    to_write = writer if writer is not None and summary["named"] != writer.settings else None
    if not summary["clusters"] or not (words or to_write):
        return made
    texts = texts_of(store, collection, made.members, len(summary["clusters"]))
    if words:
        _by_keywords(summary, texts)
    if to_write and _by_model(summary, texts, to_write):
        summary["named"] = to_write.settings
    elif not words:
        return made
    return made._replace(result=replace(made.result, summary=summary), new=True)


def texts_of(store: Store, collection: str, members: Iterable[Member], count: int) -> list[list[str]]:
    """Of each cluster the texts nearest to its centre; none of one whose items are stored without."""
    most = min(max(TEXTS // max(count, 1), LEAST), MOST)
    wanted: list[list[str]] = [[] for _ in range(count)]
    for member in sorted((each for each in members if each.level == 0 and each.cluster != NOISE), key=_order):
        if len(wanted[member.cluster]) < most:
            wanted[member.cluster].append(member.id)
    content: dict[str, str] = {}
    flat = [id for ids in wanted for id in ids]
    for start in range(0, len(flat), READ):
        for id, row in store.get(collection, flat[start : start + READ]).items():
            if isinstance(row.content, str) and row.content.strip():
                content[id] = row.content[:LOOKED_AT]  # 20,000 texts of a megabyte each are not held
    return [[content[id] for id in ids if id in content] for ids in wanted]


def _by_keywords(summary: dict[str, Any], texts: list[list[str]]) -> None:
    """Put names into a summary, on all levels."""
    levels = [summary["clusters"], *summary["levels"]]
    for place, clusters in enumerate(levels):
        if place:
            texts = [[text for child in _children(levels[place - 1], each["id"]) for text in texts[child]] for each in clusters]
        found = by_keywords(texts, [each["medoid"] for each in clusters])
        levels[place] = [each | {"name": name, "keywords": words} for each, (name, words) in zip(clusters, found, strict=True)]
    summary["clusters"], summary["levels"] = levels[0], levels[1:]


def _by_model(summary: dict[str, Any], texts: list[list[str]], writer: Writer) -> bool:
    """Put a model's names into a summary; of a group of groups it reads the names of these. Whether it did not fail."""
    levels = [summary["clusters"], *summary["levels"]]
    for place, clusters in enumerate(levels):
        if place:
            below = levels[place - 1]
            texts = [[below[child]["name"] for child in _children(below, each["id"])] for each in clusters]
        otherwise = "clusters keep the names they have" if summary["named"] else "clusters are named by keywords"
        found = by_model(replace(writer, prompt=None, truncate=0) if place else writer, texts, otherwise=otherwise)
        if found is None:
            return False
        levels[place] = [each | {"name": found.get(number, each["name"])} for number, each in enumerate(clusters)]
    summary["clusters"], summary["levels"] = levels[0], levels[1:]
    return True


def _children(below: Sequence[Mapping[str, Any]], parent: int) -> list[int]:
    return [each["id"] for each in below if each["parent"] == parent]


def _cluster(kept: Mapping[str, Any], level: int) -> Cluster:
    return Cluster(**(dict(kept) | {"keywords": tuple(kept["keywords"]), "level": level}))


def _order(member: Member) -> tuple[float, float, str]:
    """By cluster, noise last; the nearest to the centre first."""
    return (member.cluster if member.cluster != NOISE else float("inf"), -member.closeness, member.id)
