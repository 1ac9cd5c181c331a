"""Output: results as NDJSON in a pipe, as a readable table on a terminal. Knows shapes of text, nothing of embeddings."""

from __future__ import annotations

import json
import re
import shutil
import sys
import unicodedata
from dataclasses import asdict
from textwrap import indent as indented
from typing import TYPE_CHECKING, Any

import click

from ...core.content import storable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ...verbs.scoring.labels import Written

WIDTH = 100  # where the terminal does not tell
STEERING = re.compile("[\x7f-\x9f]")  # JSON lets them stand, and a terminal obeys them


def on_terminal() -> bool:
    """True where a person reads stdout."""
    return sys.stdout is not None and sys.stdout.isatty()


def line(record: Mapping[str, Any]) -> None:
    """One record as one line of JSON; text stays readable where stdout can hold it, bytes become base64."""
    click.echo(_json(record))


def _json(record: Mapping[str, Any], indent: int | None = None) -> str:
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()  # cp1252 in a pipe on Windows, for one
    text = storable(json.dumps(record, ensure_ascii=not encoding.startswith("utf"), default=_jsonable, indent=indent))
    return STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def progress(kind: str) -> Callable[[Any], None] | None:
    """What a verb calls after each commit, for --progress: a line of JSON, nothing, or None, with which it draws its bar."""
    if kind == "bar":
        return None

    def report(done: Any) -> None:  # what was done so far, as a dataclass
        if kind == "json":  # echo flushes, so a reader sees each line at once
            click.echo(json.dumps({**asdict(done), "seconds": round(done.seconds, 3)}))

    return report


def array(records: Iterable[Mapping[str, Any]]) -> None:
    """Records as one JSON array, each written as it comes."""
    before = "["
    for record in records:
        click.echo(before + "\n" + indented(_json(record, indent=2), "  "), nl=False)
        before = ","
    click.echo("[]" if before == "[" else "\n]")


def records(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool = False) -> None:
    """Records for whoever reads: NDJSON in a pipe or on request, else a table of these columns."""
    if as_json or not on_terminal():
        for row in rows:
            line(row)
        return
    table([[shown(row.get(column)) for column in columns] for row in rows], columns)


def table(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> None:
    """A table as wide as the terminal: all columns but the last take what they need, the last what is left."""
    if not rows:
        click.echo("(nothing)", err=True)
        return
    total = shutil.get_terminal_size((WIDTH, 24)).columns
    widths = [max(display_width(cell) for cell in column) for column in zip(columns, *rows, strict=True)]
    widths = [min(width, max(12, total // 2)) for width in widths[:-1]]
    left = max(20, total - sum(widths) - 2 * len(widths))
    click.echo("  ".join(_padded(name, width) for name, width in zip(columns, [*widths, left], strict=True)).rstrip())
    for row in rows:
        click.echo("  ".join(_padded(cell, width) for cell, width in zip(row, [*widths, left], strict=True)).rstrip())


def written(done: Written, given: Mapping[str, Any]) -> None:
    """What --write did to how many items."""
    more = "" if given["overwrite"] else " (--overwrite replaces labels)"
    left = f", {done.left:,} left as they were{more}" if done.left else ""
    click.echo(f"{snippet(given['write'])}: {done.written:,} items written{left}", err=True)


def display_width(text: str) -> int:
    """Columns a text takes on a terminal: East Asian wide characters take two, combining marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def snippet(content: object, characters: int = 400) -> str:
    """The beginning of a content on one line, without anything that could steer the terminal."""
    if isinstance(content, bytes):
        return f"({len(content):,} bytes)"
    text = " ".join(str(content or "")[: characters * 2].split())
    return "".join(c if c.isprintable() else "�" for c in text)[:characters]


def shown(value: object) -> str:
    """A value as a cell of a table."""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, int):
        return f"{value:,}"
    return snippet(json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else "" if value is None else value)


def _padded(text: str, width: int) -> str:
    if display_width(text) <= width:
        return text + " " * (width - display_width(text))
    kept, used = "", 1
    for character in text:
        used += display_width(character)
        if used > width:
            break
        kept += character
    return kept + "…" + " " * (width - display_width(kept) - 1)


def _jsonable(value: object) -> str:
    if isinstance(value, bytes):
        from base64 import b64encode

        return b64encode(value).decode("ascii")
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
