"""`cosimo index`: the index of a collection: build it, choose its type, describe it, drop it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import options, output

if TYPE_CHECKING:
    from pathlib import Path

    from ...collection.indexing import IndexReport

# option → what the library calls it; only those given are handed on
PARAMETERS = ("nlist", "nprobe", "codes", "M", "ef_construction", "ef_search", "bits", "rescore")


@click.command()
@click.argument("collection")
@options.stacked(
    click.option("--type", "type_", type=click.Choice(["auto", "flat", "scan", "lists", "graph"]),
                 help="auto goes by the number of rows. [default: as chosen last, else auto]"),
    click.option("--metric", type=click.Choice(["cosine", "ip", "l2"]),
                 help="What a score is; l2 is minus the distance. [default: as chosen last, else cosine]"),
    click.option("--nlist", type=int, help="lists: how many. [default: by the number of rows]"),
    click.option("--nprobe", type=int, help="lists: how many are looked through. [default: measured]"),
    click.option("--codes", type=click.Choice(["pq", "none"]), help="lists: of 4-bit codes or of vectors. [default: pq]"),
    click.option("--m", "M", type=int, help="graph: links of a row. [default: 32]"),
    click.option("--ef-construction", type=int, help="graph: candidates for links. [default: 80]"),
    click.option("--ef-search", type=int, help="graph: candidates in a search. [default: 64]"),
    click.option("--bits", type=int, help="scan: of a number's code, 1 or 2. [default: measured]"),
    click.option("--rescore", type=int, help="Candidates scored exactly. [default: measured; graph: 32]"),
    click.option("--info", is_flag=True, help="Describe the index instead."),
    click.option("--drop", is_flag=True, help="Remove the index and what was chosen instead."),
    options.as_json,
    options.database,
    options.busy_timeout,
)  # fmt: skip
def index(
    collection: str, *, type_: str | None, metric: Any, info: bool, drop: bool, as_json: bool, database: Path | None,
    busy_timeout: float, **given: Any,
) -> None:  # fmt: skip
    """Build the index of COLLECTION now, and say what was chosen and why.

    Nobody has to: a search builds what it needs. It is for choosing a type, for measuring, and for paying beforehand.

    \b
    cosimo index notes
    cosimo index notes --type lists --nprobe 16
    cosimo index notes --info
    """
    from .named import named

    params = {name: given[name] for name in PARAMETERS if given[name] is not None}
    if sum((info, drop, bool(type_ or metric or params))) > 1:
        raise click.UsageError("--info and --drop take no type, metric or parameter, and not each other.")
    if params and type_ in (None, "auto", "flat"):
        raise click.UsageError(f"--{next(iter(params)).lower().replace('_', '-')} needs --type scan, lists or graph.")
    with options.opened(database, writing=True, create=False, busy_timeout=busy_timeout) as db:
        chosen = named(db, collection)
        if drop:
            there = chosen.drop_index()
            click.echo(f"{output.snippet(collection)}: {'index removed' if there else 'there was no index'}", err=True)
            return
        report = chosen.index_info() if info else chosen.index(type_, metric, params=params or None)
    record = _record(collection, report)
    if info and output.on_terminal() and not as_json:
        output.table([[key, output.shown(value)] for key, value in record.items()], ("what", "value"))
    elif info or as_json:
        output.line(record)
    else:
        click.echo(_sentence(collection, report))
    if not info and not report.disk and report.info.kind != "flat":
        raise click.ClickException(
            "the index was built and could not be kept: its folder cannot be written, or the disk is full"
        )


def _record(collection: str, report: IndexReport) -> dict[str, Any]:
    return {
        "collection": collection,
        "type": report.info.kind,
        "metric": report.info.metric,
        "params": dict(report.info.params),
        "asked": report.asked.kind,
        "why": report.why,
        "rows": report.info.rows,
        "fresh": report.info.fresh,
        "recall": report.info.recall,
        "bytes_on_disk": report.disk,
        "bytes_in_memory": report.info.bytes,
        "seconds": report.seconds,
    }


def _sentence(collection: str, report: IndexReport) -> str:
    info = report.info
    disk = f"{report.disk / 1e6:,.1f} MB on disk" if report.disk else "nothing on disk"
    recall = "exact" if info.kind == "flat" else f"recall@10 {info.recall:.4f}"
    return (
        f"{output.snippet(collection)}: {report.why} ({info.rows:,} rows, {info.metric}, {recall}, {disk}, "
        f"{report.seconds or 0:.1f} s)"
    )
