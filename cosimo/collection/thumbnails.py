"""Thumbnails: a row of a collection → the small copy of its picture: the kept one, else made of the bytes or the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..core.content import content_hash, modality_of
from ..core.errors import NotFound

if TYPE_CHECKING:
    from ..core.results import PicturingStore
    from ..core.store import Store
    from ..core.types import Row


def thumbnail_of(store: Store, row: Row) -> bytes:
    """WebP, at most 256 pixels on its longer side.

    Raises
    ------
    NotFound : the row is no picture, or its picture is neither stored nor in its file as it was
    DataError : the picture is damaged
    """
    from ..core.pictures import thumbnail

    if row.hash is not None and hasattr(store, "thumbnail"):
        kept = cast("PicturingStore", store).thumbnail(row.hash)
        if kept is not None:
            return kept
    return thumbnail(_picture(row))


def _picture(row: Row) -> bytes:
    """The bytes of a row's picture."""
    if isinstance(row.content, bytes) and modality_of(row.content) == "image":
        return row.content
    known = row.metadata or {}
    file = known.get("file")
    if row.content is not None or known.get("media") != "image" or not isinstance(file, str):
        raise NotFound(f"'{row.id}' is no picture, so it has no thumbnail")
    try:
        data = Path(file).read_bytes()
    except (OSError, ValueError) as error:
        raise NotFound(f"'{row.id}' has no thumbnail, and its picture is not in {file} any more; add it again") from error
    if content_hash(data) != row.hash:
        raise NotFound(f"'{row.id}' has no thumbnail, and {file} holds another picture now; add it again")
    return data
