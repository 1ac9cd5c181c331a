"""Texts per second, and how near to float32: cosimo beside sentence-transformers and fastembed, and the machine's own limit.

    python benchmarks/embedding.py ../shared/data [--texts 800] [--rounds 5] [--only short]

All contenders embed the same texts in one process, one after the other in every round, so that a busy machine hurts all
alike; the best round of each counts. The limit is what OpenVINO's bare bf16 matrix products of this model's shapes reach
on the same cores in the same round, applied to the operations that these texts need without padding; both in seconds of
processor time, which other programs disturb less. Peak memory is that of a process of its own. Nothing is asserted: a
timed test fails on a busy machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cosimo.embedders import engine, weights
from cosimo.embedders.local import LocalEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable

    Embed = Callable[[list[str]], Any]

MODEL = "all-MiniLM-L6-v2"
LAYERS, WIDTH, INNER = 6, 384, 1536


def texts_of(data: Path, count: int) -> dict[str, list[str]]:
    """Passages of web answers (mean 134 tokens), their first sentences (45), and articles cut at mixed lengths."""
    lines = (data / "retrieval" / "nq-utd" / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    passages = [f"{row.get('title', '')} {row['text']}".strip() for row in rows][:count]
    short = [text[: 120 + 37 * (number % 6)] for number, text in enumerate(passages)]
    articles = [path.read_text(encoding="utf-8") for path in sorted((data / "til").rglob("*.md"))]
    mix = [text[: 60 * 2 ** (number % 6)] for number, text in enumerate(articles)][:count]
    return {"short": short, "passages": passages, "mix": mix}


def contenders(folder: Path) -> dict[str, Callable[[], Embed]]:
    """Name -> what loads it and gives a function from texts to an array."""

    def ours(precision: str) -> Callable[[], Embed]:
        def load() -> Embed:
            embedder = LocalEmbedder(str(folder), precision=precision)
            return lambda texts: embedder.embed(texts).vectors

        return load

    def theirs() -> Embed:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(folder), device="cpu")
        return lambda texts: model.encode(texts, show_progress_bar=False)

    def fast() -> Embed:
        from fastembed import TextEmbedding

        model = TextEmbedding(f"sentence-transformers/{MODEL}", specific_model_path=str(folder))
        return lambda texts: np.stack(list(model.embed(texts)))

    found: dict[str, Callable[[], Embed]] = {"cosimo": ours("auto"), "cosimo float32": ours("float32")}
    if importlib.util.find_spec("sentence_transformers"):
        found["sentence-transformers"] = theirs
    if importlib.util.find_spec("fastembed") and (folder / "onnx" / "model.onnx").is_file():
        found["fastembed"] = fast
    return found


def products(threads: int) -> Callable[[], float]:
    """A function that gives GFLOP per processor second of chained bf16 products of the model's shapes, a stream a core."""
    ov = engine.openvino()
    from openvino import opset13 as op

    rows = 1024
    rng = np.random.default_rng(0)
    given = op.parameter([rows, WIDTH], np.float32)
    state = given
    flops = 0
    for _ in range(LAYERS):
        for inside, out in [(WIDTH, WIDTH)] * 4 + [(WIDTH, INNER), (INNER, WIDTH)]:
            matrix = (rng.standard_normal((out, inside)) / np.sqrt(inside)).astype(np.float32)
            state = op.matmul(state, op.constant(matrix), False, True)
            flops += 2 * rows * inside * out
    hint = "bf16" if engine.has_bf16() else "f32"
    settings = {"INFERENCE_PRECISION_HINT": hint, "NUM_STREAMS": threads, "INFERENCE_NUM_THREADS": threads}
    model = ov.Core().compile_model(ov.Model([op.reduce_sum(state, op.constant(np.array([0, 1])))], [given]), "CPU", settings)
    queue = ov.AsyncInferQueue(model, threads)
    values = rng.standard_normal((rows, WIDTH)).astype(np.float32)
    batches = 16 * threads

    def rate() -> float:
        started = time.process_time()
        for _ in range(batches):
            queue.start_async([values])
        queue.wait_all()
        return batches * flops / (time.process_time() - started) / 1e9

    return rate


def operations(lengths: list[int]) -> float:
    """GFLOP of these texts: matrix products with weights, and those of attention."""
    weight = 2 * LAYERS * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER)
    return sum(length * weight + LAYERS * 4 * length * length * WIDTH for length in lengths) / 1e9


def peak_memory(name: str, folder: Path, texts: list[str]) -> float:
    """MB at most in a process that loads one contender and embeds these texts."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", name, "--folder", str(folder)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def child(name: str, folder: Path) -> None:
    contenders(folder)[name]()(json.loads(sys.stdin.read()))
    try:
        import resource
    except ImportError:  # Windows
        print("nan")
        return
    unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux kilobytes
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)


class Best:
    """The best round of one contender: wall seconds, processor seconds, and its vectors."""

    def __init__(self, embed: Embed) -> None:
        self.embed = embed
        self.wall = self.cpu = float("inf")
        self.vectors: Any = None

    def again(self, texts: list[str]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        self.vectors = self.embed(texts)
        self.wall = min(self.wall, time.perf_counter() - wall)
        self.cpu = min(self.cpu, time.process_time() - cpu)


def measured(loaded: dict[str, Embed], texts: list[str], rounds: int) -> tuple[dict[str, Best], float]:
    """The best of each contender, and of the bare products between them."""
    rate = products(engine.cores())
    found = {name: Best(embed) for name, embed in loaded.items()}
    for embed in loaded.values():
        embed(texts[:200])
    best = rate()
    for _ in range(rounds):
        for contender in found.values():
            contender.again(texts)
        best = max(best, rate())
    return found, best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--texts", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["short", "passages", "mix"])
    parser.add_argument("--child")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child, asked.folder)
        return
    folder = weights.fetch(MODEL)
    loaded = {name: load() for name, load in contenders(folder).items()}
    sets = {name: texts for name, texts in texts_of(asked.data, asked.texts).items() if asked.only in (None, name)}
    memory = {name: peak_memory(name, folder, next(iter(sets.values()))[:400]) for name in loaded}
    ours = LocalEmbedder(str(folder))
    for title, texts in sets.items():
        lengths = [min(count, 256) for count in ours.count_tokens(texts)]
        report(title, lengths, *measured(loaded, texts, asked.rounds), memory)


def report(title: str, lengths: list[int], found: dict[str, Best], rate: float, memory: dict[str, float]) -> None:
    tokens, gflop = sum(lengths), operations(lengths)
    exact = found["cosimo float32"].vectors
    base = found.get("sentence-transformers", found["cosimo float32"]).wall
    print(f"\n{title}: {len(lengths)} texts, {tokens} tokens, {gflop:.0f} GFLOP; bare bf16 products: {rate:.0f} GFLOP/s a core")
    print(f"{'':24}{'texts/s':>9}{'tokens/s':>10}{'ratio':>7}{'of limit':>10}{'lowest cos':>12}{'mean cos':>10}{'peak MB':>9}")
    for name, best in found.items():
        cosines = (best.vectors * exact).sum(axis=1) / np.linalg.norm(best.vectors, axis=1)
        print(
            f"{name:24}{len(lengths) / best.wall:9.0f}{tokens / best.wall:10.0f}{base / best.wall:7.2f}"
            f"{gflop / rate / best.cpu:10.0%}{cosines.min():12.6f}{cosines.mean():10.6f}{memory[name]:9.0f}"
        )


if __name__ == "__main__":
    main()
