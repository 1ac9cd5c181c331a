"""Kinds of content: what people call them, and the sentence for a model that does not read one. Plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from .types import Modality

ONE: dict[Modality, str] = {"text": "a text", "image": "a picture", "audio": "a sound", "video": "a film"}
MANY: dict[str, str] = {"text": "text", "image": "pictures", "audio": "sound", "video": "film"}


def is_read(kind: Modality | None, modalities: Collection[str]) -> bool:
    """Whether a model of these modalities reads content of a kind; a film is its pictures and its sound."""
    return bool({"image", "audio"} & set(modalities)) if kind == "video" else kind in modalities


def unread(kind: Modality | None, model: str, modalities: Collection[str]) -> str:
    """Why a model leaves a content out: `a picture, and fake:64 reads text`."""
    one = ONE[kind] if kind is not None else "binary"
    return f"{one}, and {model} reads {listed(modalities)}"


def listed(modalities: Collection[str]) -> str:
    """What a model reads, in words: `text and pictures`."""
    return " and ".join(MANY.get(each, each) for each in modalities)
