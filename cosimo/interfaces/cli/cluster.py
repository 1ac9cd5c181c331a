"""`cosimo cluster`: a collection → clusters with names, as a table, or as the JSON that users of `llm cluster` know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import options, output

if TYPE_CHECKING:
    from ...collection.collection import Collection
    from ...verbs.clustering.agreement import Agreement
    from ...verbs.clustering.clusters import Clusters


@click.command()
@click.argument("collection")
@click.argument("k", required=False)
@options.stacked(
    click.option(
        "--k", "number", metavar="K", help="How many; auto: as the mean silhouette says. [default: as kept, else auto]"
    ),
    click.option(
        "--method",
        type=click.Choice(["kmeans", "hdbscan"]),
        help="hdbscan finds dense groups and noise between them, and their number. [default: as kept, else kmeans]",
    ),
    click.option("--seed", type=int, help="The same one gives the same clusters again. [default: as kept, else 0]"),
    click.option("-w", "--where", help="Only items that pass this filter on their metadata."),
    options.prefix,
    click.option("--name-with", metavar="MODEL", help="Language model that writes the names: ollama:qwen3, llm:gpt-4o-mini."),
    click.option("--summary", is_flag=True, help="Have the names written by --model, or the default language model."),
    click.option("-m", "--model", help="Language model for --summary. [default: $COSIMO_LLM, else that of llm]"),
    click.option("--prompt", help="What that model is told to do with the texts of a cluster."),
    click.option("--truncate", type=int, default=100, show_default=True, help="Characters of each text; 0 is all of them."),
    click.option("--show-prompt", is_flag=True, help="Print what that model would be sent, and send nothing."),
    click.option("--compare-labels", metavar="FIELD", help="Print how far the clusters agree with this field instead."),
    click.option("--name", default="main", show_default=True, help="Keep them under this name; several stay side by side."),
    click.option("--no-save", is_flag=True, help="Keep nothing in the file."),
    click.option("--fresh", is_flag=True, help="Make them anew, even where what is kept would do."),
    click.option("--json", "as_json", is_flag=True, help="JSON, also on a terminal."),
    options.database,
    options.busy_timeout,
)
def cluster(collection: str, k: str | None, **given: Any) -> None:
    """Sort the items of COLLECTION into K clusters, named by what their texts have in common.

    They are kept in the file: the same command prints them again, with new items in the nearest cluster. In a pipe a JSON array
    is printed, [{"id", "items": [{"id", "content"}], "summary", …}].

    \b
    cosimo cluster notes 10
    cosimo cluster notes --k auto --json
    cosimo cluster tickets 20 --name-with ollama:qwen3 --show-prompt
    cosimo cluster tickets --compare-labels category
    """
    from .named import named

    model = _model(given)
    asked = _number(k, given["number"])
    writes = None if given["show_prompt"] else model
    with options.opened(given["database"], writing=True, busy_timeout=given["busy_timeout"], create=False) as db:
        chosen = named(db, collection)
        found = chosen.cluster(
            asked, method=given["method"], seed=given["seed"], where=given["where"], prefix=given["prefix"], name=given["name"],
            name_with=writes, prompt=given["prompt"] if writes else None, truncate=given["truncate"], save=not given["no_save"],
            refresh=given["fresh"],
        )  # fmt: skip
        plain = given["as_json"] or not output.on_terminal()
        if given["show_prompt"]:
            _prompts(chosen.naming_prompts(found, prompt=given["prompt"], truncate=given["truncate"]), plain)
        elif given["compare_labels"]:
            _agreement(chosen.compare_labels(found, given["compare_labels"]), plain)
        else:
            _print(chosen, found, plain, given["truncate"])


def _number(k: str | None, option: str | None) -> int | str | None:
    if k is not None and option is not None:
        raise click.UsageError("Give K once: as an argument, or with --k.")
    asked = k if k is not None else option
    try:
        return None if asked is None else int(asked)
    except ValueError:
        return asked


def _model(given: dict[str, Any]) -> str | None:
    """The language model that is asked for, in either way to do so."""
    from ...core.config import default_language_model

    if given["name_with"] is not None and (given["summary"] or given["model"] is not None):
        raise click.UsageError("--name-with MODEL and --summary -m MODEL are two ways to say one thing; give one.")
    if given["model"] is not None and not given["summary"]:
        raise click.UsageError("-m is the language model of --summary; vectors are in the file, and need none.")
    if given["summary"]:
        return str(given["model"]) if given["model"] is not None else default_language_model()
    if given["name_with"] is None and given["prompt"] is not None and not given["show_prompt"]:
        raise click.UsageError("--prompt is for a language model; give --name-with MODEL or --summary.")
    return given["name_with"]  # type: ignore[no-any-return]


def _print(chosen: Collection, found: Clusters, plain: bool, truncate: int) -> None:
    if plain:
        output.array(chosen.cluster_items(found, truncate=truncate))
        return
    above = {each.id: each.name for each in found.levels[1]} if len(found.levels) > 1 else {}
    columns = ("id", "items", "cohesion", *(["group"] if above else []), "name")
    rows = []
    for each in found.clusters:
        group = [output.snippet(above.get(each.parent or 0, ""), 40)] if above else []
        rows.append([str(each.id), f"{each.size:,}", f"{each.cohesion:.3f}", *group, output.snippet(each.name)])
    if found.noise:
        rows.append(["-1", f"{found.noise:,}", "", *([""] if above else []), "(noise)"])
    output.table(rows, columns)
    click.echo(_sentence(found), err=True)


def _sentence(found: Clusters) -> str:
    said = [f"{len(found.clusters):,} clusters of {len(found.members):,} items, {found.why}"]
    if found.silhouette is not None and "silhouette" not in found.why:
        said.append(f"silhouette {found.silhouette:.3f}")
    if found.unusable:
        said.append(f"{found.unusable:,} without a usable vector left out")
    if found.placed:
        said.append(f"{found.placed:,} items placed or removed since they were made (--fresh makes them anew)")
    if found.named_by:
        said.append(f"named by {output.snippet(found.named_by)}")
    if found.saved:
        said.append(f"kept as '{output.snippet(found.name)}'")
    return "; ".join(said)


def _agreement(found: Agreement, plain: bool) -> None:
    from dataclasses import asdict

    record = {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(found).items()}
    if plain:
        output.line(record)
        return
    output.table([[output.shown(value) for value in record.values()]], list(record))


def _prompts(prompts: list[tuple[int, str, str]], plain: bool) -> None:
    for number, system, text in prompts:
        if plain:
            output.line({"id": str(number), "system": system, "prompt": text})
        else:
            click.echo(f"-- cluster {number}\n{output.snippet(system, 2000)}\n")
            click.echo("\n".join(output.snippet(line, 20_000) for line in text.splitlines()) + "\n")
