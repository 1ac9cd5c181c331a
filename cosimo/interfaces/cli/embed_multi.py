"""`cosimo embed-multi`: files, a table, a pipe or a query → rows of a collection."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...core.config import database_path
from . import adding, options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ...collection.collection import Collection
    from ...collection.database import Database
    from ...sources.source import Source


@click.command()
@click.argument("collection")
@click.argument("input_path", required=False, type=click.Path(dir_okay=False, allow_dash=True))
@options.stacked(
    click.option("--files", type=(click.Path(), str), multiple=True, metavar="DIR GLOB",
                 help="Embed the files below DIR that match GLOB; may be repeated."),
    click.option("--format", "format_", type=click.Choice(["json", "csv", "tsv", "nl", "ndjson"]),
                 help="Format of the input. [default: detected]"),
    click.option("--sql", help="Embed the rows of this query: the first column is the id."),
    click.option("--attach", type=(str, click.Path(path_type=Path)), multiple=True, metavar="ALIAS FILE",
                 help="Attach a SQLite file for --sql; may be repeated."),
    click.option("--encoding", "encodings", multiple=True,
                 help="Encoding to try after UTF-8; may be repeated. [default: detected]"),
    options.binary,
    click.option("--id-column", help="Column that holds the id. [default: the first]"),
    click.option("--text-columns", help="Columns to embed, with commas between. [default: all others]"),
    click.option("--metadata-columns", help="Columns stored as metadata, not embedded, with commas between."),
    click.option("--named", multiple=True, metavar="NAME=COLUMN[:MODEL]",
                 help="Give each row named vectors too, of a column that holds texts or the names of pictures' files."),
    click.option("--batch-size", type=click.IntRange(1), help="Texts between two commits."),
    click.option("--prefix", default="", help="Put this before every id."),
    click.option("--prepend", default="", help="Put this before every text."),
    options.model,
    options.store,
    options.no_passages,
    options.database,
    click.option("--sync", is_flag=True, help="Then remove rows of the same source that are gone from it."),
    click.option("--everything", is_flag=True, help="With --files: also hidden and git-ignored files."),
    click.option("--dry-run", is_flag=True, help="Count texts and tokens; embed and store nothing."),
    options.progress,
    options.quiet,
    options.precision,
    options.busy_timeout,
)  # fmt: skip
def embed_multi(collection: str, input_path: str | None, **given: Any) -> None:
    """Embed many texts into COLLECTION; only what is new or changed is embedded.

    The texts come from INPUT_PATH (CSV, TSV, JSON or NDJSON; - is stdin; or a mailbox, a PDF, …), from files, or from a SQL
    query. In tables the first column is the id and the others are joined to the text. An interrupted run keeps what it
    committed and goes on from there.

    \b
    cosimo embed-multi notes --files ~/notes '**/*.md' --store
    cosimo embed-multi products shop.csv --metadata-columns price,category --store
    cosimo embed-multi shop products.csv --text-columns description --named picture=photo:st:clip-ViT-B-32 --store
    cosimo embed-multi posts --attach blog blog.db --sql 'select id, title, body from blog.posts'
    """
    from .named import named

    sources = list(_sources(input_path, given))
    with adding.opened(given) as db:
        chosen = named(db, collection, given["model"], given["precision"])
        if given["dry_run"]:
            adding.plan(chosen, sources)
            _plan_named(db, chosen, sources, given)
        else:
            passages = False if given["no_passages"] else None
            with _made(db, chosen, given):
                adding.add(chosen, sources, given, store=given["store"], passages=passages)


@contextmanager
def _made(db: Database, chosen: Collection, given: dict[str, Any]) -> Iterator[None]:
    """The named vectors asked for; those that are made for rows of which none comes are gone again."""
    made: list[Collection] = []
    try:
        for name, (_, model) in _named(given).items():
            new = name not in chosen.names()
            if model or new:
                space = chosen.named(name, model=model or given["model"] or chosen.model)
                made += [space] if new else []
        yield
    except BaseException:
        for space in made:
            if not len(space):
                db.drop(space.name)
        raise


def _plan_named(db: Database, chosen: Collection, sources: Iterable[Source], given: dict[str, Any]) -> None:
    from ...sources.columns import NamedColumn
    from .named import named

    for name, (_, model) in _named(given).items():
        new = name not in chosen.names()
        space = named(db, f"{chosen.name}/{name}", model or ((given["model"] or chosen.model) if new else None))
        adding.plan(space, [NamedColumn(source, name) for source in sources])


def _named(given: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    """NAME → COLUMN and MODEL of --named."""
    found = {}
    for name, rest in options.by_name("--named", "NAME=COLUMN or NAME=COLUMN:MODEL", given["named"]).items():
        column, _, model = rest.partition(":")
        if not column:
            raise click.UsageError(f"--named {name} names no column.")
        found[name] = column, model or None
    return found


def _sources(input_path: str | None, given: dict[str, Any]) -> Iterable[Source]:
    """What was asked to be read; combinations that make no sense are refused before anything is opened."""
    kinds = [
        name for name, value in (("INPUT_PATH", input_path), ("--files", given["files"]), ("--sql", given["sql"])) if value
    ]
    if len(kinds) != 1:
        raise click.UsageError(f"Give one of INPUT_PATH, --files or --sql{', not ' + ' and '.join(kinds) if kinds else ''}.")
    for option, needed in (("binary", "files"), ("everything", "files"), ("attach", "sql")):
        if given[option] and not given[needed]:
            raise click.UsageError(f"--{option} goes with --{needed}.")
    if any(not folder for folder, _ in given["files"]):  # an empty variable of a script would mean the present folder
        raise click.UsageError("--files needs the name of a folder; the present one is called '.'.")
    aliases = [alias for alias, _ in given["attach"]]
    if len(set(aliases)) < len(aliases):
        raise click.UsageError("--attach needs a different ALIAS for each file.")
    if given["named"] and given["files"]:
        raise click.UsageError("--named is for the columns of a table, not for --files.")
    if given["files"] and given["format_"]:
        raise click.UsageError("--format is for tables, not for --files.")
    if given["binary"] and given["encodings"]:
        raise click.UsageError("--binary reads no text, so --encoding has no meaning.")
    if given["files"]:
        return _files(given)
    return [_query(given) if given["sql"] else _input(str(input_path), given)]


def _files(given: dict[str, Any]) -> Iterable[Source]:
    from ...sources.files import Files

    for folder, pattern in given["files"]:
        yield Files(
            folder, pattern, encodings=given["encodings"], binary=given["binary"], everything=given["everything"],
            prefix=given["prefix"], prepend=given["prepend"], on_problem=adding.report,
        )  # fmt: skip


def _input(path: str, given: dict[str, Any]) -> Source:
    """A table, or one of the documents that have a reader: `embed-multi mail inbox.mbox`."""
    from ...sources.documents import is_document
    from ...sources.media import media_of
    from ...sources.tables import Table
    from .inputs import stdin

    if path != "-" and given["format_"] is None and (is_document(path) or media_of(path)):
        from ...sources.files import Files

        for option in ("id_column", "text_columns", "metadata_columns", "named"):
            if given[option] not in (None, ()):
                raise click.UsageError(f"--{option.replace('_', '-')} is for tables, which {path} is not.")
        told = {name: given[name] for name in ("encodings", "prefix", "prepend")}
        return Files(path, **told, on_problem=adding.report)
    where = stdin() if path == "-" else Path(path)
    return Table(where, format=given["format_"], encodings=given["encodings"], **_columns(given))


def _query(given: dict[str, Any]) -> Source:
    from ...sources.queries import Query

    own = given["database"] or database_path()
    return Query(own if own.exists() else None, given["sql"], attach=dict(given["attach"]), **_columns(given))


def _columns(given: dict[str, Any]) -> dict[str, Any]:
    def names(text: str | None) -> list[str] | None:
        return [name.strip() for name in text.split(",") if name.strip()] if text is not None else None

    return {
        "id_column": given["id_column"],
        "text_columns": names(given["text_columns"]),
        "metadata_columns": names(given["metadata_columns"]),
        "named_columns": {name: column for name, (column, _) in _named(given).items()},
        "prefix": given["prefix"],
        "prepend": given["prepend"],
        "on_problem": adding.report,
    }
