"""`cosimo duplicates` and `cosimo outliers`: what a collection holds twice, and what fits nowhere in it."""

from __future__ import annotations

from typing import Any

import click

from . import options, output

SHOWN = 3  # ids of a group in a table: pipes get them all


@click.command()
@click.argument("collection")
@click.option(
    "-t", "--threshold", type=float, default=0.95, show_default=True, help="Cosine similarity from which two are alike."
)
@options.stacked(
    click.option("-w", "--where", help="Only items that pass this filter on their metadata."),
    options.prefix,
    options.as_json,
    options.database,
)
def duplicates(collection: str, **given: Any) -> None:
    """List groups of near-duplicates in COLLECTION, the largest first.

    Nothing is deleted. Each group is named by the item that most of the others are like. No model is needed: vectors are in
    the file.

    \b
    cosimo duplicates notes
    cosimo duplicates tickets -t 0.98 --where "year >= 2025"
    cosimo duplicates notes | jq -r '.others[].id' | tr '\\n' '\\0' | xargs -0 cosimo delete notes --
    """
    from .named import named

    # a filter on places may make an index of them
    with options.opened(given["database"], writing=True, create=False) as db:
        groups = named(db, collection).duplicates(given["threshold"], where=given["where"], prefix=given["prefix"])
    if given["as_json"] or not output.on_terminal():
        for group in groups:
            others = [{"id": near.id, "score": near.score} for near in group.others]
            output.line({"id": group.id, "count": len(others) + 1, "others": others})
        return
    rows = [[f"{len(group.others) + 1:,}", output.snippet(group.id), _some(group.others)] for group in groups]
    output.table(rows, ("count", "id", "others"))


def _some(others: Any) -> str:
    shown = ", ".join(f"{output.snippet(near.id)} {near.score:.3f}" for near in others[:SHOWN])
    return shown + (f" and {len(others) - SHOWN:,} more" if len(others) > SHOWN else "")


@click.command()
@click.argument("collection")
@options.stacked(
    options.number,
    click.option(
        "--neighbours", type=int, default=10, show_default=True, help="How many nearest ones an item is held against."
    ),
    click.option("-w", "--where", help="Name only items that pass this filter on their metadata."),
    options.prefix,
    options.as_json,
    options.database,
)
def outliers(collection: str, **given: Any) -> None:
    """List the items of COLLECTION least like their nearest neighbours, the most alone first.

    The score is the mean cosine similarity to those neighbours. No model is needed: vectors are in the file.

    \b
    cosimo outliers notes -n 5
    """
    from .named import named

    with options.opened(given["database"], writing=True, create=False) as db:
        found = named(db, collection).outliers(
            given["number"], neighbours=given["neighbours"], where=given["where"], prefix=given["prefix"]
        )
    output.records((each._asdict() for each in found), ("score", "id", "nearest"), as_json=given["as_json"])
