"""Catalog: what is known about models without having their files. Reads `catalog.toml` beside it; fetches nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.registry import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date


@dataclass(frozen=True, slots=True)
class Wheel:
    """A model's files inside a wheel of the package index."""

    package: str
    version: str
    folder: str  # inside the wheel
    bytes: int  # of the wheel


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the catalogue. `revision` is the commit of the hub that is fetched; `sha256` is that of `weights`.

    What is empty or None was found in no source.
    """

    name: str
    dim: int
    source: str
    checked: date
    max_tokens: int | None = None
    pooling: str = ""
    languages: tuple[str, ...] = ()  # ISO 639-1; empty: many
    license: str = ""
    dims: tuple[int, ...] = ()  # lengths that its vectors may be cut to, since it was trained so
    shortens: bool = False  # to any length
    modalities: tuple[str, ...] = ("text",)
    pictures: str = ""  # of a model of texts: the model of pictures whose space it was trained for
    superseded_by: str = ""
    normalized: bool = True
    prompts: Mapping[str, str] = field(default_factory=dict)
    weights: str = "model.safetensors"
    sha256: str = ""
    bytes: int = 0
    revision: str | None = None
    wheel: Wheel | None = None


@cache
def known() -> tuple[Entry, ...]:
    """Every model of the catalogue, in the order of the file."""
    import tomllib

    table = tomllib.loads(Path(__file__).with_name("catalog.toml").read_text(encoding="utf-8"))
    return tuple(_entry(row) for row in table["model"])


def entry(name: str) -> Entry | None:
    """What is known about a model, under its short or its full name."""
    full = canonical(name)
    return next((found for found in known() if found.name == full), None)


def of_model(name: str, sha256: str) -> Entry | None:
    """The model whose weights have this hash, a copy in any folder included; else, of a hub id, the one of that name."""
    return of_hash(sha256) or (None if Path(name).expanduser().is_dir() else entry(name))


def of_hash(sha256: str) -> Entry | None:
    """The model whose weights have this hash: a copy in any folder is still that model."""
    return next((found for found in known() if found.sha256 and found.sha256 == sha256), None)


def _entry(row: dict[str, Any]) -> Entry:
    wheel = Wheel(**row["wheel"]) if "wheel" in row else None
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return Entry(**(values | {"wheel": wheel}))
