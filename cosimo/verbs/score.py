"""Score: vectors of two sets of examples → a scale between them, how far it can be trusted, and where any vector lies on it.

The axis runs through the means of the two ends, as in semantic axes and "concept activation" directions (Kozlowski et al. 2019,
"The geometry of culture"). A position is made of held-out examples: each is placed by a scale that was made without it, and the
means of these positions are -1 and 1. The examples themselves lie further out than that on a scale made with them: with few of
them by a half, which would make every new text look undecided. Reads no text, loads no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..core.errors import BadVector, Corrupt, DataError
from ..core.vectors import top_k
from .scoring.held_out import Share, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..core.types import Scores, Vector, Vectors
    from .whole import Whole

    Places = NDArray[np.float64]

SAME = 1e-4  # distance of the means of two ends, below which they are the same text in other letters
APART = 0.1  # of what lies between the ends of the examples; held-out ones that are closer are not told apart


class Axis(NamedTuple):
    """A scale as numbers: `vector @ direction + offset` is the position of a unit vector."""

    direction: Vector  # (dim,) float32
    offset: float


@dataclass(frozen=True, slots=True)
class Trust:
    """How good a scale is, by its own examples, each held out in turn."""

    low_examples: int
    high_examples: int
    left_out: int  # examples whose vector is zero or no number, and those given twice
    right: Share | None  # held-out examples that lie on their side of 0; None: an end has a single example
    spread: float | None  # standard deviation of held-out positions around their end: two texts closer than this may be equal

    def __str__(self) -> str:
        count = f"{self.low_examples} and {self.high_examples} examples"
        if self.right is None:
            return f"{count}: too few to say how good the scale is; give two an end, better twenty"
        low, high = round(100 * self.right.low), round(100 * self.right.high)
        said = f"{self.right.hits} of {self.right.tested} held-out ones on their side"
        chance = "; that may be chance" if self.right.low <= 0.5 else ""
        return f"{count}, {said} ({self.right.value:.0%}, 95%: {low}–{high}%){chance}"


class Scored(NamedTuple):
    """One item and its position: -1 is the low end, 1 the high one; beyond is possible."""

    id: str
    score: float


def learn_scale(low: Vectors, high: Vectors) -> tuple[Axis, Trust]:
    """The scale between two sets of examples.

    Parameters
    ----------
    low, high : (a, dim) and (b, dim) unit vectors; those of zeros are left out

    Returns
    -------
    the axis, on which held-out examples lie at -1 and 1 on average (the examples themselves, where an end has a single one, or
    where held-out ones are not told apart), and how far it is to be trusted

    Raises
    ------
    DataError : an end without examples
    BadVector : the ends are the same
    """
    ends = [group[np.isfinite(group).all(axis=1) & group.any(axis=1)] for group in (low, high)]
    for group, name in zip(ends, ("low", "high"), strict=True):
        if not len(group):
            raise DataError(f"the {name} end has no example with a vector; give at least one text, better twenty")
    raw = _axis(*(group.mean(axis=0, dtype=np.float64) for group in ends))
    left_out = len(low) + len(high) - len(ends[0]) - len(ends[1])
    if min(len(group) for group in ends) < 2:
        return raw, Trust(len(ends[0]), len(ends[1]), left_out, None, None)
    places = _held_out(*ends)
    right, spread = _judged(places)
    return _moved(raw, places), Trust(len(ends[0]), len(ends[1]), left_out, right, spread)


def _axis(low: Places, high: Places) -> Axis:
    """-1 and 1 at two points (dim,)."""
    between = high - low
    length = float(between @ between)
    if length < SAME**2:
        raise BadVector("the two ends of the scale are the same; give examples that differ in what is to be measured")
    direction = 2 * between / length
    return Axis(direction.astype(np.float32), float(-direction @ (low + high) / 2))


def _held_out(low: Vectors, high: Vectors) -> tuple[Places, Places]:
    """Where each example lies on the scale that is made without it: (a,) and (b,)."""
    found = []
    for group, other, sign in ((low, high, -1.0), (high, low, 1.0)):
        group64, mean = group.astype(np.float64), other.mean(axis=0, dtype=np.float64)
        rest = (group64.sum(axis=0) - group64) / (len(group) - 1)  # (n, dim) means without one
        between = sign * (rest - mean)
        length = np.einsum("ij,ij->i", between, between)
        middle = (rest + mean) / 2
        along = np.einsum("ij,ij->i", group64 - middle, between)
        found.append(np.where(length > SAME**2, 2 * along / np.maximum(length, SAME**2), 0.0))
    return found[0], found[1]


def _judged(places: tuple[Places, Places]) -> tuple[Share, float]:
    """How many lie on their side, each judged by the middle of the others; and how far they scatter, in ends from -1 to 1."""
    low, high = places
    means = low.mean(), high.mean()
    middles = ((low.sum() - low) / (len(low) - 1) + means[1]) / 2, ((high.sum() - high) / (len(high) - 1) + means[0]) / 2
    hits = int((low < middles[0]).sum() + (high > middles[1]).sum())
    half = max((means[1] - means[0]) / 2, APART / 2)
    scatter = np.concatenate([low - means[0], high - means[1]]) / half
    return share(hits, len(low) + len(high)), float(np.sqrt(np.square(scatter).sum() / (len(scatter) - 2)))


def _moved(raw: Axis, places: tuple[Places, Places]) -> Axis:
    """The axis on which held-out examples lie at -1 and 1 on average."""
    low, high = (float(group.mean()) for group in places)
    if high - low < APART:
        return raw
    factor = 2 / (high - low)
    return Axis((raw.direction * factor).astype(np.float32), factor * (raw.offset - (low + high) / 2))


def positions(axis: Axis, vectors: Vectors) -> Scores:
    """Where unit vectors lie on a scale, (n,) float32; NaN for one that has no direction.

    Raises
    ------
    Corrupt : the axis is no numbers, or of another length
    """
    if axis.direction.shape != vectors.shape[1:] or not (np.isfinite(axis.direction).all() and np.isfinite(axis.offset)):
        raise Corrupt("the kept scale is damaged; learn it anew")
    found: Scores = (vectors @ axis.direction + np.float32(axis.offset)).astype(np.float32)  # (n, dim) @ (dim,) -> (n,)
    found[~vectors.any(axis=1)] = np.nan
    return found


def plain(places: Scores) -> list[float | None]:
    """Positions as a program takes them: six digits, None for what has none."""
    return [None if np.isnan(place) else round(float(place), 6) for place in places]


def score(whole: Whole, axis: Axis, k: int | None = None, *, lowest: bool = False) -> list[Scored]:
    """Items by their position, the highest first.

    Parameters
    ----------
    k : so many; None for all
    lowest : the lowest first
    """
    places = positions(axis, whole.vectors)
    order: Sequence[int] = top_k(-places if lowest else places, len(places) if k is None else k).tolist()
    return [Scored(whole.ids[at], round(float(places[at]), 6)) for at in order]
