"""Mixed: --named, --weight and --fusion of `cosimo search` → a search of several named vectors at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...collection.collection import Collection
    from ...core.types import Content, Hit

OTHERS = (
    "mode", "like", "unlike", "plus", "minus", "diversity", "group", "rerank", "also", "fts_syntax", "precision", "facets",
)  # fmt: skip
asked = options.stacked(
    click.option("--named", multiple=True, metavar="NAME=TEXT|FILE",
                 help="Ask the named vectors NAME this, whatever the others are asked; may be repeated."),
    click.option("--weight", multiple=True, metavar="[NAME=]NUMBER",
                 help="How much the named vectors NAME count, or the collection's own; what has none is not asked."),
    click.option("--fusion", type=click.Choice(["weighted", "rrf", "relative"]),
                 help="How several vectors of an item make one score. [default: weighted, the mean of cosines]"),
)  # fmt: skip


def is_asked(given: dict[str, Any]) -> bool:
    """Whether any of these options was given."""
    return bool(given["named"] or given["weight"] or given["fusion"])


def refuse_others(given: dict[str, Any]) -> None:
    """Raise `click.UsageError` for options that go with a single space alone."""
    for name in OTHERS:
        if is_asked(given) and given[name]:
            raise click.UsageError(f"--{name.replace('_', '-')} does not go with --named, --weight and --fusion.")


def search_mixed(chosen: Collection, query: Content | None, beside: Sequence[str], given: dict[str, Any]) -> list[Hit]:
    """The hits of several named vectors."""
    if beside:
        raise click.UsageError("A text and a file are for different names here: give one of them with --named.")
    asked = options.by_name("--named", "NAME=TEXT or NAME=FILE", given["named"])
    named = {name: _content(name, value) for name, value in asked.items()}
    weights = _weights(given["weight"])
    return chosen.search_mixed(
        query, given["number"], named=named, weights=weights or None, fusion=given["fusion"] or "weighted",
        where=given["where"], prefix=given["prefix"], min_score=given["min_score"],
    )  # fmt: skip


def _weights(spelled: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for each in spelled:
        name, _, number = each.rpartition("=")
        if name in found:
            raise click.UsageError(f"--weight weighs {repr(name) if name else 'the own vectors'} twice; once is enough.")
        try:
            found[name] = float(number)
        except ValueError as error:
            said = f"--weight is NAME=NUMBER, or a number for the collection's own vectors, not {each!r}."
            raise click.UsageError(said) from error
    return found


def _content(name: str, value: str) -> Content:
    """A text, or what is in a file: of the name of a picture, a sound or a film nobody means the letters."""
    from ...sources.media import media_of
    from .inputs import content_of

    if media_of(value) is None:
        return content_of(value, None, binary=False)
    if not Path(value).is_file():
        raise click.UsageError(f"--named {name}: there is no file {value}.")
    return content_of(None, value, binary=True)
