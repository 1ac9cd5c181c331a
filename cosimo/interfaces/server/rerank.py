"""Rerank: `POST /v1/rerank` as Cohere's and Jina's clients know it. Reads and shapes; a reranker scores."""

from typing import Any
from uuid import uuid4

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, Field

from ...core.errors import ModelNotFound
from .collections import Reading
from .replies import BadRequest, Json

MOST = 1000  # documents of a request, as Cohere has it

router = APIRouter(tags=["Rerank"])


class RerankBody(BaseModel):
    """A query, and texts that may answer it."""

    query: str
    documents: list[str | dict[str, Any]] = Field(description="Texts, or objects with a `text`")
    model: str | None = None
    top_n: int | None = Field(default=None, ge=1, description="How many to give back; left out, all")
    top_k: int | None = Field(default=None, ge=1, description="Voyage's name for it")
    return_documents: bool = False


class Result(BaseModel):
    """A document's place in the request, and its score."""

    index: int
    relevance_score: float
    document: dict[str, str] | None = None


class RerankReply(BaseModel):
    """The documents, the best first."""

    id: str
    model: str
    results: list[Result]


def _rerank(body: RerankBody, holds: Reading) -> Json:
    """Order documents by how well they answer a query."""
    texts = [_text(each, place) for place, each in enumerate(body.documents)]
    if not texts or len(texts) > MOST:
        raise BadRequest(f"documents must be 1 to {MOST:,} texts, not {len(texts):,}", "documents")
    if body.model is not None and holds.settings.rerank is not None and body.model != holds.settings.rerank:
        raise ModelNotFound(f"the model '{body.model}' is not served here for reranking; served: {holds.settings.rerank}")
    scores = holds.reranker.scores(body.query, texts)
    order = np.argsort(-scores, kind="stable")[: body.top_n or body.top_k].tolist()
    results: list[dict[str, Any]] = [{"index": place, "relevance_score": float(scores[place])} for place in order]
    if body.return_documents:
        for result in results:
            result["document"] = {"text": texts[result["index"]]}
    return Json({"id": f"rerank-{uuid4().hex}", "model": holds.settings.rerank, "results": results, "meta": {}})


router.post("/v1/rerank", response_model=RerankReply, name="rerank")(_rerank)
for path in ("/v2/rerank", "/rerank"):  # where Cohere's newer clients ask, and those of servers without a version
    router.post(path, include_in_schema=False)(_rerank)


def _text(document: str | dict[str, Any], place: int) -> str:
    text = document.get("text") if isinstance(document, dict) else document
    if not isinstance(text, str):
        raise BadRequest(f"documents[{place}] has no text", f"documents[{place}]")
    return text
