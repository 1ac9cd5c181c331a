"""`cosimo check` and `cosimo backup`: looking after a database."""

from __future__ import annotations

from pathlib import Path

import click

from . import options, output


@click.command()
@options.stacked(
    options.database,
    click.option("--repair", is_flag=True, help="Rebuild what is derived from the rows; rows are never touched."),
    options.as_json,
    options.busy_timeout,
)
def check(*, database: Path | None, repair: bool, as_json: bool, busy_timeout: float) -> None:
    """Check a database: integrity, orphans, stale rows, bad vectors. Exit code 1 where something is found."""
    with options.opened(database, writing=repair, busy_timeout=busy_timeout, create=False) as db:
        findings = db.check(repair=repair)
    rows = [{"kind": f.kind, "collection": f.collection, "id": f.id, "message": f.message} for f in findings]
    if rows or as_json or not output.on_terminal():
        output.records(rows, ("kind", "collection", "id", "message"), as_json=as_json)
    click.echo(f"{len(rows)} findings" if rows else "no findings", err=True)
    if rows:  # after a repair: what is left
        click.get_current_context().exit(1)


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@options.stacked(options.database, options.busy_timeout)
def backup(target: Path, *, database: Path | None, busy_timeout: float) -> None:
    """Copy the database to TARGET, which must not exist, while other programs may go on using it."""
    with options.opened(database, writing=False, busy_timeout=busy_timeout) as db:
        db.backup(target)
    click.echo(f"{target}: {target.stat().st_size:,} bytes", err=True)
