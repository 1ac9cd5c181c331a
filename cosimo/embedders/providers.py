"""Providers: a model's name → which server, in which words, with what limits. Reads `providers.toml`; calls nobody.

`openai:text-embedding-3-small` is a provider of the file and a model; `http://gpu-box:8000/v1#bge-m3` any server that speaks
OpenAI's shape. `@256` at the end asks for vectors of that length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

from ..core import config
from ..core.addresses import checked_address, completed, origin_and_path
from ..core.errors import ConfigError, ModelNotFound
from ..core.registry import SERVED, canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

WINDOW = 512  # tokens, where nobody tells: no model in use reads fewer but MiniLM (256), and longer texts are cut into passages
_SHAPES = ("openai", "cohere")  # those of `wire`, which brings numpy
_TYPES: Mapping[str, type[Any]] = {  # of a field as its annotation begins → of its value
    "str": str, "int": int, "float": float, "bool": bool, "tuple": tuple, "Mapping": dict, "date": date,
}  # fmt: skip
_LENGTH = re.compile(r"(?P<name>.+)@(?P<dim>[1-9]\d{0,4})")


@dataclass(frozen=True, slots=True)
class Provider:
    """A row of the file; the head of `providers.toml` says what the fields mean."""

    name: str
    title: str
    base: str
    base_from: tuple[str, ...] = ()
    path: str = "/embeddings"
    version: str = ""
    version_from: tuple[str, ...] = ()
    shape: str = "openai"
    key: tuple[str, ...] = ()
    needs_key: bool = True
    header: str = ""  # that carries the key, instead of `Authorization: Bearer`
    items: int = 256
    tokens: int = 100_000
    base64: Mapping[str, str] = field(default_factory=dict)
    dimensions: str = ""
    roles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    model_for: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)  # sent with every request
    window: int | None = None
    describes: str = ""
    truncates: bool = False  # too long a text is read up to its window, and nobody told
    source: str = ""
    checked: date | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a model on a server. `dims`: lengths it can be asked for; `shortens`: any up to `dim`."""

    name: str
    dim: int
    dims: tuple[int, ...] = ()
    shortens: bool = False
    max_tokens: int | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, Mapping[str, str]] | None = None  # other ones than the provider's
    normalized: bool = True
    languages: tuple[str, ...] = ()
    price: float | None = None
    source: str = ""
    checked: date | None = None


class Endpoint(NamedTuple):
    """One model on one server, and how to ask for it."""

    name: str  # by which collections know it
    provider: Provider
    model: str  # by which the server knows it
    origin: str  # scheme, host and port
    paths: tuple[str, ...]  # tried in this order
    dim: int | None  # that is asked for; None leaves it to the server
    facts: Model | None
    key_name: str  # in the file of keys


def resolve(name: str) -> Endpoint:
    """The endpoint that a name means.

    Raises
    ------
    ModelNotFound : a name without a model, of no provider, or a length that the model cannot give
    ConfigError : an address that is none, or that holds a secret
    """
    name = canonical(name)
    whole, dim = _split_length(SERVED.get(name, name))
    if whole.startswith(("http://", "https://")):
        return _of_address(name, whole, dim)
    prefix, _, model = whole.partition(":")
    row = provider(prefix)
    if row is None:
        raise ModelNotFound(f"no provider is called '{prefix}'; see: cosimo models providers")
    if not model:
        raise ModelNotFound(f"'{name}' names no model; write one of {row.title}'s after the colon")
    return _of_provider(name, row, model, dim)


def provider(name: str) -> Provider | None:
    """A row of the file by its name; the user's own file goes first."""
    return next((row for row in providers() if row.name == name), None)


def providers() -> tuple[Provider, ...]:
    """All of them, the user's own first."""
    own = _rows(config.own_providers().get("provider"), Provider, str(config.providers_path()))
    return (*own, *_known()[0])


def models() -> tuple[Model, ...]:
    """What is known of models on servers, the user's own first."""
    own = _rows(config.own_providers().get("model"), Model, str(config.providers_path()))
    return (*own, *_known()[1])


def facts(name: str) -> Model | None:
    """What is known of a model by its name without a length: by our rows, else by the catalogue of open models."""
    head, _, tag = name.rpartition(":")
    untagged = head if ":" in head and "/" not in tag else name  # ollama:bge-m3:567m
    found = next((row for row in models() if row.name in (name, untagged)), None)
    if found is not None:
        return found
    from . import catalog

    entry = catalog.entry(name.partition("#")[2] or name.partition(":")[2])
    if entry is None:
        return None
    return Model(
        name, entry.dim, max_tokens=entry.max_tokens, prompts=entry.prompts, normalized=entry.normalized,
        languages=entry.languages, source=entry.source, checked=entry.checked, dims=entry.dims, shortens=entry.shortens,
    )  # fmt: skip


@cache
def _known() -> tuple[tuple[Provider, ...], tuple[Model, ...]]:
    import tomllib

    path = Path(__file__).with_name("providers.toml")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return _rows(table["provider"], Provider, path.name), _rows(table["model"], Model, path.name)


Row = TypeVar("Row", Provider, Model)


def _rows(rows: Any, kind: type[Row], where: str) -> tuple[Row, ...]:
    """Rows of a file as our own classes, lists as tuples.

    Raises
    ------
    ConfigError : a row without what it needs, or with what nobody knows
    """
    types = {each.name: re.split(r"[\[ ]", str(each.type))[0] for each in fields(kind)}
    found = []
    for row in rows or ():
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
        for key, value in values.items():
            if key not in types:
                raise ConfigError(f"{where}: '{row.get('name')}' has '{key}', which means nothing; correct it")
            if not _fits(key, value, types[key]):
                raise ConfigError(f"{where}: '{row.get('name')}' has a '{key}' that cannot be; correct it")
        try:
            found.append(kind(**values))
        except TypeError as error:
            raise ConfigError(f"{where}: '{row.get('name')}' is not complete: {error}") from error
    return tuple(found)


def _fits(key: str, value: Any, kind: str) -> bool:
    """Whether a value can stand in a field. A path may hold `{model}` and `{version}`."""
    if kind == "float":
        return isinstance(value, int | float) and value >= 0
    if not isinstance(value, _TYPES[kind]) or isinstance(value, bool) != (kind == "bool"):
        return False
    if kind == "int":
        return bool(value > 0)
    if kind == "tuple":
        return all(isinstance(each, int if key == "dims" else str) for each in value)
    if key == "roles":
        return all(isinstance(each, dict) for each in value.values())
    if key == "path":
        return not re.search(r"[{}]", re.sub(r"{(model|version)}", "", value))
    return key != "shape" or value in _SHAPES


def _split_length(name: str) -> tuple[str, int | None]:
    found = _LENGTH.fullmatch(name)
    return (found["name"], int(found["dim"])) if found else (name, None)


def _of_provider(name: str, row: Provider, model: str, dim: int | None) -> Endpoint:
    base = checked_address(completed(config.first_set(row.base_from)[1], row.base), row.name)
    if "YOUR-" in base:
        raise ConfigError(f"{row.title} has an address for each customer; set {row.base_from[0]} to yours")
    known = facts(f"{row.name}:{model}")
    _refuse_length(name, row, known, dim)
    version = config.first_set(row.version_from)[1] or row.version
    origin, path = origin_and_path(base)
    paths = tuple(each.format(model=quote(model, safe=""), version=version) for each in _paths(path, row))
    return Endpoint(name, row, model, origin, paths, dim, known, row.name)


def _of_address(name: str, whole: str, dim: int | None) -> Endpoint:
    address, _, model = whole.partition("#")
    if not model:
        raise ModelNotFound(f"'{name}' names no model; write it after a #, as in http://localhost:8000/v1#bge-m3")
    origin, path = origin_and_path(checked_address(address, "the server"))
    host = urlsplit(origin).netloc
    row = Provider(
        host, host, address, needs_key=False, items=64, base64={"encoding_format": "base64"}, dimensions="dimensions",
        describes="any",
    )  # fmt: skip
    return Endpoint(name, row, model, origin, _paths(path, row), dim, facts(whole), host)


def _paths(base: str, row: Provider) -> tuple[str, ...]:
    """Where to ask, in this order: whether `/v1` belongs in front, people leave out and servers differ (infinity has none)."""
    if row.path != "/embeddings" or row.needs_key:
        return (base + row.path,)
    if base.endswith("/v1"):
        return (base + row.path, base.removesuffix("/v1") + row.path)
    return (base + row.path,) if base else (row.path, f"/v1{row.path}")


def _refuse_length(name: str, row: Provider, known: Model | None, dim: int | None) -> None:
    if dim is None or (known and dim == known.dim):
        return
    if not row.dimensions:
        raise ModelNotFound(f"the length of {row.title}'s vectors cannot be chosen; leave '@{dim}' out of '{name}'")
    if known and (dim not in known.dims if known.dims else dim > known.dim):
        choice = ", ".join(map(str, known.dims)) or f"up to {known.dim}"
        raise ModelNotFound(f"'{name}' cannot be: this model gives vectors of length {choice}")
    if known and not known.dims and not known.shortens:
        raise ModelNotFound(f"'{name}' cannot be: this model's vectors are of length {known.dim}; leave '@{dim}' out")
