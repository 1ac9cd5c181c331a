"""Pictured: pictures that are embedded → their thumbnails, and which of them are damaged. Stores nothing.

Making the thumbnail is what shows that a file is whole: its header tells little, and one damaged picture must not stop a run.
A model that decodes a picture makes it on the way; where none did, it is made here.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ..core.content import modality_of
from ..core.errors import Error
from ..core.pictures import Seen, thumbnail

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.types import Document

THREADS = 4  # Pillow lets go of Python's lock while it decodes; a picture of 12 megapixels takes 60 MB meanwhile


class Pictured(NamedTuple):
    """What looking at pictures gave; both by the hash of the content."""

    thumbnails: dict[bytes, bytes]  # WebP
    damaged: dict[bytes, str]  # why


def seen(contents: Mapping[bytes, Document]) -> dict[bytes, Document]:
    """The same contents, of which pictures keep the thumbnail that somebody makes; hash → a document with this content."""
    return {
        hash: replace(document, content=Seen(document.content))
        if isinstance(document.content, bytes) and modality_of(document.content) == "image"
        else document
        for hash, document in contents.items()
    }


def looked_at(contents: Mapping[bytes, Document]) -> Pictured:
    """Thumbnails of those that `seen` found to be pictures."""
    pictures = {hash: document.content for hash, document in contents.items() if isinstance(document.content, Seen)}
    found = Pictured({}, {})
    if not pictures:
        return found
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1, len(pictures))) as pool:
        for hash, small in zip(pictures, pool.map(_small, pictures.values()), strict=True):
            if isinstance(small, bytes):
                found.thumbnails[hash] = small
            else:
                found.damaged[hash] = str(small)
    return found


def with_facts(document: Document) -> Document:
    """The document; a picture that does not say itself what it is has that in its metadata."""
    from ..sources.media import picture_facts

    given = document.metadata or {}
    if not isinstance(document.content, bytes) or "media" in given or modality_of(document.content) != "image":
        return document
    found = {name: value for name, value in picture_facts(document.content).items() if value is not None}
    return replace(document, metadata={"media": "image", **found, **given})


def _small(data: bytes) -> bytes | Error:
    try:
        return thumbnail(data)
    except Error as error:
        return error
