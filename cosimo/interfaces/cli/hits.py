"""Hits: the answers of a search by vector, as `similar` and `related` print them."""

from __future__ import annotations

import json
from textwrap import indent
from typing import TYPE_CHECKING

import click

from . import output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...core.types import Hit


def printed(hits: Iterable[Hit], *, plain: bool, as_json: bool) -> None:
    """Hits as NDJSON or a table, or in `plain` text with the whole content of each."""
    if plain:
        for hit in hits:
            _print_plain(hit)
        return
    rows = ({"id": hit.id, "score": hit.score, "content": hit.content, "metadata": hit.metadata} for hit in hits)
    output.records(rows, ("score", "id", "content"), as_json=as_json)


def _print_plain(hit: Hit) -> None:
    click.echo(f"{hit.id} ({hit.score})\n")
    if hit.content:
        click.echo(indent(hit.content if isinstance(hit.content, str) else output.snippet(hit.content), "  "))
    if hit.metadata:
        click.echo(indent(json.dumps(hit.metadata, ensure_ascii=False), "  "))
    click.echo("")
