"""Similarities: for every item of a collection its nearest ones, kept in the store, and brought up to date by what changed.

A list can only have changed if its item did, if a changed or removed item stands in it, or if a changed item is now at least
as near as its last. Those are made anew, all others left alone; the outcome is that of making all anew, to the last bit.
`neighbours` says what a score is and why it does not depend on how many lists are made at once.

Compared are the vectors of whole documents, as for `related` of one item.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import NotFound
from ..core.progress import reporting
from ..core.types import Listed
from .search import checked_k

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from ..core.store import Store
    from ..core.types import Change, Numbers, Similarity
    from .neighbours import Lists, Neighbours

MOSTLY = 0.5  # of the items changed: finding out whose lists that touches costs as much as making half of them


@dataclass(frozen=True, slots=True)
class Related:
    """What bringing the lists up to date took."""

    items: int  # rows of the collection
    k: int
    full: bool  # every list was made anew
    changed: int  # items added or changed since the last time; all of them where full
    gone: int  # items that had a list and have none now: removed, or without a usable vector
    recomputed: int  # lists made anew
    written: int  # rows (id, other id, score) written, new ones and those with a new score
    removed: int  # rows removed


class _Held(NamedTuple):
    """What one moment of the store holds."""

    before: Listed | None
    change: Change  # since then, or all
    neighbours: Neighbours
    lasts: dict[str, tuple[int, float]]


def relate(store: Store, collection: str, k: int, *, full: bool = False) -> Related:
    """Bring the kept lists of the k nearest of every item up to date; one transaction, and none where nothing changed.

    Items are compared as they are when this begins; what other programs write meanwhile is looked at the next time. The file
    is not locked while lists are made.

    Parameters
    ----------
    full : make every list anew, as also happens the first time, for another k, and where the store cannot say what changed

    Raises
    ------
    DataError : k below 1
    NotFound : no such collection
    StoreError : the store cannot be written, or another program saved lists meanwhile
    """
    checked_k(k)
    with store.atomic():  # makes our tables where there are none, and refuses what is read-only before hours of work
        pass
    with store.snapshot():
        items, before = store.count(collection), store.listed(collection)
        since = before.version if before is not None and before.k == k and not full else None
        change = store.changes(collection, since, whole=True)
        if not change.full and not len(change.numbers) and not len(change.removed):
            return Related(items, k, False, 0, 0, 0, 0, 0)
        held = _held(store, collection, before, change)
        gone = sorted(held.lasts.keys() - set(held.neighbours.ids))
        wanted = _everything(held) if change.full else _touched(store, collection, held, gone)
    with reporting(range(len(wanted)), None, "lists") as report:
        lists = held.neighbours.nearest(wanted, k, report)
    written, removed = store.put_lists(
        collection, _named(held.neighbours, wanted, lists), gone=gone, before=before, now=Listed(change.version, k)
    )
    return Related(items, k, change.full, len(change.numbers), len(gone), len(wanted), written, removed)


def kept(store: Store, collection: str) -> Iterator[Similarity]:
    """The lists that `relate` keeps, by id, the nearest first.

    Raises
    ------
    NotFound : none are kept
    """
    if store.listed(collection) is None:
        raise NotFound(f"'{collection}' has no related items saved; run: cosimo related '{collection}' --all --save")
    return store.similarities(collection)


def _held(store: Store, collection: str, before: Listed | None, change: Change) -> _Held:
    from ..core.units import documents_of
    from .neighbours import Neighbours

    every = change if change.full else store.changes(collection, whole=True)
    numbers = documents_of(every.numbers).tolist()
    ids = store.ids_of(collection, numbers)
    return _Held(before, change, Neighbours([ids[number] for number in numbers], every.vectors), store.last_listed(collection))


def _everything(held: _Held) -> Numbers:
    import numpy as np

    return np.arange(len(held.neighbours), dtype=np.int64)


def _touched(store: Store, collection: str, held: _Held, gone: Iterable[str]) -> Numbers:
    """Positions of the items whose lists may have changed, ascending."""
    import numpy as np

    from ..core.units import documents_of

    ids = held.neighbours.ids
    at = {id: position for position, id in enumerate(ids)}
    news = store.ids_of(collection, documents_of(held.change.numbers).tolist()).values()
    changed = np.array(sorted(at[id] for id in news if id in at), np.int64)
    if len(changed) >= MOSTLY * len(ids):
        return _everything(held)
    reached = held.neighbours.reached(changed, _weakest(held))
    reached[changed] = True
    reached[[at[id] for id in store.listing(collection, {*news, *gone}) if id in at]] = True
    return np.flatnonzero(reached)


def _weakest(held: _Held) -> NDArray[np.float64]:
    """(n,) the score of the last in each item's list; -infinity where there is room for more."""
    import numpy as np

    k, nothing = held.before.k if held.before else 0, (0, 0.0)
    lasts = (held.lasts.get(id, nothing) for id in held.neighbours.ids)
    return np.fromiter((score if length >= k else -np.inf for length, score in lasts), np.float64, len(held.neighbours))


def _named(neighbours: Neighbours, positions: Numbers, lists: Lists) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    """Lists with ids."""
    ids = neighbours.ids
    for position, others, scores in zip(positions.tolist(), lists.others, lists.scores, strict=True):
        yield ids[position], [(ids[other], score) for other, score in zip(others.tolist(), scores.tolist(), strict=True)]
