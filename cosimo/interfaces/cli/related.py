"""`cosimo related`: an item → what is nearest to it; or, for every item, kept in the database and brought up to date."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from . import options, output

if TYPE_CHECKING:
    from pathlib import Path

    from ...verbs.similarities import Related
    from ...verbs.similarity_table import Exported

ONE = {"where": "--where", "prefix": "--prefix", "plain": "--plain"}  # what says something about the answers for one ID
ALL = {"save": "--save", "full": "--full", "to": "--to", "table": "--table"}


@click.command()
@click.argument("collection")
@click.argument("id", required=False)
@options.stacked(
    options.number,
    click.option("-w", "--where", help="Only items that pass this filter on their metadata."),
    options.prefix,
    click.option("-p", "--plain", is_flag=True, help="Plain text: id, score and the whole content."),
    click.option("--all", "everything", is_flag=True, help="For every item instead of one; goes with --save."),
    click.option("--save", is_flag=True, help="Keep the lists in the database; only what changes touch is made anew."),
    click.option("--full", is_flag=True, help="Make every list anew."),
    click.option("--to", metavar="FILE", help="Then bring a table (id, other_id, score) of this SQLite file up to date."),
    click.option("--table", metavar="NAME", help="The name of that table. [default: similarities]"),
    options.as_json,
    options.database,
    options.busy_timeout,
)
def related(collection: str, id: str | None, **given: Any) -> None:
    """Find the items of COLLECTION nearest to the one with this ID, or save those of every item.

    No model is needed: vectors are in the file. With --all --save, each item's nearest are kept for a site to show; a later run
    makes only those lists anew that a new, changed or removed item touches.

    \b
    cosimo related notes sqlite/geopoly.md -n 5
    cosimo related notes --all --save -n 5 --to site.db
    """
    _refuse(id, given)
    if given["everything"]:
        _save(collection, given)
        return
    from .hits import printed
    from .named import named

    # a filter on places may make an index of them
    with options.opened(given["database"], writing=True, create=False) as db:
        hits = named(db, collection).related(str(id), given["number"], where=given["where"], prefix=given["prefix"])
    printed(hits, plain=given["plain"], as_json=given["as_json"])


def _refuse(id: str | None, given: dict[str, Any]) -> None:
    """Combinations that make no sense, before anything is opened."""
    if (id is None) != given["everything"]:
        raise click.UsageError("Give either an ID or --all.")
    senseless = ONE if given["everything"] else ALL
    for name, option in senseless.items():
        if given[name]:
            raise click.UsageError(f"{option} {'is for a single ID' if given['everything'] else 'goes with --all --save'}.")
    if given["everything"] and not given["save"]:
        raise click.UsageError("--all needs --save, which keeps the lists in the database.")
    for name in ("to", "table"):
        if given[name] == "":  # an empty variable of a script
            raise click.UsageError(f"--{name} needs a name.")
    if given["table"] and not given["to"]:
        raise click.UsageError("--table names the table of --to FILE.")


def _save(collection: str, given: dict[str, Any]) -> None:
    from .named import named

    with options.opened(given["database"], writing=True, busy_timeout=given["busy_timeout"], create=False) as db:
        chosen = named(db, collection)
        began = time.perf_counter()
        made = chosen.relate(given["number"], full=given["full"])
        _say(_record(collection, made, time.perf_counter() - began), _sentence(collection, made), given["as_json"])
        if given["to"]:
            table = given["table"] or "similarities"
            out = chosen.export_similarities(given["to"], table)
            _say({"file": given["to"], "table": table, **out._asdict()}, _exported(given["to"], table, out), given["as_json"])


def _say(record: dict[str, Any], sentence: str, as_json: bool) -> None:
    if as_json or not output.on_terminal():
        output.line(record)
    else:
        click.echo(sentence)


def _record(collection: str, made: Related, seconds: float) -> dict[str, Any]:
    from dataclasses import asdict

    return {"collection": collection, **asdict(made), "seconds": round(seconds, 3)}


def _sentence(collection: str, made: Related) -> str:
    looked = "all" if made.full else f"{made.changed:,} changed and {made.gone:,} removed"
    return (
        f"{output.snippet(collection)}: {made.items:,} items, looked at {looked}; {made.recomputed:,} lists made anew,"
        f" {made.written:,} rows written, {made.removed:,} removed"
    )


def _exported(file: Path | str, table: str, out: Exported) -> str:
    return f"{file}, table {table}: {out.rows:,} rows, {out.written:,} written, {out.removed:,} removed"
