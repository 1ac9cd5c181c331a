"""`cosimo map`: a collection → where its items lie, kept in the database; a page, a picture and a table of it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options, output

if TYPE_CHECKING:
    from ...collection.collection import Collection
    from ...verbs.atlas import Map

OUTPUTS = {"html": ("html",), "plot": ("png", "svg", "pdf"), "to": ("parquet", "csv", "ndjson")}


@click.command(name="map")
@click.argument("collection")
@options.stacked(
    click.option(
        "--method",
        type=click.Choice(["auto", "pca", "umap", "tsne"]),
        help="[default: as kept, else auto: UMAP where it is installed, up to 100,000 items, else PCA]",
    ),
    click.option("--dim", type=click.Choice(["2", "3"]), help="Dimensions. [default: as kept, else 2]"),
    click.option("--seed", type=int, help="The same one gives the same map again. [default: as kept, else 0]"),
    click.option("--neighbours", type=int, help="How many nearest ones count, in UMAP and t-SNE. [default: as kept, else 15]"),
    click.option("-w", "--where", help="Only items that pass this filter on their metadata."),
    options.prefix,
    click.option("--html", metavar="FILE", help="Write a page that opens from disk: zoom, search, colors, items."),
    click.option("--plot", metavar="FILE", help="Draw a picture: .png, .svg or .pdf."),
    click.option("--to", metavar="FILE", help="Write a table, .parquet, .csv or .ndjson; - is NDJSON on stdout."),
    click.option("--color", "--colour", metavar="FIELD", help="Field to color by, or cluster, folder, placed."),
    click.option(
        "--title", metavar="FIELD", help="Field with titles. [default: title, else the text's first line, else the id]"
    ),
    click.option("--link", metavar="FIELD", help="Field with an address that a page opens. [default: url, link, href or path]"),
    click.option("--clusters", metavar="NAME", help="Kept clusters to show. [default: main, where there are any]"),
    click.option("--dark", is_flag=True, help="A picture on a dark ground."),
    click.option("--name", default="main", show_default=True, help="Name of the kept map; several are kept side by side."),
    click.option("--no-save", is_flag=True, help="Keep nothing in the database."),
    click.option("--fresh", is_flag=True, help="Make the map anew, with all that is there now."),
    options.as_json,
    options.database,
    options.busy_timeout,
)
def map_(collection: str, **given: Any) -> None:
    """Draw a map of COLLECTION: items that are alike lie side by side.

    The map is kept. A later run leaves it as it is and places new items on it; --fresh makes it anew.

    \b
    cosimo map notes --html notes.html
    cosimo map notes --method pca --plot notes.png --color year
    cosimo map notes --to - | jq -r '[.id, .x, .y] | @tsv'
    """
    from .named import named

    _refuse(given)
    with options.opened(given["database"], writing=True, busy_timeout=given["busy_timeout"], create=False) as db:
        chosen = named(db, collection)
        _refuse_color(chosen, given["color"])
        began = time.perf_counter()
        made = chosen.map(
            given["method"], dim=int(given["dim"]) if given["dim"] else None, seed=given["seed"],
            neighbours=given["neighbours"], where=given["where"], prefix=given["prefix"], name=given["name"],
            save=not given["no_save"], refresh=given["fresh"],
        )  # fmt: skip
        seconds = time.perf_counter() - began
        files = _written(chosen, made, given)
    _say(made, files, seconds, given)


def _refuse(given: dict[str, Any]) -> None:
    """Names of files that say nothing or cannot be written, before hours of work."""
    from ...collection.mapping import format_of

    for option, formats in OUTPUTS.items():
        target = given[option]
        if target is None or (option == "to" and target == "-"):
            continue
        if not target or format_of(target, None) not in formats:
            raise click.UsageError(f"--{option} wants a file that ends in {', '.join(f'.{format}' for format in formats)}.")
        if not Path(target).parent.is_dir():
            raise click.UsageError(f"--{option}: there is no folder {Path(target).parent}; make it, or check the name.")
    if given["to"] == "-" and sys.stdout is None:
        raise click.ClickException("standard output is closed; name a file.")


def _refuse_color(chosen: Collection, color: str | None) -> None:
    """A field that no item has: said here, because whether it has values is known when the map is there."""
    if color is None or color in ("cluster", "folder", "placed"):
        return
    there = chosen.fields()
    if not color.lstrip('$."').startswith(tuple(there)):
        known = f"known: {', '.join(map(output.snippet, there))}" if there else "the items have none"
        raise click.UsageError(f"--color: no item has a field '{output.snippet(color)}'; {known}.")


def _written(chosen: Collection, made: Map, given: dict[str, Any]) -> list[str]:
    shown = {option: given[option] for option in ("color", "title", "link", "clusters")}
    files = [given[option] for option in OUTPUTS if given[option]]
    for file in files:
        if file == "-":
            chosen.export_map(made, sys.stdout.buffer, format="ndjson", **shown)
            sys.stdout.buffer.flush()
        else:
            chosen.export_map(made, file, dark=given["dark"], **shown)
    return [file for file in files if file != "-"]


def _say(made: Map, files: list[str], seconds: float, given: dict[str, Any]) -> None:
    """A record in a pipe, a sentence for people; on stderr where rows are on stdout."""
    sentence = " ".join([_sentence(made), *(f"Written: {', '.join(files)}." for _ in files[:1])])
    if given["to"] == "-":
        click.echo(sentence, err=True)
    elif given["as_json"] or not output.on_terminal():
        output.line({**made.to_dict(points=False), "files": files, "seconds": round(seconds, 3)})
    else:
        click.echo(sentence if files or not made.saved else f"{sentence} Look at it with --html FILE.")


def _sentence(made: Map) -> str:
    names = {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}
    said = [f"{output.snippet(made.collection)}: {len(made):,} items, {names[made.method]} in {made.dim} dimensions"]
    if made.trustworthiness is not None and made.kept is not None:
        said.append(f"trustworthiness {made.trustworthiness:.3f}, {made.kept:.0%} of the {made.neighbours} nearest kept")
    placed = int(made.placed.sum())
    if placed:
        said.append(f"{placed:,} placed on the map made without them")
    if made.unusable:
        said.append(f"{made.unusable:,} without a usable vector left out")
    if made.outcome == "kept":
        said.append("as it was kept")
    why = f" PCA because: {made.why}." if made.why else ""
    return "; ".join(said) + ("." if made.saved else "; not kept.") + why
