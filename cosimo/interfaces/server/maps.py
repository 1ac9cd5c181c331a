"""Maps: where the items of a collection lie, as a route; and the page of a kept map for a browser. No logic."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from .bodies import Filtered, Name
from .collections import Reading
from .replies import Json

router = APIRouter(tags=["Understanding"])


class MapAsked(Filtered):
    """The arguments of `Collection.map`."""

    method: str | None = Field(default=None, description="auto, pca, umap or tsne; left out, as the kept map has it, else auto")
    dim: int | None = Field(default=None, description="2 or 3")
    seed: int | None = None
    neighbours: int | None = None
    prefix: str = ""
    name: str = Field(default="main", description="Under which it is kept")
    save: bool = Field(default=True, description="Keep it; where the database is for reading alone, nothing is")
    refresh: bool = False
    points: bool = Field(default=True, description="false: what is known of the map, without the items")


class Point(BaseModel):
    """Where an item lies."""

    id: str
    x: float
    y: float
    z: float | None = None
    placed: bool = Field(description="Put on a map that was made without it")


class Mapped(BaseModel):
    """A map; `outcome` is made, placed (new items were put on the kept one) or kept."""

    collection: str
    name: str
    items: int
    placed: int
    unusable: int
    method: str
    dim: int
    trustworthiness: float | None
    kept: float | None
    neighbours: int
    looked_at: int
    share: float | None
    why: str
    outcome: str
    saved: bool
    points: list[Point] | None = None


@router.post("/v1/collections/{name}/map", response_model=Mapped, response_model_exclude_unset=True)
def map_items(name: Name, body: MapAsked, holds: Reading) -> Json:
    """Where items lie in two or three dimensions; those that are alike lie side by side."""
    asked: dict[str, Any] = {
        field: getattr(body, field) for field in type(body).model_fields if field not in ("points", "save")
    }
    found = holds.database.collection(name).map(**asked, save=body.save and not holds.settings.read_only)
    return Json(found.to_dict(points=body.points))


@router.get("/v1/collections/{name}/map.html", response_class=HTMLResponse)
def map_page(
    name: Name,
    holds: Reading,
    map: str = "main",
    color: str | None = None,
    title: str | None = None,
    link: str | None = None,
    clusters: str | None = None,
) -> HTMLResponse:
    """The page of a kept map, new items placed on it. It makes none: a link in some page must not start minutes of work.

    Where there is none, or it does not hold any more, POST makes it.
    """
    from io import BytesIO

    collection = holds.database.collection(name)
    page = BytesIO()
    collection.export_map(collection.kept_map(map), page, format="html", color=color, title=title, link=link, clusters=clusters)
    return HTMLResponse(page.getvalue(), headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"})
