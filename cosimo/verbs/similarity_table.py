"""Similarity table: lists of related items → the plain table (id, other_id, score) that sites join, in any SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import DataError, StoreError
from ..core.sqlite import File

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from ..core.store import Store
    from ..core.types import Similarity

COLUMNS = ["id", "other_id", "score"]
FRESH = "temp.cosimo_fresh"


class Exported(NamedTuple):
    """What bringing a plain table up to date took."""

    rows: int  # in the table now
    written: int  # new, or with a new score
    removed: int


def export_similarities(
    store: Store, rows: Iterable[Similarity], target: str | PathLike[str], table: str = "similarities"
) -> Exported:
    """Make a table hold exactly these rows; the ones it holds already are left alone, and no reader ever sees half.

    Parameters
    ----------
    rows : read from `store`, in one snapshot of it
    target : SQLite file, made where there is none; it may be the store's own
    table : made as (id TEXT, other_id TEXT, score FLOAT, PRIMARY KEY (id, other_id)) where there is none

    Raises
    ------
    DataError : a name that no table can have
    StoreError : a table of that name has other columns, or the file cannot be written
    """
    name = _quoted(table)
    file = File(target)
    try:
        with store.snapshot(), file.snapshot():  # writes to the temporary table alone: the file is not locked meanwhile
            file.execute(
                f"CREATE TABLE {FRESH} (id TEXT, other_id TEXT, score FLOAT, PRIMARY KEY (id, other_id)) WITHOUT ROWID"
            )
            file.execute_many(f"INSERT OR REPLACE INTO {FRESH} VALUES (?, ?, ?)", rows)
        with file.atomic():
            _make(file, table, name)
            return _replace(file, name)
    finally:
        file.close()


def _quoted(table: str) -> str:
    """A table's name as SQL spells it."""
    if not table.strip() or "\0" in table or table.lower().startswith("sqlite_"):
        raise DataError(f"a table cannot be called {table!r}; give it a name of letters")
    return '"' + table.replace('"', '""') + '"'


def _make(file: File, table: str, name: str) -> None:
    found = [column for (column,) in file.rows("SELECT name FROM pragma_table_info(?)", (table,))]
    if not found:
        file.execute(f"CREATE TABLE {name} (id TEXT, other_id TEXT, score FLOAT, PRIMARY KEY (id, other_id))")
    elif sorted(found) != sorted(COLUMNS):
        raise StoreError(f"{file.name} has a table '{table}' of another kind ({', '.join(found)}); name another with --table")


def _replace(file: File, name: str) -> Exported:
    """Make a table equal to FRESH. Nothing is asked of an index: a table that another program made may have none."""
    same = f"f.id = {name}.id AND f.other_id = {name}.other_id"
    removed = file.value(f"SELECT count(*) FROM {name} WHERE NOT EXISTS (SELECT 1 FROM {FRESH} f WHERE {same})")
    file.execute(f"DELETE FROM {name} WHERE NOT EXISTS (SELECT 1 FROM {FRESH} f WHERE {same} AND f.score = {name}.score)")
    written = file.execute(
        f"INSERT INTO {name} (id, other_id, score) SELECT id, other_id, score FROM {FRESH}"
        f" EXCEPT SELECT id, other_id, score FROM {name}"
    )
    return Exported(file.value(f"SELECT count(*) FROM {name}"), written, removed)
