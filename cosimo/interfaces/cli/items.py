"""`cosimo get` and `cosimo delete`: items of a collection by their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import options, output

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("collection")
@click.argument("ids", nargs=-1, required=True)
@options.stacked(click.option("--vectors", is_flag=True, help="With their vectors."), options.database)
def get(collection: str, ids: tuple[str, ...], *, vectors: bool, database: Path | None) -> None:
    """Print items of COLLECTION as lines of JSON: id, content, metadata.

    \b
    cosimo get notes sqlite/geopoly.md | jq -r .content
    """
    from .named import named

    with options.opened(database, writing=False) as db:
        chosen = named(db, collection)
        for id in ids:
            document = chosen.get(id)
            record = {"id": document.id, "content": document.content, "metadata": document.metadata}
            output.line(record | ({"embedding": chosen.vector(id).tolist()} if vectors else {}))


@click.command()
@click.argument("collection")
@click.argument("ids", nargs=-1, required=True)
@options.stacked(options.database, options.busy_timeout)
def delete(collection: str, ids: tuple[str, ...], *, database: Path | None, busy_timeout: float) -> None:
    """Delete items of COLLECTION by their ids."""
    from ...core.errors import NotFound
    from .named import named

    with options.opened(database, writing=True, busy_timeout=busy_timeout, create=False) as db:
        chosen = named(db, collection)
        missing = [id for id in ids if id not in chosen]
        gone = chosen.delete(ids)
    click.echo(f"{gone} deleted", err=True)
    if missing:
        raise NotFound(f"not in collection '{collection}': {', '.join(missing)}")
