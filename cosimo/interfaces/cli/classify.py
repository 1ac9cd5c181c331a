"""`cosimo classify`: labels → a classifier and how good it is; texts or items → their labels, and confidence in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import options, output
from .lazy import EverydayGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...collection.collection import Collection
    from ...collection.scoring import Classifier
    from ...verbs.classes import Prediction
    from ...verbs.scoring.class_report import Report

FILE = click.Path(dir_okay=False)
SHOWN = 10  # pairs of classes that are told in a table: pipes get a thousand
FULL = 12  # classes of which the whole confusion table is shown
label = click.option("--label", metavar="FIELD", help="A field of the metadata, or the column of --examples.")
examples = click.option("--examples", type=FILE, metavar="FILE", help="Learn from a table of texts, or ids, and labels.")
text_column = click.option("--text-column", metavar="COLUMN", help="The texts in --examples. [default: text or content]")
names = click.option("--names", metavar="A,B,…", help="Names of the classes, where there are no examples at all.")
template = click.option(
    "--template", default="{}", show_default=True, help="The text that stands for a name, as 'a question about {}'."
)
method = click.option(
    "--method", type=click.Choice(["auto", "regression", "means", "names"]), default="auto", show_default=True,
    help="Logistic regression, the nearest mean, or the nearest name of a class.",
)  # fmt: skip


@click.group(cls=EverydayGroup, default="apply")
def classify() -> None:
    """Learn classes from labelled items and say what others are, or sort texts by the names of classes alone.

    \b
    cosimo classify learn tickets --label intent
    cosimo classify tickets -c 'my card has not arrived'
    cosimo classify --names 'sport,politics,weather' -c 'It will rain tomorrow'
    """


@classify.command()
@click.argument("collection")
@options.stacked(
    label,
    examples,
    text_column,
    names,
    method,
    template,
    click.option("--folds", type=int, default=5, show_default=True, help="Parts of which each is held out in turn."),
    click.option("--seed", type=int, default=0, show_default=True, help="The same one makes the same parts."),
    click.option("-w", "--where", help="Learn only from items that pass this filter on their metadata."),
    options.prefix,
    click.option("--name", default="main", show_default=True, help="Keep them under this name; several stay side by side."),
    click.option("--no-save", is_flag=True, help="Keep nothing; say only how good they are."),
    click.option("--fresh", is_flag=True, help="Learn them again, though nothing has changed."),
    options.as_json,
    options.database,
    options.busy_timeout,
)
def learn(collection: str, **given: Any) -> None:
    """Keep a classifier in COLLECTION, and say how good it is on examples it has not seen.

    With --label and --method names nothing is learned but the field tests how well the labels' names alone do.

    \b
    cosimo classify learn tickets --label intent
    cosimo classify learn tickets --examples labelled.csv --name urgency
    """
    from .named import named

    with options.opened(given["database"], writing=True, busy_timeout=given["busy_timeout"], create=False) as db:
        found = named(db, collection).learn_classes(
            **_source(given), method=given["method"], template=given["template"], folds=given["folds"], seed=given["seed"],
            where=given["where"], prefix=given["prefix"], name=given["name"], save=not given["no_save"],
            refresh=given["fresh"],
        )  # fmt: skip
    if given["as_json"] or not output.on_terminal():
        output.line(found.report.to_dict())
    else:
        _report(found.report)


@classify.command()
@click.argument("collection", required=False)
@options.stacked(
    options.text,
    options.text_file,
    click.option("--texts", type=FILE, metavar="FILE", help="Many texts: one a line, or a table."),
    examples,
    label,
    text_column,
    names,
    click.option("--labels", metavar="A,B,…", help="Print how likely each of these is: texts, such as 'a red shoe,a dress'."),
    click.option("--scale", type=float, help="With --labels, how sure to be. [default: the model's own]"),
    method,
    template,
    click.option("--min-confidence", type=float, default=0.0, show_default=True, help="No label where confidence is lower."),
    click.option("-w", "--where", help="Only items that pass this filter on their metadata."),
    options.prefix,
    click.option("--write", metavar="FIELD", help="Write the labels into this field of the items' metadata."),
    click.option("--overwrite", is_flag=True, help="Also where an item has that field already."),
    click.option("--name", default="main", show_default=True, help="Which kept classes; several are kept side by side."),
    click.option("-m", "--model", help="Embedding model, without COLLECTION. [default: `cosimo models default`]"),
    options.precision,
    options.as_json,
    options.database,
    options.busy_timeout,
)
def apply(collection: str | None, **given: Any) -> None:
    """Print a label and the confidence in it for a text, or for each item of COLLECTION.

    The classes are those that `cosimo classify learn` kept in COLLECTION, or come from --examples or --names. The word `apply`
    may be left out. Confidence is as often right as it says, on examples like those that were learned from.

    With --labels nothing is learned: each item, of pictures too, gets percentages that sum to 100, as CLIP gives them.

    \b
    cosimo classify photos --labels 'a red shoe,a blue dress,a hat'
    cosimo classify tickets --min-confidence 0.8 --where 'intent IS NULL' --write intent
    cosimo classify --examples labelled.csv --texts new.txt
    """
    _refuse(collection, given)
    if given["labels"] is not None:
        from .labels import shares

        shares(collection, given)
        return
    if collection is None:
        found = _alone(given)
        _print(_of_texts(found, given), given)
        return
    from .named import named

    with options.opened(given["database"], writing=True, busy_timeout=given["busy_timeout"], create=False) as db:
        chosen = named(db, collection, precision=given["precision"])
        found = chosen.classes(given["name"]) if not _learning(given) else _learned(chosen, given)
        if any(given[each] is not None for each in ("content", "input_", "texts")):
            _print(_of_texts(found, given), given)
            return
        predictions = chosen.classify(
            found, min_confidence=given["min_confidence"], where=given["where"], prefix=given["prefix"]
        )
        if given["write"] is not None:
            output.written(chosen.write_labels(predictions, given["write"], overwrite=given["overwrite"]), given)
    _print([(each, None) for each in predictions], given)


def _learning(given: dict[str, Any]) -> bool:
    return given["examples"] is not None or given["names"] is not None


def _refuse(collection: str | None, given: dict[str, Any]) -> None:
    """Combinations that make no sense, before anything is opened."""
    texts = [name for name in ("content", "input_", "texts") if given[name] is not None]
    if len(texts) > 1:
        raise click.UsageError("Give the text once: with -c, -i or --texts.")
    if given["label"] is not None and given["examples"] is None:
        raise click.UsageError("--label is the column of --examples; of items: cosimo classify learn COLLECTION --label FIELD")
    if collection is None:
        if not _learning(given) and given["labels"] is None:
            raise click.UsageError("Give a COLLECTION that keeps classes, or --examples, --names or --labels.")
        if given["where"] or given["prefix"]:
            raise click.UsageError("--where and --prefix need a COLLECTION.")
    elif given["model"] is not None:
        raise click.UsageError("--model is for texts without a COLLECTION, which has its own.")
    if given["write"] is not None and (collection is None or texts):
        raise click.UsageError("--write is for the items of a COLLECTION.")
    if given["scale"] is not None and given["labels"] is None:
        raise click.UsageError("--scale goes with --labels.")
    if given["overwrite"] and given["write"] is None:
        raise click.UsageError("--overwrite goes with --write FIELD.")


def _source(given: dict[str, Any]) -> dict[str, Any]:
    """What there is to learn from, as `learn_classes` takes it."""
    named = given["names"].split(",") if given["names"] is not None else None
    if given["examples"] is None:
        return {"label": given["label"], "names": named}
    from ...collection.example_files import labelled_in

    found = labelled_in(given["examples"], given["label"] or "label", given["text_column"])
    if found.left_out:
        click.echo(f"{given['examples']}: {found.left_out:,} rows without a text or a label left out", err=True)
    return {"examples": found.examples, "labels": found.labels, "names": named}


def _learned(chosen: Collection, given: dict[str, Any]) -> Classifier:
    found = chosen.learn_classes(**_source(given), method=given["method"], template=given["template"], save=False)
    click.echo(str(found.report), err=True)
    return found


def _alone(given: dict[str, Any]) -> Classifier:
    """Without a collection."""
    from ...collection.scoring import classifier

    source = _source(given)
    if source.get("labels") is not None:
        raise click.UsageError(f"{given['examples']} labels ids, which are items of a COLLECTION; name it.")
    found = classifier(
        source.get("examples") or (), names=source["names"], method=given["method"], template=given["template"],
        model=given["model"], precision=given["precision"],
    )  # fmt: skip
    click.echo(str(found.report), err=True)
    return found


def _of_texts(found: Classifier, given: dict[str, Any]) -> list[tuple[Prediction, str | None]]:
    """Predictions, and the texts they are of; ids are those of the file."""
    from .inputs import text_of

    if given["texts"] is not None:
        from ...collection.example_files import documents_in

        rows = documents_in(given["texts"])
    else:
        rows = [("0", text_of(given["content"], given["input_"]))]
    predictions = found.classify([text for _, text in rows], min_confidence=given["min_confidence"])
    return [(each._replace(id=id), text) for each, (id, text) in zip(predictions, rows, strict=True)]


def _print(rows: Sequence[tuple[Prediction, str | None]], given: dict[str, Any]) -> None:
    with_text = any(text is not None for _, text in rows)
    records = (each._asdict() | ({"content": text} if with_text else {}) for each, text in rows)
    columns = ("confidence", "label", "id", "content") if with_text else ("confidence", "label", "id")
    output.records(records, columns, as_json=given["as_json"])


def _report(report: Report) -> None:
    """How good a classifier is, for people."""
    click.echo(str(report))
    if report.accuracy is None:
        return
    click.echo("")
    steps = [[f"{each.confidence:g}", f"{each.share:.1%}", _percent(each.accuracy)] for each in report.answered]
    output.table(steps, ("confidence", "answered", "right"))
    click.echo("")
    if len(report.classes) <= FULL:
        rows = [
            [output.snippet(each.label, 40), f"{each.examples:,}", _percent(each.recall), _percent(each.precision)]
            for each in report.classes
        ]
        output.table(rows, ("label", "examples", "found", "right of those"))
        click.echo("")
    confused = [
        [f"{each.times:,}", output.snippet(each.label, 40), output.snippet(each.taken_for, 40)]
        for each in report.confused[:SHOWN]
    ]
    if confused:
        output.table(confused, ("times", "label", "taken for"))


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
