"""`cosimo export` and `cosimo import`: rows with their vectors, to and from files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from . import options

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("collection")
@click.argument("target", type=click.Path(dir_okay=False, allow_dash=True), default="-")
@options.stacked(options.file_format, options.prefix, options.database)
def export(collection: str, target: str, *, format_: str | None, prefix: str, database: Path | None) -> None:
    """Write COLLECTION, vectors included, to the file TARGET; - is stdout.

    \b
    cosimo export notes notes.parquet
    cosimo export notes | jq -r .id
    """
    from .named import named

    if target == "-" and sys.stdout is None:
        raise click.ClickException("standard output is closed; name a file.")
    with options.opened(database, writing=False) as db:
        count = named(db, collection).export(sys.stdout.buffer if target == "-" else target, format=format_, prefix=prefix)
        if target == "-":
            sys.stdout.buffer.flush()
    click.echo(f"{count:,} rows", err=True)


@click.command(name="import")
@click.argument("collection")
@click.argument("source", type=click.Path(dir_okay=False, allow_dash=True))
@options.stacked(
    options.file_format,
    click.option("-m", "--model", help="Model that made the vectors. [default: as stored, else none: from elsewhere]"),
    options.database,
    options.busy_timeout,
)
def import_(
    collection: str, source: str, *, format_: str | None, model: str | None, database: Path | None, busy_timeout: float
) -> None:
    """Read the rows of SOURCE, as `export` writes them, into COLLECTION: all of them or none.

    \b
    cosimo import notes notes.parquet -m all-MiniLM-L6-v2
    """
    from ...collection.arguments import AS_STORED
    from .inputs import stdin

    with options.opened(database, writing=True, busy_timeout=busy_timeout) as db:
        known = any(info.name == collection for info in db.collections())
        chosen = db.collection(collection, model=model if model is not None else AS_STORED if known else None)
        count = chosen.import_rows(stdin() if source == "-" else source, format=format_)
    click.echo(f"{count:,} rows", err=True)
