"""Inputs: the one text a command works on, from -c, -i or stdin. Reads bytes and hands out a content."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import click

HEAD = 8_192  # bytes in which everything but text has a NUL


def content_of(content: str | None, path: str | None, binary: bool) -> str | bytes:
    """What -c gives, else the file of -i, else stdin: a text, or bytes where they begin like a picture, a sound or a film.

    Parameters
    ----------
    binary : take it for bytes, whatever it begins like

    Raises
    ------
    click.UsageError : more than one of them
    click.ClickException : nothing there
    UnreadableSource : neither text nor anything else that is known
    """
    from ...core.content import modality_of

    if content is not None:
        return text_of(content, path)
    data, name = _read(path)
    known = binary or (b"\0" in data[:HEAD] and modality_of(data) is not None)  # a text may begin like one: "BMW is…"
    return _something(data if known else _text(data, name))


def question_of(content: str | None, path: str | None, binary: bool) -> tuple[str | bytes, tuple[str, ...]]:
    """What is asked, and what is added to it: a file and a text together are a mixture, as a shoe and "but red"."""
    if content is None or path is None:
        return content_of(content, path, binary), ()
    return content_of(None, path, binary), (text_of(content, None),)


def text_of(content: str | None, path: str | None) -> str:
    """As `content_of`, for commands that work on texts alone."""
    if content is not None and path is not None:
        raise click.UsageError("Give either --content or --input, not both.")
    text = _whole(content) if content is not None else _text(*_read(path))
    _something(text)
    return text


def _read(path: str | None) -> tuple[bytes, str]:
    """The bytes of a file or of stdin, and what to call it."""
    return (stdin().read(), "stdin") if path in (None, "-") else (Path(str(path)).read_bytes(), str(path))


def stdin() -> BinaryIO:
    """Standard input as bytes; a person who would have to type it is told so.

    Raises
    ------
    click.ClickException : it is closed
    """
    if sys.stdin is None:
        raise click.ClickException("standard input is closed; name a file, or give the text with -c.")
    if sys.stdin.isatty():
        click.echo("reading from the keyboard; Ctrl-D ends it (Ctrl-Z and Return on Windows)", err=True)
    return sys.stdin.buffer


def metadata_of(text: str | None) -> dict[str, Any] | None:
    """The JSON object of --metadata.

    Raises
    ------
    click.UsageError : not a JSON object
    """
    if text is None:
        return None
    try:
        value = json.loads(text, parse_constant=_no_json)
    except RecursionError as error:
        raise click.UsageError("--metadata is nested too deeply.") from error
    except json.JSONDecodeError as error:
        raise click.UsageError(f"--metadata is not JSON: {error}") from error
    except ValueError as error:  # Python stops at 4,300 digits
        raise click.UsageError("--metadata holds a number of more digits than can be read.") from error
    if not isinstance(value, dict):
        raise click.UsageError("--metadata must be a JSON object, like '{\"year\": 2020}'")
    return value


def _no_json(name: str) -> NoReturn:
    raise click.UsageError(f"--metadata is not JSON: it has no {name}; write null")


def _whole(content: str) -> str:
    """An argument that is not UTF-8 comes with its bytes as surrogates: it is decoded as a file would be."""
    from ...core.content import storable

    return content if storable(content) == content else _text(os.fsencode(content), "--content")


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
