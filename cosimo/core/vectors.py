"""Vectors: pack, unpack, check, normalise, nearest k. numpy only; the one place that defines what a score is.

A score is higher for the nearer of two, under every metric:

cosine   cosine similarity, in [-1, 1]; a zero vector has no direction and scores nowhere
ip       inner product, as it is
l2       minus the Euclidean distance, 0 for the same vector: a minimum score of -0.5 means "within 0.5". Not 1 / (1 + d),
         which squeezes what is far into the last digits, and not -d², which is not in the vectors' unit
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .errors import BadVector, DimensionMismatch

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from .types import Metric, Scores, Vector, Vectors

METRICS: tuple[Metric, ...] = ("cosine", "ip", "l2")
FEW = 1024  # scores that are sorted in less time than it takes to find out which need not be
STORED = np.dtype("<f4")  # little-endian float32, as `llm` packs it


def pack(vector: Vector) -> bytes:
    """One vector as the bytes a database holds: little-endian float32, 4 × dim bytes."""
    return np.ascontiguousarray(vector, dtype=STORED).tobytes()


def unpack(blob: bytes) -> Vector:
    """The vector in a database's bytes, (dim,) float32, read-only and without a copy.

    Raises
    ------
    BadVector : the bytes are not a whole number of float32 values
    """
    if len(blob) % STORED.itemsize:
        raise BadVector(f"a stored vector of {len(blob)} bytes is not a list of 4-byte floats; run: cosimo check")
    return np.frombuffer(blob, dtype=STORED)


def checked(vectors: ArrayLike, dim: int | None = None) -> Vectors:
    """Vectors from outside as (n, dim) float32, refused when they cannot be used.

    One vector (dim,) becomes (1, dim). Zero vectors pass: they are stored, and no search returns them.

    Raises
    ------
    BadVector : not numbers, ragged, NaN or infinite
    DimensionMismatch : another length than `dim`
    """
    try:
        with np.errstate(over="ignore"):  # beyond float32: infinity, refused below
            array = np.atleast_2d(np.ascontiguousarray(vectors, dtype=np.float32))
    except (TypeError, ValueError) as error:
        raise BadVector("vectors must be one list of numbers each, all of the same length") from error
    if array.ndim != 2 or array.shape[1] == 0:
        raise BadVector(f"vectors must have the shape (n, dim), not {array.shape}")
    if dim is not None and array.shape[1] != dim:
        raise DimensionMismatch(f"expected vectors of length {dim}, got {array.shape[1]}")
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise BadVector(f"vector {row} holds NaN, infinity or a number beyond float32; replace or leave it out")
    return array


def normalised(vectors: Vectors) -> Vectors:
    """Each row at unit length, (n, dim) float32. Zero and non-finite rows become zero, which scores nowhere."""
    unit = np.array(vectors, dtype=np.float32, order="C")
    normalise(unit)
    return unit


def normalise(vectors: Vectors) -> None:
    """`normalised` in place: a matrix that already has unit rows is read once and written nowhere."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", vectors, vectors)
    if len(squares) == 1 and abs(squares[0] - 1) <= 1e-6:  # a query of a model that normalises: most there are
        return
    for row in np.flatnonzero(~((squares > 1e-30) & (squares < 1e30))):  # 1e20 squared is infinity in float32, 1e-25 zero
        vectors[row] = _unit_in_double(vectors[row])
        squares[row] = 1
    off = np.flatnonzero(np.abs(squares - 1) > 1e-6)
    step = 65_536  # rows a slice: a matrix of a million rows is not copied whole
    for start in range(0, len(off), step):
        rows = off[start : start + step]
        vectors[rows] /= np.sqrt(squares[rows])[:, None]


def _unit_in_double(vector: Vector) -> Vector:
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not np.isfinite(length) or length == 0:
        return np.zeros_like(vector)
    return (vector.astype(np.float64) / length).astype(np.float32)


def cosine(a: Vectors, b: Vectors) -> Scores:
    """Score of every row of `a` with every row of `b`, (n, m) float32: cosine similarity, in [-1, 1]."""
    scores: Scores = np.clip(normalised(a) @ normalised(b).T, -1, 1)  # (n, dim) @ (dim, m)
    return scores


def prepared(vectors: Vectors, metric: Metric) -> Vectors:
    """Vectors as `scored` wants them, (n, dim) float32: at unit length for cosine, as they are otherwise."""
    return normalised(vectors) if metric == "cosine" else np.ascontiguousarray(vectors, np.float32)


def scored(rows: Vectors, query: Vector, metric: Metric) -> Scores:
    """Score of each of (n, dim) rows for one query (dim,), both prepared: (n,) float32. Overflow gives ±infinity."""
    with np.errstate(over="ignore", invalid="ignore"):
        if metric == "l2":
            away = rows - query  # by differences: q² - 2qr + r² loses all digits where the two are near
            distances: Scores = np.sqrt(np.einsum("ij,ij->i", away, away))
            return -distances
        scores: Scores = rows @ query  # (n, dim) @ (dim,) -> (n,)
        return np.clip(scores, -1, 1) if metric == "cosine" else scores


def top_k(scores: Scores, k: int) -> NDArray[np.int64]:
    """Positions of the k highest of (n,) scores, best first; equal scores keep their order. NaN is never among them."""
    missing = np.isnan(scores)
    if len(scores) <= FEW and not missing.any():
        return np.argsort(-scores, kind="stable")[: max(k, 0)].astype(np.int64)
    if missing.any():
        there = np.flatnonzero(~missing)
        return there[top_k(scores[there], k)]
    k = min(k, len(scores))
    if k <= 0:
        return np.empty(0, np.int64)
    if k < len(scores):
        # everything above the k-th score, then as many equal to it as fit, the earliest first: argpartition alone
        # would choose among equals at random
        threshold = scores[np.argpartition(-scores, k - 1)[k - 1]]
        above = np.flatnonzero(scores > threshold)
        level = np.flatnonzero(scores == threshold)[: k - len(above)]
        chosen = np.sort(np.concatenate([above, level]))
    else:
        chosen = np.arange(len(scores))
    return chosen[np.argsort(-scores[chosen], kind="stable")].astype(np.int64)


def mean_of_passages(passages: Vectors, weights: ArrayLike) -> Vector:
    """One vector for a document, from its passages.

    Parameters
    ----------
    passages : (n, dim) of any length; their directions count
    weights : (n,) their numbers of tokens; a long passage counts for more

    Returns
    -------
    (dim,) float32, unit length; passages that cancel out, or none at all, give a zero vector, which no search returns
    """
    total = np.asarray(weights, np.float32) @ normalised(passages)  # (n,) @ (n, dim) -> (dim,)
    mean: Vector = normalised(total[None])[0]
    return mean
