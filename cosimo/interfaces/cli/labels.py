"""`cosimo classify --labels`: how likely each of these labels is, of items, texts or a picture. Prints; computes nothing."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import click

from . import options, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...core.types import Content
    from ...verbs.labelling import Labelled

USUAL = {
    "names": None,
    "examples": None,
    "label": None,
    "text_column": None,
    "method": "auto",
    "name": "main",
}  # not for labels
NEXT = 2  # labels that are shown after the likeliest


def shares(collection: str | None, given: dict[str, Any]) -> None:
    """What the command prints where --labels are given."""
    if other := next((each for each, usual in USUAL.items() if given[each] != usual), None):
        raise click.UsageError(f"Give either --labels or --{other.replace('_', '-')}, not both.")
    if given["min_confidence"] and given["write"] is None:
        raise click.UsageError("With --labels, --min-confidence goes with --write.")
    asked = {"template": given["template"], "scale": given["scale"]}
    labels, rows = _split(given["labels"]), _contents(collection, given)
    if collection is None:
        from ...collection.labelling import without_collection

        _print(
            without_collection(labels, [each for _, each in rows or ()], given["model"], given["precision"], **asked),
            rows,
            given,
        )
        return
    from .named import named

    with options.opened(given["database"], writing=given["write"] is not None, create=False) as db:
        chosen = named(db, collection, precision=given["precision"])
        if rows is not None:
            _print(chosen.label(labels, contents=[each for _, each in rows], **asked), rows, given)
            return
        found = chosen.label(labels, where=given["where"], prefix=given["prefix"], **asked)
        if given["write"] is not None:
            sure = [each.prediction(given["min_confidence"]) for each in found]
            output.written(chosen.write_labels(sure, given["write"], overwrite=given["overwrite"]), given)
    _print(found, None, given)


def _split(text: str) -> list[str]:
    """Labels with commas between them; one that holds a comma itself stands in double quotes, as in a CSV file."""
    return [label for line in csv.reader(text.splitlines(), skipinitialspace=True) for label in line]


def _contents(collection: str | None, given: dict[str, Any]) -> list[tuple[str, Content]] | None:
    """(id, text or picture) each, that were given with the command; None where the items of the collection are meant."""
    from .inputs import content_of

    if given["texts"] is not None:
        from ...collection.example_files import documents_in

        return list(documents_in(given["texts"]))
    if collection is not None and given["content"] is None and given["input_"] is None:
        return None
    return [("0", content_of(given["content"], given["input_"], binary=False))]


def _print(found: Sequence[Labelled], rows: Sequence[tuple[str, Content]] | None, given: dict[str, Any]) -> None:
    named = [each._replace(id=id) for each, (id, _) in zip(found, rows, strict=True)] if rows is not None else found
    if given["as_json"] or not output.on_terminal():
        for each in named:
            output.line({"id": each.id, "labels": {label: round(share, 6) for label, share in each.shares.items()}})
        return
    output.table([[*_cells(each), output.snippet(each.id)] for each in named], ("share", "label", "then", "id"))


def _cells(each: Labelled) -> list[str]:
    if each.share is None:
        return ["–", "", ""]
    rest = list(each.shares.items())[1 : 1 + NEXT]
    then = ", ".join(f"{output.snippet(label, 30)} {share:.1%}" for label, share in rest)
    return [f"{each.share:.1%}", output.snippet(each.label, 40), then]
