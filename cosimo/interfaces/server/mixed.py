"""Mixed: named vectors as routes: made, and several of them asked at once. No logic; arguments and answers are Python's."""

from fastapi import APIRouter
from pydantic import Field

from . import bodies
from .bodies import Asked, Body, Filtered, Name
from .collections import Reading, Writing, as_hit, as_info, asked, checked_most
from .replies import Json

router = APIRouter(tags=["Collections"])


class MakeNamed(Body):
    """Named vectors to make."""

    model: str | None = Field(default=None, description="A served model; left out, as they were made, or the first")
    dim: int | None = Field(default=None, ge=1, description="Length of the vectors, where model is null")


class SearchMixed(Filtered):
    """The arguments of `Collection.search_mixed`."""

    query: Asked | None = None
    k: int = 10
    named: dict[str, Asked] | None = None
    weights: dict[str, float] | None = None
    fusion: str = "weighted"
    prefix: str = ""
    min_score: float | None = None


@router.put("/v1/collections/{name}/named/{space}", response_model=bodies.Info)
def make_named(name: Name, space: Name, holds: Writing, body: MakeNamed | None = None) -> Json:
    """Make named vectors of a collection's items, where there are none of that name."""
    body, collection = body or MakeNamed(), holds.database.collection(name)
    if "model" not in body.model_fields_set and space in collection.names():
        return Json(as_info(collection.named(space, dim=body.dim).info()))
    model = None if "model" in body.model_fields_set and body.model is None else holds.model(body.model)
    return Json(as_info(collection.named(space, model=model, dim=body.dim).info()))


@router.post("/v1/collections/{name}/search_mixed", response_model=bodies.Hits)
def search_mixed(name: Name, body: SearchMixed, holds: Reading) -> Json:
    """The best documents by several of their vectors at once."""
    given = {field: getattr(body, field) for field in type(body).model_fields if field not in ("query", "k", "named")}
    named = {key: asked(each) for key, each in (body.named or {}).items()}
    hits = holds.database.collection(name).search_mixed(asked(body.query), checked_most(body.k), named=named, **given)
    return Json({"hits": [as_hit(hit) for hit in hits]})
