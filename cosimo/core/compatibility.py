"""Compatibility: which models and vectors may meet in one collection. Rules over plain data; loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import CollectionError, DimensionMismatch, ModelMismatch
from .types import Settings

if TYPE_CHECKING:
    from .types import ModelSpec


def _advice(collection: str, model: str | None) -> str:
    change = f"run: cosimo migrate {collection} --model {model}" if model else "use another collection name"
    return f"leave the model out, or {change}"


def made_by(spec: ModelSpec, *, passages: bool = True, named: bool = False) -> Settings:
    """What a collection has to remember of the model that makes its vectors, and of how texts are given to it."""
    return Settings(
        spec.name, spec.dim, spec.revision, dict(spec.prompts), spec.pooling, spec.normalized, spec.max_tokens, passages, named
    )


def refuse_other_passages(collection: str, stored: Settings, passages: bool | None) -> None:
    """Raise `CollectionError` unless long texts are treated as they were before; None takes what is stored."""
    if passages is not None and stored.passages not in (None, passages):
        was, asked = ("passages", "whole") if stored.passages else ("whole", "as passages")
        raise CollectionError(
            f"'{collection}' holds long texts as {was}, so none can be added {asked}; use another collection name"
        )


def refuse_other_name(collection: str, stored: Settings, asked: str | None) -> None:
    """Raise `ModelMismatch` unless the model asked for is the one that made the collection."""
    if asked != stored.model:
        made = f"{stored.model} ({stored.dim})" if stored.model else "vectors from elsewhere"
        raise ModelMismatch(
            f"'{collection}' was made with {made}, not {asked or 'vectors from elsewhere'}; {_advice(collection, asked)}"
        )


def refuse_other_dim(collection: str, stored: Settings, dim: int | None) -> None:
    """Raise `DimensionMismatch` unless vectors of this length fit; None is not known yet and fits."""
    if dim is not None and stored.dim not in (None, dim):
        raise DimensionMismatch(f"'{collection}' holds vectors of length {stored.dim}, not {dim}; use another collection name")


def refuse_other_weights(collection: str, stored: Settings, spec: ModelSpec) -> None:
    """Raise unless a loaded model makes the same vectors as the one that made the collection.

    A revision that the file does not know (rows of another program) fits any; precision is not part of the comparison.
    """
    refuse_other_dim(collection, stored, spec.dim)
    if stored.revision is None:
        return
    for what, was, here in (
        ("weights", stored.revision[:12], spec.revision[:12]),
        ("prompts", dict(stored.prompts), dict(spec.prompts)),
        ("pooling", stored.pooling, spec.pooling),
    ):
        if was != here:
            raise ModelMismatch(
                f"'{collection}' was made with other {what} of {spec.name} ({was}, here {here});"
                f" {_advice(collection, spec.name)}"
            )


def comparable(a: Settings, b: Settings) -> bool:
    """Whether vectors made under both may meet; what the file does not know of a model does not part them."""
    if a.model != b.model or (a.dim and b.dim and a.dim != b.dim):
        return False
    known = a.revision is not None and b.revision is not None
    return not known or (a.revision, a.pooling, dict(a.prompts)) == (b.revision, b.pooling, dict(b.prompts))
