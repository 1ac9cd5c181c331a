"""Transactions: an open SQLite file, and what is known of it as long as nobody changes it. Asks no question about rows."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar

from ..core import config
from ..core.sqlite import File
from . import catalog, schema

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import Self

T = TypeVar("T")


class Transactions:
    """The part of `SQLiteStore` that opens, reads and writes; the others ask through it."""

    def __init__(
        self,
        address: str | os.PathLike[str],
        *,
        read_only: bool = False,
        busy_timeout: float = config.BUSY_TIMEOUT,
        create: bool = True,
        immutable: bool = False,
    ) -> None:
        self._file = File(address, read_only=read_only, busy_timeout=busy_timeout, create=create, immutable=immutable)
        self._state: schema.State | None = None  # what the file held when last looked at
        self._stamp: int | None = None  # PRAGMA data_version then: other connections' commits change it
        self._facts: dict[tuple[str, ...], Any] = {}  # what is so until the file changes
        self._reader: int | None = None  # the thread inside a snapshot
        self._writers = 0  # how deep in transactions it is
        self._ready = False  # prepared for writing, as of self._state
        self._begun = False  # write-ahead log asked for

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def read_only(self) -> bool:
        """True where nothing can be written: asked for, or the file or its folder does not allow it."""
        return self._file.read_only

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """All writes inside are stored, or none; nests. No other program can write meanwhile."""
        with self._writing():
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside see one state of the file, whatever other programs commit; nests. Write outside of it."""
        with self._reading():
            yield

    @property
    def in_snapshot(self) -> bool:
        """True where this thread is inside of `snapshot` or `atomic`."""
        return self._reader == get_ident()

    def _reading(self) -> AbstractContextManager[schema.State]:
        """One snapshot of the file, and what it holds; looked at again whenever some program changed it."""
        if self._reader == get_ident() and self._state is not None:
            return nullcontext(self._state)  # inside of one already: a generator for each question is a tenth of a search
        return self._begun_reading()

    @contextmanager
    def _begun_reading(self) -> Iterator[schema.State]:
        with self._file.snapshot():
            outer, self._reader = self._reader, get_ident()
            try:
                if self._state is None or outer is None:
                    self._look()
                assert self._state is not None
                yield self._state
            finally:
                self._reader = outer

    def _look(self) -> None:
        """Forget what is no longer so."""
        stamp = self._file.value("PRAGMA data_version")
        if stamp == self._stamp and self._state is not None:
            return
        self._stamp = stamp
        self._facts.clear()
        if self._state is None or self._state.stamp != self._file.value("PRAGMA schema_version"):
            self._state, self._ready = schema.inspect(self._file), False

    @contextmanager
    def _writing(self) -> Iterator[schema.State]:
        """One transaction; the first, and the first after another program changed the schema, prepares the file."""
        with self._file.lock:
            if not self._begun:
                self._begun = self._file.begin_writing()
            self._writers += 1
            self._stamp = None  # our own writes change no stamp
            try:
                with self._file.atomic(), self._reading() as state:
                    if not self._ready:
                        state = self._state = schema.prepare(self._file, state)
                        self._ready = True
                    yield state
            except BaseException:
                self._state = None  # what was prepared may have been undone
                self._forget_undone()
                raise
            finally:
                self._writers -= 1
                self._stamp = None

    def _fact(self, key: tuple[str, ...], find: Callable[[], T]) -> T:
        """Something that is so as long as the file is not changed, found once: most searches ask of a file that rests."""
        if self._writers:
            return find()
        if key not in self._facts:
            self._facts[key] = find()
        found: T = self._facts[key]
        return found

    def _collection(self, collection: str) -> AbstractContextManager[tuple[schema.State, catalog.Entry]]:
        """A snapshot, and one collection in it."""
        if self._reader == get_ident() and self._state is not None:
            return nullcontext((self._state, self._entry(self._state, collection)))
        return self._begun_collection(collection)

    @contextmanager
    def _begun_collection(self, collection: str) -> Iterator[tuple[schema.State, catalog.Entry]]:
        with self._reading() as state:
            yield state, self._entry(state, collection)

    def _entry(self, state: schema.State, collection: str) -> catalog.Entry:
        return self._fact(("entry", collection), lambda: catalog.find(self._file, state, collection))

    @contextmanager
    def _writing_to(self, collection: str) -> Iterator[catalog.Entry]:
        """A transaction, and the collection it writes to."""
        with self._writing() as state:
            yield catalog.find(self._file, state, collection)

    def _forget_undone(self) -> None:
        """Called when a transaction was rolled back: the next write gets the version that was undone, with other rows."""
