"""`cosimo search`: a question → the best items, by meaning and by words, under a filter."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from . import options, output

if TYPE_CHECKING:
    from pathlib import Path

    from ...core.types import Hit


@click.command()
@click.argument("collection")
@click.argument("query")
@options.stacked(
    options.number,
    click.option("--mode", type=click.Choice(["hybrid", "vector", "text"]), help="[default: hybrid, where texts are stored]"),
    click.option("-w", "--where", help="A filter on metadata: \"year >= 2020 AND category IN ('dress', 'shoes')\"."),
    click.option("--min-score", type=float, help="Leave out what scores lower."),
    click.option("--facets", multiple=True, metavar="FIELD", help="Count the values of FIELD under the filter instead."),
    options.prefix,
    options.as_json,
    options.database,
    options.precision,
)
def search(
    collection: str, query: str, *, number: int, mode: Any, where: str | None, min_score: float | None,
    facets: tuple[str, ...], prefix: str, as_json: bool, database: Path | None, precision: str | None,
) -> None:  # fmt: skip
    """Search COLLECTION by meaning, by words, or by both, with filters.

    Hybrid mixes cosine similarity and BM25; its weights adapt to the query. In a pipe each hit is a line of JSON: `passage`
    is the best part of a long document, `span` where it lies in it, and `why` holds both scores and the words that were found.

    \b
    cosimo search notes 'how do I back up a database?' -n 5
    cosimo search shop 'red' --where 'price < 50' --facets category
    """
    from .named import named

    with options.opened(database, writing=True, create=False) as db:
        chosen = named(db, collection, precision=precision)
        if facets:
            rows = [{"field": field, "value": value, "count": count} for field in facets
                    for value, count in chosen.facets(field, where=where).items()]  # fmt: skip
            output.records(rows, ("field", "value", "count"), as_json=as_json)
            return
        if mode in (None, "hybrid") and len(chosen) and not chosen.has_text():
            click.echo(f"{collection} stores no texts, so this searches by meaning alone.", err=True)
        if mode is None and chosen.model is None and chosen.has_text():
            click.echo(f"{collection} has no model to embed the question with, so this searches for its words.", err=True)
        hits = chosen.search(query, number, mode=mode, where=where, prefix=prefix, min_score=min_score)
    output.records([_record(hit) for hit in hits], ("score", "id", "passage"), as_json=as_json)


def _record(hit: Hit) -> dict[str, Any]:
    """A hit as a line of JSON. `passage` is `content[span[0]:span[1]]`."""
    best = hit.passages[0] if hit.passages else None
    return {
        "id": hit.id,
        "score": hit.score,
        "passage": best.text if best else None,
        "span": [best.start, best.end] if best else None,
        "heading": best.heading if best else None,
        "metadata": hit.metadata,
        "why": asdict(hit.why),
    }
