"""Rows into SQLite: vectors given, a million streaming through, and whole runs of `embed-multi` beside `llm`'s.

    python benchmarks/ingest.py [store] [stream] [embed] [--data DIR] [--short 50000] [--weights DIR]

`store`: real short texts with their vectors given; cosimo, `llm`'s own library (once: it takes minutes, for every batch walks
the whole collection), and the machine's limit: the same rows by one bare `executemany` a batch into `llm`'s tables alone.
`stream`: a million rows; speed and memory as they pass. `embed`: 472 articles and the short texts, whole processes; `llm`
needs llm-sentence-transformers and `--weights`, a folder with the same model. All alternate; tables hold medians.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cosimo.core.types import Row, Settings
from cosimo.stores.schema import HASH_INDEX, LLM_TABLES
from cosimo.stores.sqlite import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DIM = 384
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
DATA = Path(__file__).parents[2] / "shared" / "data"


def main() -> None:
    """Print the tables asked for; without a name, all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="store|stream|embed")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--short", type=int, default=50_000, help="how many short texts")
    parser.add_argument("--rows", type=int, default=1_000_000, help="how many rows stream through")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--weights", type=Path, help="folder of the model, for llm")
    given = parser.parse_args()
    parts = given.parts or ["store", "stream", "embed"]
    texts = short_texts(given.data, given.short) if {"store", "embed"} & set(parts) else []
    if "store" in parts:
        store(texts, given.runs)
    if "stream" in parts:
        stream(given.rows)
    if "embed" in parts:
        embed(texts, given.data / "til", given.weights)


def short_texts(data: Path, count: int) -> list[str]:
    """Sentences and questions of people; beyond their number, pairs of them, so that no two texts are the same."""
    found: dict[str, None] = {}
    for path in [*sorted((data / "stsb" / "en").glob("*.tsv")), *sorted((data / "banking77").glob("*.tsv"))]:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                found.update(
                    (value, None) for name, value in row.items() if name in ("sentence1", "sentence2", "text") and value
                )
    single = list(found)
    single_at = {text: at for at, text in enumerate(single)}
    for step, text in product(range(1, len(single)), single):
        if len(found) >= count:
            break
        found[f"{text} {single[(single_at[text] + step) % len(single)]}"] = None
    return list(found)[:count]


# --- vectors given ---------------------------------------------------------------------------------------------------


def store(texts: list[str], runs: int) -> None:
    """Rows a second, contents and hashes included."""
    vectors = np.random.default_rng(0).standard_normal((len(texts), DIM)).astype(np.float32)
    ways: dict[str, Callable[[Path], object]] = {
        "cosimo": lambda path: ours(path, texts, vectors),
        "llm's library": lambda path: theirs(path, texts, vectors),
        "bare executemany": lambda path: bare(path, texts, vectors),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for run in range(runs):
        for name, way in ways.items():
            if run and name == "llm's library":
                continue
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                if way(Path(folder) / "rows.db") is not None:
                    seconds[name].append(time.perf_counter() - start)
    print(f"| {len(texts):,} rows × {DIM}, vectors given | rows/s | ratio to cosimo |\n|---|---|---|")
    base = statistics.median(seconds["cosimo"])
    for name, measured in seconds.items():
        middle = statistics.median(measured) if measured else None
        print(f"| {name} | {len(texts) / middle:,.0f} | {base / middle:.2f} |" if middle else f"| {name} | not installed | – |")
    print(flush=True)


def ours(path: Path, texts: list[str], vectors: np.ndarray) -> bool:
    with SQLiteStore(path) as opened:
        opened.create("rows", Settings(model=None, dim=DIM))
        opened.put("rows", (Row(f"text-{i:06d}", vectors[i], text) for i, text in enumerate(texts)))
    return True


def theirs(path: Path, texts: list[str], vectors: np.ndarray) -> bool | None:
    """`llm`'s library with a model that hands out the vectors; its default batch of 100."""
    os.environ.setdefault("LLM_LOAD_PLUGINS", "")
    try:
        import llm
        import sqlite_utils
    except ImportError:
        return None
    given = iter(vectors.tolist())

    class Given(llm.EmbeddingModel):
        model_id = "given"

        def embed_batch(self, items):
            return (next(given) for _ in items)

    db = sqlite_utils.Database(path)
    collection = llm.Collection("rows", db, model=Given())
    collection.embed_multi(((f"text-{i:06d}", text) for i, text in enumerate(texts)), store=True)
    db.close()
    return True


def bare(path: Path, texts: list[str], vectors: np.ndarray) -> bool:
    """What SQLite itself takes for the same rows: no numbers, no checks."""
    db = sqlite3.connect(path, isolation_level=None)
    for sql in ("PRAGMA page_size=8192", "PRAGMA journal_mode=wal", "PRAGMA synchronous=normal", "PRAGMA cache_size=-65536"):
        db.execute(sql)
    for sql in (*LLM_TABLES["collections"], *LLM_TABLES["embeddings"], HASH_INDEX):
        db.execute(sql)
    for at in range(0, len(texts), 4096):
        db.execute("BEGIN IMMEDIATE")
        db.executemany(
            "INSERT INTO embeddings (collection_id, id, embedding, content, content_hash, updated) VALUES (1, ?, ?, ?, ?, 1)",
            (
                (f"text-{i:06d}", vectors[i].tobytes(), texts[i], hashlib.md5(texts[i].encode()).digest())
                for i in range(at, min(at + 4096, len(texts)))
            ),
        )
        db.execute("COMMIT")
    db.close()
    return True


# --- memory ----------------------------------------------------------------------------------------------------------


def stream(rows: int) -> None:
    """Vectors alone from a generator into a file, then all of them back into one matrix."""
    print(f"| {rows:,} rows × {DIM} streaming | rows/s so far | resident memory, MB |\n|---|---|---|")
    block = np.random.default_rng(0).standard_normal((4096, DIM)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder, SQLiteStore(Path(folder) / "rows.db") as opened:
        opened.create("rows", Settings(model=None, dim=DIM))
        start = time.perf_counter()

        def generated() -> Iterator[Row]:
            for i in range(rows):
                if i and i % (rows // 10) == 0:
                    print(f"| {i:,} | {i / (time.perf_counter() - start):,.0f} | {resident()} |", flush=True)
                yield Row(f"row-{i:08d}", block[i % 4096])

        opened.put("rows", generated())
        print(f"| {rows:,} | {rows / (time.perf_counter() - start):,.0f} | {resident()} |")
        start = time.perf_counter()
        change = opened.changes("rows")
        print(f"\nread back: {change.vectors.shape} in {time.perf_counter() - start:.2f} s\n", flush=True)


def resident() -> str:
    """Memory of this process now, where the system tells."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return "unknown"
    return f"{pages * os.sysconf('SC_PAGE_SIZE') / 2**20:.0f}"


# --- whole runs ------------------------------------------------------------------------------------------------------


def embed(texts: list[str], articles: Path, weights: Path | None) -> None:
    """Whole processes: a folder of articles, then the short texts from a file of JSON."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        lines = folder / "texts.json"
        lines.write_text(json.dumps([{"id": f"text-{i:06d}", "text": text} for i, text in enumerate(texts)]), encoding="utf-8")
        sources = {
            "472 articles": ["--files", str(articles), "**/*.md"],
            f"{len(texts):,} short texts": [str(lines)],
        }
        environment = llm_home(folder, weights)
        print("| embed-multi, whole process | cosimo, s | again, s | llm, s | ratio |\n|---|---|---|---|---|")
        for number, (name, source) in enumerate(sources.items()):
            mine = [
                *command("cosimo"),
                "embed-multi",
                "c",
                *source,
                "-d",
                str(folder / f"o{number}.db"),
                "--store",
                "-m",
                MODEL,
            ]
            a, again = timed([*mine, "--quiet"]), timed([*mine, "--quiet"])
            b = None
            if environment:
                peer = ["embed-multi", "c", *source, "-d", str(folder / f"l{number}.db"), "--store"]
                b = timed([*command("llm"), *peer, "-m", f"sentence-transformers/{weights}"], environment)
            last = f"{b:.1f} | {b / a:.1f}×" if b else "not installed | –"
            print(f"| {name} | {a:.2f} | {again:.2f} | {last} |", flush=True)


def command(name: str) -> list[str]:
    found = shutil.which(name)
    return [found] if found else [sys.executable, "-m", name]


def llm_home(folder: Path, weights: Path | None) -> dict[str, str] | None:
    """An environment in which `llm` knows the folder of weights as a model; None if it cannot."""
    try:
        import llm_sentence_transformers  # noqa: F401
    except ImportError:
        return None
    if weights is None:
        return None
    (folder / "llm").mkdir()
    (folder / "llm" / "sentence-transformers.json").write_text(json.dumps([{"name": str(weights)}]), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "LLM_LOAD_PLUGINS"}
    return {**environment, "LLM_USER_PATH": str(folder / "llm"), "HF_HUB_OFFLINE": "1"}


def timed(arguments: list[str], environment: dict[str, str] | None = None) -> float:
    """Wall seconds of one process that has to succeed."""
    start = time.perf_counter()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
