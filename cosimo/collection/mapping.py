"""Mapping: a map wired to the store: what was asked for, what is kept, and the file that it is written to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from ..core.errors import DataError
from ..verbs.maps.map_picture import FORMATS as PICTURES
from ..verbs.maps.map_picture import write_picture
from ..verbs.maps.map_rows import FORMATS as ROWS
from ..verbs.maps.map_rows import write_rows

if TYPE_CHECKING:
    from ..core.results import KeepingStore
    from ..core.store import Store
    from ..verbs.maps.scene import Scene

PAGES = {".html": "html", ".htm": "html"}
ENDINGS = {**PAGES, **PICTURES, **ROWS}


def kept_in(store: Store) -> KeepingStore | None:
    """The store as one that keeps results, where it does."""
    return cast("KeepingStore", store) if hasattr(store, "keep") else None


def format_of(target: str | Path | BinaryIO, format: str | None) -> str:
    """What a file is to be: as `format` says, else by the ending of its name.

    Raises
    ------
    DataError : neither tells
    """
    if format is not None:
        if format not in ENDINGS.values():
            raise DataError(f"a map cannot be written as '{format}'; known: {', '.join(dict.fromkeys(ENDINGS.values()))}")
        return format
    ending = Path(target).suffix.lower() if isinstance(target, str | Path) else ""
    if ending not in ENDINGS:
        known = ", ".join(sorted(ENDINGS))
        raise DataError(f"what to write to {target if ending or isinstance(target, str | Path) else 'a stream'} is not told"
                        f" by its name; it may end in {known}")  # fmt: skip
    return ENDINGS[ending]


def write(scene: Scene, target: str | Path | BinaryIO, format: str, *, dark: bool = False) -> int:
    """Write a scene to a file, as one of the formats; the number of items."""
    place = Path(target) if isinstance(target, str) else target
    if format == "html":
        from ..verbs.exchange import replacing
        from ..verbs.maps.map_page import page

        text = page(scene).encode()
        if isinstance(place, Path):
            with replacing(place) as file:
                file.write(text)
        else:
            place.write(text)
        return len(scene.map)
    if format in PICTURES.values():
        return write_picture(scene, place, format, dark=dark)
    return write_rows(scene, place, format)
