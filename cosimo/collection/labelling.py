"""Labelling: labels given in words, and the items of a collection or contents from elsewhere, brought into one space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import config
from ..core.compatibility import made_by
from ..core.vectors import normalised
from ..verbs.labelling import label, scale_of
from ..verbs.scoring.space import texts_to_vectors
from .scoring import names_to_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..core.types import Content, Embedder
    from ..verbs.labelling import Labelled
    from .judging import Judging


def of_items(
    on: Judging, labels: Sequence[str], ids: Sequence[str], vectors: NDArray[np.float32], template: str, scale: float | None
) -> list[Labelled]:
    """The shares of labels for items, whose vectors are (n, dim) unit vectors."""
    factor = scale_of(on.embedder.spec, scale)
    return label(ids, vectors, _labels(on.embedder, labels, template), factor)


def of_contents(
    embedder: Embedder, labels: Sequence[str], contents: Sequence[Content], template: str, scale: float | None
) -> list[Labelled]:
    """The shares of labels for texts and pictures from elsewhere; ids are their places in the list."""
    factor, names = scale_of(embedder.spec, scale), _labels(embedder, labels, template)
    vectors = normalised(embedder.embed(contents).vectors)
    return label([str(at) for at in range(len(contents))], vectors, names, factor)


def without_collection(
    labels: Sequence[str], contents: Sequence[Content], model: str | None, precision: str | None, *, template: str,
    scale: float | None,
) -> list[Labelled]:  # fmt: skip
    """As `of_contents`, by the model of a name; left out, the default."""
    from .models import load_embedder

    embedder = load_embedder(config.default_model() if model is None else model, precision=precision)
    return of_contents(embedder, labels, contents, template, scale)


def _labels(embedder: Embedder, labels: Sequence[str], template: str) -> dict[str, NDArray[np.float32]]:
    """Unit vectors of the labels, which are read as documents are: what is compared stands on the same side."""
    settings = made_by(embedder.spec)
    return names_to_vectors(lambda texts: texts_to_vectors(embedder, texts, settings), labels, template)
