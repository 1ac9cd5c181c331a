"""`cosimo collections`: what is in a database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import options, output
from .lazy import DefaultGroup

if TYPE_CHECKING:
    from pathlib import Path

    from ...core.types import CollectionInfo


@click.group(cls=DefaultGroup, default="list")
def collections() -> None:
    """List, describe and delete collections."""


@collections.command(name="list")
@options.stacked(options.database, options.as_json)
def list_(*, database: Path | None, as_json: bool) -> None:
    """List the collections of a database."""
    with options.opened(database, writing=False) as db:
        rows = [_record(info) for info in db.collections()]
    output.records(rows, ("name", "num_embeddings", "dim", "model"), as_json=as_json)


@collections.command()
@options.database
def path(*, database: Path | None) -> None:
    """Print the path of the database."""
    from ...core.config import database_path

    click.echo(database or database_path())


@collections.command()
@click.argument("collection")
@options.stacked(options.database, options.as_json)
def info(collection: str, *, database: Path | None, as_json: bool) -> None:
    """Describe COLLECTION: model, revision, dimension, prompts, number of items."""
    from ...core.errors import NotFound

    with options.opened(database, writing=False) as db:
        record = next((_record(info) for info in db.collections() if info.name == collection), None)
        if record is None:
            raise NotFound(f"{db.name} has no collection '{collection}'; see: cosimo collections list")
    if as_json or not output.on_terminal():
        output.line(record)
    else:
        output.table([[key, output.shown(value)] for key, value in record.items()], ("what", "value"))


@collections.command()
@click.argument("collection")
@options.stacked(options.database, options.busy_timeout)
def delete(collection: str, *, database: Path | None, busy_timeout: float) -> None:
    """Delete COLLECTION with all its items."""
    with options.opened(database, writing=True, busy_timeout=busy_timeout, create=False) as db:
        gone = db.drop(collection)
    click.echo(f"{output.snippet(collection)}: {gone} items deleted", err=True)


def _record(info: CollectionInfo) -> dict[str, Any]:
    settings = info.settings
    return {
        "name": info.name,
        "model": settings.model,
        "num_embeddings": info.count,
        "dim": settings.dim,
        "revision": settings.revision,
        "prompts": dict(settings.prompts),
        "pooling": settings.pooling,
        "normalized": settings.normalized,
    }
