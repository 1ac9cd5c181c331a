"""Prompted: an embedder with the prompts that made a collection, where its model has others by now. Computes nothing.

Prompts come from a model's folder or from the catalogue, and either may learn of them after a collection was made. Vectors of
texts with a prompt and of texts without one do not belong together, so a collection goes on as it began, until `migrate`.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from .cache import CachedEmbedder
from .local import LocalEmbedder
from .sentence_transformers import SentenceTransformersEmbedder
from .shortened import Shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.types import Embedder

OURS = (LocalEmbedder, SentenceTransformersEmbedder)  # these put before a text what their `spec` says, and nothing else


def prompted(embedder: Embedder, prompts: Mapping[str, str]) -> Embedder:
    """The same model with these prompts, of which it shares what is loaded; the embedder itself where it cannot have others.

    Parameters
    ----------
    prompts : role → text before every content; {} for none
    """
    if dict(embedder.spec.prompts) == dict(prompts):
        return embedder
    if isinstance(embedder, OURS):
        twin = copy(embedder)
        twin.__dict__["spec"] = replace(embedder.spec, prompts=dict(prompts))
        return twin
    if isinstance(embedder, CachedEmbedder | Shortened):
        outer = copy(embedder)
        outer.embedder = prompted(embedder.embedder, prompts)
        outer.__dict__.pop("spec", None)
        return outer
    return embedder
