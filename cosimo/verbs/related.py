"""Related: a stored id → the documents nearest to it. Needs no model: the vector is in the file."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from ..core.errors import BadVector, NotFound
from .search import Query, Source, search

if TYPE_CHECKING:
    from ..core.filters import Filter
    from ..core.store import Store
    from ..core.types import Hit, Index, Vector


def related(
    store: Store, index: Index, collection: str, id: str, k: int, *, prefix: str = "", filter: Filter | None = None
) -> list[Hit]:
    """The k documents nearest to a stored one, itself left out; no model is needed.

    Raises
    ------
    NotFound : no such id in the collection
    BadVector : its vector is damaged; one of all zeros is near to nothing, and gives an empty list
    """
    vector = vector_of(store, collection, id)
    query = Query(k=k, prefix=prefix, filter=filter, besides=(id,))
    return search([Source(store, index, collection, vector, whole=True)], query)


def vector_of(store: Store, collection: str, id: str) -> Vector:
    """The vector of an item that others are compared with, (dim,) float32.

    Raises
    ------
    NotFound : no such id in the collection
    BadVector : it is damaged
    """
    row = store.get(collection, [id]).get(id)
    if row is None:
        raise NotFound(f"no item '{id}' in collection '{collection}'")
    settings = store.settings(collection)
    if len(row.vector) != (settings and settings.dim) or not isfinite(abs(row.vector).max()):
        raise BadVector(f"the vector of '{id}' is damaged, so nothing can be near to it; run: cosimo check")
    return row.vector
