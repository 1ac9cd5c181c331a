"""Questions of place over random places on the globe: from the R*Tree beside row by row, in one run and with the same answers.

    python benchmarks/places.py [--rows 100000] [--dim 384]

Each question goes through `numbers_that_pass` with nothing remembered. `first` is a question in a file without a tree: it
makes the tree and answers. A row is a place, a year and a vector.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import tempfile
import time
import unittest.mock
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cosimo.core.filters import F, Filter
from cosimo.core.types import Row, Settings
from cosimo.stores import places
from cosimo.stores.sqlite import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLACE = F("place")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=384)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "places.db"
        with SQLiteStore(path) as store:
            store.create("c", Settings(None, given.dim))
            store.put("c", rows(given.rows, given.dim))
            size = pages(store)
            first = seconds(lambda: answer(store, PLACE.near(0, 0, 1000)))
            grown = pages(store) - size
            print("| question | rows found | tree, ms | row by row, ms | ratio |\n|---|---|---|---|---|")
            for name, filter in questions():
                print(measured(store, name, filter), flush=True)
            print(f"\nThe first question, which makes the tree: {first:.2f} s, {grown / 2**20:.1f} MB.")
            print(f"One more row, then a question: {changed(store, given.dim):.2f} ms.")


def rows(count: int, dim: int) -> Iterator[Row]:
    """Places spread evenly over the sphere."""
    rng, vector = random.Random(0), np.ones(dim, np.float32)
    for number in range(count):
        lat, lon = math.degrees(math.asin(rng.uniform(-1, 1))), rng.uniform(-180, 180)
        yield Row(f"r{number}", vector, metadata={"place": {"lat": lat, "lon": lon}, "year": 2000 + number % 25})


def questions() -> list[tuple[str, Filter]]:
    """(name, filter): shapes that hold little and much."""
    near, around = PLACE.near(48.85, 2.35, 50_000), PLACE.near(48.85, 2.35, 2_000_000)
    ring = [(48 + 12 * math.sin(n / 50 * math.tau), 5 + 18 * math.cos(n / 50 * math.tau)) for n in range(50)]
    return [
        ("NEAR, 50 km", near),
        ("NEAR, 2,000 km", around),
        ("NEAR, 500 km of the pole", PLACE.near(89, 0, 500_000)),
        ("NEAR, half the Earth", PLACE.near(0, 0, 10_000_000)),
        ("IN_BOX, 5° × 5°", PLACE.in_box(45, 0, 50, 5)),
        ("IN_BOX, across the date line", PLACE.in_box(-20, 170, 20, -170)),
        ("IN_POLYGON, 3 corners", PLACE.in_polygon([(45, 0), (45, 8), (50, 4)])),
        ("IN_POLYGON, 50 corners", PLACE.in_polygon(ring)),
        ("NEAR, 2,000 km AND year", around & (F("year") >= 2020)),
        ("NEAR, 50 km OR year", near | (F("year") == 2020)),
        ("NOT NEAR, 2,000 km", ~around),
    ]


def measured(store: SQLiteStore, name: str, filter: Filter, turns: int = 3) -> str:
    """One row of the table: medians of a few turns, both ways in each."""
    tree, plain = [], []
    for _ in range(turns):
        tree.append(seconds(lambda: answer(store, filter)))
        plain.append(seconds(lambda: answer(store, filter, tree=False)))
    found = answer(store, filter)
    assert (found == answer(store, filter, tree=False)).all()
    a, b = statistics.median(tree) * 1000, statistics.median(plain) * 1000
    return f"| {name} | {len(found):,} | {a:.2f} | {b:.0f} | {b / a:,.0f}× |"


def answer(store: SQLiteStore, filter: Filter, *, tree: bool = True) -> np.ndarray:
    """The numbers that pass, computed."""
    store._allowed.clear()
    if tree:
        store.index_places("c", filter)
        return store.numbers_that_pass("c", filter)
    with unittest.mock.patch.object(places, "available", return_value=False):
        return store.numbers_that_pass("c", filter)


def changed(store: SQLiteStore, dim: int) -> float:
    """Milliseconds of a question just after a row was written."""
    store.put("c", [Row("new", np.ones(dim, np.float32), metadata={"place": {"lat": 48.85, "lon": 2.35}})])
    return seconds(lambda: answer(store, PLACE.near(48.85, 2.35, 50_000))) * 1000


def pages(store: SQLiteStore) -> int:
    """Bytes of the file, its log taken in."""
    return int(store._file.value("PRAGMA page_count") * store._file.value("PRAGMA page_size"))


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
