"""Understanding: the verbs that look at a whole collection, as routes. No logic; arguments and answers are Python's."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ...core.types import Metric
from .bodies import Filtered, Name
from .collections import Reading, checked_most
from .replies import BadRequest, Json

router = APIRouter(tags=["Understanding"])


class DuplicatesAsked(Filtered):
    """What counts as the same."""

    threshold: float = Field(default=0.95, description="Cosine similarity from which two are near-duplicates")
    prefix: str = ""


class OutliersAsked(Filtered):
    """How many, and what they are held against."""

    k: int = 10
    neighbours: int = 10
    prefix: str = ""


class CompareAsked(Filtered):
    """The arguments of `Database.compare`; of other models than the served ones, and of files here, nothing can be asked."""

    names: list[str] = Field(description="Collections, or one as NAME@128, NAME@int8, NAME@float16 or NAME@bit")
    k: int = 10
    questions: list[str] = Field(default_factory=list)
    ids: list[str] = Field(default_factory=list)
    sample: int = Field(default=1000, ge=1, le=10_000)
    seed: int = 0
    metric: Metric = "cosine"
    index: str = "flat"
    params: dict[str, int | str] | None = None


class Near(BaseModel):
    """An item of a group, and its cosine similarity to the group's first."""

    id: str
    score: float


class Group(BaseModel):
    """Near-duplicates."""

    id: str
    others: list[Near]


class Groups(BaseModel):
    """The largest first."""

    groups: list[Group]


class Outlier(BaseModel):
    """An item, its mean cosine similarity to its neighbours, and the nearest of them."""

    id: str
    score: float
    nearest: str


class Outliers(BaseModel):
    """The most alone first."""

    outliers: list[Outlier]


@router.post("/v1/compare")
def compare(body: CompareAsked, holds: Reading) -> Json:
    """How much models, lengths or precisions agree on the same items."""
    for name in body.names:
        if "=" in name and holds.database.store.settings(name) is None:
            raise BadRequest(
                f"'{name}' asks for a model, and this server compares collections alone", "names"
            )
    given = {field: getattr(body, field) for field in type(body).model_fields if field not in ("names", "k")}
    return Json(holds.database.compare(*body.names, k=checked_most(body.k), **given).to_dict())


@router.post("/v1/collections/{name}/duplicates", response_model=Groups)
def duplicates(name: Name, body: DuplicatesAsked, holds: Reading) -> Json:
    """Groups of documents that are nearly the same."""
    found = holds.database.collection(name).duplicates(body.threshold, where=body.where, prefix=body.prefix)
    return Json({"groups": [{"id": group.id, "others": [near._asdict() for near in group.others]} for group in found]})


@router.post("/v1/collections/{name}/outliers", response_model=Outliers)
def outliers(name: Name, body: OutliersAsked, holds: Reading) -> Json:
    """The documents least like their nearest neighbours."""
    collection = holds.database.collection(name)
    found = collection.outliers(checked_most(body.k), neighbours=body.neighbours, where=body.where, prefix=body.prefix)
    return Json({"outliers": [each._asdict() for each in found]})
