"""Requests: bodies → Python values, whatever a client puts into one. Raises `BadRequest`, nothing else."""

import re
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic_core import from_json

from .replies import BadRequest
from .served import Served

# A backslash itself; a pair of surrogates; half of one, as JavaScript leaves when it cuts through an emoji
_HALVES = re.compile(rb"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def parsed(body: bytes) -> Any:
    """A body as values. Nested deeper than 200, and it is refused.

    Raises
    ------
    BadRequest : not JSON
    """
    if b"\\ud" in body or b"\\uD" in body:
        body = _HALVES.sub(lambda found: found[1] or b"\\ufffd", body)
    try:
        return from_json(body, cache_strings="keys")
    except ValueError as error:
        raise BadRequest(f"the body is not JSON: {error}" if body else "the body is empty; send JSON") from error


class _Request(Request):
    async def json(self) -> Any:
        """The body, parsed our way."""
        if not hasattr(self, "_parsed"):
            self._parsed = parsed(await self.body())
        return self._parsed


class Route(APIRoute):
    """A route whose bodies are read by `parsed`."""

    def get_route_handler(self) -> Any:
        """FastAPI's, with our own request."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Any:
            return await handler(_Request(request.scope, request.receive))

        return handle


def served(request: Request) -> Served:
    """What the server holds."""
    found: Served = request.app.state.served
    return found
