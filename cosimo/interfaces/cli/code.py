"""`cosimo code`: functions, methods and classes of source files → rows of a collection, or lines of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ...sources.definitions import KINDS
from ...sources.grammars import languages
from ...sources.readable import LONGEST
from . import adding, options, output

if TYPE_CHECKING:
    from ...core.types import Document
    from ...sources.code import Code


@click.command()
@click.argument("path")
@options.stacked(
    click.option("--into", metavar="COLLECTION", help="Embed them into COLLECTION, instead of printing them."),
    click.option("--glob", "patterns", multiple=True, metavar="GLOB",
                 help="Only files that match, as 'src/**/*.py'; may be repeated. [default: all]"),
    click.option("--language", "languages_", multiple=True, type=click.Choice(languages()), metavar="NAME",
                 help=f"Only {', '.join(languages())}; may be repeated. [default: all]"),
    click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), metavar="KIND",
                 help=f"Only {', '.join(KINDS)}; may be repeated. [default: all]"),
    click.option("--nl", is_flag=True, help="Print lines of JSON also on a terminal: the strings id and content."),
    click.option("--metadata", is_flag=True, help="Print an object besides: file, lines, signature, docstring and more."),
    click.option("--longest", type=click.IntRange(1), default=LONGEST, show_default=True,
                 help="Characters of a definition that are embedded."),
    click.option("--encoding", "encodings", multiple=True,
                 help="Encoding to try after UTF-8 and what a file declares; may be repeated. [default: detected]"),
    click.option("--everything", is_flag=True, help="Also hidden, git-ignored and minified files."),
    click.option("--prefix", default="", help="Put this before every id."),
    click.option("--sync", is_flag=True, help="With --into: then remove what is gone from PATH."),
    click.option("--dry-run", is_flag=True, help="With --into: count texts and tokens; embed and store nothing."),
    click.option("--batch-size", type=click.IntRange(1), help="Texts between two commits."),
    options.model,
    options.database,
    options.progress,
    options.quiet,
    options.precision,
    options.busy_timeout,
)  # fmt: skip
def code(path: str, *, into: str | None, **given: Any) -> None:
    """Find the functions, methods and classes below PATH; with --into, embed those that are new or changed.

    Each has an id, `package/module.py:Class.method`; a second one of that name gets #2. What is embedded is its name as words,
    what is said above it, and its code with the docstring, cut to the model's window. PATH is read whatever folder it is in.

    \b
    cosimo code src --into functions --sync
    cosimo search functions 'list the plugins' --where "kind = 'function'"
    cosimo code src --kind class --language python --nl --metadata
    """
    from ...sources.code import Code

    if not path:  # an empty variable of a script would mean the present folder
        raise click.UsageError("PATH is empty; the present folder is called '.'.")
    source = Code(
        path, given["patterns"] or "**/*", languages=given["languages_"], kinds=given["kinds"], longest=given["longest"],
        encodings=given["encodings"], everything=given["everything"], prefix=given["prefix"], on_problem=adding.report,
    )  # fmt: skip
    if into is None:
        for option in ("sync", "dry_run", "model", "batch_size"):
            if given[option]:
                raise click.UsageError(f"--{option.replace('_', '-')} goes with --into.")
        _print(source, given)
        return
    if given["nl"] or given["metadata"]:
        raise click.UsageError(f"--{'nl' if given['nl'] else 'metadata'} is for printing, not with --into.")
    _embed(source, into, given)


def _embed(source: Code, into: str, given: dict[str, Any]) -> None:
    from .named import named

    with adding.opened(given) as db:
        chosen = named(db, into, given["model"], given["precision"])
        if given["dry_run"]:
            adding.plan(chosen, [source])
        else:  # a definition is one vector, of its beginning; a collection that is there stays what it is
            there = any(each.name == into for each in db.collections())
            adding.add(chosen, [source], given, store=True, passages=None if there else False)


def _print(source: Code, given: dict[str, Any]) -> None:
    if output.on_terminal() and not (given["nl"] or given["metadata"]):
        output.records((_row(document) for document in source), ("place", "kind", "name", "signature"))
    else:
        for document in source:
            record: dict[str, Any] = {"id": document.id, "content": document.content}
            output.line(record | ({"metadata": document.metadata} if given["metadata"] else {}))
    if not given["quiet"]:
        for reason, number in source.left_out.items():
            click.echo(f"{number:,} skipped ({reason})", err=True)


def _row(document: Document) -> dict[str, Any]:
    known = document.metadata or {}
    place = f"{known['file']}:{known['line']}"
    return {"place": place, "kind": known["kind"], "name": known["name"], "signature": known["signature"]}
