"""Space: which vectors a scale or classifier was learned from, so that it is used on no others; texts as vectors of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.compatibility import comparable, made_by
from ...core.content import content_hash, storable
from ...core.errors import ModelMismatch
from ...core.types import Document, Settings
from ..embedding import embed_anew, looked_at_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...core.types import Embedder, Vectors


def space_of(settings: Settings) -> dict[str, Any]:
    """What of a collection's settings decides whether vectors may be compared, as JSON."""
    return {
        "model": settings.model, "revision": settings.revision, "dim": settings.dim, "pooling": settings.pooling,
        "prompts": dict(settings.prompts),
    }  # fmt: skip


def refuse_other_space(space: Mapping[str, Any], settings: Settings, what: str, advice: str) -> None:
    """Raise `ModelMismatch` unless something was learned from vectors like these.

    Parameters
    ----------
    space : `space_of` what it was learned from
    what : the scale 'main' of 'notes' was
    advice : what to run
    """
    learned = Settings(
        space["model"], space["dim"], space["revision"], dict(space["prompts"]), space["pooling"]
    )  # fmt: skip
    if not comparable(learned, settings):
        was, now = (_named(each, learned, settings) for each in (learned, settings))
        raise ModelMismatch(f"{what} learned from vectors of {was}, and there are now those of {now}; {advice}")


def _named(each: Settings, *both: Settings) -> str:
    name = f"{each.model or 'elsewhere'} ({each.dim})"
    same = len({(one.model, one.dim) for one in both}) == 1
    return f"{name} with weights {(each.revision or '')[:12]}" if same else name


def texts_to_vectors(embedder: Embedder, texts: Sequence[str], settings: Settings | None = None) -> Vectors:
    """Texts as a collection would hold them: documents, long ones by the mean of their passages.

    Parameters
    ----------
    settings : the collection's; None: as a new one of this model

    Returns
    -------
    (n, dim) unit vectors; zeros for a text that is empty, or of which the model knows nothing

    Raises
    ------
    DataError : one that is no text
    """
    import numpy as np

    from ...core.vectors import normalised

    hashes = [content_hash(text) if storable(text).strip() else b"" for text in texts]
    different = {hash: Document("", text) for hash, text in zip(hashes, texts, strict=True) if hash}
    longest = looked_at_from(settings or made_by(embedder.spec), lambda: embedder)
    found = embed_anew(embedder, different, longest).found
    nothing = np.zeros(embedder.spec.dim, np.float32)
    return normalised(np.stack([found[hash].vector if hash else nothing for hash in hashes])) if hashes else nothing[None][:0]
