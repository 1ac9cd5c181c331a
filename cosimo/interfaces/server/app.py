"""App: settings → the application, routes and guard and all. Loads the first model in the background while others may ask."""

from __future__ import annotations

import logging
import re
from contextlib import asynccontextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from ... import __version__
from ...core.errors import Error
from . import collections, embeddings, judging, maps, mixed, rerank, status, understanding, words
from .bodies import Problem
from .guard import Guard, caught
from .replies import Json, of_error, problem, unknown
from .requests import Route
from .served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from .guard import App
    from .settings import Settings

_KIND = re.compile(r"(str|bool|float|int|list|dict)(\[.*\])?")  # what FastAPI adds where a value may be of several
ABOUT = "Embeddings as OpenAI's clients ask for them, reranking, and the collections of one database."


# in place of FastAPI's own 422, which no route of ours answers with
ERRORS: dict[int | str, dict[str, Any]] = {"default": {"model": Problem, "description": "An error, as OpenAI shapes it"}}


class Application:
    """One server's application: an ASGI callable. `served` is what it holds."""

    def __init__(self, settings: Settings) -> None:
        self.served = Served(settings)
        self._app = _guarded(_routes(self.served), self.served)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer, as ASGI has it."""
        await self._app(scope, receive, send)


def _routes(served: Served) -> FastAPI:
    # no /docs: FastAPI's page loads programs from elsewhere
    app = FastAPI(
        title="cosimo", version=__version__, summary=ABOUT, docs_url=None, redoc_url=None, default_response_class=Json,
        lifespan=_lifespan, strict_content_type=False, redirect_slashes=False,
    )  # fmt: skip
    app.state.served = served
    hidden = _hidden(served)
    app.router.route_class = Route
    for part in (embeddings, rerank, collections, mixed, understanding, maps, judging, words, status):
        part.router.route_class = Route
        app.include_router(part.router, responses=ERRORS)
    if served.settings.keys:
        _with_keys(app)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)

    async def refused(_: Request, error: Exception) -> Json:
        return of_error(error, hidden)

    app.add_exception_handler(Error, refused)
    app.add_exception_handler(Exception, refused)
    return app


def _with_keys(app: FastAPI) -> None:
    """Have the document say that all but `/health` asks for a key."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
        document["paths"]["/health"]["get"]["security"] = []
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _hidden(served: Served) -> str:
    path = served.settings.database
    return f"{path.expanduser().absolute().parent}/" if path else ""


def _guarded(app: FastAPI, served: Served) -> App:
    guarded: Any = Guard(caught(app, _hidden(served)), served.settings, served.metrics)
    if not served.settings.cors:
        return guarded  # type: ignore[no-any-return]
    return CORSMiddleware(
        guarded, allow_origins=served.settings.cors, allow_methods=["*"], allow_headers=["*"],
        expose_headers=["Retry-After", "X-Request-Id"],
    )  # fmt: skip


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    import anyio.to_thread

    served: Served = app.state.served
    anyio.to_thread.current_default_thread_limiter().total_tokens = served.settings.threads
    Thread(target=_warm, args=(served,), name="cosimo-warm", daemon=True).start()
    try:
        yield
    finally:
        served.close()


def _warm(served: Served) -> None:
    try:
        served.warm()
    except Exception as error:  # the first request meets it again, and is told
        logging.getLogger("cosimo.server").warning("%s cannot be used: %s", served.default, error)


async def _invalid(_: Request, error: Any) -> Json:
    """A body that is not as a route has it: the first thing that is wrong with it."""
    first = error.errors()[0]
    parts = [str(part) for part in first["loc"][1:]]  # the first says that it is the body, or the path
    while len(parts) > 1 and _KIND.fullmatch(parts[-1]):
        parts.pop()
    where = ".".join(parts)[:200] or None
    said = str(first.get("msg", "")).removeprefix("Value error, ")
    return problem(400, f"{where}: {said}" if where else f"the request cannot be read: {said}", param=where)


async def _refused(request: Request, error: Any) -> Json:
    if error.status_code in (404, 405):
        return unknown(request.method, request.url.path, error.status_code, error.headers)
    return problem(error.status_code, str(error.detail))
