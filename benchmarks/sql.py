"""SQL: the talk's query row by row, and `similar`, over the same rows; beside what Python's own `create_function` would take.

    python benchmarks/sql.py [--rows 2000] [--dim 384]

Vectors are random; the query is a text that the fake model embeds, so no model is part of the times. The median of nine.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np

import cosimo
from cosimo.interfaces.sql import native, register

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES = 9


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--dim", type=int, default=384)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.db"
        build(path, given.rows, given.dim)
        ours, python = connections(path)
        model = f"fake:{given.dim}"
        talk = (
            f"with input as (select llm_embed('{model}', 'how do I bake bread?') as e)"
            " select id, content from embeddings, input order by llm_embed_cosine(embedding, input.e) desc limit 5"
        )
        near = "select value ->> 'id' from json_each(similar('rows', 'how do I bake bread?', 5))"
        print(f"{given.rows:,} rows of {given.dim}")
        for name, connection, sql in (
            ("the talk's query", ours, talk),
            ("the same, registered by Python", python, talk),
            ("similar", ours, near),
        ):
            print(f"{name:32}{median(connection, sql) * 1e3:10.1f} ms")
        ours.close()
        python.close()


def build(path: Path, rows: int, dim: int) -> None:
    """A collection that says it is of the fake model."""
    dice = np.random.default_rng(0)
    with cosimo.open(path) as db:
        collection = db.collection("rows", model=f"fake:{dim}")
        collection.add([cosimo.Document("first", "Bake bread in a hot oven.")])
        for start in range(1, rows, 50_000):
            ids = [str(number) for number in range(start, min(start + 50_000, rows))]
            collection.add_vectors(ids, dice.normal(size=(len(ids), dim)), contents=[f"text {id}" for id in ids])


def connections(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """One with functions registered with SQLite itself, one as Python does it."""
    ours, python = sqlite3.connect(path), sqlite3.connect(path)
    register(ours)
    with mock.patch.object(native, "_library", return_value=None):
        register(python)
    return ours, python


def median(connection: sqlite3.Connection, sql: str) -> float:
    """Seconds of a query."""
    ask: Callable[[], object] = lambda: connection.execute(sql).fetchall()  # noqa: E731
    ask()
    seconds = []
    for _ in range(TIMES):
        started = time.perf_counter()
        ask()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
