"""`cosimo embed`: one text → its vector, printed or stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from . import options

if TYPE_CHECKING:
    from pathlib import Path

    from ...core.types import Vector


@click.command()
@click.argument("collection", required=False)
@click.argument("id", required=False)
@options.stacked(
    options.input_file,
    options.content,
    options.model,
    options.store,
    options.database,
    options.binary,
    click.option("--metadata", help="JSON object stored with the item."),
    click.option("-f", "--format", "format_", type=click.Choice(["json", "blob", "base64", "hex"]), help="How to print it."),
    options.role,
    options.precision,
    options.busy_timeout,
)
def embed(
    collection: str | None, id: str | None, *, input_: str | None, content: str | None, model: str | None, store: bool,
    database: Path | None, binary: bool, metadata: str | None, format_: str | None, role: str | None,
    precision: str | None, busy_timeout: float,
) -> None:  # fmt: skip
    """Embed one text: print its vector, or store it in COLLECTION under ID.

    The text comes from -c, from the file of -i, or from stdin.

    \b
    cosimo embed -c 'Hello world'
    cosimo embed notes today -c 'Bought a sourdough starter' --store --metadata '{"year": 2026}'
    """
    from .inputs import content_of, metadata_of

    if (collection is None) != (id is None):
        raise click.UsageError("Give both COLLECTION and ID, or neither.")
    if store and collection is None:
        raise click.UsageError("--store needs a COLLECTION and an ID.")
    extra = metadata_of(metadata)
    text = content_of(content, input_, binary)
    if collection is None or id is None:
        vector, cut = _computed(text, model, precision, role or "document")
        _print(vector, format_ or "json")
    else:
        vector, cut = _stored(
            {"path": database, "busy_timeout": busy_timeout}, collection, id, text, extra, store, model, precision
        )  # fmt: skip
        if format_:
            _print(vector, format_)
    if cut:
        click.echo("The text is longer than the model's window; only its beginning was read.", err=True)


def _computed(content: str | bytes, model: str | None, precision: str | None, role: Any) -> tuple[Vector, bool]:
    from ...collection.database import load_embedder
    from ...core.config import default_model

    reply = load_embedder(default_model() if model is None else model, precision=precision).embed([content], role=role)
    vector: Vector = reply.vectors[0]
    return vector, bool(reply.cut)


def _stored(
    where: dict[str, Any], name: str, id: str, content: str | bytes, metadata: dict[str, Any] | None, store: bool,
    model: str | None, precision: str | None,
) -> tuple[Vector, bool]:  # fmt: skip
    from ...core.types import Document
    from .named import named

    with options.opened(where["path"], writing=True, busy_timeout=where["busy_timeout"]) as db:
        collection = named(db, name, model, precision)
        added = collection.add([Document(id, content, metadata)], store=store)
        return collection.vector(id), bool(added.cut)


def _print(vector: Vector, format_: str) -> None:
    from base64 import b64encode

    from ...core.vectors import pack

    if format_ == "json":
        # the shortest digits that give the float32 back, not the 17 of a double
        click.echo("[" + ", ".join(json.dumps(float(str(value))) for value in vector) + "]")
    elif format_ == "blob":
        click.echo(pack(vector), nl=False)
    else:
        data = pack(vector)
        click.echo(data.hex() if format_ == "hex" else b64encode(data).decode("ascii"))
