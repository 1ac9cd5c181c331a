"""Models of pictures that need no weights: how much of which colour. `plug_in` makes them known."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cosimo.core.content import modality_of
from cosimo.core.pictures import decoded
from cosimo.core.types import Embedded, ModelSpec
from cosimo.embedders.adapted import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from cosimo.core.types import Content, Role

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0), "black": (0, 0, 0)}


class Colours:
    """Texts by the colours they name, pictures by those they show: one space."""

    modalities: tuple[str, ...] = ("text", "image")
    loaded = 0  # how often one was made

    def __init__(self, name: str) -> None:
        type(self).loaded += 1
        self.spec = ModelSpec(f"{type(self).__name__.lower()}:{name}", len(COLOURS), "1", modalities=self.modalities)

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        given = readable(contents, self.spec.name, self.modalities)
        rows = [_shown(each) if isinstance(each, bytes) else _named(each) for each in given]
        vectors = np.array(rows, np.float32).reshape(len(rows), len(COLOURS)) + np.float32(1e-3)
        return Embedded(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), sum(self.count_tokens(given)), [])

    def count_tokens(self, texts: Sequence[Content]) -> list[int]:
        return [len(text.split()) if isinstance(text, str) else 0 for text in texts]


class Pictures(Colours):
    """Of pictures alone."""

    modalities = ("image",)


def plug_in(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """`colours:NAME`, `pictures:NAME` and `tones:NAME` are models, here and in processes that are started."""
    info = folder / "picture_models-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: picture-models\nVersion: 1\n")
    points = "[cosimo.embedders]\ncolours = picture_models:Colours\npictures = picture_models:Pictures\n"
    points += "tones = sound_files:Tones\n"
    (info / "entry_points.txt").write_text(points)
    here = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(Path(__file__).parent), *([here] if here else [])]))
    monkeypatch.syspath_prepend(str(folder))


def _named(text: str) -> list[float]:
    return [float(colour in text) for colour in COLOURS]


def _shown(data: bytes) -> list[float]:
    assert modality_of(data) == "image"
    pixels = np.asarray(decoded(data), np.float32).reshape(-1, 3)
    distances = np.linalg.norm(pixels[:, None] - np.array(list(COLOURS.values()), np.float32), axis=2)
    near = (distances == distances.min(axis=1, keepdims=True)) & (distances < 120)
    return near.mean(axis=0).tolist()
