"""Datasette plug-in: the SQL functions on every connection, and a page that lists what is near to a row or a text.

Settings, under `plugins: cosimo:` of Datasette's configuration:

- `models`: names of models that SQL may use besides those in the user's folder. A model on a server is used only where it is
  named here: whoever may write SQL then sends it texts, at the expense of whoever runs this.
- `load`: names of models that are loaded at the start, so that the first question needs not wait.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from datasette import hookimpl

from ....core.errors import ConfigError, Error
from . import pages, rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator


@hookimpl
def prepare_connection(conn: sqlite3.Connection, database: str, datasette: Any) -> None:
    """Add the SQL functions."""
    from ..models import Permission
    from ..register import permit

    known = datasette.databases.get(database)  # Datasette has connections of its own as well
    try:
        allowed = permission(datasette)
    except ConfigError:  # a connection may be made before `startup` says what is wrong
        allowed = Permission(names=frozenset())
    permit(conn, allowed, immutable=known is not None and not known.is_mutable)


@hookimpl
def startup(datasette: Any) -> Any:
    """Load the models that the settings name. Datasette does not start with settings that cannot be."""
    with _startup_errors():
        names, allowed = _names(datasette, "load"), permission(datasette)

    async def load() -> None:
        import asyncio

        with _startup_errors():
            await asyncio.to_thread(_load, names, allowed)

    return load


@hookimpl
def register_routes() -> list[tuple[str, Any]]:
    """The page of what is near, and the same as JSON."""
    return [(r"^/(?P<database>[^/]+)/-/similar(?P<json>\.json)?$", pages.similar)]


@hookimpl
def render_cell(row: Any, value: Any, column: str, table: str | None, database: str, datasette: Any) -> Any:
    """A vector in a table of embeddings, with a link to what is near."""
    return rows.cell(datasette, database, table, row, column, value)


@hookimpl(optionalhook=True)  # Datasette 1.0
def row_actions(datasette: Any, database: str, table: str, row: Any) -> list[dict[str, str]]:
    """`Find similar` in the menu of a row."""
    return rows.actions(datasette, database, table, row)


@hookimpl
def table_actions(datasette: Any, database: str, table: str) -> list[dict[str, str]]:
    """`Search by meaning` in the menu of the table."""
    if table != rows.TABLE:
        return []
    return [{"href": rows.link(datasette, database), "label": "Search by meaning"}]


def permission(datasette: Any) -> Any:
    """Which models SQL may use: those that are installed, and those that the settings name."""
    from ..models import Permission

    return Permission(names=frozenset([*_names(datasette, "models"), *_names(datasette, "load")]), installed=True)


def _names(datasette: Any, setting: str) -> list[str]:
    settings = datasette.plugin_config("cosimo") or {}
    found = (settings.get(setting) or []) if isinstance(settings, dict) else None
    names = [found] if isinstance(found, str) else found
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"plugins: cosimo: {setting} in Datasette's configuration is a list of names of models; correct it")
    return names


@contextmanager
def _startup_errors() -> Iterator[None]:
    """Our errors as those that Datasette says in one line when it starts."""
    from datasette.utils import StartupError

    try:
        yield
    except Error as error:
        raise StartupError(str(error)) from error


def _load(names: list[str], permission: Any) -> None:
    from ..models import shared

    for name in names:
        shared().get(name, permission).vector("loaded", "query")
