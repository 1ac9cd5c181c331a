"""Replies: what goes out: JSON, and every error as the object that OpenAI's clients read. Knows the errors, no route."""

from __future__ import annotations

import json
import logging
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from ...core import errors
from ...core.config import debug
from .batching import Full

if TYPE_CHECKING:
    from collections.abc import Mapping

# first that fits; what OpenAI answers with in the same case, where it knows the case
STATUS: tuple[tuple[type[errors.Error], int, str | None], ...] = (
    (Full, 429, "rate_limit_exceeded"),
    (errors.RateLimited, 429, "rate_limit_exceeded"),
    (errors.Timeout, 504, "timeout"),
    (errors.MissingKey, 502, "provider_key"),
    (errors.ProviderError, 502, "provider_error"),
    (errors.ModelNotFound, 404, "model_not_found"),
    (errors.ConfigError, 500, None),
    (errors.DataError, 400, None),
    (errors.NotFound, 404, "not_found"),
    (errors.DimensionMismatch, 400, "dimension_mismatch"),
    (errors.CollectionError, 409, "mismatch"),
    (errors.Locked, 503, "locked"),
    (errors.StoreError, 500, "database"),
)
KINDS = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Json(Response):
    """JSON as UTF-8. A NaN in another program's metadata becomes null, half a surrogate pair an escape: neither is an error."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body."""
        try:
            text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except ValueError:
            text = json.dumps(_finite(content), ensure_ascii=False, separators=(",", ":"))
        try:
            return text.encode()
        except UnicodeEncodeError:
            return json.dumps(_finite(content), separators=(",", ":")).encode()


class BadRequest(errors.DataError):
    """A request that cannot be understood; `param` names the part of it, `status` is 400 unless said otherwise."""

    def __init__(self, message: str, param: str | None = None, *, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.param, self.status, self.code = param, status, code


def problem(
    status: int, message: str, *, param: str | None = None, code: str | None = None, headers: Mapping[str, str] | None = None
) -> Json:
    """An error as OpenAI shapes it."""
    kind = KINDS.get(status, "invalid_request_error" if status < 500 else "server_error")
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return Json(body, status, headers=dict(headers or {}))


def of_error(error: Exception, hidden: str = "") -> Json:
    """What a client is told of an error; of one that nobody foresaw, that there was one.

    Parameters
    ----------
    hidden : a folder of this machine, left out of messages
    """
    if isinstance(error, BadRequest):
        return problem(error.status, str(error), param=error.param, code=error.code)
    for kind, status, code in STATUS:
        if isinstance(error, kind):
            message = str(error).replace(hidden, "") if hidden else str(error)
            return problem(status, message, code=code, headers=_later(error, status))
    logging.getLogger("cosimo.server").error("%s: %s", type(error).__name__, error, exc_info=error if debug() else None)
    return problem(500, "something went wrong inside of the server; its log says what", code="internal_error")


def unknown(method: str, path: str, status: int, headers: Mapping[str, str] | None = None) -> Json:
    """A path or a method that there is not; `headers` say which methods there are."""
    code = "unknown_url" if status == 404 else None
    return problem(status, f"{HTTPStatus(status).phrase}: {method} {path}; see /openapi.json", code=code, headers=headers)


def _later(error: errors.Error, status: int) -> dict[str, str]:
    seconds = getattr(error, "seconds", 1)
    return {"Retry-After": str(max(math.ceil(seconds), 1))} if status in (429, 503) else {}


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): _finite(each) for name, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value
