"""Migrate: how long the new vectors take beside embedding them, and how long the swap holds the file.

    python benchmarks/migrate.py [--rows 5000,100000] [--dim 384]

The fake model embeds, so that what is measured is ours: reading texts, keeping vectors, swapping them. `add` is the same texts
added to a new collection.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cosimo
from cosimo.stores.swap import Swap


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="5000,100000")
    parser.add_argument("--dim", type=int, default=384)
    given = parser.parse_args()
    print(f"{'rows':>10}{'add':>10}{'migrate':>10}{'of it swap':>12}{'file before, after':>24}")
    for rows in map(int, given.rows.split(",")):
        print(f"{rows:10,}", *measured(rows, given.dim), sep="")


def measured(rows: int, dim: int) -> list[str]:
    """One line."""
    swaps: list[float] = []
    swap = Swap.swap

    def timed(*arguments: object) -> object:
        started = time.perf_counter()
        try:
            return swap(*arguments)  # type: ignore[arg-type]
        finally:
            swaps.append(time.perf_counter() - started)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.db"
        with cosimo.open(path) as db:
            texts = (cosimo.Document(str(number), f"Text {number} speaks of {number * 7919 % 1000}.") for number in range(rows))
            started = time.perf_counter()
            collection = db.collection("rows", model=f"fake:{dim}")
            collection.add(texts, progress=lambda _: None)
            added = time.perf_counter() - started
        before = path.stat().st_size
        Swap.swap = timed  # type: ignore[assignment, method-assign]
        try:
            with cosimo.open(path) as db:
                started = time.perf_counter()
                db.collection("rows").migrate(f"fake:{dim - 1}", progress=lambda _: None)
                migrated = time.perf_counter() - started
        finally:
            Swap.swap = swap  # type: ignore[method-assign]
        sizes = f"{before / 1e6:,.0f}, {path.stat().st_size / 1e6:,.0f} MB"
    return [f"{added:8.1f} s", f"{migrated:8.1f} s", f"{sum(swaps):10.2f} s", f"{sizes:>24}"]


if __name__ == "__main__":
    main()
