"""Exchange: rows with vectors → a file, and a file → the same rows, bit for bit. Stores nothing; `formats` knows the bytes.

Every reader yields rows as they come and raises at the first that is wrong: whoever stores them does so in one transaction.
"""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

from ..core.errors import DataError, UnreadableSource
from . import formats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..core.types import Row

FORMATS = ("ndjson", "csv", "parquet", "npy")
ENDINGS = {".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv", ".parquet": "parquet", ".npy": "npy"}
WRITERS: dict[str, Callable[[Iterable[Row], BinaryIO], int]] = {
    "ndjson": formats.write_ndjson,
    "csv": formats.write_csv,
    "parquet": formats.write_parquet,
}
READERS: dict[str, Callable[[BinaryIO, str], Iterator[Row]]] = {
    "ndjson": formats.read_ndjson,
    "csv": formats.read_csv,
    "parquet": formats.read_parquet,
}


def export_rows(rows: Iterable[Row], target: str | Path | BinaryIO, format: str | None = None) -> int:
    """Write rows to a file; their number comes back. Memory stays flat.

    Parameters
    ----------
    target : a path, replaced in one step when all is written; or a binary stream
    format : None goes by the ending of the name, and is ndjson where that tells nothing

        ndjson   one object a line: id, content (or content_blob, base64), metadata, content_hash, updated, embedding
        csv      the same as columns; metadata and embedding as JSON
        parquet  the same, embedding as a list of dim float32 (extra `parquet`)
        npy      a matrix (n, dim) of float32, and beside it NAME.ids.ndjson with the rest, a line a row

    Raises
    ------
    BadVector : a row with NaN or infinity, or of another length than the first; the file is left as it was
    DataError : the target cannot be written, or is a database
    MissingExtra : parquet without pyarrow
    """
    chosen = _format(target, format)
    if chosen == "npy":
        return _export_npy(rows, target)
    if not isinstance(target, str | Path):
        return WRITERS[chosen](rows, target)
    with replacing(Path(target)) as file:
        return WRITERS[chosen](rows, file)


def import_rows(source: str | Path | BinaryIO, format: str | None = None) -> Iterator[Row]:
    """The rows in a file that `export_rows` wrote, or another program with those names; only id and embedding must be there.

    Raises
    ------
    UnreadableSource : no such file, not that format, a row without an id, naming the line
    BadVector : NaN, infinity, not numbers, or another length than the first, naming the line
    MissingExtra : parquet without pyarrow
    """
    chosen = _format(source, format)
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        if not path.is_file():
            raise UnreadableSource(f"there is no file {path}; check the name")
        return formats.read_npy(path, ids_path(path)) if chosen == "npy" else _from_path(path, chosen)
    if chosen == "npy":
        raise UnreadableSource("npy is two files, vectors and ids; name the file instead of a pipe")
    return READERS[chosen](source, str(getattr(source, "name", "the input")))


def ids_path(path: Path) -> Path:
    """Where the ids of an npy file are."""
    return path.with_name(path.name.removesuffix(".npy") + ".ids.ndjson")


def _format(place: str | Path | BinaryIO, format: str | None) -> str:
    if format is None:
        return ENDINGS.get(Path(place).suffix.lower(), "ndjson") if isinstance(place, str | Path) else "ndjson"
    if format not in FORMATS:
        raise UnreadableSource(f"no format is called '{format}'; known are {', '.join(FORMATS)}")
    return format


def _from_path(path: Path, format: str) -> Iterator[Row]:
    try:
        with path.open("rb") as file:
            yield from READERS[format](file, str(path))
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be read: {error.strerror or error}") from error


def _export_npy(rows: Iterable[Row], target: str | Path | BinaryIO) -> int:
    if not isinstance(target, str | Path):
        raise DataError("npy is two files, vectors and ids; name a file instead of a pipe")
    path = Path(target)
    # two files cannot be replaced in one step; nothing but a crash between the two leaves new ids beside old vectors
    with replacing(path) as vectors, replacing(ids_path(path)) as ids:
        return formats.write_npy(rows, vectors, ids)


def _refuse_database(target: Path) -> None:
    """`cosimo export notes notes.db` must not put the rows in the place of the database, or of any other."""
    if target.is_file():
        with target.open("rb") as file:
            if file.read(16) == b"SQLite format 3\0":
                raise DataError(f"{target} is a database, which an export would replace; name another file")


@contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `target` at the end; after an error `target` is as it was."""
    target = target.expanduser()
    try:
        target = target.resolve()  # a link stays a link
        _refuse_database(target)
        if target.exists() and not stat.S_ISREG(target.stat().st_mode) and not target.is_dir():
            with target.open("wb") as device:  # /dev/null, /dev/stdout: nothing to replace
                yield device
            return
        part = target.with_name(f".{target.name}.{uuid4().hex[:8]}.part")
        try:
            with part.open("xb") as file:
                if target.is_file() and os.name != "nt":  # a read-only part could not be removed on Windows
                    shutil.copymode(target, part)  # what only its owner could read stays so
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DataError(f"cannot write {target}: {error.strerror or error}; what was there before is unchanged") from error
