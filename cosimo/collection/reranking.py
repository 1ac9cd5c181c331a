"""Reranking: hits of a search → the same in the order of a model that reads question and text together. Embeds nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.errors import DataError
from .searching import search

if TYPE_CHECKING:
    from ..core.types import Hit, Reranker
    from .questions import Questions
    from .searching import Request

READ = 50  # documents that are read again: a cross-encoder takes as long for one as a search does for a million


def reranked(collection: Questions, request: Request) -> list[Hit]:
    """The k best of the `READ` best documents, by their best passages; scores are the model's.

    Raises
    ------
    DataError : there is no text to ask with, none stored to read, or an order asked for that this one would undo
    """
    if not isinstance(request.query, str) or request.fts_syntax:
        raise DataError("a model that reranks reads the question, so it must be a text; give one, or leave the model out")
    if request.diversity is not None:
        raise DataError("diversity and rerank both decide the order; leave one out")
    model = request.rerank
    reranker: Reranker = collection._db.reranker(model) if isinstance(model, str) else model  # type: ignore[assignment]
    wanted = replace(request, rerank=None, k=max(request.k, READ), min_score=None)
    hits = search([collection], wanted)
    scores = reranker.scores(request.query, [_text(hit) for hit in hits])
    found = [replace(hit, score=float(score)) for hit, score in zip(hits, scores, strict=True)]
    found.sort(key=lambda hit: -hit.score)
    least = request.min_score
    return [hit for hit in found if least is None or hit.score >= least][: request.k]


def _text(hit: Hit) -> str:
    best = hit.passages[0] if hit.passages else None
    text = best.text if best is not None else hit.content
    if not isinstance(text, str):
        raise DataError(f"'{hit.id}' is stored without its text, which reranking reads; add it with store=True (--store)")
    return f"{best.heading}\n\n{text}" if best is not None and best.heading else text
