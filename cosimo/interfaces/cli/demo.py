"""`cosimo demo`: the documentation of Python's standard library, embedded and asked three questions."""

from __future__ import annotations

from pathlib import Path

import click

from . import options, output

QUESTIONS = (
    "run a command and capture its output",
    "find the files whose names match a pattern",
    "how long is it between two dates?",
)


@click.command()
@options.stacked(
    click.option("-c", "--question", "questions", multiple=True, help="Ask this instead; may be repeated."),
    options.number,
    options.model,
    click.option(
        "-d", "--database", type=click.Path(dir_okay=False, path_type=Path), help="SQLite file. [default: one of its own]"
    ),
    options.as_json,
)
def demo(*, questions: tuple[str, ...], number: int, model: str | None, database: Path | None, as_json: bool) -> None:
    """Embed the documentation strings of Python's standard library, several thousand of them, and ask three questions.

    A second run embeds nothing and answers at once.
    """
    from ...collection.database import make_folder
    from ...core.config import demo_path
    from ...sources.docstrings import standard_library
    from .named import named

    path = database or demo_path()
    if database is None:
        make_folder(path.parent)
    with options.opened(path, writing=True) as db:
        collection = named(db, "python", model)
        added = collection.add(list(standard_library()), source="standard library", sync=True)
        rate = f" at {added.embedded / added.seconds:,.0f} a second" if added.embedded else ""
        click.echo(f"{len(collection):,} documentation strings, {added.embedded:,} embedded now{rate}, in {path}", err=True)
        for question in questions or QUESTIONS:
            click.echo(f"\n{question}", err=True)
            hits = collection.search(question, number if questions else 3)
            rows = ({"score": hit.score, "id": hit.id, "content": _without_name(hit.id, str(hit.content))} for hit in hits)
            output.records(rows, ("score", "id", "content"), as_json=as_json)


def _without_name(id: str, content: str) -> str:
    return content.removeprefix(id).strip()
