"""Projections: vectors in, two or three coordinates for each out: PCA, UMAP, t-SNE; and where new ones belong. Stores nothing.

PCA (Pearson 1901, Hotelling 1933) is written here, because it needs nothing but numpy: the axes come from the covariance, a
dim × dim matrix, so that 100,000 rows cost one product instead of a decomposition of all of them. UMAP (McInnes, Healy and
Melville 2018) is umap-learn's and t-SNE (van der Maaten and Hinton 2008) scikit-learn's. Both begin with the PCA instead of a
random or spectral layout: that keeps far-away groups where they belong, and is the same on every run (Kobak and Linderman
2021).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...core.registry import missing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...core.types import Vectors

    Exact = NDArray[np.float64]

METHODS = ("auto", "pca", "umap", "tsne")
FEW = 5  # items, below which nothing but a PCA has a meaning
BLOCK = 8_192  # rows multiplied at a time: a block of 384 numbers is 12 MB
FULL = 1_024  # dimensions up to which all axes are worked out; of a longer covariance only the first are, by iteration
SPARE = 30
REDUCED = 50  # dimensions that neighbours are looked for in: the maps are as true as those of all 384, in a quarter of the time
EXACT = (
    20_000  # items up to which all pairs are compared; of more, those in the lists nearby (100,000: 4 s for 39, recall 0.9999)
)
ROUNDS = 20  # of looking for a median
SCORES = 32 << 20  # bytes of scores held at once
GROUPS = 1_024  # the k-th best of this many maxima is nearly the k-th best of all, and found in a tenth of the time


class Axes(NamedTuple):
    """What a PCA is: `(vectors - mean) @ axes` are the coordinates."""

    mean: NDArray[np.float64]  # (dim,)
    axes: NDArray[np.float64]  # (dim, d), unit columns, the widest spread first
    share: float  # of all variance, that the d axes show


def principal(vectors: Vectors, d: int) -> Axes:
    """The d directions in which vectors differ most. The sign of each is chosen: its largest component is positive.

    Parameters
    ----------
    vectors : (n, dim), n at least 1

    Returns
    -------
    axes of zeros where the vectors spread in fewer than d directions: two rows have one
    """
    count, dim = vectors.shape
    mean = vectors.mean(axis=0, dtype=np.float64)
    middle = mean.astype(np.float32)  # taken off first: a covariance of what lies far from 0 loses its digits
    covariance = np.zeros((dim, dim))
    for start in range(0, count, BLOCK):
        block = vectors[start : start + BLOCK] - middle
        covariance += block.T @ block
    total = float(np.trace(covariance))
    values, found = _largest(covariance, min(d, dim))
    real = values > max(total, 1e-12) * 1e-9  # below it there is rounding and nothing else
    axes = np.zeros((dim, d))
    axes[:, : len(values)] = found * real
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0)[0]
    axes *= np.where(largest < 0, -1.0, 1.0)
    return Axes(mean, axes, float(values[real].sum() / total) if real.any() else 1.0)


def _largest(symmetric: Exact, d: int) -> tuple[Exact, Exact]:
    """The d largest eigenvalues, descending, and their vectors as columns."""
    if len(symmetric) <= FULL:
        values, vectors = np.linalg.eigh(symmetric)
        return values[::-1][:d], vectors[:, ::-1][:, :d]
    # 3,072 dimensions: a third of eigh's time. Spare columns make the wanted ones settle in few rounds
    basis = np.random.default_rng(0).standard_normal((len(symmetric), d + SPARE))
    for _ in range(14):  # three products a round: what lies within six digits of the largest is not lost
        basis, _ = np.linalg.qr(symmetric @ (symmetric @ (symmetric @ basis)))
    values, turned = np.linalg.eigh(basis.T @ symmetric @ basis)
    return values[::-1][:d], (basis @ turned)[:, ::-1][:, :d]


def projected(vectors: Vectors, axes: Axes) -> Vectors:
    """Coordinates of (n, dim) vectors on the axes, (n, d) float32: for the vectors of the axes, and for any that come later."""
    at = axes.axes.astype(np.float32)
    middle = (axes.mean @ axes.axes).astype(np.float32)
    points: Vectors = vectors @ at - middle  # (n, dim) @ (dim, d)
    return points


def umap(vectors: Vectors, d: int, *, seed: int, neighbours: int) -> Vectors:
    """Coordinates by UMAP, (n, d) float32: a seed gives the same ones again, on the same machine and versions.

    Neighbours are found by FAISS and handed to umap-learn: its own search compiles itself for most of a minute in each process.

    Raises
    ------
    MissingExtra : umap-learn is not installed
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own dependencies: deprecations, a missing TensorFlow
            from umap import UMAP
    except ImportError as error:  # numba, which it needs, refuses a numpy that is newer than itself with one as well
        raise missing("umap") from error
    rows, k = _reduced(vectors), min(neighbours, len(vectors) - 1)
    made = UMAP(
        n_components=d, n_neighbors=k, min_dist=0.1, init=_start(vectors, d, 10.0, seed), random_state=seed, n_jobs=1,
        precomputed_knn=_graph(rows, k),
    )  # fmt: skip
    return _run(made, rows)


def tsne(vectors: Vectors, d: int, *, seed: int, neighbours: int) -> Vectors:
    """Coordinates by t-SNE (Barnes-Hut), (n, d) float32; a perplexity of twice `neighbours`, as far as there are items.

    Raises
    ------
    MissingExtra : scikit-learn is not installed
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise missing("sklearn") from error
    perplexity = max(1.0, min(2.0 * neighbours, (len(vectors) - 1) / 3))
    made = TSNE(n_components=d, perplexity=perplexity, init=_start(vectors, d, 1e-4, seed), random_state=seed)
    return _run(made, _reduced(vectors))


def _run(made: Any, vectors: Vectors) -> Vectors:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "n_jobs value 1 overridden", "transform will be unavailable", groups apart
        points: Vectors = np.ascontiguousarray(made.fit_transform(vectors), np.float32)
    return points


def _reduced(vectors: Vectors) -> Vectors:
    return projected(vectors, principal(vectors, REDUCED)) if vectors.shape[1] > REDUCED else vectors


def _graph(rows: Vectors, k: int) -> tuple[NDArray[np.int64], Vectors]:
    """Positions and distances of each row's k nearest, itself among them: (n, k) both."""
    import faiss

    if len(rows) > EXACT:
        lists = faiss.IndexIVFFlat(faiss.IndexFlatL2(rows.shape[1]), rows.shape[1], int(len(rows) ** 0.5))
        lists.train(rows)
        lists.add(rows)
        lists.nprobe = 16
        squares, found = lists.search(rows, k)
    if len(rows) <= EXACT or (found < 0).any():  # lists that hold fewer than k rows between them
        squares, found = faiss.knn(rows, rows, k)
    return found, np.sqrt(np.maximum(squares, 0))


def _start(vectors: Vectors, d: int, spread: float, seed: int) -> Vectors:
    """A PCA of that spread, with a trace of noise: equal vectors must be able to part."""
    points = projected(vectors, principal(vectors, d))
    widest = float(points[:, 0].std()) or 1.0
    noise = np.random.default_rng(seed).standard_normal(points.shape).astype(np.float32)
    return np.ascontiguousarray((points / widest + 1e-3 * noise) * spread, np.float32)


def nearest(queries: Vectors, rows: Vectors, k: int) -> tuple[NDArray[np.int64], Vectors]:
    """Positions and cosines of the k nearest of (n, dim) unit rows to each of (m, dim) queries: (m, k) both, best first."""
    k = min(k, len(rows))
    found, scores = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    step = max(1, SCORES // (4 * len(rows)))
    for start in range(0, len(queries), step):
        rough = queries[start : start + step] @ rows.T  # (b, dim) @ (dim, n) -> (b, n)
        best = highest(rough, k)
        found[start : start + step], scores[start : start + step] = best, np.take_along_axis(rough, best, axis=1)
    return found, scores


def highest(scores: Vectors, k: int) -> NDArray[np.int64]:
    """Columns of the k highest of each row of (b, n) scores, best first, equal ones in their order: (b, k); k is at most n."""
    rows, count = scores.shape
    whole = count // GROUPS * GROUPS
    maxima = scores[:, :whole].reshape(rows, -1, GROUPS).max(axis=1) if whole > 4 * GROUPS > 16 * k else scores
    least = np.partition(maxima, -k, axis=1)[:, [-k]]
    row, column = np.nonzero(scores >= least)
    if len(row) > 100 * k * rows:  # thousands of equal ones: any of them will do
        return np.argsort(-scores, axis=1, kind="stable")[:, :k].astype(np.int64)
    order = np.lexsort((column, -scores[row, column], row))
    begins = np.searchsorted(row[order], np.arange(rows))
    best: NDArray[np.int64] = column[order[begins[:, None] + np.arange(k)]].astype(np.int64)
    return best


def among(queries: Vectors, rows: Vectors, points: Vectors, k: int = 10) -> Vectors:
    """Where new vectors belong on a map: in the middle of the k nearest that are on it, the nearer ones counting for more.

    The middle is a geometric median, not a mean: where neighbours lie in two places, a mean is in neither. Of 10% of two
    collections left out of a UMAP and placed afterwards, the ten nearest on the map were among the ten nearest in truth for
    38% and 29%, with a weighted mean for 28% and 15%.

    Parameters
    ----------
    queries : (m, dim) unit vectors, new
    rows : (n, dim) unit vectors, those on the map, at least one
    points : (n, d) where they are

    Returns
    -------
    (m, d) float32. A vector that is on the map already gets the place it has there
    """
    found, scores = nearest(queries, rows, k)
    # the fourth power of the distance; below 1e-7 its square is rounding, and the two are the same
    squares = np.maximum(2 - 2 * scores.astype(np.float64), 1e-7)
    weights = (squares[:, :1] / squares) ** 2  # (m, k)
    places = points[found].astype(np.float64)  # (m, k, d)
    least = 1e-3 * (float(points.std()) or 1.0)  # as near as this a place is reached: no division by 0
    middle = _mean(places, weights)
    for _ in range(ROUNDS):  # Weiszfeld 1937
        away = np.sqrt(((places - middle[:, None]) ** 2).sum(axis=2)) + least
        middle = _mean(places, weights / away)
    return middle.astype(np.float32)


def _mean(places: Exact, weights: Exact) -> Exact:
    """(m, k, d) places with (m, k) weights → (m, d)."""
    summed: Exact = np.einsum("mk,mkd->md", weights, places)
    summed /= weights.sum(axis=1, keepdims=True)
    return summed
