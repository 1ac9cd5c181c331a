"""Kept: an index in step with a store and kept beside it on disk; built, opened, repaired and merged here. Reads no database.

`ready` opens or builds what a search needs; outside of a snapshot, since a build takes seconds. Then, inside of one,
`current` takes over what changed, and `search` answers. Whatever goes wrong meanwhile, the answer is right: an exact
search of all rows needs nothing but the rows.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from ..core.errors import StoreError
from ..core.types import Change
from . import choose, files
from .approximate import Approximate
from .flat import FlatIndex
from .rows import DamagedIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ..core.types import IndexInfo, Metric, Numbers, Scores, Vectors
    from .files import Made

# exact searches that take as long as a build does: 6 ms each against 1.7 s for 100,000 rows, 60 ms against 17 s for a million.
# What cannot be saved is built after as many, so nobody waits more than twice as long as with the best choice in hindsight
WORTH = 256
HOPELESS = 0.5  # share of rows fresh or gone, from which a search alone, without a write before, builds again


class Source(Protocol):
    """What an index asks of a store, for one collection. Inside `snapshot` no other thread is."""

    @property
    def writable(self) -> bool: ...

    @property
    def inside(self) -> bool: ...

    def snapshot(self) -> AbstractContextManager[None]: ...

    def changes(self, since: int | None) -> Change: ...

    def marks(self) -> Collection[str]: ...

    def mark(self, version: int) -> str | None: ...


class Taken(NamedTuple):
    """All units and vectors there are at a version, to build from."""

    version: int
    numbers: Numbers
    vectors: Vectors


class Kept:
    """The index of one collection. Fulfils `Index`.

    Parameters
    ----------
    source : the rows; see `Source`
    folder : where derived files lie; None keeps the index in memory
    key : names the files; no "-" in it
    made : what the vectors are made from
    kind, metric, params : as for `choose.build`
    warn : is told in one sentence what could not be opened or written
    tell : is told what takes more than a second

    Raises
    ------
    DataError : a kind, metric or parameter that there is not
    """

    def __init__(
        self,
        source: Source,
        folder: Path | None,
        key: str,
        made: Made,
        *,
        kind: str = "auto",
        metric: Metric = "cosine",
        params: Mapping[str, int | str] | None = None,
        warn: Callable[[str], None],
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        choose.checked(kind, metric, params)
        self._source, self._folder, self._key, self._made, self._warn = source, folder, key, made, warn
        self._kind, self._metric, self._params, self._tell = kind, metric, dict(params or {}), tell
        self._index: FlatIndex | Approximate | None = None
        self._version: int | None = None
        self._searches = 0  # since the index was built or opened
        self._patience = 0  # searches, before which nothing is built
        self._mistrusted = False  # the file on disk was found damaged, and is not opened again
        self._building = Lock()

    # -- searching

    def ready(self) -> None:
        """Open or build what the next search needs. Call outside of a snapshot; takes seconds where it has to be built.

        Raises
        ------
        MissingExtra : FAISS is not installed, and the kind was asked for by name
        """
        if not self._overdue():
            return
        with self._alone() as alone:
            if not alone or not self._overdue():
                return
            with self._source.snapshot():
                taken = self._taken(self._overdue)
            if taken is not None and not self._built(taken, in_memory=self._searches >= WORTH):
                self._make_do(taken)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """True while no other thread builds.

        Who is inside of a snapshot does not wait for that: the other thread would wait for the snapshot to end.
        """
        alone = self._building.acquire(blocking=not self._source.inside)
        try:
            yield alone
        finally:
            if alone:
                self._building.release()

    @property
    def metric(self) -> Metric:
        """What a score is."""
        return self._metric

    def current(self) -> FlatIndex | Approximate:
        """The index with everything in it that the store holds now. Call inside a snapshot."""
        if self._index is None:
            self._open()
        change = self._source.changes(self._version)
        if self._index is None:
            self._index = FlatIndex(self._metric)
        if change.version != self._version:
            self._index.apply(change)
            self._version = change.version
        return self._index

    def apply(self, change: Change) -> None:
        """Take over what changed; what `current` does with what the store says."""
        self._held.apply(change)

    def search(self, queries: Vectors, k: int, *, allowed: Numbers | None = None) -> tuple[list[Numbers], list[Scores]]:
        """As `Index.search`. Damage found on the way costs a warning and time, not the answer. Call inside a snapshot."""
        self._searches += 1
        try:
            return self._held.search(queries, k, allowed=allowed)
        except DamagedIndex as error:
            self._warn(f"{error}; the index is built again")
            self._index, self._mistrusted = None, True
            self._make_do(Taken(*self._all()))
            self._searches, self._patience = WORTH, 0  # due at once
            return self._held.search(queries, k, allowed=allowed)

    def describe(self) -> IndexInfo:
        """What the index is, holds and reaches."""
        return self._held.describe()

    @property
    def stale_share(self) -> float:
        """The share of rows that are gone, or that came after the build."""
        return self._held.stale_share

    def __len__(self) -> int:
        return len(self._held)

    @property
    def on_disk(self) -> bool:
        """Whether the index in use is one that was saved."""
        return isinstance(self._index, Approximate) and self._index.rows.mapped

    @property
    def damaged(self) -> bool:
        """True from when damage was found until the index is built again: call `ready` once the snapshot is closed."""
        return self._mistrusted and self._overdue()

    def why(self) -> str:
        """One sentence: why this kind of index."""
        info = self.describe()
        meant = self._meant(info.rows, self._made.dim)
        if meant != info.kind and info.kind == "flat":
            return f"{info.kind}: all rows are searched exactly for the time being; {meant} would be quicker"
        if meant != info.kind:
            return f"{info.kind}: as it was built; the next one will be {meant}"
        return choose.choose(info.rows, self._made.dim).why if self._kind == "auto" else f"{info.kind}: as asked for"

    @property
    def _held(self) -> FlatIndex | Approximate:
        return self._index if self._index is not None else self.current()

    # -- building

    def merge(self) -> bool:
        """Build it again with what came since, if that is worth its time and can be kept; True if it was. Not in a snapshot."""
        with self._alone() as alone:
            if not alone:
                return False
            with self._source.snapshot():
                taken = self._taken(lambda: self._wanting() or self._overdue())
            return taken is not None and self._built(taken, in_memory=self._index is not None)

    def rebuild(self) -> FlatIndex | Approximate:
        """Build it from the store's rows, whatever there is; kept in memory where it cannot be saved. Not in a snapshot."""
        with self._alone() as alone:
            with self._source.snapshot():
                taken = Taken(*self._all())
            if alone:
                self._built(taken, in_memory=True)
            return self._held

    def _overdue(self) -> bool:
        """Whether a search should wait until there is a better index than this."""
        index = self._index
        if index is None:
            return True
        if self._searches < self._patience:
            return False
        if isinstance(index, FlatIndex):
            return self._meant(len(index), self._made.dim) != "flat"
        return index.stale_share > HOPELESS and len(index.rows) * self._made.dim > choose.SMALL

    def _wanting(self) -> bool:
        """Whether a build after a write is worth its time."""
        if isinstance(self._index, Approximate):
            return choose.worth_merging(self._index)
        return self._overdue()

    def _meant(self, rows: int, dim: int) -> str:
        return choose.choose(rows, dim).kind if self._kind == "auto" and rows else self._kind if rows else "flat"

    def _taken(self, due: Callable[[], bool]) -> Taken | None:
        """All rows, if an index has to be built of them; None once what is there is up to date, and not due."""
        if not isinstance(self._index, Approximate):
            self._open()  # another process may have built one by now
        change = self._source.changes(self._version)
        if change.full:
            if self._meant(*change.vectors.shape) != "flat":
                return Taken(change.version, change.numbers, change.vectors)
            if self._index is not None and not isinstance(self._index, FlatIndex):
                self._index = None
        if self._index is None:
            self._index = FlatIndex(self._metric)
        self._index.apply(change)
        self._version = change.version
        if not due():
            return None
        try:
            return Taken(self._version, *self._index.everything())
        except DamagedIndex as error:
            self._warn(f"{error}; the index is built again")
            self._mistrusted = True
            return Taken(*self._all())

    def _all(self) -> tuple[int, Numbers, Vectors]:
        change = self._source.changes(None)
        return change.version, change.numbers, change.vectors

    def _built(self, taken: Taken, *, in_memory: bool) -> bool:
        """Build, save and take over an index; False where it cannot be saved and is not to be built then."""
        if self._meant(*taken.vectors.shape) == "flat":
            if self._folder is not None and self._source.writable:
                files.drop(self._folder, self._key)
            self._take_over(choose.build(taken.numbers, taken.vectors, kind="flat", metric=self._metric), taken.version)
            return True
        with self._permission(taken.version) as mark:
            if mark is None and not in_memory:
                return False
            seconds = choose.seconds_to_build(self._kind, *taken.vectors.shape)
            if seconds > 1:
                self._tell(f"building the index of {len(taken.numbers):,} vectors, about {seconds:.0f} s")
            index = choose.build(taken.numbers, taken.vectors, kind=self._kind, metric=self._metric, params=self._params)
            if mark is not None and self._folder is not None:
                assert isinstance(index, Approximate)
                index, self._mistrusted = self._saved(index, self._folder, mark, taken.version), False
        self._take_over(index, taken.version)
        return True

    def _take_over(self, index: FlatIndex | Approximate, version: int) -> None:
        with self._source.snapshot():  # no other thread is searching
            self._index, self._version, self._searches, self._patience = index, version, 0, 0

    def _make_do(self, taken: Taken) -> None:
        """Search all rows exactly for the time being."""
        with self._source.snapshot():
            self._patience = WORTH
            if self._index is None:
                self._index = FlatIndex(self._metric)
                self._index.apply(Change(taken.version, True, taken.numbers, taken.vectors, np.empty(0, np.int64)))
                self._version = taken.version

    # -- files

    @contextmanager
    def _permission(self, version: int) -> Iterator[str | None]:
        """The mark to save an index of a version with; None where nothing can be saved, or another process is about to."""
        if self._folder is None or version < 0 or not self._source.writable:  # below 0: no other process knows the version
            yield None
            return
        with ExitStack() as stack:
            try:
                free = stack.enter_context(files.building(self._folder, self._key))
            except StoreError as error:
                self._warn(f"{error}; the index is kept in memory")
                free = False
            yield self._source.mark(version) if free else None

    def _saved(self, index: Approximate, folder: Path, mark: str, version: int) -> Approximate:
        """The index as it lies on disk, its vectors mapped and no longer in memory; as it was if it cannot be written."""
        problem = files.save(folder, self._key, index, self._made, mark, version)
        if problem is None:
            try:
                found = files.load(folder, self._key, self._made, [mark])
            except DamagedIndex as error:
                problem = str(error)
            else:
                return found.index if found is not None else index
        self._warn(problem)
        return index

    def _open(self) -> None:
        """Take over the index on disk, if it is one of these rows, and of the kind asked for."""
        asked_exactly = self._kind == "flat" or (self._kind == "auto" and not choose.has_faiss())
        if self._folder is None or self._mistrusted or asked_exactly:
            return
        try:
            found = files.load(self._folder, self._key, self._made, self._source.marks())
        except DamagedIndex as error:
            self._warn(str(error))
            self._mistrusted = True
            return
        if found is not None and self._wanted(found.index):
            self._take_over(found.index, found.version)

    def _wanted(self, index: Approximate) -> bool:
        asked = all(index.params.get(name) == value for name, value in self._params.items() if value != 0)
        return self._kind in ("auto", index.kind) and index.metric == self._metric and asked
