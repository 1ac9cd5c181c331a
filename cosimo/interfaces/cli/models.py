"""`cosimo models`: which models are here, fetching one, choosing the default."""

from __future__ import annotations

import click

from . import options, output
from .lazy import DefaultGroup


@click.group(cls=DefaultGroup, default="list")
def models() -> None:
    """List, fetch and choose models."""


@models.command(name="list")
@options.as_json
def list_(*, as_json: bool) -> None:
    """List the models that are on this machine and those that can be fetched."""
    from ...core import config, registry
    from ...embedders import weights

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
                "bytes": model.bytes if model else fact.bytes if fact else None,
                "path": str(model.path) if model else None,
            }
        )
    output.records(rows, ("name", "here", "default", "dim", "max_tokens", "path"), as_json=as_json)


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
