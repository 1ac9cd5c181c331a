"""Exact search of one query at a time in a collection's matrix, beside the memory bandwidth that bounds it.

    python benchmarks/search_flat.py [--rows 10000 100000 1000000] [--dim 384]

Every query reads the whole matrix once, so the limit is rows × dim × 4 bytes over the machine's bandwidth, measured in the
same run by taking the maximum of the same bytes, a thread a core. FAISS's flat index stands beside it where it is installed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from cosimo.core.types import Change
from cosimo.indexes.flat import FlatIndex

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--dim", type=int, default=384)
    given = parser.parse_args()
    print("| rows | cosimo flat, ms | read once, ms | share of the limit | faiss flat, ms | ratio |\n|---|---|---|---|---|---|")
    for rows in given.rows:
        print(measured(rows, given.dim), flush=True)


def measured(rows: int, dim: int) -> str:
    """One row of the table."""
    random = np.random.default_rng(0)
    matrix = random.standard_normal((rows, dim), dtype=np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    queries = matrix[random.integers(0, rows, 20)] + random.standard_normal((20, dim), dtype=np.float32) * 0.02
    index = FlatIndex()
    index.apply(Change(1, True, np.arange(rows), matrix.copy(), np.empty(0, np.int64)))
    faiss = faiss_search(matrix)
    parts = np.array_split(matrix, os.cpu_count() or 1)
    threads = ThreadPoolExecutor(len(parts))
    ours, limit, theirs = [], [], []
    for query in queries:
        ours.append(timed(lambda query=query: index.search(query[None], 10)))
        limit.append(timed(lambda: list(threads.map(np.max, parts))))
        if faiss:
            theirs.append(timed(lambda query=query: faiss(query[None])))
    a, b = statistics.median(ours), statistics.median(limit)
    peer = f"{statistics.median(theirs):.2f} | {statistics.median(theirs) / a:.2f}×" if theirs else "not installed | –"
    return f"| {rows:,} | {a:.2f} | {b:.2f} | {b / a:.0%} | {peer} |"


def faiss_search(matrix: np.ndarray) -> Callable[[np.ndarray], object] | None:
    """FAISS's exact search over the same rows, if it is here."""
    try:
        import faiss
    except ImportError:
        return None
    flat = faiss.IndexFlatIP(matrix.shape[1])
    flat.add(matrix)
    return lambda query: flat.search(query, 10)


def timed(call: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    main()
