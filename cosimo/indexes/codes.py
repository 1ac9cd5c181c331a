"""Codes: vectors → half a byte for two (or four) numbers, and FAISS's fast scan over them. Approximate; reads no files.

Each number becomes one of four levels (2 bits) or two (1 bit), set per dimension where they lose least (Lloyd 1982). This
is a product quantiser whose sub-quantisers are grids, so FAISS scans it as one. Its own training finds codes that are hardly
better for vectors whose neighbouring dimensions have nothing to do with each other (recall@10 of 100 candidates among
50,000: both 1.000) and takes 20 times as long to train and 10 times to encode.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..core.types import Metric, Numbers, Vector, Vectors

    Codes = NDArray[np.uint8]
    Levels = NDArray[np.float32]

SAMPLE = 8192  # rows that levels are learned from
GAUSSIAN = {1: (-0.798, 0.798), 2: (-1.510, -0.453, 0.453, 1.510)}  # where Lloyd's iteration ends for a normal distribution
ROUNDS = 8
LITTLE = 20_000  # rows
BLOCK = 2048  # rows encoded at a time: 3 MB of 384-dim vectors stay in the cache


def faiss() -> Any:
    """The package `faiss`.

    Raises
    ------
    MissingExtra : it is not installed
    """
    try:
        import faiss as package
    except ImportError as error:
        raise MissingExtra("an index of this type needs the package faiss; run: pip install faiss-cpu") from error
    return package


@contextmanager
def threads_for(rows: int) -> Iterator[None]:
    """FAISS trains and adds with one thread where there is little to do: waiting for each other costs more than it saves."""
    package = faiss()
    before = package.omp_get_max_threads()
    package.omp_set_num_threads(1 if rows < LITTLE else before)
    try:
        yield
    finally:
        package.omp_set_num_threads(before)


def spread(at: Numbers, size: int = SAMPLE) -> Numbers:
    """At most `size` of some positions, evenly spaced; fewer than 16 are repeated, as nothing learns from less."""
    if len(at) <= size:
        return np.resize(at, max(len(at), 16))
    return at[np.linspace(0, len(at) - 1, size).astype(np.int64)]


def learned_levels(rows: Vectors, bits: int) -> Levels:
    """(2^bits, dim) float32, ascending in each dimension: the values that stand for all."""
    columns = np.sort(np.ascontiguousarray(rows.T), axis=1)  # (dim, n)
    sums = np.zeros((len(columns), columns.shape[1] + 1))
    np.cumsum(columns, axis=1, dtype=np.float64, out=sums[:, 1:])
    levels = columns.mean(axis=1)[:, None] + np.outer(columns.std(axis=1), GAUSSIAN[bits])  # (dim, 2^bits)
    edges = np.zeros((len(columns), levels.shape[1] + 1), np.int64)
    edges[:, -1] = columns.shape[1]
    for _ in range(ROUNDS):
        limits = ((levels[:, 1:] + levels[:, :-1]) / 2).astype(np.float32)
        for column, limit, edge in zip(columns, limits, edges, strict=True):
            edge[1:-1] = np.searchsorted(column, limit)
        counts = np.diff(edges, axis=1)
        totals = np.diff(np.take_along_axis(sums, edges, axis=1), axis=1)
        levels = np.where(counts > 0, totals / np.maximum(counts, 1), levels)
    return np.ascontiguousarray(np.sort(levels, axis=1).T, np.float32)


def encoded(matrix: Vectors, levels: Levels) -> Codes:
    """(n, code size) uint8, as FAISS lays out 4-bit codes: the first sub-quantiser in the low half of a byte."""
    limits = (levels[1:] + levels[:-1]) / 2
    width = 8 // (1 if len(levels) == 2 else 2)  # numbers a byte holds
    codes = np.empty((len(matrix), -(-matrix.shape[1] // width)), np.uint8)
    for start in range(0, len(matrix), BLOCK):
        block = matrix[start : start + BLOCK]
        if len(limits) == 1:
            codes[start : start + BLOCK] = np.packbits(block > limits[0], axis=1, bitorder="little")
            continue
        above = np.zeros((len(block), 4 * codes.shape[1]), np.uint8)
        for limit in limits:
            above[:, : block.shape[1]] += block > limit
        four = above.view("<u4")  # four levels a word; two bits of each are brought together
        codes[start : start + BLOCK] = (four | four >> 6 | four >> 12 | four >> 18).astype(np.uint8)
    return codes


def quantiser(levels: Levels, dim: int) -> tuple[NDArray[np.float32], int]:
    """The product quantiser that levels make: (m, 16, width) centroids, and the dimension padded to m x width.

    Padding has one level, 0, so codes and queries of zeros there change nothing.
    """
    width = 2 if len(levels) == 4 else 4  # numbers a 4-bit code stands for
    m = 2 * (-(-dim // (2 * width)))  # FAISS wants an even number of sub-quantisers: whole bytes
    padded = np.zeros((len(levels), m * width), np.float32)
    padded[:, :dim] = levels
    each = padded.reshape(len(levels), m, width)
    centroids = np.empty((m, 16, width), np.float32)
    for code in range(16):
        for place in range(width):
            centroids[:, code, place] = each[(code // len(levels) ** place) % len(levels), :, place]
    return centroids, m * width


def packed(codes: Codes, levels: Levels, dim: int, metric: Metric) -> Any:
    """A FAISS index over codes, ready to be scanned."""
    package = faiss()
    centroids, width = quantiser(levels, dim)
    kind = package.METRIC_L2 if metric == "l2" else package.METRIC_INNER_PRODUCT
    plain = package.IndexPQ(width, centroids.shape[0], 4, kind)
    package.copy_array_to_vector(centroids.ravel(), plain.pq.centroids)
    plain.is_trained = True
    plain.add_sa_codes(codes)
    return package.IndexPQFastScan(plain)


def padded(query: Vector, width: int) -> Vectors:
    """A query as FAISS wants it, (1, width)."""
    row = np.zeros((1, width), np.float32)
    row[0, : len(query)] = query
    return row


def nearest(index: Any, query: Vectors, count: int) -> tuple[NDArray[np.float32], Numbers]:
    """The best `count` codes for a padded query: (m,) values, higher is better, and (m,) positions."""
    values, at = index.search(query, min(count, index.ntotal))
    found = at[0] >= 0
    if index.metric_type != faiss().METRIC_INNER_PRODUCT:
        values = -values
    return values[0][found], at[0][found]
