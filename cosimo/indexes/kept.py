"""Kept: an index in step with a store and kept beside it on disk; built, opened, repaired and merged here. Reads no database.

It is handed the one question it asks of a store: what changed since a version?
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import choose, files
from .approximate import Approximate
from .rows import DamagedIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ..core.types import Change, Metric, Numbers, Scores, Vectors
    from .files import Made
    from .flat import FlatIndex


class Kept:
    """The index of one collection.

    Parameters
    ----------
    changes : what happened since a version, or all for None; as `Store.changes`
    folder : where derived files lie; None keeps the index in memory
    key : names the files; no "-" in it
    made : what the vectors are made from
    kind, metric, params : as for `choose.build`
    warn : is told in one sentence what could not be opened or written

    Raises
    ------
    DataError : a kind, metric or parameter that there is not
    """

    def __init__(
        self,
        changes: Callable[[int | None], Change],
        folder: Path | None,
        key: str,
        made: Made,
        *,
        kind: str = "auto",
        metric: Metric = "cosine",
        params: Mapping[str, int | str] | None = None,
        warn: Callable[[str], None],
    ) -> None:
        choose.checked(kind, metric, params)
        self._changes, self._folder, self._key, self._made, self._warn = changes, folder, key, made, warn
        self._kind, self._metric, self._params = kind, metric, dict(params or {})
        self._index: FlatIndex | Approximate | None = None
        self._version: int | None = None

    def current(self) -> FlatIndex | Approximate:
        """The index with everything in it that the store holds now."""
        if self._index is None:
            self._index = self._opened()
        change = self._changes(self._version)
        if change.full or self._index is None:
            return self._built(change.numbers, change.vectors, change.version)
        self._index.apply(change)
        self._version = change.version
        return self._index

    def search(self, queries: Vectors, k: int, *, allowed: Numbers | None = None) -> tuple[list[Numbers], list[Scores]]:
        """As `Index.search`, up to date; damage found on the way costs a rebuild and a warning, not the answer."""
        index = self.current()
        try:
            return index.search(queries, k, allowed=allowed)
        except DamagedIndex as error:
            self._warn(str(error))
            return self.rebuild().search(queries, k, allowed=allowed)

    def rebuild(self) -> FlatIndex | Approximate:
        """Build it from the store's rows."""
        change = self._changes(None)
        return self._built(change.numbers, change.vectors, change.version)

    def merge(self) -> bool:
        """Build it again with what came since, if that is worth its time; True if it was."""
        index = self.current()
        dim = self._made.dim
        grown = self._kind == "auto" and index.describe().kind == "flat" and choose.choose(len(index) // 2, dim).kind != "flat"
        if not grown and not choose.worth_merging(index, dim):
            return False
        try:
            numbers, vectors = index.everything()
        except DamagedIndex as error:
            self._warn(str(error))
            self.rebuild()
        else:
            assert self._version is not None
            self._built(numbers, vectors, self._version)
        return True

    def _built(self, numbers: Numbers, vectors: Vectors, version: int) -> FlatIndex | Approximate:
        self._index = None  # its memory is given back before more is asked for
        index = choose.build(numbers, vectors, kind=self._kind, metric=self._metric, params=self._params)
        if self._folder is not None and isinstance(index, Approximate) and version >= 0:  # below 0: no other process knows it
            index = self._saved(index, self._folder, version)
        self._index, self._version = index, version
        return index

    def _saved(self, index: Approximate, folder: Path, version: int) -> Approximate:
        """The index as it lies on disk, its vectors mapped and no longer in memory; as it was if it cannot be written."""
        problem = files.save(folder, self._key, index, self._made, version)
        if problem is None:
            try:
                found = files.load(folder, self._key, self._made)
            except DamagedIndex as error:
                problem = str(error)
            else:
                # another process may have written a newer version in between: ours is the one that goes with `version`
                return found.index if found is not None and found.version == version else index
        self._warn(problem)
        return index

    def _opened(self) -> Approximate | None:
        if self._folder is None or (self._kind == "auto" and not choose.has_faiss()):
            return None
        try:
            found = files.load(self._folder, self._key, self._made)
        except DamagedIndex as error:
            self._warn(str(error))
            return None
        if found is None or not self._wanted(found.index):
            return None
        self._version = found.version
        return found.index

    def _wanted(self, index: Approximate) -> bool:
        asked = all(index.params.get(name) == value for name, value in self._params.items() if value != 0)
        return self._kind in ("auto", index.kind) and index.metric == self._metric and asked
