"""Whole processes, from `fork` to exit: one embedding, one search by id, the help text; beside `llm` where it is installed.

    python benchmarks/cold_start.py [--rows 16796] [--runs 7]

Runs ours and the peer's in turn and prints medians with their ratio: absolute times say little, the ratio holds.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import cosimo

MODEL = "sentence-transformers/all-MiniLM-L6-v2"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=16_796)
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "rows.db"
        fill(database, given.rows)
        ours, llm = shutil.which("cosimo") or f"{sys.executable} -m cosimo", shutil.which("llm")
        rows = [
            ("--help", [ours, "--help"], [llm, "--help"]),
            ("embed -c", [ours, "embed", "-c", "Hello world"], [llm, "embed", "-m", MODEL, "-c", "Hello world"]),
            (
                f"similar ID, {given.rows:,} rows",
                [ours, "similar", "rows", "row-7", "-d", str(database)],
                [llm, "similar", "rows", "row-7", "-d", str(database)],
            ),
            (
                f"similar -c, {given.rows:,} rows",
                [ours, "similar", "rows", "-c", "Hello world", "-d", str(database)],
                [llm, "similar", "rows", "-c", "Hello world", "-d", str(database)],
            ),
        ]
        print("| whole process | cosimo, s | llm, s | ratio |\n|---|---|---|---|")
        for name, mine, theirs in rows:
            a, b = alternate(mine, theirs if llm else None, given.runs)
            print(f"| {name} | {a:.3f} | {f'{b:.3f} | {b / a:.1f}×' if b else 'not installed | –'} |", flush=True)


def fill(database: Path, rows: int) -> None:
    """A collection of given vectors under the default model's name, so that both programs can search it."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(rows, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with cosimo.open(database) as db:
        collection = db.collection("rows", model=MODEL)
        collection.add_vectors([f"row-{i}" for i in range(rows)], vectors, [f"text {i}" for i in range(rows)])


def alternate(mine: list[str], theirs: list[str | None] | None, runs: int) -> tuple[float, float | None]:
    """Medians of both, run in turn after one warm-up each."""
    a, b = [], []
    for run in range(runs + 1):
        for command, times in ((mine, a), (theirs, b)):
            if command is not None:
                seconds = timed([part for part in command if part])
                if run:
                    times.append(seconds)
    return statistics.median(a), statistics.median(b) if b else None


def timed(command: list[str]) -> float:
    """Wall seconds of one process that has to succeed."""
    start = time.perf_counter()
    subprocess.run(command[0].split() + command[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
