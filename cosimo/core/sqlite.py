"""SQLite: one way to open a file. Paths in; transactions, rows and our errors out. Knows no table of ours."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import config
from .errors import Corrupt, Error, Locked, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MEMORY = ":memory:"
LEAST_SPACE = 64 * 1024  # bytes that SQLite needs to write at all
PAGE_SIZE = 8192  # for new files: five 384-dim rows fit a page where 4,096 bytes hold two; 20% smaller, same speed
# 256 MB of log before it is copied into the file, at the latest when the file is closed. At 32 MB, 100,000 vectors stored at
# once waited 0.3 s for a resting disk and 1.8 s for a busy one; at 8 MB every batch did
LOG_PAGES = 32_000
# pages kept: ids and hashes arrive in random order, and hits lie anywhere (default 2 MB: 1.5 times slower at 100,000 rows)
CACHE_KIB = 65_536


class File:
    """An open SQLite file: one connection behind one lock, so that it may be used from several threads.

    One connection rather than one a thread: `:memory:` works, nothing has to be closed elsewhere, and a reader waits at
    most for one batch of a writer in the same process. Other processes are kept apart by SQLite itself.

    Parameters
    ----------
    address : path, `:memory:`, or `sqlite:///path`
    read_only : never write, not even to create
    busy_timeout : seconds to wait for another program's transaction
    create : make the file if it does not exist
    page_size : bytes, of a file that is new
    immutable : nobody writes the file as long as it is open, so nothing is made beside it, no index of a log and no lock

    Raises
    ------
    StoreError : no such file or folder, a folder, no permission
    Corrupt : not a database
    Locked : another program holds the file exclusively
    """

    def __init__(
        self,
        address: str | os.PathLike[str],
        *,
        read_only: bool = False,
        busy_timeout: float = config.BUSY_TIMEOUT,
        create: bool = True,
        page_size: int = PAGE_SIZE,
        immutable: bool = False,
    ) -> None:
        text = os.fspath(address).removeprefix("sqlite:///").removeprefix("sqlite://")
        self.path = None if text == MEMORY else Path(text).expanduser()
        self.name = MEMORY if self.path is None else str(self.path)
        self.busy_timeout = busy_timeout
        self.page_size = page_size
        self.immutable = immutable
        self.read_only = read_only or immutable or not self._writable()
        self.lock = threading.RLock()
        self._connection = self._opened(create)

    # --- opening ---------------------------------------------------------------------------------------------------

    def _writable(self) -> bool:
        """False where SQLite would refuse the first write: it needs the file and its folder (journals live there)."""
        if self.path is None or not os.path.lexists(self.path):
            return True
        effective = os.access in os.supports_effective_ids  # who we act as decides, where the system can tell
        return all(os.access(place, os.W_OK, effective_ids=effective) for place in (self.path, self.path.parent))

    def _opened(self, create: bool) -> sqlite3.Connection:
        if self.path is None:
            return self._connect(MEMORY)
        self._check_path(self.path, create)
        if not self.read_only:
            try:
                return self._probed("rwc" if create else "rw")
            except StoreError as error:
                if not _cannot_open(error) or not os.path.lexists(self.path):
                    raise
                self.read_only = True  # the system says no in a way that was not to be foreseen
        if self.immutable:
            return self._probed("ro&immutable=1")
        try:
            return self._probed("ro")
        except StoreError as error:
            # a file in WAL mode wants to make an index of its log beside it; where it cannot, and there is no log, the
            # file alone is complete
            log = Path(f"{self.path}-wal")
            if not _cannot_open(error) or (log.exists() and log.stat().st_size):
                raise
            return self._probed("ro&immutable=1")

    def _check_path(self, path: Path, create: bool) -> None:
        if "\0" in self.name:
            raise StoreError(f"{self.name!r} cannot be the name of a file: it holds a NUL; name another")
        if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a folder above may not be read
            raise StoreError(f"{path} is a folder, not a database; name a file in it")
        if os.path.lexists(path):
            if not os.path.exists(path) and os.path.islink(path):  # noqa: PTH110, PTH114 - as above
                raise StoreError(f"{path} is a link that leads nowhere; remove it or name another file")
            return
        if self.read_only or not create:
            raise StoreError(f"there is no database at {path}; check the path, or add something to make it")
        if not path.parent.is_dir():
            raise StoreError(f"cannot create {path}: there is no folder {path.parent}; create it first")

    def _probed(self, mode: str) -> sqlite3.Connection:
        """A connection that has read the schema: only then does SQLite notice a file that is no database."""
        assert self.path is not None
        connection = None
        with self.translating():
            try:
                connection = self._connect(f"{self.path.absolute().as_uri()}?mode={mode}")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.Error:
                if connection is not None:
                    connection.close()
                raise
        return connection

    def _connect(self, target: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            target,
            uri=target != MEMORY,
            timeout=self.busy_timeout,
            isolation_level=None,  # transactions begin where we say so, not where the module guesses
            check_same_thread=False,  # the lock keeps threads apart
        )
        connection.text_factory = _decoded
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")  # touches no file; hits of a search lie anywhere in it
        return connection

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self.lock, self.translating():
            self._connection.close()

    # --- reading and writing ---------------------------------------------------------------------------------------

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        # not `translating()`, here and below: a search asks some ten times, and a generator costs as much as a small query
        with self.lock:
            try:
                return self._connection.execute(sql, parameters).fetchall()
            except (sqlite3.Error, OverflowError) as error:
                raise self._ours(error) from error

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first column of the first row, or None."""
        with self.lock:
            try:
                row = self._connection.execute(sql, parameters).fetchone()
            except (sqlite3.Error, OverflowError) as error:
                raise self._ours(error) from error
        return row[0] if row else None

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; the number of rows it changed."""
        with self.lock:
            try:
                return self._connection.execute(sql, parameters).rowcount
            except (sqlite3.Error, OverflowError) as error:
                raise self._ours(error) from error

    def execute_many(self, sql: str, parameters: Iterable[Sequence[Any]]) -> int:
        """Run one statement for each set of parameters; the number of rows changed."""
        with self.lock, self.translating():
            return self._connection.executemany(sql, parameters).rowcount

    def blocks(self, sql: str, parameters: Sequence[Any] = (), *, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """A query's rows, `size` at a time. Only inside `snapshot()` or `atomic()`, which hold the lock."""
        with self.translating():
            cursor = self._connection.execute(sql, parameters)
            while block := cursor.fetchmany(size):
                yield block

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Reads inside see one state of the file, whatever other programs commit meanwhile."""
        with self.lock:
            if self._in_transaction():
                yield
                return
            self.execute("BEGIN")
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                self._undo(nested=False)
                raise

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """All of what is written inside, or nothing of it. Nests: an inner block that fails undoes itself alone."""
        with self.lock:
            nested = self._in_transaction()
            # IMMEDIATE: a transaction that starts by reading and then writes fails at once, timeout or not, if another
            # writer came between
            self.execute("SAVEPOINT cosimo" if nested else "BEGIN IMMEDIATE")
            try:
                yield
                self._still_there()
                self.execute("RELEASE cosimo" if nested else "COMMIT")
            except BaseException:
                self._undo(nested)
                raise

    def _still_there(self) -> None:
        """A file that is deleted while open takes every write and keeps none: better to stop."""
        if self.path is not None and not os.path.lexists(self.path):
            raise StoreError(f"{self.name} was removed or renamed by another program meanwhile; open it again")

    def _in_transaction(self) -> bool:
        try:
            return self._connection.in_transaction
        except sqlite3.Error as error:
            raise self._ours(error) from error

    def _undo(self, nested: bool) -> None:
        if not self._in_transaction():  # a full disk makes SQLite roll back by itself
            return
        if nested:
            self.execute("ROLLBACK TO cosimo")
            self.execute("RELEASE cosimo")
        else:
            self.execute("ROLLBACK")

    def begin_writing(self) -> bool:
        """Make the connection ready for its first write: a write-ahead log, so that readers never wait for us.

        False inside of a transaction, where nothing can be made ready: ask again at the next write.

        Raises
        ------
        StoreError : the file or its folder cannot be written, or it was opened for reading
        """
        if self.read_only:
            raise StoreError(self._why_not())
        with self.lock:
            if self._in_transaction():  # the mode cannot change now; writing works in any
                return False
            if not self.value("PRAGMA page_count"):
                self.execute(f"PRAGMA page_size={self.page_size}")
            try:
                mode = self.value("PRAGMA journal_mode=wal")
            except Locked:  # somebody is reading in the old mode; it works as well, only readers wait
                mode = None
            if mode == "wal":  # with it, NORMAL loses no commit when a process dies; without it FULL is needed
                self.execute("PRAGMA synchronous=NORMAL")
            self.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
        return True

    def _why_not(self) -> str:
        """Why nothing can be written; on a full disk a file opens for reading alone."""
        if self.path is not None and shutil.disk_usage(self.path.parent).free < LEAST_SPACE:
            return f"no space left for {self.name}: nothing can be written; free some and run this again"
        return f"{self.name} cannot be written: it is read-only here; copy it or change its permissions"

    def back_up(self, target: str | os.PathLike[str]) -> None:
        """Copy the whole file, consistent even while others write, to a path where nothing is yet.

        Raises
        ------
        StoreError : something is at `target` already, or it cannot be written
        """
        path = Path(target).expanduser()
        if os.path.lexists(path):
            raise StoreError(f"{path} exists already; name a file that does not")
        copy = File(path, busy_timeout=self.busy_timeout)
        try:
            with self.lock, copy.translating():
                self._connection.backup(copy._connection)
        except BaseException:
            copy.close()
            path.unlink(missing_ok=True)
            raise
        copy.close()

    # --- errors ----------------------------------------------------------------------------------------------------

    @contextmanager
    def translating(self) -> Iterator[None]:
        """sqlite3's exceptions inside become ours, with one sentence each."""
        try:
            yield
        except (sqlite3.Error, OverflowError) as error:
            raise self._ours(error) from error

    def _ours(self, error: Exception) -> Error:
        if isinstance(error, OverflowError):  # a text or number beyond what the format holds
            return StoreError(f"{self.name} cannot hold a value this large ({error}); nothing of it was stored")
        code = getattr(error, "sqlite_errorcode", None)
        name = self.name
        if code is None:  # the module's own complaints: in practice, that the file was closed
            return StoreError(f"{name} cannot be used ({error}); open it again")
        match code & 0xFF:  # the low byte is the kind, the rest says more
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return Locked(
                    f"{name} is locked by another writer for {self.busy_timeout:g} s; try again or set --busy-timeout"
                )
            case sqlite3.SQLITE_NOTADB:
                return Corrupt(f"{name} is not a SQLite database; name another file with -d")
            case sqlite3.SQLITE_CORRUPT:
                return Corrupt(f"{name} is damaged ({error}); restore a backup, or save what can be read: cosimo export")
            case sqlite3.SQLITE_FULL:
                return StoreError(f"no space left for {name}: the last batch was not stored; free some and run this again")
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
                return StoreError(f"{name} cannot be written: it is read-only here; copy it or change its permissions")
            case sqlite3.SQLITE_CANTOPEN:
                return StoreError(f"{name} cannot be opened; check that you may read it and write into its folder")
            case sqlite3.SQLITE_IOERR:
                return StoreError(f"the system cannot read or write {name} ({error}); check the disk and limits on file sizes")
            case sqlite3.SQLITE_TOOBIG:
                return StoreError(f"{name} cannot hold a value this large (SQLite's limit is 1 GB); nothing of it was stored")
        return StoreError(f"{name}: {error}")


def _cannot_open(error: StoreError) -> bool:
    code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM)


def _decoded(data: bytes) -> str:
    """Text of other programs may be no UTF-8; one such value must not make a whole table unreadable."""
    return data.decode("utf-8", "replace")
