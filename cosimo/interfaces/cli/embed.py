"""`cosimo embed`: one text → its vector, printed or stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from . import options

if TYPE_CHECKING:
    from pathlib import Path

    from ...collection.collection import Collection
    from ...core.types import Document, Embedder, Role, Vector


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
    from ...collection.database import load_embedder
    from ...core import registry
    from ...core.config import default_model
    from ...core.types import Document
    from .inputs import content_of, metadata_of
    from .named import named

    if (collection is None) != (id is None):
        raise click.UsageError("Give both COLLECTION and ID, or neither.")
    if store and collection is None:
        raise click.UsageError("--store needs a COLLECTION and an ID.")
    if role == "query" and collection is not None:
        raise click.UsageError("--role query is for printing a vector; what is stored is embedded as a document.")
    extra = metadata_of(metadata)
    text = content_of(content, input_, binary)
    if collection is None or id is None:
        asked: Role = "query" if role == "query" else "document"
        chosen = default_model() if model is None else model
        if database is not None and registry.is_kept(chosen):  # in that file
            with options.opened(database, writing=False) as db:
                vector, cut = _computed(text, db.embedder(chosen, precision), asked)
        else:
            vector, cut = _computed(text, load_embedder(chosen, precision=precision), asked)
        _print(vector, format_ or "json")
    else:
        with options.opened(database, writing=True, busy_timeout=busy_timeout) as db:
            vector, cut = _stored(named(db, collection, model, precision), Document(id, text, extra), store)
        if format_:
            _print(vector, format_)
    if cut:
        click.echo("The text is longer than the model's window; only its beginning was read.", err=True)


def _computed(content: str | bytes, embedder: Embedder, role: Role) -> tuple[Vector, bool]:
    from ...core.content import is_recorded
    from ...verbs.recorded import vectors_of

    if is_recorded(content):
        return vectors_of(embedder, [content], role)[0], False
    reply = embedder.embed([content], role=role)
    vector: Vector = reply.vectors[0]
    return vector, bool(reply.cut)


def _stored(collection: Collection, document: Document, store: bool) -> tuple[Vector, bool]:
    added = collection.add([document], store=store)
    return collection.vector(document.id), bool(added.cut)


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
