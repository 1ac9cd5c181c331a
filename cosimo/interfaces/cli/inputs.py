"""Inputs: the one text a command works on, from -c, -i or stdin. Reads bytes and hands out a content."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click


def content_of(content: str | None, path: str | None, binary: bool) -> str | bytes:
    """What -c gives, else the file of -i, else stdin.

    Raises
    ------
    click.UsageError : more than one of them
    click.ClickException : nothing there, or not text
    """
    if content is not None and path is not None:
        raise click.UsageError("Give either --content or --input, not both.")
    if content is None:
        data = sys.stdin.buffer.read() if path in (None, "-") else Path(str(path)).read_bytes()
        if binary:
            return _something(data)
        return _something(_text(data, "stdin" if path in (None, "-") else str(path)))
    return _something(content)


def metadata_of(text: str | None) -> dict[str, Any] | None:
    """The JSON object of --metadata.

    Raises
    ------
    click.UsageError : not a JSON object
    """
    if text is None:
        return None
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise click.UsageError(f"--metadata is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise click.UsageError("--metadata must be a JSON object, like '{\"year\": 2020}'")
    return value


def _text(data: bytes, name: str) -> str:
    from ...core.errors import UnreadableSource
    from ...sources.text import decode, unix_lines

    try:
        return unix_lines(decode(data))
    except UnreadableSource as error:
        raise UnreadableSource(f"{name}: {error}") from error


def _something(content: str | bytes) -> str | bytes:
    if not content.strip():
        raise click.ClickException("No content provided: the text is empty.")
    return content
