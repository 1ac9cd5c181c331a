"""Engines: cosimo and its peers under one set of names, for the benchmarks. Each runs in a process of its own: see rounds.py.

An engine is made with a folder of its own and a contender's settings. `add` leaves everything in the folder that a process
started later needs, `open` is that process's beginning. Packages are imported by the engine that needs them, so none shows in
the memory or the start of another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]  # (n, dim)
    Buckets = NDArray[np.int64]  # (n,) a number from 0 to 99 a row, to filter by


@dataclass(frozen=True)
class Contender:
    """A row of a table: an engine with settings. Those with the same `build` share what `add` made."""

    engine: str
    setting: str
    build: Mapping[str, Any] = field(default_factory=dict)
    ask: Mapping[str, Any] = field(default_factory=dict)
    alone: bool = False  # an index without a database
    most: int = 10**9  # rows beyond which it would take hours

    @property
    def name(self) -> str:
        """Told apart from all others."""
        return f"{self.engine}, {self.setting}"


class Engine:
    """What a benchmark asks of an engine."""

    needs: ClassVar[tuple[str, ...]] = ()
    filters: ClassVar[bool] = False

    def __init__(self, folder: Path, dim: int, contender: Contender) -> None:
        self.folder, self.dim, self.given, self.ask = folder, dim, contender.build, contender.ask

    def add(self, vectors: Vectors, buckets: Buckets) -> None:
        """Store all rows, numbered from 0, and their buckets as metadata to filter by."""
        raise NotImplementedError

    def open(self) -> None:
        """Get ready to answer."""
        raise NotImplementedError

    def search(self, query: NDArray[np.float32], k: int) -> list[int]:
        """Rows, the nearest first."""
        raise NotImplementedError

    def filtered(self, query: NDArray[np.float32], k: int, below: int) -> list[int]:
        """`search` among the rows whose bucket is below a number."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of files."""


def missing(engine: type[Engine]) -> str | None:
    """The first package that an engine needs and that is not installed."""
    return next((package for package in engine.needs if find_spec(package) is None), None)


def blocks(rows: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` rows."""
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


class Cosimo(Engine):
    """`Collection.add_vectors` and `Collection.search`, as a program calls them: hits with metadata come back."""

    filters = True

    def _collection(self) -> Any:
        import cosimo

        self._db = cosimo.open(self.folder / "c.db")
        return self._db.collection("c", model=None, dim=self.dim)

    def add(self, vectors: Vectors, buckets: Buckets) -> None:
        """In calls of 100,000; the index is built as it is for any program, or as `type` and `params` say."""
        collection = self._collection()
        for part in blocks(len(vectors), 100_000):
            metadata = [{"bucket": bucket} for bucket in buckets[part].tolist()]
            collection.add_vectors([str(n) for n in range(part.start, part.stop)], vectors[part], metadata=metadata)
        if self.given:
            collection.index(self.given["type"], params=self.given.get("params"))
        self._db.close()

    def open(self) -> None:
        """Nothing is read before the first question."""
        self._opened = self._collection()

    def search(self, query: NDArray[np.float32], k: int) -> list[int]:
        """By vector."""
        return [int(hit.id) for hit in self._opened.search(query, k)]

    def filtered(self, query: NDArray[np.float32], k: int, below: int) -> list[int]:
        """The filter as text, parsed each time."""
        return [int(hit.id) for hit in self._opened.search(query, k, where=f"bucket < {below}")]

    def close(self) -> None:
        """Close the database."""
        self._db.close()


class CosimoIndex(Engine):
    """The index room alone, as other libraries of indexes are used: numbers in, numbers out."""

    filters = True

    def add(self, vectors: Vectors, buckets: Buckets) -> None:
        """Built and written to files; a flat one has none, so the vectors are kept."""
        from cosimo.core.units import SHIFT
        from cosimo.indexes import choose, files

        np.save(self.folder / "buckets.npy", buckets)
        kind, params = self.given.get("type", "auto"), self.given.get("params")
        index = choose.build(np.arange(len(vectors)) << SHIFT, np.array(vectors), kind=kind, params=params)
        if index.describe().kind == "flat":
            np.save(self.folder / "flat.npy", vectors)
        elif problem := files.save(self.folder, "index", index, files.Made(None, self.dim), "mark", 1):
            raise RuntimeError(problem)

    def open(self) -> None:
        """From the files, memory-mapped."""
        from cosimo.core.types import Change
        from cosimo.core.units import SHIFT
        from cosimo.indexes import files
        from cosimo.indexes.flat import FlatIndex

        self._shift = SHIFT
        self._buckets, self._allowed = np.load(self.folder / "buckets.npy"), dict[int, Any]()
        if (self.folder / "flat.npy").exists():
            vectors = np.load(self.folder / "flat.npy")
            self._index: Any = FlatIndex()
            self._index.apply(Change(1, True, np.arange(len(vectors)) << SHIFT, vectors, np.empty(0, np.int64)))
        elif found := files.load(self.folder, "index", files.Made(None, self.dim), ["mark"]):
            self._index = found.index

    def search(self, query: NDArray[np.float32], k: int) -> list[int]:
        """Without a filter."""
        return (self._index.search(query[None], k)[0][0] >> self._shift).tolist()

    def filtered(self, query: NDArray[np.float32], k: int, below: int) -> list[int]:
        """The allowed rows are handed in; finding them is part of the first use."""
        if below not in self._allowed:
            self._allowed[below] = np.flatnonzero(self._buckets < below)
        return (self._index.search(query[None], k, allowed=self._allowed[below])[0][0] >> self._shift).tolist()
