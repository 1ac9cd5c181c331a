"""Collections: the verbs of a database's collections as routes, by the names and with the arguments that Python has. No logic.

The functions are plain ones, which FastAPI runs in threads: the store may be used from several, and texts are embedded by the
batcher of all requests.
"""

from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response

from ...collection.collection import Collection
from ...core.content import content_hash
from ...core.errors import ModelNotFound, RateLimited
from ...core.types import CollectionInfo, Content, Document, Hit, Recording, Reranker
from . import bodies
from .bodies import Name
from .replies import BadRequest, Json
from .requests import served
from .served import Served

MOST = 1000  # hits or items of one answer


async def _turn(request: Request) -> AsyncIterator[Served]:
    """What the server holds, for a request that does not come upon too many others."""
    holds = served(request)
    if holds.crowd >= holds.settings.crowd:
        raise RateLimited(f"{holds.crowd} requests are being worked on already; try again in a second")
    holds.crowd += 1
    try:
        yield holds
    finally:
        holds.crowd -= 1


def _to_write(holds: Annotated[Served, Depends(_turn)]) -> Served:
    if holds.settings.read_only or holds.database.store.read_only:
        raise BadRequest("this server's database is for reading alone", status=403, code="read_only")
    return holds


Offset = Annotated[int, Query(ge=0, le=1 << 53)]  # a whole number in JavaScript too
Limit = Annotated[int, Query(ge=1, le=MOST)]
Reading = Annotated[Served, Depends(_turn)]
Writing = Annotated[Served, Depends(_to_write)]
router = APIRouter(tags=["Collections"])


# -- collections


@router.get("/v1/collections", response_model=bodies.Collections)
def list_collections(holds: Reading) -> Json:
    """All collections, by name."""
    return Json({"collections": [as_info(info) for info in holds.database.collections()]})


@router.put("/v1/collections/{name}", response_model=bodies.Info)
def create(name: Name, holds: Writing, body: bodies.Create | None = None) -> Json:
    """Make a collection, where there is none of that name."""
    body = body or bodies.Create()
    collection = _collection(holds, name, body, dim=body.dim)
    collection.add([], passages=body.passages)
    return Json(as_info(collection.info()))


@router.get("/v1/collections/{name}", response_model=bodies.Info)
def info(name: Name, holds: Reading) -> Json:
    """What a collection is."""
    collection = holds.database.collection(name)
    collection.rows()  # says which there are, where this one is not; reads nothing yet
    return Json(as_info(collection.info()))


@router.delete("/v1/collections/{name}", response_model=bodies.Counted)
def drop(name: Name, holds: Writing) -> Json:
    """Delete a collection with all its rows."""
    return Json({"count": holds.database.drop(name)})


# -- items


@router.post("/v1/collections/{name}/add", response_model=bodies.Outcome)
def add(name: Name, body: bodies.Add, holds: Writing) -> Json:
    """Embed and store documents: only what is new or changed is embedded."""
    documents = [Document(item.id, asked(item.content), item.metadata, unpacked(item.named)) for item in body.documents]
    collection = _collection(holds, name, body)
    added = collection.add(
        documents, store=body.store, source=body.source, sync=body.sync, passages=body.passages, progress=lambda _: None
    )
    return Json(asdict(added))


@router.post("/v1/collections/{name}/add_vectors", response_model=bodies.Counted)
def add_vectors(name: Name, body: bodies.AddVectors, holds: Writing) -> Json:
    """Store vectors made elsewhere, all or none."""
    known = holds.database.store.settings(name) is not None
    collection = holds.database.collection(name) if known else holds.database.collection(name, model=None)
    return Json({"count": collection.add_vectors(body.ids, body.vectors, body.contents, body.metadata)})


@router.get("/v1/collections/{name}/items", response_model=bodies.Items)
def items(
    name: Name,
    holds: Reading,
    prefix: str = "",
    limit: Limit = 100,
    offset: Offset = 0,
) -> Json:
    """Items in the order they came."""
    rows = holds.database.collection(name).rows(prefix=prefix)
    return Json({"items": [_item(row.id, row.content, row.metadata) for row in islice(rows, offset, offset + limit)]})


@router.get("/v1/collections/{name}/items/{id:path}", response_model=bodies.StoredItem)
def get(name: Name, id: Name, holds: Reading) -> Json:
    """One item."""
    found = holds.database.collection(name).get(id)
    return Json(_item(found.id, found.content, found.metadata))


@router.get("/v1/collections/{name}/vector/{id:path}", response_model=bodies.Vector)
def vector(name: Name, id: Name, holds: Reading) -> Json:
    """One item's vector as it is stored."""
    return Json({"id": id, "vector": holds.database.collection(name).vector(id).tolist()})


@router.get("/v1/collections/{name}/thumbnail/{id:path}", response_class=Response)
def thumbnail(name: Name, id: Name, holds: Reading, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """A small copy of one picture, WebP of at most 256 pixels."""
    data = holds.database.collection(name).thumbnail(id)
    tag = f'"{content_hash(data).hex()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}  # asked for, seldom sent
    if if_none_match == tag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="image/webp", headers=headers)


@router.delete("/v1/collections/{name}/items/{id:path}", response_model=bodies.Counted)
def delete_one(name: Name, id: Name, holds: Writing) -> Json:
    """Delete one item; `count` is 0 where it is not there."""
    return Json({"count": holds.database.collection(name).delete(id)})


@router.post("/v1/collections/{name}/delete", response_model=bodies.Counted)
def delete(name: Name, body: bodies.Ids, holds: Writing) -> Json:
    """Delete items."""
    return Json({"count": holds.database.collection(name).delete(body.ids)})


# -- questions


@router.post("/v1/collections/{name}/search", response_model=bodies.Hits)
def search(name: Name, body: bodies.Search, holds: Reading) -> Json:
    """The best documents for a text, a picture, a vector or examples."""
    given = {field: getattr(body, field) for field in type(body).model_fields if field not in ("k", "rerank")}
    given |= {"query": asked(body.query), **{field: list(map(asked, given[field])) for field in ("plus", "minus")}}
    hits = holds.database.collection(name).search(k=checked_most(body.k), rerank=_reranker(holds, body.rerank), **given)
    return Json({"hits": [as_hit(hit) for hit in hits]})


@router.post("/v1/search", response_model=bodies.Hits)
def search_all(body: bodies.SearchAll, holds: Reading) -> Json:
    """The best documents of several collections."""
    given = {field: getattr(body, field) for field in type(body).model_fields if field != "k"}
    given["query"] = asked(body.query)
    return Json({"hits": [as_hit(hit) for hit in holds.database.search(k=checked_most(body.k), **given)]})


@router.post("/v1/collections/{name}/related", response_model=bodies.Hits)
def related(name: Name, body: bodies.Related, holds: Reading) -> Json:
    """The documents nearest to one that is stored."""
    hits = holds.database.collection(name).related(body.id, checked_most(body.k), where=body.where, prefix=body.prefix)
    return Json({"hits": [as_hit(hit) for hit in hits]})


@router.post("/v1/collections/{name}/relate", response_model=bodies.Lists)
def relate(name: Name, holds: Writing, body: bodies.Relate | None = None) -> Json:
    """Keep the documents nearest to each; only lists that a change touches are made anew."""
    body = body or bodies.Relate()
    return Json(asdict(holds.database.collection(name).relate(checked_most(body.k), full=body.full)))


@router.get("/v1/collections/{name}/similarities", response_model=bodies.Pairs)
def similarities(name: Name, holds: Reading, limit: Limit = 100, offset: Offset = 0) -> Json:
    """The lists that `relate` keeps."""
    pairs = islice(holds.database.collection(name).similarities(), offset, offset + limit)
    return Json({"similarities": [pair._asdict() for pair in pairs]})


@router.post("/v1/collections/{name}/facets", response_model=bodies.Values)
def facets(name: Name, body: bodies.Facets, holds: Reading) -> Json:
    """How many items have each value of a field."""
    return Json({"counts": holds.database.collection(name).facets(body.field, where=body.where, prefix=body.prefix)})


@router.get("/v1/collections/{name}/fields", response_model=bodies.Values)
def fields(name: Name, holds: Reading) -> Json:
    """How many items have each field."""
    return Json({"counts": holds.database.collection(name).fields()})


def _collection(holds: Served, name: str, body: bodies.Create | bodies.Add, dim: int | None = None) -> Collection:
    """The collection to write to; one that is not there yet is made by a model that is served, never by any other."""
    asked = "model" in body.model_fields_set
    if not asked and holds.database.store.settings(name) is not None:
        return holds.database.collection(name, dim=dim)
    if asked and body.model is None:
        return holds.database.collection(name, model=None, dim=dim)
    return holds.database.collection(name, model=holds.model(body.model), dim=dim)


def unpacked(given: Mapping[str, str | bodies.Bytes] | None) -> dict[str, Content] | None:
    """Contents by name, files as bytes."""
    return {name: unpacked_one(each) for name, each in given.items()} if given else None


def asked(given: bodies.Asked | None) -> Any:
    """What Python is asked with: a text, bytes, or a vector."""
    return given if given is None or isinstance(given, list) else unpacked_one(given)


def unpacked_one(given: str | bodies.Bytes) -> Content:
    """A text, or the bytes of a file.

    Raises
    ------
    BadRequest : no base64
    """
    try:
        return given if isinstance(given, str) else b64decode(given.base64, validate=True)
    except ValueError as error:
        raise BadRequest("what is said to be base64 is not") from error


def _reranker(holds: Served, asked: str | bool | None) -> Reranker | None:
    if asked is None or asked is False:
        return None
    if isinstance(asked, str) and asked != holds.settings.rerank:
        raise ModelNotFound(f"the model '{asked}' is not served here for reranking; served: {holds.settings.rerank or 'none'}")
    return holds.reranker


def checked_most(k: int, name: str = "k") -> int:
    """`k`, or what else it is called, unless it is more than an answer holds."""
    if k > MOST:
        raise BadRequest(f"{name} is at most {MOST:,} here, not {k:,}", name)
    return k


def as_info(info: CollectionInfo) -> dict[str, Any]:
    """A collection as `bodies.Info` has it."""
    settings = info.settings
    return {
        "name": info.name, "count": info.count, "model": settings.model, "dim": settings.dim, "window": settings.window,
        "passages": settings.passages, "named": settings.named,
    }  # fmt: skip


def _item(id: str, content: Content | Recording | None, metadata: Any) -> dict[str, Any]:
    item: dict[str, Any] = {"id": id, "content": content, "metadata": metadata}
    if isinstance(content, bytes):
        item |= {"content": None, "content_base64": b64encode(content).decode("ascii")}
    return item


def as_hit(hit: Hit) -> dict[str, Any]:
    """A hit as `bodies.Found` has it."""
    return _item(hit.id, hit.content, hit.metadata) | {
        "score": hit.score,
        "why": asdict(hit.why),
        "passages": [asdict(passage) for passage in hit.passages],
        "duplicates": list(hit.duplicates),
        "collection": hit.collection,
    }
