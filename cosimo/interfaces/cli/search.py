"""`cosimo search`: a question → the best items, by meaning and by words, under a filter."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from . import excerpts, mixed, options, output
from .hits import about, when

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from ...collection.collection import Collection
    from ...collection.database import Database
    from ...core.types import Hit


@click.command()
@click.argument("collection")
@click.argument("query", required=False)
@options.stacked(
    options.asked_file,
    options.number,
    click.option("--mode", type=click.Choice(["hybrid", "vector", "text"]), help="[default: hybrid, where texts are stored]"),
    click.option("-w", "--where", help="A filter on metadata: \"year >= 2020 AND category IN ('dress', 'shoes')\"."),
    click.option("--min-score", type=float, help="Leave out what scores lower."),
    click.option(
        "--like", multiple=True, metavar="ID", help="An item that is an example of what to look for; may be repeated."
    ),
    click.option("--unlike", multiple=True, metavar="ID", help="An item that is not; may be repeated."),
    click.option("--plus", multiple=True, metavar="TEXT", help="Add the meaning of TEXT to the query's; may be repeated."),
    click.option("--minus", multiple=True, metavar="TEXT", help="Take the meaning of TEXT from it; may be repeated."),
    click.option("--diversity", type=click.FloatRange(0, 1), help="How much a hit that is like a better one loses, 0 to 1."),
    click.option("--group", type=click.FloatRange(0, 1), help="Cosine similarity from which items are one hit, as 0.95."),
    click.option(
        "--rerank", metavar="MODEL", help="Order the 50 best anew with a model that reads question and text together."
    ),
    mixed.asked,
    click.option("--also", multiple=True, metavar="COLLECTION", help="Search this collection too; may be repeated."),
    click.option("--fts-syntax", is_flag=True, help="QUERY is an expression of SQLite's FTS5: 'vacuum* NOT cloud'."),
    click.option("--facets", multiple=True, metavar="FIELD", help="Count the values of FIELD under the filter instead."),
    options.prefix,
    options.as_json,
    options.database,
    options.precision,
)
def search(collection: str, query: str | None, **given: Any) -> None:
    """Search COLLECTION by meaning, by words, or by both, with filters.

    Hybrid mixes cosine similarity and BM25; its weights adapt to the query. In a pipe each hit is a line of JSON: `passage`
    is the best part of a long document, `span` where it lies in it, and `why` holds both scores and the words that were found.

    \b
    cosimo search notes 'how do I back up a database?' -n 5
    cosimo search shop 'something red' --where "price < 50 AND category = 'dress'"
    cosimo search shop --where 'price < 50' --facets category
    cosimo search words germany --plus paris --minus france
    cosimo search photos -i shoe.jpg 'but red'
    cosimo search shop --like dress-17 --unlike dress-4 --diversity 0.3
    cosimo search shop 'red dress' --named picture=photo.jpg --weight title=0.3 --weight picture=0.7
    """
    mixed.refuse_others(given)
    with options.opened(given["database"], writing=True, create=False) as db:
        if given["facets"]:
            _facets(db, collection, query, given)
            return
        hits = _across(db, collection, query, given) if given["also"] else _within(db, collection, query, given)
    if not given["as_json"] and output.on_terminal() and excerpts.all_code(hits):
        excerpts.printed(hits, several=bool(given["also"]))
        return
    paged = any(match.page is not None for hit in hits for match in hit.passages[:1])
    columns = ("score", *(("collection",) if given["also"] else ()), "id", *(("page",) if paged else ()), "passage")
    records = [_record(hit, several=bool(given["also"])) for hit in hits]
    if not given["as_json"] and output.on_terminal():
        records = [{**record, "passage": record["passage"] or about(hit)} for record, hit in zip(records, hits, strict=True)]
    output.records(records, columns, as_json=given["as_json"])


def _facets(db: Database, collection: str, query: str | None, given: dict[str, Any]) -> None:
    from .named import named

    counted_with = {"facets", "where", "prefix", "as_json", "database"}
    ignored = [f"--{name.strip('_').replace('_', '-')}" for name in given if name not in counted_with and _was_given(name)]
    if query is not None or ignored:
        what = ignored[0] if ignored else "a QUERY"
        raise click.UsageError(
            f"--facets counts the items that pass --where and --prefix; it takes no {what.removeprefix('a ')}."
        )
    chosen = named(db, collection)
    rows = [
        {"field": field, "value": value, "count": count}
        for field in given["facets"]
        for value, count in chosen.facets(field, where=given["where"], prefix=given["prefix"]).items()
    ]
    counted = {row["field"] for row in rows}
    missing = [field for field in given["facets"] if field not in counted]
    _name_unknown(chosen, missing, () if given["where"] or given["prefix"] else missing)
    output.records(rows, ("field", "value", "count"), as_json=given["as_json"])


def _was_given(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _name_unknown(collection: Collection, asked: Iterable[str], empty: Container[str] = ()) -> None:
    """Say which fields no item has: a misspelt one finds nothing, and looks like an answer."""
    first = {field.partition(".")[0].strip('"'): field for field in asked}
    if not first:
        return
    known = collection.fields()
    for name, field in first.items():
        if name not in known or field in empty:
            there = ", ".join(list(known)[:10]) or "none at all"
            click.echo(f"no item of {collection.name} has a field {field!r}; there are: {there}", err=True)


def _within(db: Database, collection: str, query: str | None, given: dict[str, Any]) -> list[Hit]:
    from .named import named

    chosen = named(db, collection, precision=given["precision"])
    hits = _found(chosen, query, given)
    if not hits and given["where"]:
        from ...core.filters import fields, parse

        _name_unknown(chosen, [".".join(each.path) for each in fields(parse(given["where"])) if each.source == "metadata"])
    return hits


def _found(chosen: Collection, query: str | None, given: dict[str, Any]) -> list[Hit]:
    asked, beside = _asked(query, given["input_"])
    plus = (*beside, *given["plus"])
    if mixed.is_asked(given):
        return mixed.search_mixed(chosen, asked, beside, given)
    if isinstance(asked, str) and not plus and not any(given[name] for name in ("like", "unlike", "minus")):
        _tell_mode(chosen, given["mode"])
    return chosen.search(
        asked, given["number"], mode=given["mode"], where=given["where"], prefix=given["prefix"],
        min_score=given["min_score"], plus=plus, minus=given["minus"], like=given["like"], unlike=given["unlike"],
        diversity=given["diversity"], group=given["group"], fts_syntax=given["fts_syntax"], rerank=given["rerank"],
    )  # fmt: skip


def _asked(query: str | None, path: str | None) -> tuple[str | bytes | None, tuple[str, ...]]:
    """What is asked, and what is added to it."""
    from .inputs import question_of

    return (query, ()) if path is None else question_of(query, path, binary=False)


def _tell_mode(chosen: Collection, mode: str | None) -> None:
    """Say where a text is not searched for as people expect."""
    if mode in (None, "hybrid") and len(chosen) and not chosen.has_text():
        if mode or chosen.embedder.spec.modalities == ("text",):  # nobody looks for words among pictures
            click.echo(f"{chosen.name} stores no texts, so this searches by meaning alone.", err=True)
    elif mode is None and chosen.model is None and chosen.has_text():
        click.echo(f"{chosen.name} has no model to embed the question with, so this searches for its words.", err=True)


def _across(db: Database, collection: str, query: str | None, given: dict[str, Any]) -> list[Hit]:
    for name in ("like", "unlike", "plus", "minus", "fts_syntax", "precision", "rerank"):
        if given[name]:
            raise click.UsageError(f"--{name.replace('_', '-')} is for one collection, not with --also.")
    asked, beside = _asked(query, given["input_"])
    if asked is None or beside:
        raise click.UsageError("--also needs a QUERY or an --input, and takes no mixture of both.")
    chosen = [db.collection(name) for name in (collection, *given["also"])]
    if given["mode"] in (None, "hybrid") and not all(each.has_text() or not len(each) for each in chosen):
        click.echo("not all of these store texts, so this searches by meaning alone.", err=True)
    return db.search(
        asked, given["number"], collections=[collection, *given["also"]], mode=given["mode"], where=given["where"],
        prefix=given["prefix"], min_score=given["min_score"], diversity=given["diversity"], group=given["group"],
    )  # fmt: skip


def _record(hit: Hit, *, several: bool) -> dict[str, Any]:
    """A hit as a line of JSON. `passage` is `content[span[0]:span[1]]`."""
    best = hit.passages[0] if hit.passages else None
    record: dict[str, Any] = {
        "id": hit.id,
        "score": hit.score,
        "passage": best.text if best else None,
        "span": [best.start, best.end] if best else None,
        "heading": best.heading if best else None,
        "metadata": hit.metadata,
        "why": {name: part for name, part in asdict(hit.why).items() if name != "named" or part},
    }
    if best and best.page is not None:
        record["page"] = best.page
    record |= when(hit)
    if hit.duplicates:
        record["duplicates"] = hit.duplicates
    return {"collection": hit.collection, **record} if several else record
