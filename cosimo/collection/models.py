"""Models: a model's name → its embedder: of our runtime or another, its vectors cut to length, with the cache around it."""

from __future__ import annotations

import json
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ..core import config, registry
from ..core.errors import ConfigError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.types import Embedder, Modality, Settings

# None: as `$COSIMO_CACHE` says, else for models with a price or a network; True, False: always, never; a mapping: kept there;
# LangChain's files: the user's own cache, and these are looked into where it has nothing
Cache: TypeAlias = bool | MutableMapping[str, bytes] | Any

_LENGTH = re.compile(r"(?P<name>.+)@(?P<dim>[1-9]\d{0,4})")


def load_embedder(model: str, *, precision: str | None = None, cache: Cache = None) -> Embedder:
    """The embedder behind a model's name.

    Parameters
    ----------
    model : as the world writes it; `@256` at the end asks for vectors of that length
    cache : None as usual, True or False, or a mapping to keep vectors in

    Raises
    ------
    ModelNotFound : no such model, or its weights are not here and cannot be fetched
    MissingExtra : it needs a package that is not installed
    ConfigError : a precision for a model that is not computed here
    """
    adapter, rest = registry.split(model)
    if precision and adapter not in registry.PRECISE:
        raise ConfigError(f"a precision can be chosen for local models alone, which '{model}' is not; leave it out")
    dim = None
    if adapter in registry.LOCAL and (found := _LENGTH.fullmatch(rest)) and not Path(rest).exists():
        rest, dim = found["name"], int(found["dim"])
    embedder = _loaded(adapter, rest, precision)
    if dim is not None:
        from ..embedders.shortened import Shortened

        embedder = Shortened(embedder, dim)
    return _cached(embedder, adapter, _decisive(embedder, adapter, rest, precision), cache)


def tell(documents: object, model: str | None, embedder: Callable[[], Embedder]) -> None:
    """Let a source know how to ask what the model of its documents reads: it then gives pictures to a model of pictures.

    Parameters
    ----------
    model : its name; None: vectors come from elsewhere, and nothing is said
    embedder : called where the name does not tell: a run over texts loads nothing
    """
    from ..core import kinds

    def unread_by(kind: Modality) -> str | None:
        modalities = _modalities(kind, str(model), embedder)
        return None if kinds.is_read(kind, modalities) else kinds.unread(kind, registry.canonical(str(model)), modalities)

    if hasattr(documents, "unread_by") and model is not None:
        documents.unread_by = unread_by


def _modalities(kind: Modality, model: str, embedder: Callable[[], Embedder]) -> Sequence[str]:
    """What a model reads; for a text, ("text",) where it is clear that texts are among it."""
    from ..embedders import catalog

    adapter, rest = registry.split(model)
    named = adapter in ("local", "st") and not Path(rest).expanduser().is_dir()  # what has a name there reads text
    known = catalog.entry(model) if adapter == "local" else None
    if adapter in registry.TEXT_ALONE or (named and kind == "text") or (known is not None and known.modalities == ("text",)):
        return ("text",)
    return embedder().spec.modalities


def as_made(embedder: Embedder, stored: Settings) -> Embedder:
    """The embedder with the prompts that made a collection, where more is known of its model by now and it can go without.

    Of a collection of another program nobody knows the prompts: it gets those of the model. A model on a server is told what
    the collection knows of it, which each new process would have to ask for otherwise.
    """
    if stored.revision is None:
        return embedder
    if remember := getattr(embedder, "remember", None):
        remember(stored)
    if dict(stored.prompts) == dict(embedder.spec.prompts):
        return embedder
    from ..embedders.prompted import prompted

    return prompted(embedder, stored.prompts)


def _loaded(adapter: str, rest: str, precision: str | None) -> Embedder:
    options = {"precision": precision} if precision else {}
    embedder: Embedder
    if adapter != "local":
        embedder = registry.embedder(adapter)(rest, **options)
        return embedder
    from ..embedders.recipe import Elsewhere

    try:
        embedder = registry.embedder(adapter)(rest, **options)
    except Elsewhere as error:
        try:
            embedder = registry.embedder(error.adapter)(rest, **options if error.adapter in registry.PRECISE else {})
        except MissingExtra:
            raise MissingExtra(str(error)) from error
    return embedder


def _decisive(embedder: Embedder, adapter: str, rest: str, precision: str | None) -> str:
    """What decides a vector beside the embedder's `spec`: its kind, its precision, whom it asks, its arguments."""
    if adapter in registry.PRECISE:
        return f"{adapter} {precision or config.precision()}"
    asked = getattr(embedder, "asked", "")
    if not asked and (row := config.own_providers().get(adapter, {}).get(rest)):  # a class of LangChain's, and its arguments
        asked = json.dumps([row.get("class"), row.get("arguments")], sort_keys=True, default=str)
    return f"{adapter} {asked}".rstrip()


def _cached(embedder: Embedder, adapter: str, provider: str, cache: Cache) -> Embedder:
    """The embedder with a cache around it, where there is to be one; `provider` is part of its keys."""
    if cache is None:
        wanted = config.cache_wanted()
        cache = adapter not in registry.LOCAL if wanted is None else wanted
    if cache is False:
        return embedder
    if not (cache is True or isinstance(cache, MutableMapping) or hasattr(cache, "find")):
        raise ConfigError(f"a cache is True, False, or a mapping of text to bytes, not {cache!r}")
    from ..embedders.cache import CachedEmbedder, user_cache

    if isinstance(cache, MutableMapping):
        return CachedEmbedder(embedder, cache, provider=provider)
    return CachedEmbedder(embedder, user_cache(), provider=provider, older=None if cache is True else cache)
