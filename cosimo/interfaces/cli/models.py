"""`cosimo models`: which models are here, fetching one, choosing the default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import options, output
from .lazy import DefaultGroup

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group(cls=DefaultGroup, default="list")
def models() -> None:
    """List, fetch and choose models."""


@models.command(name="list")
@options.as_json
def list_(*, as_json: bool) -> None:
    """List the models that are on this machine, those that can be fetched, and known ones on servers."""
    from ...core import config, registry
    from ...embedders import providers, weights

    default = registry.canonical(config.default_model())
    here = {model.name: model for model in weights.installed()}
    facts = {model.name: model for model in weights.known()}
    rows = []
    for name in sorted({*here, *facts}):
        fact, model = facts.get(name), here.get(name)
        rows.append(
            {
                "name": name,
                "here": bool(model),
                "default": name == default,
                "dim": fact.dim if fact else None,
                "max_tokens": fact.max_tokens if fact else None,
                "price": 0.0,
                "bytes": model.bytes if model else fact.bytes if fact else None,
                "path": str(model.path) if model else None,
                "server": None,
            }
        )
    for served in providers.models():
        provider = providers.provider(served.name.partition(":")[0])
        rows.append(
            {
                "name": served.name,
                "here": False,
                "default": registry.canonical(served.name) == default,
                "dim": served.dim,
                "max_tokens": served.max_tokens,
                "price": served.price,
                "bytes": None,
                "path": None,
                "server": provider.title if provider else None,
            }
        )
    output.records(rows, ("name", "here", "default", "dim", "max_tokens", "price", "server", "path"), as_json=as_json)


@models.command()
@click.argument("address")
def trust(address: str) -> None:
    """Allow texts to be sent to a server that a database names.

    A model given with -m is trusted by that. A database made elsewhere may name any server; its address has to be allowed once.
    """
    from urllib.parse import urlsplit

    from ...core.trust import remember

    try:
        named = address.startswith(("http://", "https://")) and urlsplit(address).hostname
    except ValueError:
        named = None
    if not named:
        raise click.UsageError("ADDRESS is that of a server, as https://models.example.org.")
    remember(address)


@models.command()
@click.argument("name")
@options.as_json
def info(name: str, *, as_json: bool) -> None:
    """Say what is known of model NAME: length, window, prompts, price, server. Asks nobody."""
    from ...core import registry

    adapter, rest = registry.split(name)
    if adapter == "openvino":
        record = _of_files(name)
    else:
        record = _served(name) if adapter == "http" else _catalogued(rest if adapter in ("st", "clap") else name)
    if as_json or not output.on_terminal():
        output.line(record)
    else:
        output.table([[key, output.shown(value)] for key, value in record.items()], ("what", "value"))


@models.command(name="providers")
@options.as_json
def providers_(*, as_json: bool) -> None:
    """List the servers that are known by name, and whether a key is set for each."""
    from ...core import keys
    from ...embedders import providers

    rows = [
        {
            "name": row.name,
            "title": row.title,
            "key": "set" if keys.find(row.name, row.key) else "missing" if row.needs_key else "not needed",
            "variable": row.key[0] if row.key else None,
            "address": row.base,
            "source": row.source,
        }
        for row in providers.providers()
    ]
    output.records(rows, ("name", "title", "key", "variable", "address"), as_json=as_json)


@models.command()
@click.argument("name")
@options.quiet
def pull(name: str, *, quiet: bool) -> None:
    """Fetch the weights of model NAME, unless they are here."""
    from ...embedders import weights

    folder = weights.fetch(name, progress=not quiet)
    if not quiet:
        click.echo(folder)


@models.command()
@click.argument("name")
def path(name: str) -> None:
    """Print the folder that holds the weights of model NAME."""
    from ...embedders import weights

    click.echo(weights.find(name))


@models.command()
@click.argument("name", required=False)
def default(name: str | None) -> None:
    """Print the model used where none is named, or make it NAME."""
    from ...core import config, registry
    from ...core.errors import ModelNotFound
    from ...embedders import weights

    if name is None:
        click.echo(config.default_model())
        return
    adapter, _ = registry.split(name)
    config.set_default_model(name)
    click.echo(f"the default model is {name}", err=True)
    if config.default_model() != name:
        click.echo(f"but as long as COSIMO_MODEL is set, it is {config.default_model()}", err=True)
    if adapter == "local":
        try:
            weights.find(name)
        except ModelNotFound as error:  # it may be fetched later; a slip of the finger shows at once
            click.echo(str(error), err=True)


def _served(name: str) -> dict[str, object]:
    """What is known of a model on a server."""
    from ...core import keys
    from ...embedders import providers

    endpoint = providers.resolve(name)
    facts, provider = endpoint.facts, endpoint.provider
    return {
        "name": endpoint.name,
        "model": endpoint.model,
        "server": provider.title,
        "address": endpoint.origin + endpoint.paths[0],
        "key": "set" if keys.find(endpoint.key_name, provider.key) else "missing" if provider.needs_key else "not needed",
        "dim": endpoint.dim or (facts.dim if facts else None),
        "dims": _lengths(facts.dims, facts.shortens, facts.dim) if facts else [],
        "max_tokens": facts.max_tokens if facts else provider.window,
        "prompts": dict(facts.prompts) if facts else {},
        "languages": list(facts.languages) if facts else [],
        "price": facts.price if facts else None,
        "source": facts.source if facts else provider.source,
        "checked": str((facts or provider).checked or ""),
    }


def _catalogued(name: str) -> dict[str, object]:
    """What is known of a model of this machine."""
    from ...core import registry
    from ...core.errors import ModelNotFound
    from ...embedders import catalog, weights

    full = registry.canonical(name)
    entry = catalog.entry(name)
    here = next((model for model in weights.installed() if model.name == full), None)
    if entry is None and here is None:
        raise ModelNotFound(f"nothing is known of '{full}'; see: cosimo models list")
    return {
        "name": full,
        "path": str(here.path) if here else None,
        "dim": entry.dim if entry else None,
        "dims": _lengths(entry.dims, entry.shortens, entry.dim) if entry else [],
        "max_tokens": entry.max_tokens if entry else None,
        "pooling": entry.pooling if entry else None,
        "prompts": dict(entry.prompts) if entry else {},
        "languages": list(entry.languages) if entry else [],
        "modalities": list(entry.modalities) if entry else ["text"],
        "license": entry.license if entry else None,
        "superseded_by": entry.superseded_by or None if entry else None,
        "price": 0.0,
        "source": entry.source if entry else None,
        "checked": str(entry.checked) if entry else "",
    }


def _of_files(name: str) -> dict[str, object]:
    """What the files of a model say themselves."""
    from ...collection.models import load_embedder

    spec = load_embedder(name).spec
    return {
        "name": spec.name,
        "dim": spec.dim,
        "max_tokens": spec.max_tokens,
        "seconds": spec.seconds,
        "normalized": spec.normalized,
        "logit_scale": spec.logit_scale,
        "languages": list(spec.languages),
        "modalities": list(spec.modalities),
        "revision": spec.revision,
        "price": spec.price,
    }


def _lengths(dims: Sequence[int], shortens: bool, dim: int) -> list[int] | str:
    """The lengths that a model's vectors may be cut to: `NAME@256`."""
    return f"any up to {dim}" if shortens else list(dims)
