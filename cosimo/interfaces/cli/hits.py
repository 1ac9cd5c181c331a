"""Hits: the answers of a search by vector, as `similar` and `related` print them."""

from __future__ import annotations

import json
from textwrap import indent
from typing import TYPE_CHECKING, Any

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
    table = not as_json and output.on_terminal()
    rows = (
        {"id": hit.id, "score": hit.score, "content": _text(hit) or (about(hit) if table else None), "metadata": hit.metadata}
        | when(hit)
        for hit in hits
    )
    output.records(rows, ("score", "id", "content"), as_json=as_json)


def when(hit: Hit) -> dict[str, Any]:
    """`seconds`, from when to when the best part of a sound or a film lies; nothing of other hits."""
    best = hit.passages[0] if hit.passages else None
    return {"seconds": list(best.seconds)} if best and best.seconds else {}


def about(hit: Hit) -> str | None:
    """What is known of a hit that has no text: of a picture its size, when and with what it was taken; of a film where."""
    known = hit.metadata or {}
    if best := when(hit).get("seconds"):
        return f"{hit.passages[0].heading} {clock(best[0])}–{clock(best[1])}"
    size = f"{known['width']} × {known['height']}" if "width" in known and "height" in known else None
    found = [size, known.get("taken"), known.get("camera")] if known.get("media") == "image" else []
    return ", ".join(str(each) for each in found if each) or (
        output.snippet(hit.content) if isinstance(hit.content, bytes) else None
    )


def clock(seconds: float) -> str:
    """A time as players show it: 0:01.50, 1:02:03.50."""
    minutes, rest = divmod(round(seconds, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:05.2f}" if hours else f"{minutes}:{rest:05.2f}"


def _text(hit: Hit) -> str | None:
    return hit.content if isinstance(hit.content, str) else None


def _print_plain(hit: Hit) -> None:
    click.echo(f"{hit.id} ({hit.score})\n")
    if shown := _text(hit) or about(hit):
        click.echo(indent(shown, "  "))
    if hit.metadata:
        click.echo(indent(json.dumps(hit.metadata, ensure_ascii=False), "  "))
    click.echo("")
