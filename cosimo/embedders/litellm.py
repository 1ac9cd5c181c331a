"""LiteLLM: the providers it speaks to, for those with a protocol or sign-in of their own: `litellm:bedrock/…`, `vertex_ai/…`.

It is told to leave its list of prices as it was installed (it would fetch one at import) and to send no telemetry.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..core import config
from ..core.errors import DataError, Error, MissingKey, ModelNotFound, RateLimited, Timeout
from ..core.registry import load
from .adapted import Adapted, Facts, facts_of, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..core.types import Content, Role

MANY = 64  # texts of a request: every provider but DashScope takes as many, and that one has a client of ours
ROLES: dict[str, Mapping[str, Mapping[str, str]]] = {  # provider → role → what says so; else a query is taken for a document
    "cohere": {"query": {"input_type": "search_query"}, "document": {"input_type": "search_document"}},
    "voyage": {"query": {"input_type": "query"}, "document": {"input_type": "document"}},
    "nvidia_nim": {"query": {"input_type": "query"}, "document": {"input_type": "passage"}},
    "vertex_ai": {"query": {"task_type": "RETRIEVAL_QUERY"}, "document": {"task_type": "RETRIEVAL_DOCUMENT"}},
}
_ERRORS: dict[str, tuple[type[Error], str]] = {
    "ContextWindowExceededError": (DataError, "refuses a text as too long"),
    "AuthenticationError": (MissingKey, "refuses the key, or there is none"),
    "NotFoundError": (ModelNotFound, "has no such model"),
    "RateLimitError": (RateLimited, "has too much to do"),
    "Timeout": (Timeout, "gave no answer in time"),
}
_LENGTH = re.compile(r"(?P<model>.+)@(?P<dim>[1-9]\d{0,4})")


class LiteLLMEmbedder(Adapted):
    """A model that LiteLLM reaches.

    Parameters
    ----------
    name : as LiteLLM spells it (`bedrock/amazon.titan-embed-text-v2:0`), `@256` at the end for a length; or the name of a table
        `[litellm.NAME]` of `providers.toml` with `model`, `arguments` (a region, a project), and what is known of it

    Raises
    ------
    MissingExtra : LiteLLM is not installed
    ModelNotFound : it knows no such provider
    ConfigError : a table that is none
    """

    def __init__(self, name: str) -> None:
        row = table("litellm", name)
        config.quieten_litellm()
        self._embedding = load("litellm:embedding")
        package: Any = import_module("litellm")
        package.suppress_debug_info = True  # it prints on stdout whenever something fails
        found = _LENGTH.fullmatch(str(row.get("model", name)))
        self._model = found["model"] if found else str(row.get("model", name))
        try:
            self._provider = load("litellm:get_llm_provider")(self._model)[1]
        except Exception as error:  # of a class that moved between its versions
            raise ModelNotFound(
                f"LiteLLM knows no provider for '{self._model}'; write provider/model, as its list does"
            ) from error
        length = {"dimensions": int(found["dim"]), "allowed_openai_params": ["dimensions"]} if found else {}
        self._arguments = dict(row.get("arguments", {})) | length
        facts = facts_of(row, "litellm", name)
        super().__init__(f"litellm:{name}", facts if row else self._known(bool(found)))

    def _known(self, shortened: bool) -> Facts:
        costs: Mapping[str, Any] = load("litellm:model_cost")
        found = costs.get(self._model) or costs.get(self._model.partition("/")[2]) or {}
        price = found.get("input_cost_per_token")
        return Facts(
            dim=None if shortened else found.get("output_vector_size"),
            max_tokens=found.get("max_input_tokens"),
            price=None if price is None else round(price * 1e6, 6),
        )

    def _ask(self, contents: Sequence[Content], role: Role) -> tuple[Any, int | None]:
        vectors: list[Any] = []
        tokens = 0
        said = ROLES.get("cohere" if "cohere" in self._model else self._provider, {}).get(role, {})
        for part in _parts(contents):
            with _translated(self._name):
                reply = self._embedding(model=self._model, input=part, **said, **self._arguments)
            rows = [_item(row) for row in reply.data]
            vectors += [vector for _, vector in sorted(rows, key=lambda row: row[0])]
            tokens += int(getattr(reply.usage, "prompt_tokens", 0) or 0)
        return vectors, tokens or None


def _parts(contents: Sequence[Content]) -> Iterator[list[Content]]:
    for start in range(0, len(contents), MANY):
        yield list(contents[start : start + MANY])


def _item(row: Any) -> tuple[int, Any]:
    return (row["index"], row["embedding"]) if isinstance(row, dict) else (row.index, row.embedding)


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """LiteLLM's errors as ours; the base class translates the rest."""
    try:
        yield
    except Exception as error:  # its classes are known by name: importing them takes two seconds
        kinds = {each.__name__ for each in type(error).__mro__}
        said = " ".join(str(error).split())[:300]
        ours = next((found for theirs, found in _ERRORS.items() if theirs in kinds), None)
        if ours is None:
            raise
        raise ours[0](f"{name} {ours[1]}: {said}") from error
