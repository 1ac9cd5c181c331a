"""Status: `/health` and `/metrics`. Reads what the server counts."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import PlainTextResponse

from .metrics import quoted
from .replies import Json
from .requests import served

router = APIRouter(tags=["Status"])


class Health(BaseModel):
    """It answers. `status` is ok, or broken (503) where its first model cannot be loaded; the log says why."""

    status: Literal["ok", "broken"]
    waiting: int


@router.head("/health", include_in_schema=False)
@router.get("/health", response_model=Health, responses={503: {"model": Health}})
async def health(request: Request) -> Json:
    """That the server answers, and how many texts wait."""
    holds = served(request)
    waiting = sum(batcher.waiting for batcher in holds.batchers.values())
    return Json({"status": "ok" if holds.usable else "broken", "waiting": waiting}, 200 if holds.usable else 503)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> PlainTextResponse:
    """What Prometheus reads."""
    holds = served(request)
    queues = {f"model={quoted(name)}": float(batcher.waiting) for name, batcher in holds.batchers.items()}
    text = holds.metrics.rendered({"waiting_texts": queues})
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")
