"""Queries: SQL against SQLite files in, one Document a row out. Only reads; which cell is what is in `columns`."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..core.config import BUSY_TIMEOUT
from ..core.errors import UnreadableSource
from .columns import Columns, RowSource, unique
from .walk import why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..core.types import Document, Problem


class Query(RowSource):
    """The rows of a SQL query against a SQLite file as Documents; nothing is ever written to a file named here.

    Parameters
    ----------
    database : the file, or None for none (the query then reads what is attached)
    sql : one SELECT
    attach : name in the query → file; opened for reading, whatever characters are in its path
    The others are those of `Table`. Rows are called `row 17` in problems.

    Raises
    ------
    UnreadableSource : a file that is not there or no database, or SQLite's own words about the query
    """

    def __init__(
        self,
        database: str | Path | None,
        sql: str,
        *,
        attach: Mapping[str, str | Path] | None = None,
        id_column: str | None = None,
        text_columns: Sequence[str] | None = None,
        metadata_columns: Sequence[str] | None = None,
        named_columns: Mapping[str, str] | None = None,
        prefix: str = "",
        prepend: str = "",
        on_problem: Callable[[Problem], None] | None = None,
    ) -> None:
        columns = Columns(
            id_column=id_column, text_columns=text_columns, metadata_columns=metadata_columns, named_columns=named_columns
        )
        super().__init__("the query", columns, prefix=prefix, prepend=prepend, on_problem=on_problem)
        self._files = [(name, Path(path).expanduser()) for name, path in (attach or {}).items()]
        self._database = Path(database).expanduser() if database is not None else None
        self._sql = sql.strip().rstrip(";")

    @property
    def label(self) -> str:
        """The files and the query."""
        files = [path.resolve().as_posix() for path in (self._database, *(path for _, path in self._files)) if path]
        return " ".join(["sql", *files, self._sql, self.prefix]).rstrip()

    @property
    def size(self) -> int:
        """How many rows the query gives: SQLite counts them, which can take as long as the query."""
        with self._connected() as connection:
            return int(connection.execute(f"SELECT count(*) FROM ({self._sql}\n)").fetchone()[0])

    def _documents(self) -> Iterator[Document]:
        with self._connected() as connection:
            cursor = self._selected(connection)
            names = unique([column[0] for column in cursor.description or ()])
            if not names:
                raise UnreadableSource("the query gives no rows; write a SELECT of an id and a text")
            self._columns.check(names, self.name)
            for number, values in enumerate(cursor, 1):
                if any(value is UNDECODED for value in values):
                    self._report(f"row {number}", "it holds text that is not UTF-8")
                elif (made := self._row(f"row {number}", names, values)) is not None:
                    yield made

    def _selected(self, connection: sqlite3.Connection) -> sqlite3.Cursor:
        """The query's rows. Where a reader would keep writers out (no write-ahead log), from a copy of them.

        Rows are often embedded into the file they come from: an open query would then lock out our own commits.
        """
        cursor = connection.execute(f"{self._sql}\n")  # a last line may be a comment
        schemas = [row[1] for row in connection.execute("PRAGMA database_list") if row[1] != "temp"]
        modes = [connection.execute(f"PRAGMA {_quoted(name)}.journal_mode").fetchone()[0] for name in schemas]
        if all(mode in ("wal", "memory") for mode in modes):
            return cursor
        names = [column[0] for column in cursor.description or ()]
        if not names:
            return cursor
        cursor.close()
        columns = ", ".join(f"c{i}" for i in range(len(names)))
        connection.execute(f"CREATE TEMP TABLE cosimo_rows ({columns})")  # on disk beyond SQLite's cache: memory stays flat
        connection.execute(f"INSERT INTO cosimo_rows {self._sql}\n")
        aliases = ", ".join(f"c{i} AS {_quoted(name)}" for i, name in enumerate(names))
        return connection.execute(f"SELECT {aliases} FROM cosimo_rows ORDER BY rowid")

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection to the files, for reading; what goes wrong inside is told in SQLite's words."""
        for path in (path for path in (self._database, *(path for _, path in self._files)) if path is not None):
            if not path.is_file():
                raise UnreadableSource(f"there is no database {path}; check the name")
        try:
            main = ":memory:" if self._database is None else _address(self._database)
            connection = sqlite3.connect(main, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None)
            try:
                connection.text_factory = _decoded
                for name, path in self._files:
                    _attach(connection, name, path)
                connection.set_authorizer(_permitted)
                connection.set_progress_handler(_listened, LISTEN)
                yield connection
            finally:
                connection.close()
        except OSError as error:
            raise UnreadableSource(f"{error.filename} cannot be read: {why(error)}") from error
        except (sqlite3.Error, sqlite3.Warning) as error:  # Warning: two statements, before Python 3.12
            raise _ours(error) from error


LISTEN = 100_000  # steps of SQLite's machine, some milliseconds, after which Ctrl-C is listened for


def _attach(connection: sqlite3.Connection, name: str, path: Path) -> None:
    try:
        connection.execute("ATTACH ? AS ?", (_address(path), name))
    except sqlite3.Error as error:
        raise UnreadableSource(f"{path} cannot be attached as '{name}': {error}") from error


def _permitted(action: int, *_: Any) -> int:
    """The files are open for reading; a query that opens others (ATTACH, VACUUM INTO) could still make and write them."""
    return sqlite3.SQLITE_DENY if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH) else sqlite3.SQLITE_OK


def _listened() -> int:
    """Nothing; but as Python runs here, Ctrl-C is noticed in the middle of a query."""
    return 0


def _ours(error: Exception) -> BaseException:
    """SQLite's words about a query as our error; a query that Ctrl-C ended is that interrupt again."""
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_INTERRUPT:
        return KeyboardInterrupt()
    if code == sqlite3.SQLITE_AUTH:
        return UnreadableSource("the query may only read, from the database and the files attached with --attach")
    return UnreadableSource(f"the query cannot be answered: {error}")


UNDECODED = object()  # stands for text that is not UTF-8; other programs store such


def _decoded(data: bytes) -> Any:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return UNDECODED


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _address(path: Path) -> str:
    """The URI under which SQLite reads a file and never writes it; any character may be in the path."""
    plain = path.absolute().as_posix()
    slashes = "//" if plain.startswith("/") else "///"  # on Windows C:/… needs one more, and a share has its own two
    return f"file:{slashes}{quote(os.fsencode(plain), safe='/:')}?mode=ro{'&immutable=1' if _frozen(path) else ''}"


def _frozen(path: Path) -> bool:
    """A file with a write-ahead log wants to make files beside it; where it cannot, and none is there, it is complete alone."""
    log = Path(f"{path}-wal")
    with path.open("rb") as file:
        has_log = file.read(20)[18:20] == b"\x02\x02"
    return has_log and not os.access(path.parent, os.W_OK) and not (log.exists() and log.stat().st_size)
