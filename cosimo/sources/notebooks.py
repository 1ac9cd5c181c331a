"""Notebooks: a Jupyter notebook in, its prose and its code out, in the order of its cells. Outputs are left behind."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ..core.errors import UnreadableSource
from .extracts import Extract, bytes_of, known, refuse
from .text import decode, unix_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PICTURE = re.compile(r"data:[\w/+.;=-]{1,100},[\w+/=%-]{100,}")  # in the text of a cell


def read_notebook(path: Path, encodings: Sequence[str] = ()) -> Iterator[Extract]:
    """The one document that a notebook of format 3 or 4 is: Markdown, with code in fences.

    Raises
    ------
    UnreadableSource : it is no notebook
    """
    data = bytes_of(path)
    try:
        notebook = json.loads(decode(data, encodings))
    except (ValueError, RecursionError) as error:  # ValueError: not JSON
        raise refuse("a notebook", data[:1024]) from error
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells", notebook.get("worksheets")), list):
        raise UnreadableSource("it is JSON, but not a notebook: it has no list of cells")
    told = notebook.get("metadata")
    facts = told if isinstance(told, dict) else {}
    language = _language(facts)
    text = "\n\n".join(filter(None, (_cell(cell, language) for cell in _cells(notebook))))
    title = facts.get("title") or facts.get("name")
    yield Extract(text, known(type="notebook", title=title if isinstance(title, str) else None, code_language=language))


def _cells(notebook: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    sheets = [notebook] if "cells" in notebook else notebook["worksheets"]
    for sheet in sheets:
        cells = sheet.get("cells") if isinstance(sheet, dict) else None
        yield from (cell for cell in cells if isinstance(cell, dict)) if isinstance(cells, list) else ()


def _cell(cell: Mapping[str, Any], language: str) -> str:
    """The text of a cell, `source` in format 4, `input` for code in format 3, as one string or a list of lines."""
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str) or not source.strip():
        return ""
    text, kind = PICTURE.sub("", unix_lines(source)).strip("\n"), cell.get("cell_type")
    if kind == "heading":  # format 3
        level = cell.get("level")
        return f"{'#' * (level if isinstance(level, int) and 1 <= level <= 6 else 1)} {' '.join(text.split())}"
    if kind != "code":
        return text
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"


def _language(facts: Mapping[str, Any]) -> str:
    """What its code is written in: `python`."""
    for part, name in (("language_info", "name"), ("kernelspec", "language")):
        said = facts.get(part)
        if isinstance(said, dict) and isinstance(said.get(name), str):
            return str(said[name]).lower()
    return ""
