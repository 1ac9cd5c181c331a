"""Cache file: 128-bit keys → vectors, in one SQLite file that many processes share. Knows neither texts nor models.

A row is found by half of its key (its rowid) and recognised by the other half, so there is no second index. Pages are of 512
bytes: the vectors lie in whole pages of their own, whatever their length, and a row of 384 numbers takes 1.06 times its 1,536
bytes; in pages of 8,192, five rows fit one where vectors are of 384 numbers, but one of 1,024 takes two.

Who is about to compute a key claims it in the file first, and renews the claim while it computes; a claim that nobody renewed
for `LEASE` seconds was of a process that is gone. Whoever finds a key claimed waits for the vector instead of paying twice.
"""

from __future__ import annotations

import os
import time
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.errors import Corrupt, StoreError
from ..core.sqlite import File

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

APPLICATION = 0x636F7331  # in the file's header: no other program's file is ever taken for ours
PAGE = 512
LEASE = 30.0  # seconds after which an unrenewed claim is free again
STALE = 24  # hours after which a hit is noted: most hits write nothing
WAIT = 20.0  # seconds to wait for another process's commit
LONG = 1e6  # days
KEPT = 0.9  # of the limit, after what was used longest ago has gone: so that it does not happen with every batch
_MANY = 500  # keys of one question
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS models(id INTEGER PRIMARY KEY, name TEXT NOT NULL, dim INTEGER NOT NULL, UNIQUE(name, dim))",
    # what is long comes last: looking for old rows reads no vectors. `used` is in hours, `sum` a CRC-32 of key and vector
    "CREATE TABLE IF NOT EXISTS vectors(id INTEGER PRIMARY KEY, rest BLOB, model INTEGER, used INTEGER, cut INTEGER,"
    " sum INTEGER, vector BLOB)",
    "CREATE TABLE IF NOT EXISTS claims(id INTEGER PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL)",
)


class Kept(NamedTuple):
    """What is kept under a key."""

    vector: bytes  # float32, little-endian
    cut: bool  # the model read the beginning of the text alone


class ModelUse(NamedTuple):
    """What the file holds of one model."""

    name: str
    dim: int
    rows: int
    last_used: int  # unix seconds, to the hour; hits are noted once a day


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """The file as it is."""

    path: Path
    bytes: int
    limit: int
    rows: int
    models: tuple[ModelUse, ...]


class CacheFile:
    """Vectors in one file. Opened at first use; threads may share it.

    Parameters
    ----------
    path : of the file; it and its folder are made when something is written
    limit : bytes that it may take
    own : nothing but our cache is ever kept at that path, so a file that is none is damaged

    Raises
    ------
    StoreError : by every method: the file cannot be opened, read or written, or is of another program
    """

    def __init__(self, path: Path, limit: int, *, own: bool = False) -> None:
        self.path = path
        self.limit = limit
        self._own = own
        self._file: File | None = None
        self._process = 0
        self._opening = Lock()
        self._inherited: list[File] = []

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Kept]:
        """What is kept of these keys and undamaged."""
        if self._file is None and not self.path.exists():
            return {}
        now = _hour()
        found: dict[bytes, Kept] = {}
        with self._opened() as file:
            old = self._look(file, keys, found, now)
            if old and not file.read_only:
                with file.atomic():
                    file.execute_many("UPDATE vectors SET used=? WHERE id=?", ((now, id) for id in old))
        return found

    def claim(self, keys: Sequence[bytes], owner: str) -> tuple[list[bytes], dict[bytes, Kept]]:
        """(keys that are now the owner's to compute, what was kept since `find` looked); all others somebody computes."""
        found: dict[bytes, Kept] = {}
        with self._opened(writing=True) as file, file.atomic():
            self._look(file, keys, found, 0)
            now = time.time()
            file.execute("DELETE FROM claims WHERE until < ?", (now,))
            missing = [key for key in keys if key not in found]
            ids = [_id(key) for key in missing]
            taken = {id for (id,) in _asked(file, "SELECT id FROM claims WHERE id IN", ids)}
            mine = [key for key, id in zip(missing, ids, strict=True) if id not in taken]
            file.execute_many("INSERT OR IGNORE INTO claims VALUES (?,?,?)", ((_id(k), owner, now + LEASE) for k in mine))
        return mine, found

    def renew(self, owner: str) -> None:
        """The owner is still computing."""
        with self._opened(writing=True) as file:
            file.execute("UPDATE claims SET until=? WHERE owner=?", (time.time() + LEASE, owner))

    def release(self, owner: str) -> None:
        """The owner computes no more."""
        with self._opened(writing=True) as file:
            file.execute("DELETE FROM claims WHERE owner=?", (owner,))

    def keep(self, rows: Mapping[bytes, Kept], model: str, dim: int, owner: str) -> None:
        """Store vectors and give up the owner's claims, in one transaction. Old rows make room where there is none."""
        now = _hour()
        with self._opened(writing=True) as file:
            with file.atomic():
                file.execute("INSERT OR IGNORE INTO models(name, dim) VALUES (?,?)", (model, dim))
                number = file.value("SELECT id FROM models WHERE name=? AND dim=?", (model, dim))
                values = sorted(
                    (_id(key), key[8:], number, now, kept.cut, _sum(key, kept.vector), kept.vector)
                    for key, kept in rows.items()
                )
                file.execute_many("INSERT OR REPLACE INTO vectors VALUES (?,?,?,?,?,?,?)", values)
                file.execute("DELETE FROM claims WHERE owner=?", (owner,))
            if _size(file) > self.limit:
                self._evict(file, int(self.limit * KEPT))

    def info(self) -> CacheInfo:
        """What the file holds; nothing where there is none."""
        if not self.path.exists():
            return CacheInfo(self.path, 0, self.limit, 0, ())
        with self._opened() as file:
            # not count(*) alone: SQLite would count pages of vectors too where it may choose
            rows = file.rows(
                "SELECT name, dim, count(*), max(used) FROM vectors JOIN models ON models.id=vectors.model"
                " GROUP BY model ORDER BY name, dim"
            )
            models = tuple(ModelUse(name, dim, count, used * 3600) for name, dim, count, used in rows)
            return CacheInfo(self.path, _size(file), self.limit, sum(model.rows for model in models), models)

    def clear(self, model: str | None = None) -> int:
        """Remove every vector, or those of one model (by its name); their number comes back."""
        if not self.path.exists():
            return 0
        with self._opened(writing=True) as file:
            with file.atomic():
                if model is None:
                    gone = int(file.value("SELECT count(*) FROM vectors"))
                    file.execute("DELETE FROM vectors")
                    file.execute("DELETE FROM models")
                else:
                    where = "model IN (SELECT id FROM models WHERE name=?)"
                    gone = file.execute(f"DELETE FROM vectors WHERE {where}", (model,))
                    file.execute("DELETE FROM models WHERE name=?", (model,))
            self._shrink(file)
        return gone

    def prune(self, *, size: int | None = None, days: float | None = None) -> int:
        """Remove what was not used for some days, then what was used longest ago, down to a size; how many rows went."""
        if not self.path.exists():
            return 0
        with self._opened(writing=True) as file:
            gone = 0
            if days is not None:
                hours = int(24 * max(0.0, min(LONG, days)))  # in this order, what is no number removes nothing
                gone += file.execute("DELETE FROM vectors WHERE used < ?", (_hour() - hours,))
            gone += self._evict(file, self.limit if size is None else size)
            self._shrink(file)
        return gone

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    # -- inside

    def _look(self, file: File, keys: Sequence[bytes], found: dict[bytes, Kept], now: int) -> list[int]:
        """Put what is kept into `found`; the rows that were last used long before `now` come back."""
        wanted = {_id(key): key for key in keys}
        sql = "SELECT id, rest, used, cut, sum, vector FROM vectors WHERE id IN"
        old = []
        for id, rest, used, cut, check, vector in _asked(file, sql, list(wanted)):
            key = wanted[id]
            if rest == key[8:] and isinstance(vector, bytes) and check == _sum(key, vector):
                found[key] = Kept(vector, bool(cut))
                if used < now - STALE:
                    old.append(id)
        return old

    def _evict(self, file: File, target: int) -> int:
        """Remove the rows used longest ago until the rest takes `target` bytes; how many went."""
        gone, size = 0, _size(file)
        while size > target:
            rows = int(file.value("SELECT count(*) FROM vectors"))
            if not rows:
                break
            excess = max((size - target) * rows // size, 16)
            with file.atomic():
                gone += file.execute(
                    "DELETE FROM vectors WHERE id IN (SELECT id FROM vectors ORDER BY used LIMIT ?)", (min(excess, 20_000),)
                )
            size = _size(file)
        return gone

    def _shrink(self, file: File) -> None:
        """Give freed pages back to the disk."""
        file.execute("VACUUM")
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _opened(self, *, writing: bool = False) -> Iterator[File]:
        """The open file. One that is damaged is put aside, for a new one to be begun with the next call."""
        try:
            with self._opening:
                if self._file is not None and self._process != os.getpid():
                    self._inherited.append(self._file)  # SQLite's connections do not survive a fork, not even to be closed
                    self._file = None
                if self._file is None:
                    self._file, self._process = self._open(), os.getpid()
                file = self._file
            if writing and file.read_only:
                raise StoreError(f"{self.path} cannot be written")
            yield file
        except Corrupt as error:
            self._put_aside(error)
            raise

    def _open(self) -> File:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self.path.exists():
                self.path.touch(mode=0o600)  # vectors tell something of their texts
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written ({error.strerror})") from error
        file = File(self.path, busy_timeout=WAIT, page_size=PAGE)
        try:
            self._prepare(file)
        except BaseException:
            file.close()
            raise
        return file

    def _prepare(self, file: File) -> None:
        if file.value("PRAGMA application_id") == APPLICATION:
            if not file.read_only:
                file.begin_writing()
            return
        if file.value("SELECT count(*) FROM sqlite_master"):
            raise StoreError(f"{self.path} is a database of something else; name another file in COSIMO_CACHE_PATH")
        file.begin_writing()
        with file.atomic():
            for statement in _SCHEMA:
                file.execute(statement)
            file.execute(f"PRAGMA application_id={APPLICATION}")

    def _put_aside(self, error: Corrupt) -> None:
        """Rename a damaged file: everything in it can be computed again, but what it is, its owner shall be able to see."""
        try:
            self.close()
            if not self._is_ours():
                raise StoreError(f"{self.path} is no cache of cosimo's; name another file in COSIMO_CACHE_PATH") from error
            self.path.replace(self.path.with_name(f"{self.path.name}.damaged"))
            for ending in ("-wal", "-shm"):
                self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
        except OSError as other:
            raise StoreError(f"{error}; it cannot be moved away either ({other})") from error

    def _is_ours(self) -> bool:
        """Whether the header, which damage rarely meets, still says so."""
        if self._own:
            return True
        with self.path.open("rb") as file:
            return file.read(72)[68:72] == APPLICATION.to_bytes(4, "big")


def _id(key: bytes) -> int:
    return int.from_bytes(key[:8], "big", signed=True)


def _sum(key: bytes, vector: bytes) -> int:
    return zlib.crc32(vector, zlib.crc32(key)) - (1 << 31)  # four bytes of a row, where 32 bits without a sign are six


def _hour() -> int:
    return int(time.time()) // 3600


def _size(file: File) -> int:
    pages = file.value("PRAGMA page_count") - file.value("PRAGMA freelist_count")
    return int(pages * file.value("PRAGMA page_size"))


def _asked(file: File, sql: str, ids: Sequence[int]) -> Iterable[tuple[Any, ...]]:
    """Rows of a question that ends in `IN`, some keys at a time, in the order of the file."""
    ids = sorted(ids)
    for start in range(0, len(ids), _MANY):
        part = ids[start : start + _MANY]
        yield from file.rows(f"{sql} ({','.join('?' * len(part))})", part)
