"""Diversity: documents in the order of their relevance → groups of near-duplicates, and an order that repeats itself less.

Arrays in, positions out; reads no store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.vectors import normalised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.types import Vector, Vectors


def unit_vectors(vectors: Sequence[Vector]) -> Vectors:
    """(n, dim) unit vectors; a damaged one, of another length than the longest, becomes zero."""
    dim = max((len(vector) for vector in vectors), default=0)
    matrix = np.zeros((len(vectors), dim), np.float32)
    for place, vector in enumerate(vectors):
        if len(vector) == dim:
            matrix[place] = vector
    return normalised(matrix)


def groups(vectors: Vectors, threshold: float) -> list[list[int]]:
    """Positions that are all but the same, each under the first one that it is as near to.

    Parameters
    ----------
    vectors : (n, dim) unit vectors, the most relevant first
    threshold : cosine similarity
    """
    leaders = np.empty_like(vectors)
    members: list[list[int]] = []
    for place, vector in enumerate(vectors):
        near = leaders[: len(members)] @ vector >= threshold
        if near.any():
            members[int(near.argmax())].append(place)
        else:
            leaders[len(members)] = vector
            members.append([place])
    return members


def diverse(vectors: Vectors, relevance: Sequence[float], k: int, diversity: float, *, comparable: bool = True) -> list[int]:
    """k positions by maximal marginal relevance: each next one is relevant, and unlike those before.

    Parameters
    ----------
    vectors : (n, dim) unit vectors
    relevance : n scores, higher is better
    comparable : they are on the scale of likeness, as cosines and mixed scores are; others (BM25, distances) are put between
        0 and 1
    diversity : 0 keeps the order of relevance, 1 looks at unlikeness alone (1 - lambda in the paper)

    Source: Carbonell and Goldstein, "The use of MMR, diversity-based reranking", SIGIR 1998.
    """
    scores = np.asarray(relevance, np.float32)
    if not len(scores):
        return []
    spread = float(scores.max() - scores.min())
    scaled = scores if comparable or spread == 0 else (scores - scores.min()) / spread
    likeness = np.zeros_like(scores)  # to the nearest of those chosen
    left = np.ones(len(scores), np.bool_)
    chosen: list[int] = []
    while len(chosen) < min(k, len(scores)):
        value = np.where(left, (1 - diversity) * scaled - diversity * likeness, -np.inf)
        best = int(np.argmax(value))
        chosen.append(best)
        left[best] = False
        likeness = np.maximum(likeness, vectors @ vectors[best]) if len(chosen) > 1 else vectors @ vectors[best]
    return chosen
