"""Register: the SQL functions → a connection. What each does is elsewhere; here are their names, and what an error says."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ...core.errors import Error
from . import native
from .models import Embed, Permission
from .native import Aggregate, Function
from .similar import Similar
from .vectors import Average, Product, decoded, encoded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable


def register(connection: sqlite3.Connection, *, hosted: bool = False, models: Iterable[str] | None = None) -> None:
    """Add our SQL functions to a connection of `sqlite3`; of sqlite-utils, that is `db.conn`.

    Parameters
    ----------
    hosted : let SQL name models that send texts to a server or run other people's code. Otherwise models of this machine alone
    models : these models and no others, whatever they do

    Raises
    ------
    sqlite3.ProgrammingError : the connection is closed, or another thread's
    """
    permit(connection, Permission(hosted=hosted, names=None if models is None else frozenset(models)))


def permit(connection: sqlite3.Connection, permission: Permission, *, immutable: bool = False) -> None:
    """`register` for whoever decides otherwise which models may be used, and knows that nobody writes the file."""
    functions = functions_of(connection, permission, immutable=immutable)
    try:
        alive = native.register(connection, functions, sentence)
    except native.Unavailable:
        alive = _ordinary(connection, functions)
    # SQLite lets go of this function when the connection is closed, and with it of what the others need
    connection.create_function("cosimo_version", 0, _Version(alive), deterministic=True)


def functions_of(
    connection: sqlite3.Connection, permission: Permission, *, immutable: bool = False
) -> list[Function | Aggregate]:
    """All of them, under our names and those of queries published for Datasette."""
    embed, similar = Embed(permission), Similar(connection, permission, immutable=immutable)
    return [
        Function("embed", 2, embed),
        Function("embed", 3, embed),
        Function("llm_embed", 2, embed),
        *(Function(name, 2, Product(cosine=True)) for name in ("embed_cosine", "llm_embed_cosine")),
        Function("embed_dot", 2, Product(cosine=False)),
        *(Function(name, 1, decoded) for name in ("embed_decode", "llm_embed_decode")),
        Function("embed_encode", 1, encoded),
        *(Aggregate(name, 1, Average) for name in ("embed_average", "llm_embed_average")),
        Function("similar", 2, similar, deterministic=False),
        Function("similar", 3, similar, deterministic=False),
    ]


def sentence(error: BaseException) -> str:
    """What a SQL error says, in one line; SQLite ends it at a NUL, which a name may hold."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    said = str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}; this is a bug, please report it"
    return said.replace("\n", " ").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _ordinary(connection: sqlite3.Connection, functions: list[Function | Aggregate]) -> list[object]:
    """As Python's module does it: what went wrong is logged, since its errors all say the same."""

    def logged(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*values: Any) -> Any:
            try:
                return call(*values)
            except Exception as error:
                logging.getLogger("cosimo.sql").warning(sentence(error))
                raise

        return called

    for each in functions:
        if isinstance(each, Aggregate):
            connection.create_aggregate(each.name, each.arguments, each.start)
        else:
            connection.create_function(each.name, each.arguments, logged(each.call), deterministic=each.deterministic)
    return []


class _Version:
    """`cosimo_version()`."""

    def __init__(self, alive: list[object]) -> None:
        self._alive = alive

    def __call__(self) -> str:
        from ... import __version__

        return __version__
