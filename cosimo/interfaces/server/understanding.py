"""Understanding: the verbs that look at a whole collection, as routes. No logic; arguments and answers are Python's."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ...collection.comparing import asks_for_model
from ...core.types import Metric
from .bodies import Filtered, Name
from .collections import Reading, checked_most
from .replies import BadRequest, Json

router = APIRouter(tags=["Understanding"])
TOGETHER = 12  # collections of one comparison: each pair is compared
LISTED = 100  # questions and items of one, answered by each


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

    names: list[str] = Field(
        description="Collections, or one as NAME@128, NAME@int8, NAME@float16 or NAME@bit", max_length=TOGETHER
    )
    k: int = 10
    questions: list[str] = Field(default_factory=list, max_length=LISTED)
    ids: list[str] = Field(default_factory=list, max_length=LISTED)
    sample: int = Field(default=1000, ge=1, le=10_000)
    seed: int = Field(default=0, ge=0)
    metric: Metric = "cosine"
    index: str = "flat"
    params: dict[str, int | str] | None = None


class ClusterAsked(Filtered):
    """The arguments of `Collection.cluster`. No text is sent to a language model for somebody else: names are keywords."""

    k: int | str | None = Field(default=None, description="How many; auto: as the mean silhouette says")
    method: str | None = Field(default=None, description="kmeans, or hdbscan: dense groups, and noise between them")
    seed: int | None = None
    prefix: str = ""
    name: str = Field(default="main", description="Under which they are kept")
    compare_labels: str | None = Field(default=None, description="A field of the metadata: how far the clusters agree with it")
    truncate: int = Field(default=100, ge=0, description="Characters of each content; 0 for whole ones")
    save: bool = Field(default=True, description="Keep them; where the database is for reading alone, nothing is")
    refresh: bool = False
    items: bool = Field(default=True, description="false: clusters without their items")


class ClusterItem(BaseModel):
    """An item of a cluster."""

    id: str
    content: str | None


class Cluster(BaseModel):
    """One cluster; `id` "-1" holds what is in none."""

    id: str
    items: list[ClusterItem]
    summary: str | None
    keywords: list[str]
    size: int
    cohesion: float | None
    medoid: str | None
    parent: int | None


class Agreement(BaseModel):
    """How far clusters agree with a field: 1 for the same groups; `nmi` and `ari` about 0 for chance."""

    nmi: float
    ari: float
    purity: float
    items: int
    clusters: int
    labels: int
    unlabelled: int


class Clusters(BaseModel):
    """Clusters and how they came about; `levels` are the clusters, groups of them, and groups of groups."""

    clusters: list[Cluster]
    levels: list[list[dict[str, Any]]]
    name: str
    method: str
    seed: int
    why: str
    silhouette: float | None
    noise: int
    unusable: int
    placed: int
    named_by: str | None
    computed: bool
    saved: bool
    agreement: Agreement | None


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
        if asks_for_model(holds.database, name):
            raise BadRequest(f"'{name}' asks for a model, and this server compares collections alone", "names")
    given = {field: getattr(body, field) for field in type(body).model_fields if field not in ("names", "k")}
    return Json(holds.database.compare(*body.names, k=checked_most(body.k), **given).to_dict())


@router.post("/v1/collections/{name}/cluster", response_model=Clusters)
def cluster(name: Name, body: ClusterAsked, holds: Reading) -> Json:
    """Groups of documents that are like each other."""
    collection = holds.database.collection(name)
    ours = ("k", "compare_labels", "truncate", "save", "items")
    asked = {field: getattr(body, field) for field in type(body).model_fields if field not in ours}
    found = collection.cluster(body.k, save=body.save and not holds.settings.read_only, **asked)
    agreement = None if body.compare_labels is None else asdict(collection.compare_labels(found, body.compare_labels))
    listed = list(collection.cluster_items(found, truncate=body.truncate))
    if not body.items:
        listed = [each | {"items": []} for each in listed]
    return Json(found.to_dict() | {"clusters": listed, "agreement": agreement})


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
