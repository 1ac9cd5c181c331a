"""`cosimo cache`: the vectors that were computed once and are kept: how many, of which models; removing them."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from . import options, output
from .lazy import DefaultGroup


@click.group(cls=DefaultGroup, default="info")
def cache() -> None:
    """Describe, empty and shorten the cache of computed vectors."""


@cache.command()
@options.as_json
def info(*, as_json: bool) -> None:
    """Say where the cache is, how large, and what it holds of which model."""
    from ...embedders.cache import user_cache

    found = user_cache().info()
    models = [
        {"model": each.name, "dim": each.dim, "rows": each.rows, "last_used": _day(each.last_used)} for each in found.models
    ]
    head = {"path": str(found.path), "bytes": found.bytes, "limit": found.limit, "rows": found.rows}
    if as_json or not output.on_terminal():
        output.line(head | {"models": models})
        return
    output.table([[key, output.shown(value)] for key, value in head.items()], ("what", "value"))
    if models:
        click.echo()
        output.records(models, ("model", "dim", "rows", "last_used"))


@cache.command()
@click.option("-m", "--model", help="Only the vectors of this model, named as `info` names it.")
def clear(model: str | None) -> None:
    """Remove every vector from the cache. Nothing is lost but the time and money to compute them again."""
    from ...core.registry import canonical
    from ...embedders.cache import user_cache

    gone = user_cache().clear(None if model is None else canonical(model))
    click.echo(f"{gone:,} vectors removed", err=True)


@cache.command()
@click.option("--size", help="Bytes that may stay, such as 500MB. [default: $COSIMO_CACHE_SIZE or 2GB]")
@click.option("--days", type=click.FloatRange(0), help="First remove what was not used for so many days.")
def prune(size: str | None, days: float | None) -> None:
    """Remove the vectors that were used longest ago, until the cache is small enough."""
    from ...core.config import size_of
    from ...embedders.cache import user_cache

    gone = user_cache().prune(size=None if size is None else size_of(size, "--size"), days=days)
    click.echo(f"{gone:,} vectors removed", err=True)


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
