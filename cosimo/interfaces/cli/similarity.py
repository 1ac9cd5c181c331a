"""`cosimo similarity`: texts → the cosine of each with the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import options, output

if TYPE_CHECKING:
    from ...core.types import Role


@click.command()
@click.argument("texts", nargs=-1, required=True)
@options.stacked(options.model, options.role, options.precision, options.as_json)
def similarity(texts: tuple[str, ...], *, model: str | None, role: str | None, precision: str | None, as_json: bool) -> None:
    """Cosine similarity of each further text to the first one of TEXTS.

    \b
    cosimo similarity 'That is a happy person' 'That is a happy dog' 'Today is a sunny day'
    """
    from ...collection.database import load_embedder
    from ...core.config import default_model
    from ...core.vectors import cosine

    if len(texts) < 2:
        raise click.UsageError("Give at least two texts to compare.")
    if not all(text.strip() for text in texts):
        raise click.ClickException("One of the texts is empty; there is nothing to compare.")
    chosen: Role = "query" if role == "query" else "document"
    vectors = load_embedder(default_model() if model is None else model, precision=precision).embed(texts, role=chosen).vectors
    scores = cosine(vectors[:1], vectors[1:])[0]  # (1, dim) with (n, dim) -> (n,)
    rows = ({"a": texts[0], "b": text, "score": float(score)} for text, score in zip(texts[1:], scores, strict=True))
    output.records(rows, ("score", "b"), as_json=as_json)
