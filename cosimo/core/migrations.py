"""Migrations: what a store does for a collection that gets another model, and the plain data on the way. No behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from .store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from .types import Content, Cut, Settings, Vector, Vectors


class Held(NamedTuple):
    """One row, as far as its text goes. `id` None: another program gave it one that is no text."""

    id: str | None
    content: Content | None


class Ready(NamedTuple):
    """What the new model made of one text. `cut` None: nobody looked whether it fits the window."""

    hash: bytes
    vector: Vector
    cut: Cut | None


class Swapped(NamedTuple):
    """What came of a swap: all rows have their new vectors, or none has."""

    done: bool
    rows: int = 0  # of the collection
    waiting: int = 0  # rows whose text has no new vector yet
    textless: int = 0  # rows without a text, stored or given
    listed: int = 0  # how long the kept lists of related items were, which went with the old vectors; 0: there were none


class MigratingStore(Store, Protocol):
    """A store that can hold the vectors of a collection's next model beside those in use, and swap them at once.

    They are kept by the hash of their text: a text is embedded once however many rows have it, and a row whose text changes
    meanwhile finds no vector at the swap, and so is noticed.
    """

    def migrating(self, collection: str) -> Settings | None: ...

    def begin_migration(self, collection: str, target: Settings) -> None: ...

    def give_up_migration(self, collection: str) -> int: ...

    def held(self, collection: str) -> Iterator[Held]: ...

    def ready(self, collection: str, hashes: Sequence[bytes] | None = None) -> set[bytes]: ...

    def make_ready(self, collection: str, target: Settings, texts: Iterable[Ready]) -> None: ...

    def swap(self, collection: str, target: Settings, given: Mapping[str, bytes]) -> Swapped: ...

    def remap(self, collection: str, source: Settings, target: Settings, map: Callable[[Vectors], Vectors]) -> Swapped: ...
