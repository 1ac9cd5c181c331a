"""Map page: a scene → one HTML file that holds all it needs and loads nothing: zoom, hover, search, colors, items to open.

Its script and style lie in `page/`, a file for each thing it does; they are put together here. Titles and texts are
anybody's: they are written as JSON in which no `<` stands, shown as text and never as HTML, and a content security policy with
the hash of the one script there is lets no other run.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import __version__
from ...core.content import storable
from .palette import OTHER, RAMP, colors
from .scene import SHOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .scene import Field, Scene

SCRIPTS = ("words", "data", "camera", "painter", "grid", "names", "coloring", "panel", "main")
TEXTS = 20_000_000  # characters of texts in a page; of 100,000 items the first 200 of each, of 5,000 the first 4,000
LONGEST = 4_000  # characters of one text
PICTURES = 40_000_000  # bytes of thumbnails, those of some 5,000 pictures, above which the page does without them
FIELD = 4_000_000  # characters of a field's values, above which the page does without it
PLACE = re.compile(r"\{\{(\w+)\}\}")
METHODS = {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}


def page(scene: Scene) -> str:
    """The page, as text; the same for the same scene."""
    style, script = _read("style.css"), _script()
    written = {
        "title": html.escape(scene.title), "version": html.escape(__version__), "style": style, "script": script,
        "style_hash": _hash(style), "script_hash": _hash(script), "data": _json(_data(scene)),
    }  # fmt: skip
    return PLACE.sub(lambda found: written[found[1]], _read("page.html"))  # in one go: a title may hold "{{data}}"


def _read(name: str) -> str:
    return (files("cosimo.verbs.maps") / "page" / name).read_text(encoding="utf-8")


def _script() -> str:
    parts = "\n".join(_read(f"{name}.js") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(value: Any) -> str:
    """JSON that ends no script and no line of one, whatever stands in it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return storable(text).replace("\x7f", "\\u007f")


def _packed(array: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(array).astype(kind).tobytes()).decode()


def _data(scene: Scene) -> dict[str, Any]:
    map = scene.map
    most = min(LONGEST, max(80, TEXTS // max(1, len(map))))
    return {
        "title_": scene.title,
        "count": len(map),
        "dim": map.dim,
        "about": {
            "method": METHODS[map.method] + (" 3D" if map.dim == 3 else ""), "trustworthiness": map.trustworthiness,
            "kept": map.kept, "neighbours": map.neighbours, "share": map.share,
        },
        "points": _packed(map.points, "<f4"),
        "placed": _packed(map.placed, "u1"),
        "ids": map.ids,
        "titles": [None if title == id else title for title, id in zip(scene.titles, map.ids, strict=True)],
        "texts": [text[:most] for text in scene.texts],
        "cut": [int(len(text) > most) for text in scene.texts],
        "links": scene.links,
        "pictures": _pictures(scene.thumbnails),
        "fields": [_field(field) for field in scene.fields if sum(len(value) for value in field.values) <= FIELD],
        "color": scene.color,
        "palette": colors(SHOWN),
        "other": OTHER,
        "ramp": RAMP,
    }  # fmt: skip


def _pictures(thumbnails: Sequence[bytes | None]) -> list[str | None]:
    """Thumbnails as base64; none where they are too many."""
    if sum(len(each) for each in thumbnails if each) > PICTURES:
        return []
    return [base64.b64encode(each).decode() if each else None for each in thumbnails]


def _field(field: Field) -> dict[str, Any]:
    if field.kind == "number":
        return {"name": field.name, "kind": "number", "numbers": _packed(field.numbers, "<f4")}
    return {
        "name": field.name, "kind": field.kind, "values": field.values, "counts": field.counts,
        "codes": _packed(field.codes, "<i4"), "places": [[round(float(part), 5) for part in place] for place in field.places],
    }  # fmt: skip
