"""Pages: what is near to a row or a text, as a page and as JSON. Whoever may not see the tables may not see this."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from datasette import Forbidden, NotFound, Response
from datasette.utils import tilde_decode, tilde_encode

from ....core.errors import DataError, Error
from ....core.errors import NotFound as Missing
from .rows import TABLE, link

if TYPE_CHECKING:
    from ....core.types import Hit

MOST = 100
SHOWN = 400  # characters of a content on the page
SQL = """select
  value ->> 'id' as id,
  value ->> 'score' as score,
  value ->> 'content' as content
from
  json_each(similar(:collection, :query, {k}))"""


async def similar(datasette: Any, request: Any) -> Any:
    """Answer a request: `collection` or `collection_id`, then `id` or `q`, and how many, `k`."""
    database = _database(datasette, tilde_decode(request.url_vars["database"]))
    for table in (TABLE, "collections"):
        await _refuse(datasette, request.actor, "view-table", database.name, table)
    asked = {name: request.args.get(name) or "" for name in ("collection", "collection_id", "id", "q", "k")}
    found: dict[str, Any] = {"collections": await _collections(database), "error": None, "hits": []}
    try:
        found |= await _answer(datasette, database, asked, found["collections"])
    except (Error, sqlite3.Error) as error:
        found["error"] = str(error)
    status = 400 if found["error"] else 200
    if request.url_vars.get("json"):
        return Response.json(
            {"ok": not found["error"], "error": found["error"], "rows": [_record(hit) for hit in found["hits"]]}, status=status
        )
    context = await _context(datasette, request, database, asked, found)
    return Response.html(await datasette.render_template("cosimo_similar.html", context, request=request), status=status)


def _database(datasette: Any, route: str) -> Any:
    try:
        return datasette.get_database(route=route)
    except KeyError:
        raise NotFound("Database not found") from None


async def _refuse(datasette: Any, actor: Any, action: str, database: str, table: str) -> None:
    if not await _allowed(datasette, actor, action, database, table):
        raise Forbidden(action)


async def _allowed(datasette: Any, actor: Any, action: str, database: str, table: str | None = None) -> bool:
    """Whether somebody may do something, as Datasette 1.0 and the ones before decide it."""
    if hasattr(datasette, "allowed"):
        from datasette.resources import DatabaseResource, TableResource

        resource = TableResource(database=database, table=table) if table else DatabaseResource(database=database)
        return bool(await datasette.allowed(action=action, resource=resource, actor=actor))
    permissions = [(action, (database, table) if table else database), ("view-database", database), "view-instance"]
    visible, _ = await datasette.check_visibility(actor, permissions=permissions)
    return bool(visible)


async def _collections(database: Any) -> dict[int, str]:
    """number → name."""
    try:
        # of this database alone: the tables of those attached to `_memory` (--crossdb) have permissions of their own
        found = await database.execute("select id, name from main.collections order by name")
        return {row[0]: row[1] for row in found.rows}
    except sqlite3.OperationalError:
        raise NotFound("This database has no table of collections") from None


async def _answer(datasette: Any, database: Any, asked: dict[str, str], collections: dict[int, str]) -> dict[str, Any]:
    """Collection and hits of what was asked; of a form that is still empty none."""
    name = asked["collection"] or _named(asked["collection_id"], collections)
    if not (asked["id"] or asked["q"]):
        return {"collection": name}
    k = _number(asked["k"] or "10", "k is how many rows to list")

    def find(connection: sqlite3.Connection) -> list[Hit]:
        from ..similar import Similar
        from . import permission

        near = Similar(connection, permission(datasette), immutable=not database.is_mutable)
        return near.related(name, asked["id"], k) if asked["id"] else near.hits(name, asked["q"], k)

    return {"collection": name, "k": k, "hits": await database.execute_fn(find)}


def _named(number: str, collections: dict[int, str]) -> str:
    """The collection of a number; where none is given the first one."""
    if not number:
        return next(iter(collections.values()), "")
    name = collections.get(_number(number, "collection_id is a collection's number", most=2**63))
    if name is None:
        raise Missing(f"no collection has the number {number} in this database")
    return name


def _number(text: str, what: str, most: int = MOST) -> int:
    """A number of the address, at most `most`."""
    if not (text.isascii() and text.isdigit()):
        raise DataError(f"{what}, and {text[:20]!r} is no whole number")
    digits = text.lstrip("0") or "0"
    return min(int(digits), most) if len(digits) < 19 else most


def _record(hit: Hit) -> dict[str, Any]:
    from ..similar import shown

    return shown(hit)


async def _context(datasette: Any, request: Any, database: Any, asked: dict[str, str], found: dict[str, Any]) -> dict[str, Any]:
    """What the template shows."""
    name = found.get("collection", asked["collection"])
    number = next((number for number, each in found["collections"].items() if each == name), None)
    rows = [
        {
            "id": hit.id,
            "score": f"{hit.score:.4f}",
            "content": hit.content[:SHOWN] if isinstance(hit.content, str) else "",
            "href": datasette.urls.row(database.name, TABLE, f"{number},{tilde_encode(hit.id)}"),
            "similar": link(datasette, database.name, collection_id=number, id=hit.id),
        }
        for hit in found["hits"]
    ]
    sql = ""
    if asked["q"] and "k" in found and await _allowed(datasette, request.actor, "execute-sql", database.name):
        sql = _query(datasette, database.name, {"collection": name, "query": asked["q"]}, found["k"])
    return {
        "database": database.name, "collections": list(found["collections"].values()), "collection": name, "asked": asked,
        "rows": rows, "error": found["error"], "action": link(datasette, database.name), "sql": sql,
        "answered": bool(asked["id"] or asked["q"]) and not found["error"],
    }  # fmt: skip


def _query(datasette: Any, database: str, values: dict[str, str], k: int) -> str:
    """The address of the same question in SQL."""
    from urllib.parse import urlencode

    base = f"{datasette.urls.database(database)}{'/-/query' if hasattr(datasette, 'allowed') else ''}"
    return f"{base}?{urlencode({'sql': SQL.format(k=k), **values})}"
