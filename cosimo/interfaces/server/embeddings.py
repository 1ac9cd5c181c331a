"""Embeddings: `POST /v1/embeddings` and `GET /v1/models` as OpenAI's clients know them. Reads and shapes; batchers compute."""

import asyncio
import time
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Literal

import anyio.to_thread
import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from ...core.content import modality_of
from ...core.errors import ModelNotFound
from ...core.types import Content, Role
from ...core.vectors import normalised
from .batching import Batcher, Done
from .bodies import Name
from .replies import BadRequest, Json
from .requests import parsed, served

if TYPE_CHECKING:
    from ...core.types import Vectors

MOST = 2048  # inputs of a request, as OpenAI has it
PATIENT = 1.0  # seconds before we look whether the client is still there
ROLES: dict[str, Role] = {  # what other providers call the two, in `input_type` and in Jina's `task`
    "document": "document", "passage": "document", "search_document": "document", "retrieval.passage": "document",
    "RETRIEVAL_DOCUMENT": "document", "text": "document", "classification": "document", "clustering": "document",
    "query": "query", "search_query": "query", "retrieval.query": "query", "RETRIEVAL_QUERY": "query",
}  # fmt: skip
STARTED = int(time.time())

router = APIRouter(tags=["OpenAI"])


class EmbeddingsBody(BaseModel):
    """What to embed."""

    input: str | list[str | dict[str, str]] | list[int] | list[list[int]] = Field(
        description='A text, texts and pictures (up to 2,048; {"image": BASE64 OR DATA URI}), or token ids of cl100k_base, '
        "where that vocabulary is on the server's machine"
    )
    model: str | None = Field(default=None, description="One of /v1/models; left out, the first")
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1, description="Shorter vectors, of models that are made for it")
    input_type: str = Field(
        default="document", description="query or document; search_query, passage and others mean one of these"
    )
    user: str | None = Field(default=None, description="Ignored")


class Embedding(BaseModel):
    """One vector, or its little-endian float32 numbers in base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Tokens that the model read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsReply(BaseModel):
    """Vectors in the order asked."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: Usage


class Model(BaseModel):
    """A model that is served."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class Models(BaseModel):
    """All that are."""

    object: Literal["list"]
    data: list[Model]


# The body is read by hand: FastAPI's own way takes 60 µs longer, and says of a wrong input what is wrong with each of the
# four kinds that it might have been
@router.post(
    "/v1/embeddings",
    response_model=None,
    responses={200: {"model": EmbeddingsReply}},
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": EmbeddingsBody.model_json_schema()}}}
    },
)
async def embeddings(request: Request) -> Json:
    """Embed texts and pictures."""
    holds = served(request)
    body = parsed(await request.body())
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object with `input` and `model`")
    model = holds.model(_text(body, "model"))
    texts = texts_of(body.get("input"), holds)
    encoding = "float" if body.get("encoding_format") is None else body["encoding_format"]
    if encoding not in ("float", "base64"):
        raise BadRequest(f"encoding_format must be float or base64, not {encoding!r}"[:200], "encoding_format")
    batcher, role = holds.batcher(model), role_of(body)
    length = body.get("dimensions")
    if length is not None:
        await anyio.to_thread.run_sync(refuse_length, holds, model, batcher, length)  # not asyncio's: a stop waits for those
    done = await answered(request, batcher, texts, role)
    vectors = done.vectors if length in (None, done.vectors.shape[1]) else normalised(done.vectors[:, :length])
    return Json(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": each}
                for index, each in enumerate(encoded(vectors, encoding))
            ],
            "model": model,
            "usage": {"prompt_tokens": done.tokens, "total_tokens": done.tokens},
        }
    )


@router.get("/v1/models", response_model=Models)
async def models(request: Request) -> Json:
    """The models that are served."""
    return Json({"object": "list", "data": [_model(name) for name in _names(request)]})


@router.get("/v1/models/{model:path}", response_model=Model)
async def model(request: Request, model: Name) -> Json:
    """One model."""
    holds = served(request)
    if model not in (*_names(request), *holds.settings.models):
        raise ModelNotFound(f"the model '{model}' is not served here; see /v1/models")
    return Json(_model(model))


def _names(request: Request) -> list[str]:
    holds = served(request)
    rerank = [holds.settings.rerank] if holds.settings.rerank else []
    return [*holds.names, *holds.settings.aliases, *rerank]


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": STARTED, "owned_by": "cosimo"}


def _text(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"{name} must be a text", name)
    return value


def role_of(body: dict[str, Any]) -> Role:
    """The role that is asked for, in any of its spellings."""
    for name in ("input_type", "task"):
        given = _text(body, name)
        if given is not None:
            role = ROLES.get(given)
            if role is None:
                raise BadRequest(f"{name} must be query or document, not '{given[:60]}'", name)
            return role
    return "document"


def texts_of(given: Any, holds: Any) -> list[Content]:
    """The texts and pictures of a request; token ids are turned back into their text.

    Raises
    ------
    BadRequest : nothing, too many, or neither texts, pictures nor token ids
    """
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list) or not given:
        what = "input is missing" if given is None else "input is empty" if given == [] else "input is no text"
        raise BadRequest(f"{what}; send a text, a list of texts, or token ids", "input")
    if all(isinstance(each, int) for each in given):  # one text, cut into tokens
        return [_decoded(given, "input", holds)]
    if len(given) > MOST:
        raise BadRequest(f"input holds {len(given):,} texts; send at most {MOST:,} at a time", "input")
    return [
        each if isinstance(each, str) else _pictured(each, place) if isinstance(each, dict)
        else _decoded(each, f"input[{place}]", holds) for place, each in enumerate(given)
    ]  # fmt: skip


def _pictured(given: dict[str, Any], place: int) -> Content:
    """`{"image": base64}`, or `{"text": …}` beside such; nothing is fetched from an address."""
    param = f"input[{place}]"
    if list(given) == ["text"] and isinstance(given["text"], str):
        return given["text"]
    if list(given) != ["image"] or not isinstance(given["image"], str):
        raise BadRequest(f'{param} must be a text, {{"text": "…"}} or {{"image": "…"}}', param)
    head, comma, packed = given["image"].partition(",")
    try:
        data = b64decode(packed if comma and head.startswith("data:") else given["image"], validate=True)
    except ValueError as error:
        raise BadRequest(f"{param} is no picture in base64; send the bytes, not an address", param) from error
    if modality_of(data) != "image":
        raise BadRequest(f"{param} is no picture", param)
    return data


def _decoded(ids: Any, param: str, holds: Any) -> str:
    if not isinstance(ids, list) or not ids or not all(type(each) is int for each in ids):
        raise BadRequest(f"{param} is neither a text nor a list of token ids", param)
    text: str = holds.vocabulary.text(ids, param)
    return text


def refuse_length(holds: Any, model: str, batcher: Batcher, length: Any) -> None:
    """Raise `BadRequest` for `dimensions` that vectors of a model cannot have and still mean something."""
    if type(length) is not int or length < 1:
        raise BadRequest("dimensions must be a whole number of at least 1", "dimensions")
    dim = batcher.spec.dim
    if length == dim:
        return
    allowed, any_length = holds.lengths(model)
    if length > dim or not (any_length or length in allowed):
        choice = ", ".join(map(str, allowed)) if allowed else f"1 to {dim}" if any_length else f"{dim} alone"
        raise BadRequest(
            f"{model} gives vectors of length {choice}, not {length}; correct `dimensions` or leave it out", "dimensions"
        )


async def answered(request: Request, batcher: Batcher, texts: list[Content], role: Role) -> Done:
    """What came of the texts; given up when the client goes away before its turn."""
    future = asyncio.wrap_future(batcher.submit(texts, role))
    ready, _ = await asyncio.wait([future], timeout=PATIENT)
    while not ready:
        if await request.is_disconnected():
            future.cancel()
            raise BadRequest("the client went away", status=499)
        ready, _ = await asyncio.wait([future], timeout=PATIENT)
    return future.result()


def encoded(vectors: "Vectors", encoding: str) -> list[Any]:
    """Each vector as a list of numbers, or as base64 of little-endian float32."""
    if encoding == "float":
        rows: list[Any] = vectors.tolist()
        return rows
    packed = np.ascontiguousarray(vectors, "<f4")
    return [b64encode(row).decode("ascii") for row in packed]
