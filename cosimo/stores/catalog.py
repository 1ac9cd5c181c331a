"""Catalog: the collections of a file and what made each. Call everything here inside a transaction. Touches no vector."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.content import storable
from ..core.errors import DataError, NotFound
from ..core.types import CollectionInfo, Settings
from . import passages, schema
from .rows import known_metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.sqlite import File
    from .schema import State


class Entry(NamedTuple):
    """A collection as the file knows it."""

    number: int
    name: str
    settings: Settings


def entries(file: File, state: State, where: str = "ORDER BY c.name", parameters: Sequence[Any] = ()) -> list[Entry]:
    """All collections, or those of a condition on `c`."""
    if not state.tables:
        return []
    # settings count only while the model beside them is the collection's: another program may have made it anew
    ours = "(SELECT settings FROM cosimo_collections s WHERE s.collection_id = c.id AND s.model IS c.model)"
    dim = "(SELECT length(embedding) / 4 FROM embeddings e WHERE e.collection_id = c.id LIMIT 1)"
    sql = f"SELECT c.id, c.name, c.model, {dim}, {ours if state.version else 'NULL'} FROM collections c {where}"
    return [Entry(number, str(name), settings_of(*rest)) for number, name, *rest in file.rows(sql, parameters)]


def find(file: File, state: State, collection: str) -> Entry:
    """One collection by name.

    Raises
    ------
    NotFound : there is none of that name
    """
    found = entries(file, state, "WHERE c.name = ?", (storable(collection),))
    if not found:
        raise NotFound(f"{file.name} has no collection '{collection}'; see: cosimo collections list")
    return found[0]


def named(file: File, state: State, collection: str) -> list[str]:
    """The collections that are named vectors of one, whether it is there or not: `shop/picture` of `shop`; by name."""
    start = f"{storable(collection)}/"
    found = entries(file, state, "WHERE substr(c.name, 1, ?) = ? ORDER BY c.name", (len(start), start))
    return [entry.name for entry in found if entry.settings.named and "/" not in entry.name[len(start) :]]


def info(file: File, entry: Entry) -> CollectionInfo:
    """A collection with the number of its rows."""
    return CollectionInfo(entry.name, size(file, entry.number), entry.settings)


def size(file: File, number: int) -> int:
    """The number of a collection's rows."""
    return int(file.value("SELECT count(*) FROM embeddings WHERE collection_id = ?", (number,)))


def create(file: File, state: State, collection: str, settings: Settings) -> CollectionInfo:
    """Make a collection; one of that name stays as it is. What is in the file now is returned.

    Raises
    ------
    DataError : an empty name, or half a character in it
    """
    if not collection or storable(collection) != collection:
        raise DataError(f"a collection cannot be called {collection!r}; use at least one character, all of them whole")
    if not entries(file, state, "WHERE c.name = ?", (collection,)):
        file.execute("INSERT INTO collections (name, model) VALUES (?, ?)", (collection, settings.model))
        configure(file, find(file, state, collection), settings)
    return info(file, find(file, state, collection))


def configure(file: File, entry: Entry, settings: Settings) -> None:
    """Replace what the file remembers about a collection; indexes of vectors of another length start afresh."""
    if entry.settings.dim not in (None, settings.dim):
        file.execute(f"UPDATE cosimo_state SET floor = {schema.NEXT}")
    remember(file, entry.number, settings)


def remember(file: File, number: int, settings: Settings) -> None:
    """Write down what made a collection; whoever follows its changes is told of none."""
    # NULL where there is no model: `llm` lists that as None, and says so when asked to search by text
    file.execute("UPDATE collections SET model = ?1 WHERE id = ?2 AND model IS NOT ?1", (settings.model, number))
    file.execute(
        "INSERT OR REPLACE INTO cosimo_collections (collection_id, model, settings) VALUES (?, ?, ?)",
        (number, settings.model, settings_json(settings)),
    )


def drop(file: File, number: int) -> int:
    """Delete a collection and its rows; the number of rows that went."""
    passages.drop(file, number)
    # numbers first and set-wise, not each by the trigger: four times faster
    file.execute("DELETE FROM cosimo_rows WHERE collection_id = ?", (number,))
    file.execute("UPDATE cosimo_state SET writing = 1")
    gone = file.execute("DELETE FROM embeddings WHERE collection_id = ?", (number,))
    file.execute(f"UPDATE cosimo_state SET writing = 0, floor = {schema.NEXT}")
    file.execute("DELETE FROM collections WHERE id = ?", (number,))
    return gone


def settings_json(settings: Settings) -> str:
    """What is kept of settings beside the model's name; `settings_of` reads it."""
    kept = {
        "dim": settings.dim,
        "revision": settings.revision,
        "prompts": dict(settings.prompts),
        "pooling": settings.pooling,
        "normalized": settings.normalized,
        "window": settings.window,
        "passages": settings.passages,
        "named": settings.named,
    }
    return json.dumps(kept)


def settings_of(model: str | None, dim: int | None, stored: str | None) -> Settings:
    """The settings that `settings_json` wrote; of a collection of another program what the file says."""
    kept = known_metadata(stored)
    if kept is None:  # another program's collection: the file says no more than this
        return Settings(model=model or None, dim=dim or None)
    return Settings(
        model=model or None,
        dim=kept.get("dim") or dim or None,
        revision=kept.get("revision"),
        prompts=kept.get("prompts") or {},
        pooling=kept.get("pooling") or "",
        normalized=bool(kept.get("normalized", True)),
        window=kept.get("window"),
        passages=kept.get("passages"),
        named=bool(kept.get("named")),
    )
