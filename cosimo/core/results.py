"""Results: what a verb found out about a whole collection and the file keeps, as plain data. No behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from .store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

ResultKind: TypeAlias = Literal["clusters", "map", "scale", "classes", "alignment"]


class Member(NamedTuple):
    """In which cluster an item is. `cluster` -1: in none (noise). Levels count from 0, the finest."""

    id: str
    level: int
    cluster: int
    closeness: float  # cosine similarity to the cluster's centre; to the nearest one's where it is in none


class Position(NamedTuple):
    """Where an item lies on a map. `z` None: the map is flat. `placed`: put on a map that was made without it."""

    id: str
    x: float
    y: float
    z: float | None
    placed: bool


@dataclass(frozen=True, slots=True)
class Result:
    """Something made of all items of a collection, or of a model in its space, by its kind and a name."""

    kind: ResultKind
    name: str
    version: int  # of `Store.changes` when it was made: `changes(collection, version)` tells what is new since
    settings: Mapping[str, Any]  # JSON: what was asked for, the seed and the model among it; equal settings need no second run
    summary: Mapping[str, Any]  # JSON: what came out, but for arrays and what is said of each item
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # name → numbers, of any shape


class ResultInfo(NamedTuple):
    """One kept result, as a list of them shows it."""

    kind: ResultKind
    name: str
    version: int
    made: int  # unix seconds
    settings: Mapping[str, Any]


class KeepingStore(Store, Protocol):
    """A store that keeps results beside the rows. They go with their collection; one replaces that of its kind and name."""

    def results(self, collection: str) -> list[ResultInfo]: ...

    def keepers(self, kind: ResultKind) -> dict[str, str]: ...

    def result(self, collection: str, kind: ResultKind, name: str) -> Result | None: ...

    def members(self, collection: str, name: str) -> Iterator[Member]: ...

    def positions(self, collection: str, name: str) -> Iterator[Position]: ...

    def keep(self, collection: str, result: Result, items: Iterable[Member] | Iterable[Position] = ()) -> None: ...

    def forget(self, collection: str, kind: ResultKind, name: str) -> bool: ...


class PicturingStore(Store, Protocol):
    """A store that keeps thumbnails of pictures, by the hash of the whole ones. They go with the last row of that hash."""

    def thumbnail(self, hash: bytes) -> bytes | None: ...

    def put_thumbnails(self, thumbnails: Mapping[bytes, bytes]) -> None: ...
