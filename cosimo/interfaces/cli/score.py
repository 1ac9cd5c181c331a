"""`cosimo score`: two sets of examples → a scale, and texts, sentences or items of a collection on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options, output
from .lazy import EverydayGroup

if TYPE_CHECKING:
    from ...collection.collection import Collection
    from ...collection.scoring import Scale
    from ...verbs.scoring.shading import Shaded

FILE = click.Path(dir_okay=False)
low = click.option("--low", type=FILE, metavar="FILE", help="Examples of the low end: a text a line, or a table.")
high = click.option("--high", type=FILE, metavar="FILE", help="Examples of the high end.")
name = click.option("--name", default="main", show_default=True, help="Which kept scale; several are kept side by side.")


@click.group(cls=EverydayGroup, default="apply")
def score() -> None:
    """Place texts, sentences or the items of a collection on a scale between two sets of examples.

    \b
    cosimo score --low concrete.txt --high abstract.txt -c 'Freedom is the right to say what is true.'
    """


@score.command()
@click.argument("collection", required=False)
@options.stacked(
    low,
    high,
    options.text,
    options.text_file,
    click.option("--id", help="The text of this item of COLLECTION."),
    click.option("--texts", type=FILE, metavar="FILE", help="Many texts: one a line, or a table."),
    click.option("--sentences", is_flag=True, help="Sentence by sentence; in colors on a terminal."),
    click.option("--html", type=FILE, metavar="FILE", help="Write the sentences in colors to a page that loads nothing."),
    options.number,
    click.option("--all", "everything", is_flag=True, help="Every item, instead of -n of them."),
    click.option("--lowest", is_flag=True, help="The lowest items first."),
    click.option("-w", "--where", help="Only items that pass this filter on their metadata."),
    options.prefix,
    name,
    click.option("-m", "--model", help="Embedding model, without COLLECTION. [default: `cosimo models default`]"),
    options.precision,
    options.as_json,
    options.database,
)
def apply(collection: str | None, **given: Any) -> None:
    """Score a text, or the items of COLLECTION, highest first: -1 is the low end, 1 the high one.

    The scale is made of --low and --high, or is the one that `cosimo score learn` kept in COLLECTION. The word `apply` may be
    left out. The text comes from -c, -i, --id or --texts; without COLLECTION also from a pipe.

    \b
    cosimo score --low concrete.txt --high abstract.txt -i essay.txt --html essay.html
    cosimo score learn notes --low concrete.txt --high abstract.txt
    cosimo score notes -n 5 --lowest
    """
    _refuse(collection, given)
    if collection is None:
        from ...collection import scoring

        ends = _ends(given)
        scale = scoring.scale(*_examples(given), ends=ends, model=given["model"], precision=given["precision"])
        _say(scale)
        _texts(scale, _document(given), given)
        return
    from .named import named

    with options.opened(given["database"], writing=True, create=False) as db:
        chosen = named(db, collection, precision=given["precision"])
        if given["low"]:
            scale = chosen.learn_scale(*_examples(given), ends=_ends(given), save=False)
            _say(scale)
        else:
            scale = chosen.scale(given["name"])
        if any(given[each] for each in ("content", "input_", "id", "texts")):
            _texts(scale, _document(given, chosen), given)
        else:
            _items(chosen, scale, given)


@score.command()
@click.argument("collection")
@options.stacked(
    click.option("--low", type=FILE, metavar="FILE", required=True, help="Examples of the low end: a text a line, or a table."),
    click.option("--high", type=FILE, metavar="FILE", required=True, help="Examples of the high end."),
    click.option("--name", default="main", show_default=True, help="Keep it under this name; several stay side by side."),
    click.option("--no-save", is_flag=True, help="Keep nothing; say only how good the scale is."),
    click.option("--fresh", is_flag=True, help="Learn it again, though nothing has changed."),
    options.as_json,
    options.database,
    options.busy_timeout,
)
def learn(collection: str, **given: Any) -> None:
    """Keep a scale in COLLECTION, and say how good it is: each example is placed by a scale made without it.

    \b
    cosimo score learn notes --low concrete.txt --high abstract.txt --name abstraction
    """
    from dataclasses import asdict

    from .named import named

    with options.opened(given["database"], writing=True, busy_timeout=given["busy_timeout"], create=False) as db:
        scale = named(db, collection).learn_scale(
            *_examples(given), ends=_ends(given), name=given["name"], save=not given["no_save"], refresh=given["fresh"]
        )
    if given["as_json"] or not output.on_terminal():
        trust = asdict(scale.trust)
        output.line({"low": scale.ends[0], "high": scale.ends[1], **trust, "right": _plain(scale)})
        return
    click.echo(f"{output.snippet(scale.ends[0])} … {output.snippet(scale.ends[1])}: {scale.trust}")


def _plain(scale: Scale) -> dict[str, Any] | None:
    right = scale.trust.right
    return right._asdict() if right else None


def _refuse(collection: str | None, given: dict[str, Any]) -> None:
    """Combinations that make no sense, before anything is opened."""
    texts = [name for name in ("content", "input_", "id", "texts") if given[name] is not None]
    if (given["low"] is None) != (given["high"] is None):
        raise click.UsageError("Give both --low and --high.")
    if collection is None and given["low"] is None:
        raise click.UsageError("Give --low and --high, or a COLLECTION that keeps a scale.")
    if collection is None and (given["id"] is not None or given["where"] or given["prefix"]):
        raise click.UsageError("--id, --where and --prefix need a COLLECTION.")
    if collection is not None and given["model"] is not None:
        raise click.UsageError("--model is for texts without a COLLECTION, which has its own.")
    if len(texts) > 1:
        raise click.UsageError("Give the text once: with -c, -i, --id or --texts.")
    colored = given["sentences"] or given["html"]
    if colored and (given["texts"] is not None or (collection is not None and not texts)):
        raise click.UsageError("--sentences and --html take one text: give -c, -i or --id.")


def _examples(given: dict[str, Any]) -> tuple[list[str], list[str]]:
    from ...collection.example_files import texts_in

    return texts_in(given["low"]), texts_in(given["high"])


def _ends(given: dict[str, Any]) -> tuple[str, str]:
    """The ends are called as their files are."""
    first, second = Path(given["low"]).stem, Path(given["high"]).stem
    return (first, second) if first != second else ("low", "high")


def _say(scale: Scale) -> None:
    click.echo(f"{output.snippet(scale.ends[0])} … {output.snippet(scale.ends[1])}: {scale.trust}", err=True)


def _document(given: dict[str, Any], chosen: Collection | None = None) -> str | None:
    """The one text that is asked about; None where there are --texts."""
    from .inputs import text_of

    if given["texts"] is not None:
        return None
    if chosen is not None and given["id"] is not None:
        content = chosen.get(given["id"]).content
        if not isinstance(content, str):
            raise click.ClickException(f"'{given['id']}' is stored without a text; give one with -c or -i.")
        return content
    return text_of(given["content"], given["input_"])


def _texts(scale: Scale, document: str | None, given: dict[str, Any]) -> None:
    from ...collection.example_files import documents_in

    if document is None:
        rows = documents_in(given["texts"])
        scored = zip(rows, scale.score([text for _, text in rows]), strict=True)
        records = ({"id": id, "score": place, "content": text} for (id, text), place in scored)
        output.records(records, ("score", "id", "content"), as_json=given["as_json"])
        return
    if given["html"]:
        _page(scale.sentences(document), given)
    if given["sentences"]:
        _colored(scale.sentences(document), given["as_json"])
    elif not given["html"]:
        output.records(
            [{"score": scale.score(document)[0], "content": document}], ("score", "content"), as_json=given["as_json"]
        )


def _page(shaded: Shaded, given: dict[str, Any]) -> None:
    from dataclasses import replace

    from ...verbs.exchange import replacing

    path, source = Path(given["html"]), given["id"] or given["input_"]
    title = Path(source).name if source and source != "-" else ""
    with replacing(path) as file:
        file.write(replace(shaded, title=title).html().encode())
    click.echo(f"{path}: {len(shaded.sentences):,} sentences", err=True)


def _colored(shaded: Shaded, as_json: bool) -> None:
    if as_json or not output.on_terminal():
        for sentence in shaded.sentences:
            output.line(sentence._asdict())
        return
    from ...verbs.scoring.shading import terminal_color

    at = 0
    for start, end, text, place in shaded.sentences:
        click.echo(_shown(shaded.text[at:start]), nl=False)
        color = None if place is None else terminal_color(place)
        for number, line in enumerate(_shown(text).split("\n")):  # no color to the end of a line
            shown = line if color is None else click.style(line, fg=16, bg=color)
            click.echo(("\n" if number else "") + shown, nl=False)
        at = end
    click.echo(_shown(shaded.text[at:]).rstrip("\n"))
    low, high = zip(shaded.ends, (-1.5, 1.5), strict=True)
    legend = (click.style(f" {output.snippet(end)} ", fg=16, bg=terminal_color(far)) for end, far in (low, high))
    click.echo(" … ".join(legend), err=True)


def _shown(text: str) -> str:
    """Text as a terminal may have it: nothing in it steers."""
    return "".join(c if c.isprintable() or c == "\n" else " " if c.isspace() else "�" for c in text)


def _items(chosen: Collection, scale: Scale, given: dict[str, Any]) -> None:
    k = None if given["everything"] else given["number"]
    found = chosen.score(k, scale=scale, where=given["where"], prefix=given["prefix"], lowest=given["lowest"])
    plain = given["as_json"] or not output.on_terminal()
    rows = (each._asdict() | ({} if plain else {"content": chosen.get(each.id).content}) for each in found)
    output.records(rows, ("score", "id", "content"), as_json=given["as_json"])
