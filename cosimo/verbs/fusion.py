"""Fusion: scores by meaning and scores by words → one order. Arrays in, arrays out.

Both lists are standardised over the candidates and mixed. No fixed weight serves every collection: where one list is weak,
mixing it in hurts (docs/decisions/0006-hybrid.md). So the weight of the vectors adapts to each query:

- to what the model reads: of a query half in Chinese, a model that reads none judges half;
- to how far the lists agree: where the best documents by words are nowhere near the best by meaning, words are a poor
  guide to this query (questions to code), and their weight falls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.terms import cjk_share

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..core.types import Scores

BASE, SLOPE = 0.65, 0.35  # weight of the vectors where both lists agree, and what disagreement adds
BEST, NEAR = 10, 30  # agreement: how many of the best 10 by words are among the best 30 by meaning
CJK = frozenset({"zh", "ja", "ko"})
CANDIDATES = 100  # of each list; 50 lost 0.003 on nq-utd, 200 gained nothing


def weight_of_vectors(query: str, by_words: Sequence[int], by_meaning: Sequence[int], languages: Collection[str]) -> float:
    """How much meaning counts against words for one query, 0 to 1.

    Parameters
    ----------
    by_words, by_meaning : row numbers, best first
    languages : those the model reads; none named means many
    """
    best = by_words[:BEST]
    near = set(by_meaning[:NEAR])
    agreement = sum(number in near for number in best) / len(best) if best else 0.0
    unread = 0.0 if not languages or CJK.intersection(languages) else cjk_share(query)
    return min(1.0, BASE + SLOPE * (1 - agreement)) * (1 - unread)


def mixed(vector: Scores, text: Scores, weight: float | Scores) -> Scores:
    """One score a candidate, (n,) float32 in (0, 1): 0.5 is the average candidate.

    The weighted sum of both, each with mean 0 and deviation 1 over the candidates, on a logistic curve: the order stays.
    """
    total = weight * standardised(vector) + (1 - weight) * standardised(text)
    return (1 / (1 + np.exp(-total))).astype(np.float32)


def standardised(scores: Scores) -> Scores:
    """Scores with mean 0 and deviation 1; zeros where all are the same."""
    spread = scores.std()
    return (scores - scores.mean()) / spread if spread > 0 else np.zeros_like(scores)
