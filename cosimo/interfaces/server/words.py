"""Words: the words of a served file of word vectors, nearest to a word or a sum of words. No logic."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ...collection.words import Words
from ...core.errors import ModelNotFound
from .bodies import Body
from .collections import MOST, Reading
from .replies import BadRequest, Json
from .served import Served

router = APIRouter(tags=["Words"])


class Asked(Body):
    """A word, or a sum of words."""

    expression: str = Field(description="germany + paris - france")
    k: int = Field(default=10, ge=1)
    with_inputs: bool = Field(default=False, description="Let the words that were given be answers too")
    model: str | None = Field(default=None, description="A served words:FILE; left out, the first of them")


class Near(BaseModel):
    """A word and its cosine similarity."""

    word: str
    score: float


class Nearest(BaseModel):
    """Words, the nearest first."""

    words: list[Near]


@router.post("/v1/words", response_model=Nearest)
def neighbours(body: Asked, holds: Reading) -> Json:
    """The words nearest to a word, or to a sum of words."""
    if body.k > MOST:
        raise BadRequest(f"k is at most {MOST:,} here, not {body.k:,}", "k")
    found = _table(holds, body.model).neighbours(body.expression, body.k, with_inputs=body.with_inputs)
    return Json({"words": [each._asdict() for each in found]})


def _table(holds: Served, asked: str | None) -> Words:
    names = [holds.model(asked)] if asked is not None else list(holds.names)
    for name in names:
        if name.startswith("words:"):
            embedder: Any = holds.batcher(name).load()
            return Words(embedder.table)
    if asked is not None:
        raise ModelNotFound(f"the model '{asked}' is no file of word vectors; name one that was served as words:FILE")
    raise ModelNotFound("no file of word vectors is served here; start the server with: cosimo serve -m words:FILE")
