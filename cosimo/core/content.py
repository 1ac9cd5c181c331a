"""Content: the hash that says whether a text changed, and what of a text a database can hold. Reads nothing."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from .errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .types import Content

_SURROGATES = re.compile("[\ud800-\udfff]")


def storable(text: str) -> str:
    """The text with every lone surrogate replaced by U+FFFD: half a character has no UTF-8, and no database takes it.

    Raises
    ------
    DataError : something else than a string, an integer id for one
    """
    if not isinstance(text, str):
        raise DataError(f"ids and texts must be strings, not {text!r}; use str()")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text


def texts_of(contents: Sequence[Content], name: str, prompt: str = "") -> list[str]:
    """The contents as a model of texts reads them, the prompt before each that does not begin with it.

    Raises
    ------
    DataError : one that is not text
    """
    for position, content in enumerate(contents):
        if not isinstance(content, str):
            raise DataError(f"{name} reads text, and content {position} is {type(content).__name__}")
    return [text if text.startswith(prompt) else prompt + text for text in contents if isinstance(text, str)]


def content_hash(content: str | bytes) -> bytes:
    """16 bytes of MD5 over the content as it is stored (text as UTF-8): the column `content_hash` of `llm`'s tables."""
    data = content if isinstance(content, bytes) else storable(content).encode()
    return hashlib.md5(data, usedforsecurity=False).digest()  # MD5 because the file format says so; nothing is protected by it
