"""Rows: what a table of embeddings shows in Datasette beside its values: links to what is near."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

TABLE = "embeddings"
COLUMNS = {"collection_id", "id", "embedding"}


def link(datasette: Any, database: str, **asked: Any) -> str:
    """The address of the page."""
    path = f"{datasette.urls.database(database)}/-/similar"
    return f"{path}?{urlencode(asked)}" if asked else path


def cell(datasette: Any, database: str, table: str | None, row: Any, column: str, value: Any) -> Any:
    """A vector as a link to it and to what is near; None leaves the cell to Datasette."""
    if table != TABLE or column != "embedding" or not isinstance(value, bytes) or not set(row.keys()) >= COLUMNS:
        return None
    from datasette.utils import tilde_encode
    from markupsafe import Markup

    collection, id = plain(row["collection_id"]), plain(row["id"])
    key = ",".join(tilde_encode(str(each)) for each in (collection, id))
    return Markup('<a href="{}">similar</a> <a class="blob-download" href="{}">{} numbers</a>').format(
        link(datasette, database, collection_id=collection, id=id),
        datasette.urls.row_blob(database, table, key, column),
        f"{len(value) // 4:,}",
    )


def actions(datasette: Any, database: str, table: str, row: Any) -> list[dict[str, str]]:
    """The row's entry in its menu."""
    if table != TABLE or not set(row.keys()) >= COLUMNS:
        return []
    address = link(datasette, database, collection_id=plain(row["collection_id"]), id=plain(row["id"]))
    return [{"href": address, "label": "Find similar", "description": "Rows of this collection whose vectors are nearest"}]


def plain(value: Any) -> Any:
    """The value of a foreign key, which Datasette shows with a label."""
    return value["value"] if isinstance(value, dict) else value
