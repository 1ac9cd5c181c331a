"""Adding: what the commands that fill a collection share: how it is opened, planned, filled, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...core.config import database_path
from . import options, output

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ...collection.collection import Collection
    from ...collection.database import Database
    from ...core.types import Document, Problem
    from ...sources.source import Source
    from ...verbs.ingest import Added


def opened(given: Mapping[str, Any]) -> Database:
    """The database to write to; a dry run only reads it, and needs none to be there."""
    if not given["dry_run"]:
        return options.opened(given["database"], writing=True, busy_timeout=given["busy_timeout"])
    own = given["database"] or database_path()
    return options.opened(own, writing=False) if own.exists() else options.opened(Path(":memory:"), writing=True)


def report(problem: Problem) -> None:
    """Name on stderr what could not be read."""
    click.echo(f"{problem.name}: {problem.reason}", err=True)


def plan(collection: Collection, sources: Iterable[Iterable[Document]]) -> None:
    """Print what adding would do, a line of JSON a source."""
    for source in sources:
        found = collection.plan(source)
        output.line(
            {
                "collection": collection.name, "texts": found.texts, "unchanged": found.unchanged, "empty": found.empty,
                "to_embed": found.to_embed, "tokens": found.tokens, "model": collection.model, "cost": found.cost,
            }
        )  # fmt: skip


def add(
    collection: Collection, sources: Iterable[Source], given: Mapping[str, Any], *, store: bool, passages: bool | None
) -> None:
    """Add what sources give, and say in a line each what that did; `given` are the command's options."""
    for source in sources:
        added = collection.add(
            source,
            store=store,
            batch_size=given["batch_size"],
            sync=given["sync"],
            passages=passages,
            progress=output.progress("none" if given["quiet"] else given["progress"]),
        )
        if not given["quiet"]:
            click.echo(_summary(collection, added, source), err=True)


def _summary(collection: Collection, added: Added, source: Source) -> str:
    """What happened, in one line: only what is not zero."""
    from ...sources.media import hint

    counts = [
        (added.added, "added"),
        (added.updated, "updated"),
        (added.unchanged, "unchanged"),
        (added.removed, "removed"),
        (added.empty, "empty, not stored"),
        (source.problem_count, "not readable"),
        (added.passages, "passages"),
        (added.cut, "read at their beginning alone"),
        (added.named, "named vectors"),
        *((number, f"skipped ({why})") for why, number in source.left_out.items()),
    ]
    said = (
        ", ".join(f"{number:,} {what}" for number, what in counts if number)
        or "nothing matched; put quotes around a pattern, or the shell spells it out; JPG is not jpg"
    )
    return (
        f"{output.snippet(collection.name)}: {said}{'' if added.committed else hint(source.left_out)} ({added.seconds:.1f} s)"
    )
