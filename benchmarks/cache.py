"""Benchmark: the cache of vectors: how much faster a second run is, how large the file, how much eight processes share.

    python benchmarks/cache.py [--texts 5000]

The default model stands for one on a server: it is slow enough, and costs nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SENTENCE = "copy a database while it is in use walk the dog before breakfast bake bread in a hot oven find similar texts"
WORDS = SENTENCE.split()
SHARING = """
import sys, time
from pathlib import Path
from cosimo.collection.models import load_embedder
from cosimo.embedders.cache import CachedEmbedder
from cosimo.embedders.cache_file import CacheFile

class Counting:
    def __init__(self, inner):
        self.inner, self.spec, self.count_tokens, self.count = inner, inner.spec, inner.count_tokens, 0
    def embed(self, contents, *, role="document"):
        self.count += len(contents)
        return self.inner.embed(contents, role=role)

counting = Counting(load_embedder("all-MiniLM-L6-v2", cache=False))
texts = Path(sys.argv[2]).read_text(encoding="utf-8").split("\\n")
CachedEmbedder(counting, CacheFile(Path(sys.argv[1]), 10**10)).embed(texts)
print(counting.count)
"""


def texts(count: int) -> list[str]:
    """Texts of 40 words, no two alike."""
    return [" ".join(WORDS[(n * 7 + k * (n % 5 + 1)) % len(WORDS)] for k in range(40)) + f" {n}" for n in range(count)]


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=5000)
    count = parser.parse_args().texts
    with tempfile.TemporaryDirectory() as folder:
        repeat(Path(folder) / "vectors.db", texts(count))
        share(Path(folder), texts(1000))


def repeat(path: Path, given: list[str]) -> None:
    """The same texts twice, by a process that has the file open and by one that opens it."""
    from cosimo.collection.models import load_embedder
    from cosimo.embedders.cache import CachedEmbedder
    from cosimo.embedders.cache_file import CacheFile

    model = load_embedder("all-MiniLM-L6-v2", cache=False)
    model.embed(given[:200])  # compiled and warm
    rows = []
    file = CacheFile(path, 10**10)
    for name in ("first run", "second run", "opened anew"):
        if name == "opened anew":
            file.close()
            file = CacheFile(path, 10**10)
        started = time.perf_counter()
        CachedEmbedder(model, file).embed(given)
        rows.append((name, time.perf_counter() - started))
    file.close()
    print(f"{len(given):,} texts of 40 words, all-MiniLM-L6-v2")
    for name, seconds in rows:
        print(f"  {name:12} {seconds:8.3f} s   {rows[0][1] / seconds:7.1f} times as fast")
    size, numbers = sum(each.stat().st_size for each in path.parent.glob("vectors*")), 4 * model.spec.dim * len(given)
    print(f"  file {size:,} bytes = {(size - 16 * len(given)) / numbers:.3f} times the numbers, and 16 bytes of hash a text")


def share(folder: Path, given: list[str]) -> None:
    """Eight processes, the same texts."""
    (folder / "texts").write_text("\n".join(given), encoding="utf-8")
    command = [sys.executable, "-c", SHARING, str(folder / "shared.db"), str(folder / "texts")]
    started = time.perf_counter()
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    computed = [int(process.communicate()[0]) for process in running]
    seconds = time.perf_counter() - started
    print(f"eight processes, the same {len(given):,} texts: {sum(computed):,} computed {computed} in {seconds:.1f} s")


if __name__ == "__main__":
    main()
