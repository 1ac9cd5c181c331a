"""Named: a batch of documents → what of it goes to which collection: their own, or one with named vectors of the same items."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import DataError, NotFound
from ..core.types import Document
from .batches import blank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..core.store import Store
    from ..core.types import Embedder


class Space(NamedTuple):
    """A collection to write to, and its model, which is loaded when something has to be embedded."""

    collection: str
    embedder: Callable[[], Embedder]


def parts_of(
    store: Store, own: Space, named: Mapping[str, Space], batch: Sequence[Document]
) -> list[tuple[Space, list[Document]]]:
    """The documents, and then name by name what is named of them, of items that there are or will be.

    Raises
    ------
    NotFound : a name that has no collection
    """
    parts = [(own, list(batch))]
    asked = list(dict.fromkeys(name for document in batch for name in document.named or ()))
    for name in asked:
        if name not in named:
            raise unknown(own.collection, name, named)
    empty = [document.id for document in batch if asked and blank(document.content)]
    without = set(empty) - store.known(own.collection, empty).keys()
    for name in asked:
        given = [(d.id, d.named[name]) for d in batch if d.named and name in d.named and d.id not in without]
        parts.append((named[name], [Document(id, content) for id, content in given]))
    return parts


def pruned(
    store: Store,
    own: Space,
    named: Mapping[str, Space],
    source: str,
    seen: Mapping[Space, set[str]],
    unread: Sequence[str],
) -> int:
    """Remove the rows of a source that did not come again, from everywhere; how many items they were.

    Parameters
    ----------
    seen : where something went in this run → the ids that have something there
    unread : how the ids begin that the source may have and could not read

    Raises
    ------
    DataError : nothing came at all: a disk that is not mounted, a table that lost its rows; too much would go
    """
    if not seen[own]:
        raise DataError(f"the source gave no text, so all its rows in '{own.collection}' would go: sync removed none of them")

    def kept(space: Space) -> Iterator[str]:
        return chain(seen[space], (row.id for start in unread for row in store.scan(space.collection, prefix=start)))

    gone = store.prune(own.collection, source, kept(own))
    for space in named.values():
        store.delete(space.collection, gone)
        if seen.get(space):  # a table that lost this column says nothing of its cells
            store.prune(space.collection, source, kept(space))
    return len(gone)


def unknown(collection: str, name: str, there: Mapping[str, object] | Sequence[str]) -> NotFound:
    """The error for a name that a collection has no vectors under."""
    names = ", ".join(repr(each) for each in there) or "none"
    make = "Collection.named, or embed-multi --named, makes others"
    return NotFound(f"'{collection}' has no named vectors {name!r}; it has: {names}; {make}")
