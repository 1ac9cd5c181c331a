"""Providers: a language model's name → which server, with which key. Reads `providers.toml`; calls nobody.

`openai:gpt-5-mini` is a provider of the file and a model; `http://gpu-box:8000/v1#qwen3` any server that speaks OpenAI's shape.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core import config, keys
from ..core.addresses import checked_address, completed, origin_and_path
from ..core.errors import ConfigError, MissingKey, ModelNotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH = "/chat/completions"


class Endpoint(NamedTuple):
    """One model on one server, and how to ask for it."""

    title: str  # of the provider, for messages
    origin: str  # scheme, host and port
    path: str
    model: str  # by which the server knows it
    key: str | None
    key_name: str  # in the file of keys
    headers: Mapping[str, str]


def resolve(name: str) -> Endpoint:
    """The endpoint that a name means, with its key.

    Raises
    ------
    ModelNotFound : a name without a model, or of no provider
    MissingKey : the provider wants a key, and none is set
    ConfigError : an address or a key that cannot be used
    """
    if name.startswith(("http://", "https://")):
        return _of_address(name)
    prefix, _, model = name.partition(":")
    row = next((row for row in rows() if row.get("name") == prefix), None)
    if row is None:
        raise ModelNotFound(
            f"no provider of language models is called '{prefix}'; known: {', '.join(sorted(names()))}, llm, or an address"
        )
    if not model:
        raise ModelNotFound(f"'{name}' names no model; write one of {row.get('title', prefix)}'s after the colon")
    return _of_row(row, prefix, model)


def names() -> set[str]:
    """Of all providers, the user's own among them."""
    return {str(row.get("name")) for row in rows()}


def rows() -> list[dict[str, Any]]:
    """All of them, the user's own first."""
    import tomllib

    own = config.own_providers().get("provider", [])
    known = tomllib.loads(Path(__file__).with_name("providers.toml").read_text(encoding="utf-8"))["provider"]
    return [row for row in own if isinstance(row, dict)] + list(known)


def _of_row(row: dict[str, Any], prefix: str, model: str) -> Endpoint:
    title, variables = str(row.get("title", prefix)), row.get("key", [])
    base = row.get("base")
    if not isinstance(base, str):
        raise ConfigError(f"{config.providers_path()}: '{prefix}' has no address (base); correct it")
    origin, path = origin_and_path(checked_address(completed(config.first_set(row.get("base_from", []))[1], base), prefix))
    key = keys.find(prefix, variables)
    if key is None and row.get("needs_key", True):
        variable = f"set {variables[0]}, or " if variables else ""
        raise MissingKey(f"{title} wants a key, and none is set; {variable}run: cosimo keys set {prefix}")
    # the path of a user's own row is that of its embeddings
    rest = str(row.get("path", PATH))
    rest = PATH if rest.endswith("/embeddings") else rest
    return Endpoint(title, origin, path + rest, model, key, prefix, _headers(key, str(row.get("header", ""))))


def _of_address(name: str) -> Endpoint:
    address, _, model = name.partition("#")
    if not model:
        raise ModelNotFound(f"'{name}' names no model; write it after a #, as in http://localhost:8000/v1#qwen3")
    origin, path = origin_and_path(checked_address(address, "the server"))
    path = path.removesuffix(PATH) or "/v1"
    host = origin.partition("://")[2]
    key = keys.find(host)
    return Endpoint(host, origin, path + PATH, model, key, host, _headers(key, ""))


def _headers(key: str | None, header: str) -> dict[str, str]:
    if key is None:
        return {}
    return {header: key} if header else {"Authorization": f"Bearer {key}"}
