"""Related items of whole collections: making all lists, beside bringing them up to date after one item has changed.

    python benchmarks/related.py [--items 472 10000 100000]

The vectors are those of the 472 articles of the data folder; larger collections have points between two of them beside them.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import cosimo

DATA = Path(os.environ.get("COSIMO_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, nargs="*", default=[472, 10_000, 100_000])
    given = parser.parse_args()
    if not (DATA / "til").is_dir():
        sys.exit(f"no articles at {DATA / 'til'}; set COSIMO_TEST_DATA")
    texts = [document.content for document in cosimo.read(DATA / "til", "**/*.md") if document.content]
    articles = cosimo.embed(texts)
    columns = ("items", "all lists, s", "after one change, s", "ratio", "lists made anew", "rows written", "of")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for items in given.items:
        print(measured(dense(articles, items)), flush=True)


def dense(vectors: np.ndarray, items: int) -> np.ndarray:
    """(items, dim) the vectors, and points between two of them that lie anywhere on the way."""
    random = np.random.default_rng(0)
    one, other = random.integers(0, len(vectors), (2, max(0, items - len(vectors))))
    part = random.uniform(0, 1, (len(one), 1)).astype(np.float32)
    return np.concatenate([vectors, part * vectors[one] + (1 - part) * vectors[other]])[:items]


def measured(vectors: np.ndarray) -> str:
    """One row of the table."""
    with tempfile.TemporaryDirectory() as folder, cosimo.open(Path(folder) / "items.db") as db:
        collection = db.collection("items", model=None, dim=vectors.shape[1])
        collection.add_vectors([f"{number:07}" for number in range(len(vectors))], vectors)
        start = time.perf_counter()
        collection.relate()
        full = time.perf_counter() - start
        collection.add_vectors(["0000007"], vectors[7:8] + 0.3 * vectors[8:9])
        start = time.perf_counter()
        one = collection.relate()
        after = time.perf_counter() - start
    kept = min(10, len(vectors) - 1) * len(vectors)
    return f"| {one.items:,} | {full:.2f} | {after:.2f} | {full / after:.0f}× | {one.recomputed} | {one.written} | {kept:,} |"


if __name__ == "__main__":
    main()
