"""Word vectors: reading files, neighbours, analogies, texts; beside gensim, where it is installed.

    python benchmarks/words.py [--words 0 400000 3000000] [--dim 300]

0 is word2vec-8k.bin of the data folder; other numbers are files of so many random vectors, written first (1.2 kB a word, as
text 2.4 kB). The last columns are the time of a second question, when the file is in the page cache, and the process's own
memory, without the mapped file.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from cosimo.collection.words import load

DATA = Path(os.environ.get("COSIMO_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
GENSIM = importlib.util.find_spec("gensim") is not None
MOST = 1_000_000  # words that gensim is given: it holds all in memory


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=int, nargs="*", default=[0, 400_000])
    parser.add_argument("--dim", type=int, default=300)
    given = parser.parse_args()
    real = DATA / "words" / "word2vec-8k.bin"
    if not real.is_file():
        sys.exit(f"no word vectors at {real}; set COSIMO_TEST_DATA")
    table("words", "form", "read, s", "gensim, s", "first question, s", "next, ms", "memory, MB")
    with tempfile.TemporaryDirectory() as folder:
        for count in given.words:
            for form in ("binary", "text"):
                path = Path(folder) / f"{form}.{'bin' if form == 'binary' else 'txt'}"
                if count:
                    made(path, count, given.dim)
                else:
                    load(real).save(path)
                row(path, form)
                path.unlink()
    print()
    questions(real)
    print()
    texts(real)


def made(path: Path, count: int, dim: int) -> None:
    """A file of random vectors."""
    random = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(f"{count} {dim}\n".encode())
        for start in range(0, count, 1_000):
            for number, vector in enumerate(random.standard_normal((min(1_000, count - start), dim), dtype=np.float32), start):
                numbers = vector.tobytes() if path.suffix == ".bin" else " ".join(f"{each:.5f}" for each in vector).encode()
                file.write(f"word{number} ".encode() + numbers + b"\n")


def row(path: Path, form: str) -> None:
    """One file, read and asked."""
    before, start = memory(), time.perf_counter()
    words = load(path)
    read = time.perf_counter() - start
    word = next(iter(words))
    start = time.perf_counter()
    words.neighbours(word)
    first = time.perf_counter() - start
    times = []
    for _ in range(5):
        start = time.perf_counter()
        words.neighbours(word)
        times.append(time.perf_counter() - start)
    used, count = memory() - before, len(words)
    del words
    theirs = "–"
    if GENSIM and count <= MOST:
        from gensim.models import KeyedVectors

        start = time.perf_counter()
        KeyedVectors.load_word2vec_format(str(path), binary=form == "binary")
        theirs = f"{time.perf_counter() - start:.2f}"
    table(f"{count:,}", form, f"{read:.2f}", theirs, f"{first:.2f}", f"{1000 * min(times):.1f}", f"{used / 1e6:.0f}")


def questions(path: Path) -> None:
    """Analogies, ours and gensim's."""
    table("analogies", "covered", "right", "s")
    asked = DATA / "words" / "questions-words.txt"
    words = load(path)
    start = time.perf_counter()
    found = words.analogies(asked).total
    table("cosimo", f"{found.covered:,}", f"{found.accuracy:.4f}", f"{time.perf_counter() - start:.2f}")
    if GENSIM:
        from gensim.models import KeyedVectors

        theirs: Any = KeyedVectors.load_word2vec_format(str(path), binary=True)
        start = time.perf_counter()
        accuracy, _ = theirs.evaluate_word_analogies(str(asked))
        table("gensim", "", f"{accuracy:.4f}", f"{time.perf_counter() - start:.2f}")


def texts(path: Path) -> None:
    """Texts a second as a model, and how well it orders pairs of them."""
    from cosimo.collection.evaluation import correlate
    from cosimo.collection.models import load_embedder

    lines = (DATA / "stsb" / "en" / "dev.tsv").read_text(encoding="utf-8").splitlines()[1:]
    sentences = [cell for line in lines for cell in line.split("\t")[1:]]
    table("model", "texts a second", "STS-Benchmark dev", "test")
    for name in (f"words:{path}", f"words:{path}@sif"):
        embedder = load_embedder(name)
        embedder.embed(sentences[:10])
        start = time.perf_counter()
        embedder.embed(sentences)
        speed = len(sentences) / (time.perf_counter() - start)
        scores = [correlate(DATA / "stsb" / "en" / f"{part}.tsv", model=name).value for part in ("dev", "test")]
        table(f"words:{path.name}{'@sif' * name.endswith('@sif')}", f"{speed:,.0f}", *(f"{score:.4f}" for score in scores))


def memory() -> int:
    """Bytes of this process that are not a file's; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def table(*cells: str) -> None:
    """A row, as it comes."""
    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
