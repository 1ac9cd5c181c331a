"""Align: pairs of vectors of two spaces → a map from one into the other, and how well it finds partners it has not seen.

Arithmetic is float64 inside, float32 outside. Loads no model, reads no file; `aligning/` holds the maps.

The figures are of a map learned without the pairs that were held out; the map that comes out is learned from all. A source of
several partners is held out with all of them, and learned from once, with their mean: else it would vouch for itself.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeAlias, get_args

import numpy as np

from ..core.checks import seed_of
from ..core.errors import DataError
from ..core.vectors import normalised
from ..embedders.aligned import Map
from .aligning.contrastive import contrastive
from .aligning.linear_maps import orthogonal, ridge
from .aligning.retrieval import Direction, Recall, chance, recall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..core.types import Numbers, Vectors
    from .aligning.linear_maps import Affine

Method: TypeAlias = Literal["ridge", "contrastive", "orthogonal"]
FEWEST = 10  # different sources: two are held out, and eight say little enough
LEARNED = 50_000  # sources a map is learned from; of more, so many are drawn: a map of 768 × 768 numbers has settled by then
TESTED = 5_000  # sources that are held out at most


@dataclass(frozen=True, slots=True)
class Report:
    """How good an alignment is, by pairs that were held out."""

    method: Method
    pairs: int
    left_out: int  # pairs given of which an item is not there, or has no vector
    learned: int  # sources that the map was learned from when it was tested
    held_out: int  # sources it was tested on
    ridge: float | None  # penalty chosen, as a share of the mean variance of the source; None: the method has none
    forward: Direction  # mapped sources asked for their targets
    backward: Direction  # targets asked for the mapped sources: a text for a picture

    def __str__(self) -> str:
        told = (
            f"{name} {side.mapped.at_1:.0%} first, {side.mapped.at_10:.0%} in the first ten (by chance {side.chance.at_10:.1%})"
            for name, side in (("target found", self.forward), ("source found", self.backward))
        )
        return f"{self.method}, {self.pairs:,} pairs, {self.held_out:,} held out: {'; '.join(told)}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; `of` reads it."""
        plain = asdict(self)
        for side in ("forward", "backward"):
            found: Direction = plain[side]
            plain[side] = {
                name: value._asdict() if isinstance(value, Recall) else value for name, value in found._asdict().items()
            }
        return plain

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """The report in what `to_dict` made."""
        sides = {side: _direction(plain[side]) for side in ("forward", "backward")}
        return cls(**{**plain, **sides})


class Learned(NamedTuple):
    """What comes of aligning."""

    map: Map
    report: Report


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Different items of both sides, at unit length, and which belong together."""

    source: Vectors  # (s, source dim)
    target: Vectors  # (t, target dim)
    places: NDArray[np.int64]  # (p, 2), by the first column

    def of(self, sources: Numbers) -> _Pairs:
        """The pairs of some sources alone, with the targets that they have."""
        kept = self.places[np.isin(self.places[:, 0], sources)]
        rows, first = np.unique(kept[:, 0], return_inverse=True)
        columns, second = np.unique(kept[:, 1], return_inverse=True)
        return _Pairs(self.source[rows], self.target[columns], np.stack([first.reshape(-1), second.reshape(-1)], axis=1))

    def means(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Each source, and the mean of its partners at unit length: float64, (s, source dim) and (s, target dim)."""
        sums = np.zeros((len(self.source), self.target.shape[1]))
        np.add.at(sums, self.places[:, 0], self.target[self.places[:, 1]].astype(np.float64))
        sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        return self.source.astype(np.float64), sums


def align(
    source: Vectors, target: Vectors, *, method: Method = "ridge", holdout: float = 0.2, seed: int = 0, left_out: int = 0
) -> Learned:
    """Learn a map from the source's space into the target's.

    Parameters
    ----------
    source, target : (n, dim) each, of any length; rows of one place are a pair
    method : ridge (regression, closed form), orthogonal (a rotation, closed form), contrastive (from ridge, a few hundred steps
        that tell partners from others)
    holdout : share of the sources that the map is tested on, above 0 and below 1
    seed : of what is held out, and of the batches of `contrastive`
    left_out : pairs that were given and have no vectors, for the report

    Raises
    ------
    DataError : fewer than ten different sources, vectors all the same, an unknown method, a holdout or seed that is none
    """
    checked(method, holdout, seed)
    pairs = _different(source, target)
    _refuse(pairs)
    order = np.random.default_rng(seed).permutation(len(pairs.source))
    held = min(max(round(holdout * len(order)), 1), TESTED)
    if len(order) - held < 2:
        raise DataError(f"a holdout of {holdout} leaves {len(order) - held} of {len(order)} to learn from; take a smaller one")
    part = _learn(pairs.of(order[held:][:LEARNED]), method, seed)
    whole = _learn(pairs.of(order[:LEARNED]), method, seed)
    tested = pairs.of(order[:held])
    forward, backward = _tested(tested, _map(part))
    learned = min(len(order) - held, LEARNED)
    report = Report(method, len(pairs.places), left_out, learned, held, whole.ridge, forward, backward)
    return Learned(_map(whole), report)


def checked(method: str, holdout: float, seed: int) -> None:
    """Raise `DataError` for what cannot be asked."""
    if method not in get_args(Method):
        raise DataError(f"no way to align is called {method!r}; known: {', '.join(get_args(Method))}")
    if isinstance(holdout, bool) or not isinstance(holdout, int | float) or not 0 < holdout < 1:
        raise DataError(f"holdout is the share of pairs to test on, above 0 and below 1, not {holdout!r:.60}")
    seed_of(seed)


def _different(source: Vectors, target: Vectors) -> _Pairs:
    """Vectors that are the same are one item; pairs told twice are one."""
    sides, columns = [], []
    for vectors in (source, target):
        unit, places = np.unique(normalised(vectors), axis=0, return_inverse=True)
        sides.append(unit)
        columns.append(places.reshape(-1))
    return _Pairs(sides[0], sides[1], np.unique(np.stack(columns, axis=1), axis=0))


def _refuse(pairs: _Pairs) -> None:
    for vectors, side in ((pairs.source, "source"), (pairs.target, "target")):
        if len(vectors) == 1 and len(pairs.places) >= FEWEST:
            raise DataError(f"all vectors of the {side} are the same, so nothing can be learned from them")
    if len(pairs.source) < FEWEST:
        raise DataError(
            f"an alignment is learned from at least {FEWEST} pairs with different sources, and there are {len(pairs.source)};"
            " hundreds are a start, thousands are better"
        )


def _learn(pairs: _Pairs, method: Method, seed: int) -> Affine:
    source, target = pairs.means()
    if method == "orthogonal":
        return orthogonal(source, target)
    found = ridge(source, target)
    return found if method == "ridge" else contrastive(source, target, found, seed)


def _map(found: Affine) -> Map:
    return Map(np.ascontiguousarray(found.matrix, np.float32), found.offset.astype(np.float32))


def _tested(pairs: _Pairs, map: Map) -> tuple[Direction, Direction]:
    mapped = map.of(pairs.source)
    plain = pairs.source if pairs.source.shape[1] == pairs.target.shape[1] else None
    backwards = pairs.places[:, ::-1]
    return (
        _direction_of(
            recall(mapped, pairs.target, pairs.places),
            None if plain is None else recall(plain, pairs.target, pairs.places),
            pairs.places,
        ),
        _direction_of(
            recall(pairs.target, mapped, backwards),
            None if plain is None else recall(pairs.target, plain, backwards),
            backwards,
        ),
    )


def _direction_of(mapped: Recall, unmapped: Recall | None, places: NDArray[np.int64]) -> Direction:
    partners, candidates = np.bincount(places[:, 0]), int(places[:, 1].max()) + 1
    return Direction(len(partners), candidates, mapped, chance(partners, candidates), unmapped)


def _direction(plain: Mapping[str, Any]) -> Direction:
    mapped, chance, unmapped = (value and Recall(**value) for value in (plain["mapped"], plain["chance"], plain["unmapped"]))
    return Direction(plain["questions"], plain["candidates"], mapped, chance, unmapped)
