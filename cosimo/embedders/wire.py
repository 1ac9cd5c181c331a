"""Wire: texts → the JSON that a server wants, and its JSON → checked vectors, in OpenAI's and Cohere's shape. Sends nothing."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..core.content import storable
from ..core.errors import BadReply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..core.errors import Refused
    from ..core.types import Role, Vectors
    from .providers import Endpoint

BLANK = "."  # sent for a text without characters: an empty one is refused by most servers, white space by some

_TOO_MUCH = re.compile(
    r"context.?(length|window|size)|too (long|large|many)|less than \d+ tokens|batch.?size|micro-?batch|max_tokens_per"
    r"|(exceed|larger|longer|greater|more than|at most|maximum|limit|max\b).{0,60}(token|length|input|size|item|text|document)",
    re.IGNORECASE | re.DOTALL,
)
_NO_MODEL = re.compile(
    r"(not|n't|no such|unknown|invalid|unsupported|unrecogni[sz]ed)\b.*\bmodel|\bmodel\b.*"
    r"(not|n't|unknown|invalid|unsupported|unrecogni[sz]ed|unavailable)",
    re.IGNORECASE | re.DOTALL,
)


class Answer(NamedTuple):
    """What a reply holds."""

    vectors: Vectors  # (n, dim), in the order asked
    tokens: int | None  # that the server says it read


class Shape(NamedTuple):
    """How a kind of server is spoken to."""

    ask: Callable[[Endpoint, Sequence[str], Role], dict[str, Any]]
    items: Callable[[Any], Sequence[Any]]  # reply → its vectors as they stand there, in the order asked
    tokens: Callable[[Any], Any]


def ask(endpoint: Endpoint, texts: Sequence[str], role: Role, *, packed: bool) -> dict[str, Any]:
    """The body of a request."""
    provider = endpoint.provider
    clean = [storable(text) if text and not text.isspace() else BLANK for text in texts]
    body = SHAPES[provider.shape].ask(endpoint, clean, role)
    if packed:
        body |= provider.base64
    if endpoint.dim is not None and provider.dimensions:
        body[provider.dimensions] = endpoint.dim
    return body | dict(roles_of(endpoint).get(role, {})) | dict(provider.extra)


def roles_of(endpoint: Endpoint) -> Mapping[str, Mapping[str, str]]:
    """What is added to a request for each role: the model's own, else the provider's."""
    facts = endpoint.facts
    return endpoint.provider.roles if facts is None or facts.roles is None else facts.roles


def read(endpoint: Endpoint, reply: Any, texts: Sequence[str], host: str) -> Answer:
    """The vectors of a reply, each finite and all of one length.

    Raises
    ------
    BadReply : anything else
    """
    shape = SHAPES[endpoint.provider.shape]
    try:
        items = shape.items(reply)
        tokens = shape.tokens(reply)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise BadReply(f"{host} answers in another shape than '{endpoint.name}' should: no vectors in it") from error
    if len(items) != len(texts):
        raise BadReply(
            f"{host} was asked for {len(texts)} vectors of '{endpoint.model}' and gave {len(items)}; try again later"
        )
    vectors = _array(items, endpoint.model, host)
    if not np.isfinite(vectors).all():
        bad = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise BadReply(f"{host} gave NaN or infinity for the text {named(texts[bad])}; leave it out, or ask for float32 there")
    whole = isinstance(tokens, int | float) and not isinstance(tokens, bool) and 0 < tokens < np.inf
    return Answer(vectors, int(tokens) if whole else None)


def named(text: str) -> str:
    """A text in a message: its beginning and its size."""
    start = " ".join(text[:120].split())[:60]
    return f"'{start}{'…' if len(text) > len(start) else ''}' ({len(text):,} characters)"


def too_much(refused: Refused) -> bool:
    """True where fewer or shorter texts may be taken: the text is too long, or the request too large."""
    if refused.status == 413:
        return True
    return refused.status in (400, 422, 424, 500) and bool(_TOO_MUCH.search(f"{refused.code} {refused.said}"))


def no_model(refused: Refused) -> bool:
    """True where the server does not know the model."""
    return refused.status in (400, 404, 422) and bool(_NO_MODEL.search(f"{refused.said} {refused.code.replace('_', ' ')}"))


def no_quota(refused: Refused) -> bool:
    """True where the account has nothing left to spend. Google says so in a message of every rate limit: the code counts."""
    return refused.status == 402 or refused.code in ("insufficient_quota", "billing_hard_limit_reached", "insufficient_balance")


def hopeless(refused: Refused) -> bool:
    """True where asking again the same way is of no use whatever the status."""
    return no_quota(refused) or (refused.status == 500 and too_much(refused))


def _array(items: Sequence[Any], model: str, host: str) -> Vectors:
    """(n, dim) float32 of lists of numbers or packed strings."""
    try:
        rows = [np.frombuffer(b64decode(item, validate=True), "<f4") if isinstance(item, str) else item for item in items]
        with np.errstate(over="ignore"):
            array = np.array(rows, np.float32)
    except (TypeError, ValueError, OverflowError, binascii.Error) as error:
        raise BadReply(f"{host} gave something else than lists of numbers for '{model}', or of different lengths") from error
    if array.ndim != 2 or not array.shape[1]:
        raise BadReply(f"{host} gave not one vector for each text with '{model}', but {array.shape}; is pooling switched on?")
    return array


def _openai_ask(endpoint: Endpoint, texts: Sequence[str], role: Role) -> dict[str, Any]:
    return {"model": endpoint.model + endpoint.provider.model_for.get(role, ""), "input": list(texts)}


def _openai_items(reply: Any) -> list[Any]:
    """By `index` where the items have one, which may differ from the order in which they stand."""
    items = reply["data"]
    places = [item.get("index") for item in items]
    if all(place is None for place in places):
        return [item["embedding"] for item in items]
    if sorted(place if isinstance(place, int) else -1 for place in places) != list(range(len(items))):
        raise BadReply(f"the items of a reply are numbered {str(places)[:60]}, not 0 to {len(items) - 1}; try again later")
    ordered: list[Any] = [None] * len(items)
    for place, item in zip(places, items, strict=True):
        ordered[place] = item["embedding"]
    return ordered


def _openai_tokens(reply: Any) -> Any:
    usage = reply.get("usage") or {}
    return usage.get("total_tokens") or usage.get("prompt_tokens")


def _cohere_ask(endpoint: Endpoint, texts: Sequence[str], role: Role) -> dict[str, Any]:  # noqa: ARG001 - its role is a field
    return {"model": endpoint.model, "texts": list(texts), "embedding_types": ["float"], "truncate": "NONE"}


def _cohere_items(reply: Any) -> list[Any]:
    found = reply["embeddings"]
    return list(found["float"] if isinstance(found, dict) else found)


def _cohere_tokens(reply: Any) -> Any:
    return ((reply.get("meta") or {}).get("billed_units") or {}).get("input_tokens")


SHAPES = {
    "openai": Shape(_openai_ask, _openai_items, _openai_tokens),
    "cohere": Shape(_cohere_ask, _cohere_items, _cohere_tokens),
}
