"""`cosimo similar`: a text, or the id of an item → the items nearest to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import options

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("collection")
@click.argument("id", required=False)
@options.stacked(
    options.asked_file,
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
    """Find the items of COLLECTION nearest to a text, a picture, both, or the item with this ID.

    Scores are cosine similarities: 1 is the same direction, 0 none in common. In a pipe each result is a line of JSON.

    \b
    cosimo similar notes -c 'how do I back up sqlite?' -n 5
    cosimo similar notes sqlite/geopoly.md | jq -r .id
    cosimo similar photos -i shoe.jpg -c 'but red'
    """
    from .hits import printed
    from .inputs import question_of
    from .named import named

    if id is not None and (content is not None or input_ is not None):
        raise click.UsageError("Give either an ID, or what to ask with (-c, -i or stdin), not both.")
    with options.opened(database, writing=True, create=False) as db:
        chosen = named(db, collection, precision=precision)
        if id is not None:
            hits = chosen.related(id, number, prefix=prefix)
        else:
            asked, plus = question_of(content, input_, binary)
            hits = chosen.search(asked, number, mode="vector", prefix=prefix, plus=plus)
    printed(hits, plain=plain, as_json=as_json)
