"""`cosimo similar`: a text, or the id of an item → the items nearest to it."""

from __future__ import annotations

import json
from textwrap import indent
from typing import TYPE_CHECKING

import click

from . import options, output

if TYPE_CHECKING:
    from pathlib import Path

    from ...core.types import Hit


@click.command()
@click.argument("collection")
@click.argument("id", required=False)
@options.stacked(
    options.input_file,
    options.content,
    options.binary,
    options.number,
    click.option("-p", "--plain", is_flag=True, help="Plain text: id, score and the whole content."),
    options.as_json,
    options.database,
    options.prefix,
    options.precision,
)
def similar(
    collection: str, id: str | None, *, input_: str | None, content: str | None, binary: bool, number: int, plain: bool,
    as_json: bool, database: Path | None, prefix: str, precision: str | None,
) -> None:  # fmt: skip
    """Find the items of COLLECTION nearest to a text, or to the item with this ID.

    Scores are cosine similarities: 1 is the same direction, 0 none in common. In a pipe each result is a line of JSON.

    \b
    cosimo similar notes -c 'how do I back up sqlite?' -n 5
    cosimo similar notes sqlite/geopoly.md | jq -r .id
    """
    from .inputs import content_of
    from .named import named

    if id is not None and (content is not None or input_ is not None):
        raise click.UsageError("Give either an ID or a text (-c, -i or stdin), not both.")
    with options.opened(database, writing=False) as db:
        chosen = named(db, collection, precision=precision)
        if id is not None:
            hits = chosen.related(id, number, prefix=prefix)
        else:
            hits = chosen.search(content_of(content, input_, binary), number, mode="vector", prefix=prefix)
    _print(hits, plain, as_json)


def _print(hits: list[Hit], plain: bool, as_json: bool) -> None:
    if plain:
        for hit in hits:
            _print_plain(hit)
        return
    rows = ({"id": hit.id, "score": hit.score, "content": hit.content, "metadata": hit.metadata} for hit in hits)
    output.records(rows, ("score", "id", "content"), as_json=as_json)


def _print_plain(hit: Hit) -> None:
    click.echo(f"{hit.id} ({hit.score})\n")
    if hit.content:
        click.echo(indent(hit.content if isinstance(hit.content, str) else output.snippet(hit.content), "  "))
    if hit.metadata:
        click.echo(indent(json.dumps(hit.metadata, ensure_ascii=False), "  "))
    click.echo("")
