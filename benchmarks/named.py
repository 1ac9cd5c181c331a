"""Named vectors asked together, beside a search of one collection: of unrelated and of similar spaces, exact and approximate.

    python benchmarks/named.py [--rows 100000] [--dim 384] [--queries 20]

Vectors are random. `unrelated` know nothing of the collection's own, the worst that can be for a threshold; `similar` are those
with noise. Each line is a median over queries, asked in turns with the plain search that it is held against.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import cosimo

if TYPE_CHECKING:
    from collections.abc import Callable

    from cosimo.collection.collection import Collection

ASKED: dict[str, dict[str, Any]] = {
    "two, similar": {"weights": {"": 1, "similar": 1}},
    "two, unrelated": {"weights": {"": 1, "unrelated": 1}},
    "two, unrelated, a tenth passes": {"weights": {"": 1, "unrelated": 1}, "where": "tenth = 3"},
    "three": {"weights": {"": 1, "similar": 1, "unrelated": 1}},
    "two, by rank": {"weights": {"": 1, "unrelated": 1}, "fusion": "rrf"},
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--queries", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, cosimo.open(Path(folder) / "named.db") as db:
        shop = db.collection("shop", model=None, dim=given.dim)
        fill(shop, given.rows, given.dim)
        queries = np.random.default_rng(2).normal(size=(given.queries, given.dim)).astype(np.float32)
        print("| index | asked | one collection, ms | together, ms | ratio |\n|---|---|---|---|---|")
        for kind in ("flat", "auto"):
            for each in (shop, *map(shop.named, shop.names())):
                each.index(kind)
            for what, how in ASKED.items():
                alone, together = medians(shop, queries, how)
                print(f"| {kind} | {what} | {alone:.1f} | {together:.1f} | {together / alone:.1f} |", flush=True)


def fill(shop: Collection, rows: int, dim: int) -> None:
    """The same ids everywhere."""
    random, names = np.random.default_rng(1), [f"{number}" for number in range(rows)]
    own = random.normal(size=(rows, dim)).astype(np.float32)
    shop.add_vectors(names, own, metadata=[{"tenth": number % 10} for number in range(rows)])
    shop.named("unrelated", model=None, dim=dim).add_vectors(names, random.normal(size=(rows, dim)).astype(np.float32))
    noise = random.normal(size=(rows, dim)).astype(np.float32)
    shop.named("similar", model=None, dim=dim).add_vectors(names, own + 0.5 * noise)


def medians(shop: Collection, queries: np.ndarray, how: dict[str, Any]) -> tuple[float, float]:
    """Milliseconds of a plain search and of one of several spaces."""
    where = how.get("where")
    alone, together = [], []
    for query in (queries[0], *queries):
        alone.append(milliseconds(lambda query=query: shop.search(query, where=where)))
        together.append(milliseconds(lambda query=query: shop.search_mixed(query, **how)))
    return statistics.median(alone[1:]), statistics.median(together[1:])


def milliseconds(ask: Callable[[], object]) -> float:
    """How long a question takes."""
    start = time.perf_counter()
    ask()
    return 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    main()
