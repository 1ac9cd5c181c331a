"""Labelling: vectors of items and of labels → how likely each label is, as CLIP's zero-shot classifier says it. Learns nothing.

Softmax over labels of scale · cosine (Radford et al. 2021, "Learning transferable visual models from natural language
supervision", 3.1). The shares of an item sum to 1: they say which of these labels fits best, not whether any does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..core.errors import DataError
from .classes import DIVISORS, Prediction, checked_confidence
from .scoring.held_out import confidences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..core.types import ModelSpec, Vectors

SCALE = 100.0  # CLIP's, which its training never lets grow further, and about SigLIP's
BLOCK = 4_000_000  # shares made at a time


class Labelled(NamedTuple):
    """An item and its labels. `shares` is empty for one whose vector has no direction."""

    id: str
    shares: Mapping[str, float]  # label → its share, the largest first; they sum to 1

    @property
    def label(self) -> str | None:
        """The likeliest."""
        return next(iter(self.shares), None)

    @property
    def share(self) -> float | None:
        """Of the likeliest."""
        return next(iter(self.shares.values()), None)

    def prediction(self, least: float = 0.0) -> Prediction:
        """As `classify` says it: no label where its share is below the least.

        Raises
        ------
        DataError : a least share that is none
        """
        checked_confidence(least)
        sure = self.share is not None and self.share >= least
        return Prediction(self.id, self.label if sure else None, self.share)


def scale_of(spec: ModelSpec, asked: float | None) -> float:
    """What cosines are multiplied by: as asked, as the model was trained; else CLIP's, or for texts alone what suits them.

    Raises
    ------
    DataError : no number above 0
    """
    if asked is None:
        return spec.logit_scale or (1 / DIVISORS["names"] if tuple(spec.modalities) == ("text",) else SCALE)
    if isinstance(asked, bool) or not isinstance(asked, int | float) or not 0 < asked <= 1e6:
        raise DataError(f"the scale of labels is a number above 0, not {asked!r:.60}")
    return float(asked)


def label(ids: Sequence[str], vectors: Vectors, labels: Mapping[str, NDArray[np.float32]], scale: float) -> list[Labelled]:
    """The shares of every label for each item, in the order given.

    Parameters
    ----------
    vectors : (n, dim) unit vectors of the items; zeros for one without a direction
    labels : label → (dim,) its unit vector
    scale : `scale_of`
    """
    names, rows = list(labels), np.stack(list(labels.values()))
    step, found = max(1, BLOCK // len(names)), []
    for start in range(0, len(vectors), step):
        block = vectors[start : start + step]
        shares = confidences(block @ rows.T, 1 / scale)  # (m, labels)
        order, directed = np.argsort(-shares, axis=1, kind="stable"), np.abs(block).max(axis=1) > 0
        for id, there, row, best in zip(
            ids[start : start + step], directed.tolist(), shares.tolist(), order.tolist(), strict=True
        ):
            found.append(Labelled(id, {names[at]: row[at] for at in best} if there else {}))
    return found
