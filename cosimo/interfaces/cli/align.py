"""`cosimo align`: a map learned between the spaces of two collections; what is kept listed, and forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import options, output
from .lazy import EverydayGroup

if TYPE_CHECKING:
    from pathlib import Path

    from ...collection.aligning import Alignment

COLUMNS = ("asked", "for", "recall@1", "recall@10", "by chance", "unmapped", "questions", "candidates")


@click.group(cls=EverydayGroup, default="learn")
def align() -> None:
    """Learn a map from the vectors of one collection to those of another, and use it as a model.

    \b
    cosimo align words photos captions
    cosimo migrate photos --model align:words
    cosimo search photos 'a red dress'
    """


@align.command()
@click.argument("name")
@click.argument("source")
@click.argument("target")
@options.stacked(
    click.option("--pairs", type=click.Path(dir_okay=False), metavar="FILE",
                 help="Table of pairs: ids of SOURCE and TARGET. [default: items of one id]"),
    click.option("--method", type=click.Choice(["ridge", "orthogonal", "contrastive"]), default="ridge", show_default=True,
                 help="Regression, a rotation, or steps from regression that tell partners from others."),
    click.option("--holdout", type=float, default=0.2, show_default=True, help="Share of the pairs that only test it."),
    click.option("--seed", type=int, default=0, show_default=True, help="The same one holds out the same pairs."),
    click.option("--no-save", is_flag=True, help="Keep nothing; say only how good it is."),
    click.option("--replace", is_flag=True, help="Take the place of the alignment of that name."),
    options.as_json,
    options.database,
    options.busy_timeout,
)  # fmt: skip
def learn(name: str, source: str, target: str, **given: Any) -> None:
    """Learn the map NAME from the vectors of SOURCE to those of TARGET, and say how often it finds partners held out.

    The word `learn` may be left out. SOURCE then becomes a collection of the model `align:NAME` by `cosimo migrate`, at once.

    \b
    cosimo align words photos captions --pairs pairs.csv
    cosimo align newer notes notes-by-the-new-model --no-save
    """
    with options.opened(given["database"], writing=True, busy_timeout=given["busy_timeout"], create=False) as db:
        made = db.align(
            name, source, target, pairs=given["pairs"], method=given["method"], holdout=given["holdout"], seed=given["seed"],
            save=not given["no_save"], replace=given["replace"],
        )  # fmt: skip
    if given["as_json"] or not output.on_terminal():
        output.line(_record(made))
    else:
        report = made.report
        sides = ((source, target, report.forward), (target, source, report.backward))
        output.table([[output.shown(cell) for cell in _row(*side)] for side in sides], COLUMNS)
        click.echo(f"{report.method}: {report.pairs:,} pairs, {report.held_out:,} of {source} held out", err=True)
    if not given["no_save"]:
        click.echo(f"kept as {made.model}; run: cosimo migrate {source} --model {made.model}", err=True)


@align.command(name="list")
@options.stacked(options.database, options.as_json)
def list_(*, database: Path | None, as_json: bool) -> None:
    """List the alignments of a database."""
    with options.opened(database, writing=False) as db:
        rows = [_record(each) for each in db.alignments()]
    output.records(rows, ("model", "source", "target", "method", "pairs"), as_json=as_json)


@align.command()
@click.argument("name")
@options.stacked(options.database, options.busy_timeout)
def forget(name: str, *, database: Path | None, busy_timeout: float) -> None:
    """Remove the alignment NAME; not as long as a collection is made with it."""
    with options.opened(database, writing=True, busy_timeout=busy_timeout, create=False) as db:
        db.forget_alignment(name)


def _record(made: Alignment) -> dict[str, Any]:
    return {"model": made.model, "source": made.source, "target": made.target, **made.report.to_dict()}


def _row(asked: str, found: str, side: Any) -> tuple[object, ...]:
    unmapped = "" if side.unmapped is None else side.unmapped.at_10
    return asked, found, *side.mapped, side.chance.at_10, unmapped, side.questions, side.candidates
