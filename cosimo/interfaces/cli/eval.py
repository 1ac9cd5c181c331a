"""`cosimo eval`: judged questions → nDCG, recall, MRR and MAP of each mode and model, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import options, output

if TYPE_CHECKING:
    from pathlib import Path

    from ...core.types import Mode
    from ...verbs.evaluate import Comparison

SHOWN = "nDCG@10"


@click.command(name="eval")
@click.argument("source", required=False, type=click.Path())
@options.stacked(
    click.option("--modes", default="vector,text,hybrid", show_default=True, help="With commas between."),
    click.option("-m", "--model", "models", multiple=True, help="Embedding model; may be repeated, to compare."),
    click.option("--split", help="Which judgements of the folder. [default: test, or the only ones]"),
    click.option("--collection", help="Ask this collection instead of embedding the corpus of the folder."),
    click.option("--sts", type=click.Path(dir_okay=False), help="Scored pairs of sentences instead: Spearman's correlation."),
    options.no_passages,
    options.as_json,
    options.database,
    options.precision,
)
def eval_(
    source: str | None, *, modes: str, models: tuple[str, ...], split: str | None, collection: str | None, sts: str | None,
    no_passages: bool, as_json: bool, database: Path | None, precision: str | None,
) -> None:  # fmt: skip
    """Measure how well modes and models answer judged questions.

    SOURCE is a folder in the BEIR layout (corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv), which is embedded in memory; or, with
    --collection, a CSV of questions and the ids that answer them. With --json one object {mode: {measure: value}} is printed.

    \b
    cosimo eval ./scifact --modes vector,hybrid
    cosimo eval questions.csv --collection notes -d notes.db
    cosimo eval --sts pairs.tsv
    """
    from ...collection.evaluation import correlate, evaluate
    from .named import named

    if (source is None) == (sts is None):
        raise click.UsageError("Give either SOURCE or --sts FILE.")
    if len(models) > 1 and sts is not None:
        raise click.UsageError("--sts measures one --model at a time.")
    if models and collection is not None:
        raise click.UsageError("--model is for a SOURCE that is embedded; a COLLECTION has its model already.")
    if no_passages and (sts is not None or collection is not None):
        raise click.UsageError("--no-passages is for a SOURCE that is embedded.")
    if sts is not None:
        found = correlate(sts, model=models[0] if models else None, precision=precision)
        output.line(
            {"spearman": round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4), "pairs": found.pairs}
        )
        return
    wanted = _modes(modes)
    if collection is None:
        result = evaluate(str(source), split=split, models=models, modes=wanted, passages=not no_passages, precision=precision)
    else:
        with options.opened(database, writing=True, create=False) as db:
            chosen = named(db, collection, precision=precision)
            result = evaluate(str(source), split=split, modes=wanted, collection=chosen)
    _print(result, as_json)


def _modes(text: str) -> list[Mode]:
    known: dict[str, Mode] = {"vector": "vector", "text": "text", "hybrid": "hybrid"}
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise click.UsageError(f"--modes takes vector, text and hybrid, not {', '.join(unknown) or 'nothing'}.")
    return [known[name] for name in names]


def _print(result: Comparison, as_json: bool) -> None:
    table = result.table()
    if as_json or not output.on_terminal():
        output.line(table)
    else:
        columns = ["run", *next(iter(table.values()))]
        output.table([[name, *(f"{value:g}" for value in row.values())] for name, row in table.items()], columns)
    if result.missing:
        shown = ", ".join(result.missing[:3]) + (", …" if len(result.missing) > 3 else "")
        click.echo(f"{len(result.missing)} answers are not in the collection and count as not found: {shown}", err=True)
    for each in result.differences:
        if each.measure == SHOWN:
            verdict = "significant" if each.significant else "not significant"
            click.echo(
                f"{each.a} − {each.b}: {SHOWN} {each.by.mean:+.4f} [{each.by.low:+.4f}, {each.by.high:+.4f}], {verdict}",
                err=True,
            )
