"""Search: a query vector → the nearest documents. Embeds nothing and opens nothing; store and index are handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import DataError
from ..core.types import Hit

if TYPE_CHECKING:
    from ..core.types import Index, Store, Vector


def search(
    store: Store, index: Index, collection: str, query: Vector, k: int, *, prefix: str = "", besides: str = ""
) -> list[Hit]:
    """The k documents nearest to a vector, best first.

    Parameters
    ----------
    query : (dim,) float32, of any length but zero
    k : at least 1; fewer hits come back only where fewer documents exist
    prefix : only ids that begin with this, taken literally
    besides : an id that is left out

    Raises
    ------
    DataError : k below 1
    """
    checked_k(k)
    allowed = store.numbers_with_prefix(collection, prefix) if prefix else None
    wanted = k + 1 if besides else k
    numbers, scores = index.search(query[None], wanted, allowed=allowed)
    ids = store.ids_of(collection, numbers[0].tolist())
    found = [(ids[n], s) for n, s in zip(numbers[0].tolist(), scores[0].tolist(), strict=True) if n in ids]
    found = [(id, score) for id, score in found if id != besides or not besides][:k]
    rows = store.get(collection, [id for id, _ in found])
    return [Hit(id, score, rows[id].content, rows[id].metadata) for id, score in found if id in rows]


def checked_k(k: int) -> int:
    """k itself, refused below 1."""
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise DataError(f"the number of results must be a whole number of at least 1, not {k!r}")
    return k
