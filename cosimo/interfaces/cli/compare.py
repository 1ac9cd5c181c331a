"""`cosimo compare`: the same items by two or more models, lengths or precisions → how much their neighbours agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import options, output

if TYPE_CHECKING:
    from ...verbs.comparison import Comparison


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME NAME…")
@options.stacked(
    options.number,
    click.option("-c", "--content", "questions", multiple=True, help="Show what each finds for this text; may be repeated."),
    click.option("--id", "ids", multiple=True, help="Show the neighbours of this item; may be repeated."),
    click.option("-w", "--where", help="Only items that pass this filter on their metadata."),
    click.option("--judged", type=click.Path(), help="Judged questions, as `eval` takes them: nDCG@10 of each."),
    click.option("--split", help="Which judgements of the folder. [default: test, or the only ones]"),
    click.option("--sample", type=click.IntRange(0), default=1000, show_default=True,
                 help="Items whose neighbours are compared; 0 for all."),
    click.option("--seed", type=int, default=0, show_default=True, help="Which items those are."),
    click.option("--type", "type_", type=click.Choice(["flat", "scan", "lists", "graph"]), default="flat", show_default=True,
                 help="The index that is asked; flat is exact."),
    click.option("--metric", type=click.Choice(["cosine", "ip", "l2"]), default="cosine", show_default=True,
                 help="What a score is; l2 is minus the distance."),
    click.option("--nlist", type=int, help="lists: how many."),
    click.option("--nprobe", type=int, help="lists: how many are looked through."),
    click.option("--plot", type=click.Path(dir_okay=False), help="Draw the agreements into this file (.png, .svg)."),
    options.as_json,
    options.database,
)  # fmt: skip
def compare(names: tuple[str, ...], **given: Any) -> None:
    """Compare models, lengths or precisions by the neighbours that each gives the same items.

    A NAME is a collection; one in fewer or coarser numbers (notes@128, notes@int8, notes@float16, notes@bit); or its stored
    texts by another model, embedded now and kept nowhere (notes=MODEL). Items are matched by id.

    \b
    cosimo compare notes notes@128 notes@int8
    cosimo compare notes notes=paraphrase-MiniLM-L6-v2 -c 'how do I back up sqlite?'
    cosimo compare notes notes-other --metric l2 --type lists --nlist 4 --nprobe 2
    """
    params = {name: given[name] for name in ("nlist", "nprobe") if given[name] is not None}
    if params and given["type_"] != "lists":
        raise click.UsageError(f"--{next(iter(params))} needs --type lists.")
    if given["plot"]:
        from ...verbs.comparison import picture_format

        picture_format(given["plot"])  # before a text is embedded
    with options.opened(given["database"], writing=True, create=False) as db:
        found = db.compare(
            *names, k=given["number"], questions=given["questions"], ids=given["ids"], where=given["where"],
            sample=given["sample"] or None, seed=given["seed"], metric=given["metric"], index=given["type_"],
            params=params or None, judged=given["judged"], split=given["split"],
        )  # fmt: skip
    if given["as_json"] or not output.on_terminal():
        output.line(found.to_dict())
    else:
        _print(found)
    if given["plot"]:
        found.plot(given["plot"])


def _print(found: Comparison) -> None:
    click.echo(f"{found.items:,} items that all have; neighbours of {found.sampled:,} compared, k = {found.k}\n")
    for columns, rows in (found.view_rows(), found.pair_rows()):
        output.table([[output.snippet(cell) for cell in row] for row in rows], columns)
        click.echo()
    for side in (*found.questions, *found.disagreements):
        click.echo(output.snippet(found.asked(side)))
        columns, rows = found.side_rows(side)
        output.table([[output.snippet(cell) for cell in row] for row in rows], columns)
        click.echo()
