"""k-means: unit vectors → k groups around k directions. numpy alone; knows no store, names nothing.

Spherical k-means (Dhillon & Modha, "Concept decompositions for large sparse text data using clustering", Machine Learning 42,
2001): a centre is the mean of its members brought to unit length, and what is made large is the sum of the cosines to it.
Seeds are k-means++ with several candidates a step (Arthur & Vassilvitskii, SODA 2007), as scikit-learn does it.

Beyond `ALL` rows it works on mini-batches that double (Newling & Fleuret, "Nested mini-batch k-means", NIPS 2016): a random
part is clustered until it settles, then twice as many rows go on from those centres, and all of them come last. Most rounds
are done on few rows, and none of the noise of independent batches is left.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ...core.types import Numbers, Scores, Vectors

ALL = 50_000  # rows up to which every round is of all of them
FIRST = 10_000  # rows of the first mini-batch, or 50 a cluster where that is more
ROUNDS = 100  # of one start; hardly any needs more than 40
SETTLED, ROUGHLY = 1e-4, 1e-3  # of the mean distance, that a round must gain: of all rows, and of a part of them
BLOCK = 8_192  # rows compared at a time: 8,192 x 100 cosines are 3 MB
CELLS = BLOCK * 1_000  # cosines at a time, at most: of 50,000 clusters a block would be 1.6 GB
SEEDED = 20_000  # rows that seeds are taken from; each of k steps compares all of them with several candidates


class Fit(NamedTuple):
    """Groups of (n, dim) rows around centres. Each has a member; they are fewer than asked for where rows are equal."""

    centres: Vectors  # (k, dim) unit length
    labels: Numbers  # (n,) of each row the centre that is nearest
    closeness: Scores  # (n,) its cosine with that centre

    @property
    def quality(self) -> float:
        """The mean cosine of rows with their centres, which k-means makes large."""
        return float(self.closeness.mean(dtype=np.float64))


def kmeans(vectors: Vectors, k: int, *, seed: int = 0, starts: int = 1) -> Fit:
    """k groups of rows, the best of several starts; the same for the same seed.

    Parameters
    ----------
    vectors : (n, dim) float32, unit length; n at least k
    k : at least 1
    starts : of which the one with the highest mean cosine is taken
    """
    best: Fit | None = None
    for start in range(starts):
        random = np.random.default_rng((seed, start))
        fit = _one(vectors, k, random)
        if best is None or fit.quality > best.quality + 1e-7:
            best = fit
    assert best is not None
    return best


def nearest(vectors: Vectors, centres: Vectors) -> tuple[Numbers, Scores]:
    """Of each row the nearest centre, and its cosine with it: (n,) and (n,). The first of equally near ones."""
    labels, closeness = np.empty(len(vectors), np.int64), np.empty(len(vectors), np.float32)
    for part in blocks(len(vectors), len(centres)):
        cosines = vectors[part] @ centres.T  # (block, dim) @ (dim, k)
        labels[part] = cosines.argmax(axis=1)
        closeness[part] = np.take_along_axis(cosines, labels[part][:, None], 1)[:, 0]
    return labels, np.clip(closeness, -1, 1)


def blocks(rows: int, clusters: int) -> Iterator[slice]:
    """Rows in parts that are compared with all clusters at once."""
    size = min(BLOCK, max(CELLS // max(clusters, 1), 1))
    yield from (slice(start, start + size) for start in range(0, rows, size))


def _one(vectors: Vectors, k: int, random: np.random.Generator) -> Fit:
    count = len(vectors)
    if count <= ALL:
        return _settled(vectors, seeds(vectors, k, random), SETTLED)
    order, size = random.permutation(count), max(FIRST, 50 * k)
    size = min(size, count)
    batch = vectors[np.sort(order[:size])]
    fit = _settled(batch, seeds(batch, k, random), ROUGHLY)
    while (size := size * 2) < count:
        fit = _settled(vectors[np.sort(order[:size])], fit.centres, ROUGHLY)
    return _settled(vectors, fit.centres, 3 * SETTLED)


def seeds(vectors: Vectors, k: int, random: np.random.Generator) -> Vectors:
    """(up to k, dim) rows that lie apart from each other; fewer where no more differ.

    A candidate is drawn in proportion to its distance from the seeds there are, 1 - cosine, which is half the squared distance
    of unit vectors. Of each step's 2 + log(k) candidates the one that leaves the least distance in all is taken.
    """
    if len(vectors) > max(SEEDED, 10 * k):
        vectors = vectors[np.sort(random.choice(len(vectors), max(SEEDED, 10 * k), replace=False))]
    tries = 2 + int(log(k))
    chosen = [int(random.integers(len(vectors)))]
    distances = _distances(vectors, chosen)[0]
    while len(chosen) < k:
        total = distances.sum(dtype=np.float64)
        if total <= 1e-6 * len(vectors):  # what is left is rounding
            candidates = distances.argmax(keepdims=True)
            if not distances[candidates[0]] > 0:
                break
        else:
            sums = np.cumsum(distances, dtype=np.float64)
            candidates = np.minimum(np.searchsorted(sums, random.random(tries) * sums[-1]), len(vectors) - 1)
        left = np.minimum(distances, _distances(vectors, candidates))  # (tries, n)
        best = int(left.sum(axis=1, dtype=np.float64).argmin())
        chosen.append(int(candidates[best]))
        distances = left[best]
    return vectors[chosen]


def _distances(vectors: Vectors, rows: list[int] | NDArray[np.int64]) -> Scores:
    """1 - cosine of each row with these: (len(rows), n). Below rounding it is 0, so that no copy of a seed becomes one."""
    found: Scores = 1 - vectors[rows] @ vectors.T
    found[found < 1e-6] = 0
    return found


def _settled(vectors: Vectors, centres: Vectors, least: float) -> Fit:
    """Members to the nearest centre, centres to the mean of their members, until a round gains hardly anything.

    Parameters
    ----------
    least : of the mean distance 1 - cosine, what a round must gain for another one to follow
    """
    labels, closeness = nearest(vectors, centres)
    groups = _Sums(vectors, labels, len(centres))
    quality = float(closeness.mean(dtype=np.float64))
    for _ in range(ROUNDS):
        centres = groups.centres(closeness)
        labels, closeness = nearest(vectors, centres)
        groups.move(labels)
        before, quality = quality, float(closeness.mean(dtype=np.float64))
        if quality - before < least * (1 - before):
            break
    used = np.flatnonzero(groups.counts)
    if len(used) < len(centres):
        places = np.zeros(len(centres), np.int64)
        places[used] = np.arange(len(used))
        centres, labels = centres[used], places[labels]
    return Fit(centres, labels, closeness)


class _Sums:
    """The sums of groups of rows, kept as rows move from one to another: after a few rounds hardly any do."""

    def __init__(self, vectors: Vectors, labels: Numbers, k: int) -> None:
        self._vectors, self._labels = vectors, labels
        self._sums, self.counts = summed(vectors, labels, k)

    def move(self, labels: Numbers) -> None:
        """Take over which group each row is in now."""
        moved = np.flatnonzero(labels != self._labels)
        _add_up(self._sums, self._vectors, moved, self._labels[moved], -1)
        _add_up(self._sums, self._vectors, moved, labels[moved], 1)
        self._labels, self.counts = labels, np.bincount(labels, minlength=len(self._sums))

    def centres(self, closeness: Scores) -> Vectors:
        """(k, dim) directions of the means; a group without one becomes a row that lies far from its centre."""
        lengths = np.linalg.norm(self._sums, axis=1)
        lost = np.flatnonzero((self.counts == 0) | (lengths < 1e-9))
        lengths[lost] = 1
        centres: Vectors = (self._sums / lengths[:, None]).astype(np.float32)
        if len(lost):
            centres[lost] = self._vectors[np.argsort(closeness, kind="stable")[: len(lost)]]
        return centres


def summed(vectors: Vectors, labels: Numbers, k: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(k, dim) the sum of each group's rows, and (k,) how many they are."""
    sums = np.zeros((k, vectors.shape[1]))
    _add_up(sums, vectors, np.arange(len(vectors)), labels, 1)
    return sums, np.bincount(labels, minlength=k)


def _add_up(sums: NDArray[np.float64], vectors: Vectors, rows: Numbers, labels: Numbers, sign: int) -> None:
    """Add rows to the sums of their groups, or take them away."""
    order = np.argsort(labels, kind="stable")
    rows, labels = rows[order], labels[order]
    for start in range(0, len(rows), BLOCK):
        groups, first = np.unique(labels[start : start + BLOCK], return_index=True)
        sums[groups] += sign * np.add.reduceat(vectors[rows[start : start + BLOCK]], first, axis=0)
