"""Excerpts: hits that are definitions of a program → `file:line` and the lines around it, for a person at a terminal."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...core.types import Hit, Metadata

BEFORE, AFTER = 2, 5  # lines around the one that holds the name
LARGEST = 20_000_000  # bytes of a file that is read for it


def all_code(hits: Sequence[Hit]) -> bool:
    """Whether every hit says in its metadata where in which file it is, as `cosimo code` writes it."""
    return bool(hits) and all(_is_code(hit.metadata or {}) for hit in hits)


def printed(hits: Sequence[Hit], *, several: bool = False) -> None:
    """Each hit as a line that editors and terminals can follow, and the source below it; `several` names its collection."""
    for number, hit in enumerate(hits):
        known: Metadata = hit.metadata or {}
        path = _path(known)
        if number:
            click.echo()
        collection = f"{output.snippet(hit.collection)}  " if several else ""
        click.echo(f"{hit.score:.4f}  {collection}{_near(path)}:{known['line']}  {output.snippet(known.get('name', hit.id))}")
        lines = _around(path, known)
        for at, text in lines if lines is not None else _stored(hit):
            click.echo(_fitting(f"{at:>6}  {text}" if at else f"        {text}"))


def _is_code(known: Metadata) -> bool:
    lines = [known.get(name) for name in ("line", "start_line", "end_line")]
    return isinstance(known.get("file"), str) and all(isinstance(line, int) and line > 0 for line in lines)


def _path(known: Metadata) -> Path:
    return Path(str(known.get("root") or "."), str(known["file"]))


def _near(path: Path) -> str:
    """The path from here where it is below the present folder, as a terminal can open it."""
    try:
        return output.snippet(path.relative_to(Path.cwd()).as_posix())
    except ValueError:
        return output.snippet(str(path))


def _around(path: Path, known: Metadata) -> list[tuple[int, str]] | None:
    """Numbered lines of the file; None where it is gone, or no longer has the definition there."""
    first = max(known["line"] - BEFORE, known["start_line"], 1)
    last = min(known["line"] + AFTER, known["end_line"])
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return None
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = [text.rstrip("\n") for text in islice(file, first - 1, last)]
    except (OSError, ValueError):
        return None
    at = known["line"] - first
    if at >= len(lines) or _last_name(known) not in lines[at]:
        return None
    return list(enumerate(lines, first))


def _last_name(known: Metadata) -> str:
    name = str(known.get("name", "")).partition("#")[0].rpartition(".")[2]
    return "" if name == "default" else name


def _stored(hit: Hit) -> list[tuple[int, str]]:
    """What was embedded, without its first line, which is the name once more."""
    text = hit.content if isinstance(hit.content, str) else ""
    return [(0, line) for line in text.split("\n")[1 : BEFORE + AFTER + 1]]


def _fitting(text: str) -> str:
    """A line as wide as the terminal, without anything that could steer it."""
    room = shutil.get_terminal_size((output.WIDTH, 24)).columns
    shown: Any = (c if c.isprintable() else "�" for c in text[: 4 * room].expandtabs(4))
    kept, used = "", 0
    for character in shown:
        used += output.display_width(character)
        if used > room:
            break
        kept += character
    return kept.rstrip()
