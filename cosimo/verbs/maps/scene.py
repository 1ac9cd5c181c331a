"""Scene: a map in, what a picture of it shows out: a title, a text and a link for each item, and the fields to colour by.

Three fields are made here, where there is something to tell: `cluster` (those that are kept), `folder` (ids that are paths) and
`placed`. All others are the items' metadata. Draws nothing: a page, a picture and a table are all made of this.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit

import numpy as np

from ...core.content import storable
from ...core.errors import Corrupt, NotFound
from ...core.filters.evaluate import Item, looked_up
from ...core.filters.tree import Field as Path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ...core.results import KeepingStore, PicturingStore
    from ...core.store import Store
    from ...core.types import Content, Metadata, Row, Vectors
    from ..atlas import Map

READ = 2_000  # rows in memory at a time
FIELDS = 12  # of metadata, the most frequent ones
SHOWN = 40  # values of a field that get a color of their own
FEW = 12  # different numbers up to which they are values, such as years, and no scale
TITLE, VALUE = 120, 200  # characters
OWN = ("cluster", "folder", "placed")  # fields that are made here
LINKS = ("url", "link", "href", "path")
SAMPLE = 400  # members of a value among which the middle is looked for


@dataclass(frozen=True, eq=False)
class Field:
    """Something that items have: values that are named, a number, or a text that is different for nearly each."""

    name: str
    kind: Literal["category", "number", "text"]
    values: list[str]  # of categories and texts, the most frequent first
    codes: NDArray[np.int32]  # (n,) positions in `values`; -1: it has none
    numbers: NDArray[np.float32]  # (n,) of a number; NaN: it has none
    counts: list[int]  # of each value
    places: Vectors  # (min(values, SHOWN), d) where most items of a value are


@dataclass(frozen=True, eq=False)
class Scene:
    """A map with what is known of its items, all in the map's order."""

    map: Map
    title: str
    titles: list[str]
    texts: list[str]  # "" where none is stored
    links: list[str]  # http and https alone; "" where there is none
    metadata: list[Metadata]
    fields: list[Field]
    color: str | None  # the field to colour by
    thumbnails: Sequence[bytes | None] = ()  # WebP, where the item is a picture; empty where none is

    @property
    def field(self) -> Field | None:
        """The field to colour by."""
        return next((field for field in self.fields if field.name == self.color), None)


def scene(
    store: Store,
    map: Map,
    *,
    kept: KeepingStore | None = None,
    clusters: str | None = None,
    color: str | None = None,
    title: str | None = None,
    link: str | None = None,
) -> Scene:
    """What a picture of a map shows.

    Parameters
    ----------
    kept : where clusters are kept
    clusters : the name of kept clusters; None takes `main`, where there are any
    color : a field of the metadata, `cluster`, `folder` or `placed`; None takes what tells most
    title : a field to take titles from; None: `title`, else the first line of the text, else the id
    link : a field with an http address; None: url, link, href or path

    Raises
    ------
    NotFound : no such field, no such clusters
    """
    rows = list(_rows(store, map))
    metadata: list[Metadata] = [row.metadata if row is not None and row.metadata else {} for row in rows]
    contents = [row.content if row is not None else None for row in rows]
    for name in (title, link):
        if name is not None:
            _refuse_unknown(name, _values(name, metadata), metadata)
    fields = [*_own(map, kept, clusters), *_of_metadata(map, metadata)]
    chosen = _chosen(color, fields, map, metadata) if color is not None else None
    if chosen is not None:
        by_name = {field.name: field for field in fields}
        fields = list((by_name | {chosen.name: chosen}).values())
    named = [_title(id, content, data, title) for id, content, data in zip(map.ids, contents, metadata, strict=True)]
    texts = [storable(content) if isinstance(content, str) else "" for content in contents]
    links = [_link(data, link) for data in metadata]
    chosen_name = chosen.name if chosen else _best(fields)
    return Scene(map, map.collection, named, texts, links, metadata, fields, chosen_name, _thumbnails(store, rows))


def _rows(store: Store, map: Map) -> Iterator[Row | None]:
    """Each item's row; None where it went meanwhile."""
    for start in range(0, len(map), READ):
        chunk = map.ids[start : start + READ]
        found = store.get(map.collection, chunk)
        yield from (found.get(id) for id in chunk)


def _thumbnails(store: Store, rows: Sequence[Row | None]) -> list[bytes | None]:
    """The kept thumbnail of each item that is a picture; empty where there is none at all."""
    if not hasattr(store, "thumbnail"):
        return []
    keeping = cast("PicturingStore", store)
    found = [
        keeping.thumbnail(row.hash) if row and row.hash and (row.metadata or {}).get("media") == "image" else None
        for row in rows
    ]
    return found if any(found) else []


# -- titles and links


def clean(text: str, characters: int) -> str:
    """The beginning of a text on one line, without what is no character to be read: controls, halves of pairs."""
    short = " ".join(storable(text)[: characters * 2].split())
    kept = "".join(c for c in short if c.isprintable() or c in "\u200c\u200d\ufe0f")  # joiners: scripts and emoji need them
    return kept if len(kept) <= characters else kept[: characters - 1].rstrip() + "…"


def _title(id: str, content: Content | None, metadata: Metadata, field: str | None) -> str:
    given = metadata.get("title") if field is None else _value(field, metadata)
    if isinstance(given, str | int | float) and clean(str(given), TITLE):
        return clean(str(given), TITLE)
    if isinstance(content, str) and field is None:
        for line in content[:2_000].splitlines():
            text = clean(line.strip().lstrip("#"), TITLE)
            if any(c.isalnum() for c in text):  # neither a rule nor the beginning of front matter
                return text
    return clean(id, TITLE) or "—"


def _link(metadata: Metadata, field: str | None) -> str:
    """An address that a click may open: http and https, whatever else stands there runs no script."""
    for name in (field,) if field is not None else LINKS:
        given = metadata.get(name) if field is None else _value(name, metadata)
        if isinstance(given, str) and len(given) <= 2_000 and safe(given):
            return storable(given)
    return ""


def safe(address: str) -> bool:
    """Whether an address leads to a web page and nowhere else."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and all(c.isprintable() and c != " " for c in address)


# -- fields


def _own(map: Map, kept: KeepingStore | None, clusters: str | None) -> Iterator[Field]:
    """The fields that no metadata has."""
    found = _clusters(map, kept, clusters)
    if found is not None:
        yield found
    folders: list[Any] = [id.partition("/")[0] if "/" in id.strip("/") else None for id in map.ids]
    if 2 * sum(folder is not None for folder in folders) >= len(map) and len(set(folders) - {None}) > 1:
        yield _field("folder", folders, map, forced=True)
    if map.placed.any():
        yield _field("placed", ["placed" if placed else "original" for placed in map.placed.tolist()], map, forced=True)


def _clusters(map: Map, kept: KeepingStore | None, name: str | None) -> Field | None:
    """Kept clusters, of the finest level, by their names; the noise has none."""
    result = None
    with suppress(*(() if name else (Corrupt,))):  # unasked, they are no reason to show no map
        result = kept.result(map.collection, "clusters", name or "main") if kept is not None else None
    if kept is None or result is None:
        if name is not None:
            raise NotFound(f"'{map.collection}' keeps no clusters '{name}'; run: cosimo cluster {map.collection}")
        return None
    listed = [each for each in result.summary.get("clusters", ()) if isinstance(each, dict) and each.get("level", 0) == 0]
    names = {each.get("id"): str(each.get("name") or each.get("id")) for each in listed}
    of = {member.id: member.cluster for member in kept.members(map.collection, name or "main") if member.level == 0}
    numbers = [of.get(id, -1) for id in map.ids]
    counts = Counter(number for number in numbers if number >= 0)
    order = sorted(counts, key=lambda number: (-counts[number], number))  # two of the same name remain two
    at = {number: place for place, number in enumerate(order)}
    codes = np.array([at.get(number, -1) for number in numbers], np.int32)
    values = [clean(names.get(number, str(number)), VALUE) for number in order]
    return _category("cluster", values, codes, [counts[number] for number in order], map)


def _of_metadata(map: Map, metadata: Sequence[Metadata]) -> Iterator[Field]:
    often = Counter(name for data in metadata for name in data)
    for name, _ in sorted(often.items(), key=lambda found: (-found[1], found[0]))[:FIELDS]:
        yield _field(_shown(name), [data.get(name) for data in metadata], map)


def _shown(name: str) -> str:
    """The name of a field of the metadata, where those that are made here have theirs."""
    return f"{name} (metadata)" if name in OWN else clean(name, VALUE)


def _chosen(name: str, fields: Sequence[Field], map: Map, metadata: Sequence[Metadata]) -> Field:
    """The field that somebody wants colours by: one of these, or another that items have; texts become values.

    Raises
    ------
    NotFound : no item has it
    """
    named = {field.name: field for field in fields}
    found = named.get(clean(name, VALUE)) or named.get(_shown(name))
    if found is None:
        values = _values(name, metadata)
        _refuse_unknown(name, values, metadata, list(named))
        return _field(_shown(name), values, map, forced=True)
    return found if found.kind != "text" else _category(found.name, found.values, found.codes, found.counts, map)


def _values(name: str, metadata: Sequence[Metadata]) -> list[Any]:
    """What a field is in each item."""
    return [_value(name, data) for data in metadata]


def _value(name: str, metadata: Metadata) -> Any:
    """What a field is, by its name as the metadata has it or as filters write it."""
    return metadata[name] if name in metadata else looked_up(Path.named(name), Item(metadata=metadata))


def _refuse_unknown(name: str, values: Sequence[Any], metadata: Sequence[Metadata], more: Sequence[str] = ()) -> None:
    if all(value is None for value in values):
        known = sorted({field for data in metadata for field in data} | set(more))[:30]
        raise NotFound(f"no item has the field '{name}'; there are: {', '.join(known) or 'none'}")


def _field(name: str, given: Sequence[Any], map: Map, *, forced: bool = False) -> Field:
    """A field of whatever its values are; a list counts as its first item."""
    values = [value[0] if isinstance(value, list | tuple) and value else value for value in given]
    present = [value for value in values if value is not None and value != [] and value != {}]
    name = clean(name, VALUE)
    if present and all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        numbers = np.array([_number(value) for value in values], np.float32)
        if len(set(numbers[~np.isnan(numbers)].tolist())) > FEW:
            return Field(name, "number", [], np.empty(0, np.int32), numbers, [], np.empty((0, map.dim), np.float32))
    texts = [_text(value) for value in values]
    counts = Counter(text for text in texts if text is not None)
    order = sorted(counts, key=lambda text: (-counts[text], text))
    at = {text: place for place, text in enumerate(order)}
    codes = np.array([-1 if text is None else at[text] for text in texts], np.int32)
    often = [counts[text] for text in order]
    if not forced and len(order) > SHOWN and 2 * len(order) > len(present):
        return Field(name, "text", order, codes, np.empty(0, np.float32), often, np.empty((0, map.dim), np.float32))
    return _category(name, order, codes, often, map)


def _category(name: str, values: list[str], codes: NDArray[np.int32], counts: list[int], map: Map) -> Field:
    places = [_middle(map.points[codes == code]) for code in range(min(len(values), SHOWN))]
    found = np.array(places, np.float32).reshape(-1, map.dim)
    return Field(name, "category", values, codes, np.empty(0, np.float32), counts, found)


def _number(value: Any) -> float:
    try:
        number = float(value) if value is not None else math.nan
    except (OverflowError, TypeError, ValueError):
        return math.nan
    return number if abs(number) < 3e38 else math.nan  # infinity, and what float32 cannot hold


def _text(value: Any) -> str | None:
    if value is None or value == [] or value == {}:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list | tuple):
        return clean(json.dumps(value, ensure_ascii=False, default=str), VALUE)
    return clean(str(value), VALUE)


def _middle(points: Vectors) -> Vectors:
    """(d,) the middle of where (m, d) points are densest: the mean of all may lie where none is."""
    some = points[:: max(1, len(points) // SAMPLE)][:SAMPLE].astype(np.float64)
    away = np.sqrt(((some[:, None] - some[None]) ** 2).sum(axis=2))
    k = max(1, len(some) // 3)
    nearest = np.argpartition(away, k - 1, axis=1)[:, :k]
    best = int(np.take_along_axis(away, nearest, axis=1).sum(axis=1).argmin())
    middle: Vectors = some[nearest[best]].mean(axis=0).astype(np.float32)
    return middle


def _best(fields: Sequence[Field]) -> str | None:
    """What to colour by where nobody says: clusters, folders, else the first field with a few values, else a number."""
    for name in ("cluster", "folder"):
        if any(field.name == name for field in fields):
            return name
    named = [field for field in fields if field.kind == "category" and field.name != "placed"]
    few = [field.name for field in named if 2 <= len(field.values) <= SHOWN]
    numbers = [field.name for field in fields if field.kind == "number"]
    return next(iter([*few, *numbers]), None)
