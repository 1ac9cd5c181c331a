"""`cosimo migrate`: a collection gets another model; the old vectors serve until all the new ones are there."""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from . import options, output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...collection.collection import Collection
    from ...core.types import Document, Problem
    from ...verbs.migrate import Migrated


@click.command()
@click.argument("collection")
@options.stacked(
    click.option("-m", "--model", help="The model to change to."),
    click.option("--files", type=(click.Path(), str), multiple=True, metavar="DIR GLOB",
                 help="Where the texts are that the collection does not store; may be repeated."),
    click.option("--prefix", default="", help="With --files: what the ids begin with, as given to embed-multi."),
    click.option("--prepend", default="", help="With --files: what the texts begin with, as given to embed-multi."),
    click.option("--everything", is_flag=True, help="With --files: also hidden and git-ignored files."),
    click.option("--dry-run", is_flag=True, help="Count texts, tokens, cost and time; embed and write nothing."),
    click.option("--restart", is_flag=True, help="Begin anew, though a migration to another model is half way."),
    click.option("--give-up", is_flag=True, help="Forget what an interrupted migration made, and keep the present model."),
    click.option("--batch-size", type=click.IntRange(1), help="Texts between two commits."),
    options.progress,
    options.quiet,
    options.precision,
    options.database,
    options.busy_timeout,
)  # fmt: skip
def migrate(collection: str, *, model: str | None, **given: Any) -> None:
    """Give COLLECTION another model: every text is embedded anew, the old vectors serve until all are there.

    An interrupted run goes on where it stopped; run the same command again. Texts that are not stored are read from --files.

    \b
    cosimo migrate notes --model BAAI/bge-small-en-v1.5 --dry-run
    cosimo migrate notes --model BAAI/bge-small-en-v1.5
    """
    from .named import named

    _refuse(model, given)
    sources = _sources(given)
    writing = not given["dry_run"]
    with options.opened(given["database"], writing=writing, create=False, busy_timeout=given["busy_timeout"]) as db:
        chosen = named(db, collection, precision=given["precision"])
        if given["give_up"]:
            click.echo(f"{output.snippet(collection)}: {chosen.give_up_migration():,} texts forgotten", err=True)
        elif given["dry_run"]:
            _plan(chosen, str(model), sources)
        else:
            _migrate(chosen, str(model), sources, given)


def _refuse(model: str | None, given: dict[str, Any]) -> None:
    if given["give_up"] and (model or given["dry_run"] or given["restart"] or given["files"]):
        raise click.UsageError("--give-up goes alone.")
    if not given["give_up"] and not model:
        raise click.UsageError("Missing option '-m' / '--model'.")
    for option in ("prefix", "prepend", "everything"):
        if given[option] and not given["files"]:
            raise click.UsageError(f"--{option} goes with --files.")
    if any(not folder for folder, _ in given["files"]):  # an empty variable of a script would mean the present folder
        raise click.UsageError("--files needs the name of a folder; the present one is called '.'.")


class _Sources:
    """Several sources as one that can be read twice."""

    def __init__(self, sources: list[Iterable[Document]]) -> None:
        self._sources = sources

    def __iter__(self) -> Any:
        return chain.from_iterable(self._sources)


def _sources(given: dict[str, Any]) -> _Sources:
    from ...sources.files import Files

    told: set[str] = set()

    def report(problem: Problem) -> None:
        if problem.name not in told:  # the files are read twice
            told.add(problem.name)
            click.echo(f"{problem.name}: {problem.reason}", err=True)

    return _Sources(
        [
            Files(
                folder, pattern, everything=given["everything"], prefix=given["prefix"], prepend=given["prepend"],
                on_problem=report,
            )
            for folder, pattern in given["files"]
        ]
    )  # fmt: skip


def _plan(collection: Collection, model: str, sources: _Sources) -> None:
    plan = collection.plan_migration(model, sources)
    output.line({"collection": collection.name, "from": collection.model, "to": model, **asdict(plan)})


def _migrate(collection: Collection, model: str, sources: _Sources, given: dict[str, Any]) -> None:
    kind = "none" if given["quiet"] else given["progress"]
    migrated = collection.migrate(
        model, sources, restart=given["restart"], batch_size=given["batch_size"], progress=output.progress(kind)
    )
    if not given["quiet"]:
        click.echo(_summary(collection.name, migrated), err=True)
    if migrated.listed:
        name = output.snippet(collection.name)
        click.echo(
            f"{name}: the related items that were saved are gone with the old vectors; run:"
            f" cosimo related {name} --all --save -n {migrated.listed}",
            err=True,
        )


def _summary(name: str, done: Migrated) -> str:
    """What happened, in one line."""
    if not done.rows:
        return f"{output.snippet(name)}: made with {done.model} already, nothing to do"
    counts = [
        (done.mapped, "vectors mapped, nothing embedded"),
        (done.embedded, "embedded"),
        (done.committed - done.embedded, "ready before"),
        (done.passages, "passages"),
        (done.cut, "read at their beginning alone"),
    ]
    said = ", ".join(f"{number:,} {what}" for number, what in counts if number) or "no text to embed"
    return f"{output.snippet(name)}: {done.rows:,} rows now with {done.model}; {said} ({done.seconds:.1f} s)"
