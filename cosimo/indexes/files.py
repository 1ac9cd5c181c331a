"""Files: a built index ↔ two files beside the database, one of data under a new name each time, and a manifest replaced last.

    KEY.json              what the index is, what made it, where its arrays lie; with a checksum of itself
    KEY-STAMP.idx         magic, format, byte order and stamp in the first 4096 bytes, then the arrays
    KEY.lock              empty; locked by the process that is building

A build that is killed, or runs into a full disk, leaves the manifest naming the version before. Data files are never
changed: who has one mapped keeps it, and one that cannot be removed now (Windows) is removed at a later save. All arrays
but the vectors are checked when a file is opened; vectors are, one by one, when they are first read (`rows.Rows`).
"""

from __future__ import annotations

import json
import mmap
import os
import secrets
import time
import zlib
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import Corrupt, Locked, StoreError
from ..core.sqlite import File
from ..core.units import distinct, documents_of
from .graph import GraphIndex
from .lists import ListsIndex
from .rows import DamagedIndex, Rows, sums_of
from .scan import ScanIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from .approximate import Approximate

FORMAT = 1
MAGIC = b"cosimo index\r\n\x1a\n"  # 16 bytes; the line ends show a transfer that took it for text
PAGE = 4096
ATTEMPTS = 5
KINDS: dict[str, type[Approximate]] = {kind.kind: kind for kind in (ScanIndex, GraphIndex, ListsIndex)}


@dataclass(frozen=True, slots=True)
class Made:
    """What an index was made from; one that was made from anything else is not opened."""

    model: str | None
    dim: int


@dataclass(frozen=True, slots=True)
class About:
    """What a manifest says, without opening the index."""

    kind: str
    metric: str
    version: int
    rows: int
    documents: int
    size: int  # bytes of the data file


@dataclass(frozen=True, slots=True)
class Opened:
    """An index from a file, and the store's version it was built at: apply the changes since then."""

    index: Approximate
    version: int


# -- writing


@contextmanager
def building(folder: Path, key: str) -> Iterator[bool]:
    """Whether this process may build what is kept under a key: False while another one does.

    The lock is SQLite's on an empty file: it works on every system, and goes with the process that held it. Who has it
    knows that nobody is at work, so what killed builds have left is removed.

    Raises
    ------
    StoreError : the folder cannot be made or locked
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {folder} ({error.strerror})") from error
    path = folder / f"{key}.lock"
    try:
        lock = _locked(path)
    except Corrupt:  # something else lies there: it holds nothing, so it can go
        with suppress(OSError):
            path.unlink()
        lock = _locked(path)
    if lock is None:
        yield False
        return
    try:
        used = _named(folder / f"{key}.json")
        _sweep(folder, key, lambda path: path.name != used)
        yield True
    finally:
        lock.close()


def _locked(path: Path) -> File | None:
    """The file, locked, or None where another process has locked it."""
    lock = None
    try:
        lock = File(path, busy_timeout=0)
        lock.execute("BEGIN EXCLUSIVE")
    except Locked:
        if lock is not None:
            lock.close()
        return None
    return lock


def save(folder: Path, key: str, index: Approximate, made: Made, mark: str, version: int) -> str | None:
    """Write an index as it was built; changes applied to it since belong to versions after `version`.

    Parameters
    ----------
    mark : was put into the database after `version` was read there: who finds it there has the same history up to then

    Returns
    -------
    None when it is written, else one sentence that says why not; what was there before is then still there
    """
    stamp, before = secrets.token_hex(8), _named(folder / f"{key}.json")
    data = folder / f"{key}-{stamp}.idx"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        manifest = _write_data(data.with_suffix(".tmp"), index, stamp)
        data.with_suffix(".tmp").replace(data)
        manifest |= {"made": asdict(made), "mark": mark, "version": version}
        fresh = folder / f"{key}-{stamp}.json.tmp"
        fresh.write_bytes(_signed(manifest))
        _replace(fresh, folder / f"{key}.json")
    except OSError as error:
        for path in (data, data.with_suffix(".tmp"), folder / f"{key}-{stamp}.json.tmp"):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        return f"the index could not be written into {folder} ({error.strerror or error}); it is kept in memory"
    _sweep(folder, key, lambda path: path.name == before)
    return None


def drop(folder: Path, key: str) -> bool:
    """Remove what is kept under a key, if anything is; what others have open on Windows goes with a later save."""
    manifest = folder / f"{key}.json"
    there = manifest.exists()
    for path in (manifest, folder / f"{key}.lock"):
        with suppress(OSError):
            path.unlink(missing_ok=True)
    _sweep(folder, key)
    with suppress(OSError):
        folder.rmdir()  # only if nothing else is in it
    return there


def _write_data(path: Path, index: Approximate, stamp: str) -> dict[str, Any]:
    rows = index.rows
    arrays: dict[str, NDArray[Any]] = {"numbers": rows.numbers, "sums": rows.sums()}
    arrays |= {f"part {name}": array for name, array in index.parts.items()}
    arrays["matrix"] = rows.matrix  # last: what an opening reads lies together
    sections = {}
    with path.open("wb") as file:
        file.write(_head(stamp))
        for name, array in arrays.items():
            file.seek(-file.tell() % PAGE, os.SEEK_CUR)
            little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            check = None if name == "matrix" else _digest(little)  # its rows are checked one by one, by `sums`
            sections[name] = {"at": file.tell(), "dtype": little.dtype.str, "shape": list(little.shape), "check": check}
            if little.size:
                file.write(little.data)
        size = file.tell()
    # no fsync: all of it is derived, and after a power cut the sums show what the disk did not get
    return {
        "format": FORMAT, "stamp": stamp, "size": size, "kind": index.kind, "metric": index.metric, "params": index.params,
        "recall": index.recall, "rows": len(rows), "documents": len(distinct(documents_of(rows.numbers))), "sections": sections,
    }  # fmt: skip


def _head(stamp: str) -> bytes:
    numbers = np.array([FORMAT, 0x01020304], np.uint32).tobytes()  # native order on purpose: it shows whose machine wrote it
    return (MAGIC + numbers + stamp.encode()).ljust(PAGE, b"\0")


def _digest(array: NDArray[Any]) -> int:
    """One checksum of all bytes of an array."""
    data = array.reshape(-1).view(np.uint8)
    whole = len(data) // PAGE * PAGE
    sums = sums_of(data[:whole].view(np.uint32).reshape(-1, PAGE // 4))
    return zlib.crc32(data[whole:].tobytes(), zlib.crc32(sums.tobytes()))


def _signed(manifest: dict[str, Any]) -> bytes:
    body = json.dumps(manifest, sort_keys=True)
    return json.dumps({"check": zlib.crc32(body.encode()), "index": manifest}, sort_keys=True, indent=1).encode()


def _replace(fresh: Path, path: Path) -> None:
    for wait in (0.01, 0.05, 0.2):
        try:
            fresh.replace(path)
        except PermissionError:  # Windows, while somebody reads it: that takes no time
            time.sleep(wait)
        else:
            return
    fresh.replace(path)


def _named(manifest: Path) -> str | None:
    """The data file that a manifest names, if it can be read."""
    try:
        return f"{manifest.stem}-{json.loads(manifest.read_bytes())['index']['stamp']}.idx"
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _sweep(folder: Path, key: str, gone: Callable[[Path], bool] | None = None) -> None:
    """Remove the files of a key: those that `gone` says yes to, or all."""
    for path in list(folder.glob(f"{key}-*")):
        with suppress(OSError):  # mapped by somebody (Windows), or just removed by somebody else
            if gone is None or gone(path):
                path.unlink()


# -- reading


def load(folder: Path, key: str, made: Made, marks: Collection[str]) -> Opened | None:
    """The index kept under a key, or None where there is none, or one of another database, state or model.

    Parameters
    ----------
    marks : those the database holds; the index has to have been saved with one of them

    Raises
    ------
    DamagedIndex : something is there that cannot be used; one sentence says why. Build it again
    MissingExtra : FAISS is not installed
    """
    for attempt in range(ATTEMPTS):  # a writer may put a newer version there between reading the manifest and opening the data
        manifest = _manifest(folder / f"{key}.json")
        if manifest is None or manifest.get("mark") not in marks or manifest.get("made") != asdict(made):
            return None
        path = folder / f"{key}-{manifest['stamp']}.idx"
        try:
            with _reading(path):
                return Opened(_opened(path, manifest), int(manifest["version"]))
        except FileNotFoundError as error:
            if attempt == ATTEMPTS - 1:
                raise DamagedIndex(f"the index file {path.name} is missing; the index is built again") from error
    return None


def about(folder: Path, key: str, made: Made, marks: Collection[str]) -> About | None:
    """What the manifest says of the index kept under a key; None where there is none, or none that `load` would open."""
    try:
        manifest = _manifest(folder / f"{key}.json")
    except DamagedIndex:
        return None
    if manifest is None or manifest.get("mark") not in marks or manifest["made"] != asdict(made):
        return None
    return About(**{each.name: manifest[each.name] for each in fields(About)})


def _manifest(path: Path) -> dict[str, Any] | None:
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DamagedIndex(f"the index file {path} cannot be read ({error.strerror}); the index is built again") from error
    with _reading(path):
        outer = json.loads(raw)
        manifest: dict[str, Any] = outer["index"]
        if manifest["format"] != FORMAT:
            raise DamagedIndex(f"the index {path.name} is of format {manifest['format']}, not {FORMAT}; it is built again")
        if zlib.crc32(json.dumps(manifest, sort_keys=True).encode()) != outer["check"]:
            raise DamagedIndex(f"the index file {path.name} is damaged; the index is built again")
    return manifest


class _reading:
    """Whatever goes wrong inside, in whatever way a damaged file makes it, is a `DamagedIndex`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FileNotFoundError):
            return
        if isinstance(error, OSError | ValueError | TypeError | KeyError | AttributeError | RuntimeError | OverflowError):
            raise DamagedIndex(f"the index file {self._path.name} is damaged ({error}); the index is built again") from error


def _opened(path: Path, manifest: dict[str, Any]) -> Approximate:
    size = manifest["size"]
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size != size:
            raise ValueError("cut off")
        mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    if mapped[:PAGE] != _head(manifest["stamp"]):
        raise ValueError("the first bytes are those of another format or another machine")
    arrays = {name: _array(mapped, **section) for name, section in manifest["sections"].items()}
    rows = Rows(
        arrays["numbers"].copy(), arrays["matrix"], arrays["sums"].copy(), lambda: mapped.size() >= size
    )  # fmt: skip
    parts = {name.removeprefix("part "): array for name, array in arrays.items() if name.startswith("part ")}
    return KINDS[manifest["kind"]](rows, manifest["metric"], manifest["params"], parts, manifest["recall"])


def _array(mapped: mmap.mmap, at: int, dtype: str, shape: list[int], check: int | None) -> NDArray[Any]:
    count = int(np.prod(shape))
    array = np.frombuffer(mapped, np.dtype(dtype), count, at).reshape(shape) if count else np.empty(shape, dtype)
    if check is not None and _digest(array) != check:
        raise ValueError("bytes have changed")
    return array
